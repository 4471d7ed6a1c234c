//! Two ends of a stream in memory: [`pair()`].
//!
//! Invariant: a direction never holds more than its capacity, and its two signals say under its
//! lock what a read and a write would find.

use super::{Facts, Transport};
use crate::sys::{Gate, Level};
use crate::{Endpoint, limits};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One end of a stream in memory.
///
/// It behaves as a socket does: bounded buffers, half-close, resets, and descriptors to poll. What
/// it lacks is anything between the two ends that could go wrong.
#[derive(Debug)]
pub struct Pair {
    incoming: Arc<Direction>,
    outgoing: Arc<Direction>,
}

/// Two ends that hold 64 KiB in each direction ([`limits::PAIR_BUFFER_BYTES`]).
///
/// ```
/// use switchboard::Transport;
///
/// let (a, b) = switchboard::transport::pair()?;
/// assert_eq!(a.write(b"hello")?, 5);
/// a.finish()?;
/// let mut buffer = [0; 16];
/// assert_eq!(b.read(&mut buffer)?, 5);
/// assert_eq!(b.read(&mut buffer)?, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the process has no descriptors left; a pair takes four, on systems without event counters
/// (eventfd) eight.
pub fn pair() -> io::Result<(Pair, Pair)> {
    pair_with_capacity(limits::PAIR_BUFFER_BYTES)
}

/// Two ends that hold `bytes` in each direction, at least 1.
///
/// # Errors
/// As for [`pair`].
pub fn pair_with_capacity(bytes: usize) -> io::Result<(Pair, Pair)> {
    let (there, back) = (Arc::new(Direction::new(bytes)?), Arc::new(Direction::new(bytes)?));
    let a = Pair { incoming: Arc::clone(&back), outgoing: Arc::clone(&there) };
    Ok((a, Pair { incoming: there, outgoing: back }))
}

/// One direction.
#[derive(Debug)]
struct Direction {
    state: Mutex<State>,
    capacity: usize,
    readable: Level,
    writable: Gate,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    /// The writer has finished, or is gone.
    finished: bool,
    /// The reader is gone.
    unread: bool,
    reset: bool,
}

impl Direction {
    fn new(capacity: usize) -> io::Result<Direction> {
        Ok(Direction {
            state: Mutex::default(),
            capacity: capacity.max(1),
            readable: Level::new()?,
            writable: Gate::new()?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and lets the signals follow while the lock is held.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        if !state.bytes.is_empty() || state.finished || state.reset {
            self.readable.raise();
        } else {
            self.readable.lower();
        }
        let room = state.bytes.len() < self.capacity;
        self.writable.set_open(room || state.finished || state.unread || state.reset);
        debug_assert!(state.bytes.len() <= self.capacity);
        result
    }

    fn reset(&self) {
        self.change(|state| {
            state.reset = true;
            state.bytes.clear();
        });
    }
}

impl Transport for Pair {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.incoming.change(|state| {
            if state.reset {
                Err(io::ErrorKind::ConnectionReset.into())
            } else if state.bytes.is_empty() && !state.finished {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                state.bytes.read(buffer)
            }
        })
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.change(|state| {
            if state.reset {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if state.finished || state.unread {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let count = bytes.len().min(self.outgoing.capacity - state.bytes.len());
            if count == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            state.bytes.extend(&bytes[..count]);
            Ok(count)
        })
    }

    fn finish(&self) -> io::Result<()> {
        self.outgoing.change(|state| state.finished = true);
        Ok(())
    }

    fn reset(&self) -> io::Result<()> {
        self.outgoing.reset();
        self.incoming.reset();
        Ok(())
    }

    fn undelivered(&self) -> Option<usize> {
        Some(self.outgoing.lock().bytes.len())
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.incoming.readable.as_fd())
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.outgoing.writable.as_fd())
    }

    fn local(&self) -> Option<Endpoint> {
        None
    }

    fn remote(&self) -> Option<Endpoint> {
        None
    }

    fn name(&self) -> String {
        "pair".to_owned()
    }

    fn facts(&self) -> Facts {
        Facts { half_close: true, reset: true, silent_death: false, in_memory: true }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.outgoing.change(|state| state.finished = true);
        self.incoming.change(|state| {
            state.unread = true;
            state.bytes.clear();
        });
    }
}
