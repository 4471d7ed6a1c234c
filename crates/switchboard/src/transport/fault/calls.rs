//! A transport whose calls misbehave on purpose: [`Faulty`].
//!
//! Whatever is decided by chance is decided by a seed: the same seed and the same calls give the
//! same faults. It never invents, drops or reorders a byte before the place where it is told to
//! end the stream.

use super::random::Random;
use crate::transport::passed_on::passed_on;
use crate::transport::{Interest, Transport, Wait, Woken};
use crate::{deadline, limits};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is to go wrong. Chances are in thousandths of the calls.
///
/// ```
/// use switchboard::transport::Faults;
///
/// // One byte a call, every call interrupted once, every other one told to wait.
/// let hostile = Faults::new(1).bytes_per_call(1).interrupts(1000).would_blocks(1000);
/// # let _ = hostile;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    seed: u64,
    bytes_per_call: usize,
    cuts: bool,
    interrupts: u16,
    would_blocks: u16,
    glue: u16,
    end_after: Option<u64>,
    reset_after: Option<u64>,
}

impl Faults {
    /// None, until told otherwise.
    #[must_use]
    pub fn new(seed: u64) -> Faults {
        Faults {
            seed,
            bytes_per_call: usize::MAX,
            cuts: false,
            interrupts: 0,
            would_blocks: 0,
            glue: 0,
            end_after: None,
            reset_after: None,
        }
    }

    /// Moves at most so many bytes in a call, at least 1.
    #[must_use]
    pub fn bytes_per_call(self, bytes: usize) -> Faults {
        Faults { bytes_per_call: bytes.max(1), ..self }
    }

    /// Cuts every read and write at random.
    #[must_use]
    pub fn cuts(self) -> Faults {
        Faults { cuts: true, ..self }
    }

    /// Interrupts calls, but not the repetition of a call that was interrupted: with 1000, each
    /// call is interrupted once.
    #[must_use]
    pub fn interrupts(self, per_mille: u16) -> Faults {
        Faults { interrupts: per_mille, ..self }
    }

    /// Says `WouldBlock`, but not twice in turn: with 1000, every other call.
    #[must_use]
    pub fn would_blocks(self, per_mille: u16) -> Faults {
        Faults { would_blocks: per_mille, ..self }
    }

    /// Holds writes back to send them together with the next ones. They go out before this side
    /// waits or finishes, and when [`limits::FAULT_GLUE_BYTES_MAX`] have gathered. `select` is no
    /// wait of this side: it moves nothing.
    /// Whoever waits elsewhere than in [`wait`](Transport::wait), as a server and
    /// [`select`](crate::select()) do, has to do without.
    #[must_use]
    pub fn glue(self, per_mille: u16) -> Faults {
        Faults { glue: per_mille, ..self }
    }

    /// The stream ends after so many bytes were read, whatever the peer does: it vanished without
    /// a word.
    #[must_use]
    pub fn end_after(self, bytes: u64) -> Faults {
        Faults { end_after: Some(bytes), ..self }
    }

    /// The stream is reset after so many bytes were read, or written.
    #[must_use]
    pub fn reset_after(self, bytes: u64) -> Faults {
        Faults { reset_after: Some(bytes), ..self }
    }
}

/// Passes calls on with faults.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Transport>,
    faults: Faults,
    reading: Mutex<Direction>,
    writing: Mutex<Direction>,
}

#[derive(Debug)]
struct Direction {
    random: Random,
    bytes: u64,
    interrupted: bool,
    blocked: bool,
    /// Writes that are to be glued to the next ones.
    held: Vec<u8>,
}

impl Faulty {
    /// With these faults in both directions.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, faults: Faults) -> Faulty {
        let direction = |salt: u64| {
            Mutex::new(Direction {
                random: Random::new(faults.seed ^ salt),
                bytes: 0,
                interrupted: false,
                blocked: false,
                held: Vec::new(),
            })
        };
        Faulty { inner, faults, reading: direction(0), writing: direction(u64::MAX / 3) }
    }

    /// How many bytes this call may move, or the fault that comes first.
    fn admit(&self, direction: &mut Direction, wanted: usize) -> io::Result<usize> {
        let faults = &self.faults;
        if !direction.interrupted && direction.random.chance(faults.interrupts) {
            direction.interrupted = true;
            return Err(io::ErrorKind::Interrupted.into());
        }
        direction.interrupted = false;
        if !direction.blocked && direction.random.chance(faults.would_blocks) {
            direction.blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        direction.blocked = false;
        let mut count = wanted.min(faults.bytes_per_call);
        if faults.cuts && count > 1 {
            count = 1 + direction.random.below(count);
        }
        if let Some(limit) = faults.reset_after {
            let left = limit.saturating_sub(direction.bytes);
            if left == 0 {
                // The peer is told as well, and it may be gone already.
                let _ = self.inner.reset();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        Ok(count)
    }

    /// Sends what is held back; `WouldBlock` while some of it is left.
    fn send_held(&self, writing: &mut Direction) -> io::Result<()> {
        while !writing.held.is_empty() {
            match self.inner.write(&writing.held) {
                Ok(count) => drop(writing.held.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Transport for Faulty {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut reading = lock(&self.reading);
        let mut count = self.admit(&mut reading, buffer.len())?;
        if let Some(limit) = self.faults.end_after {
            let left = limit.saturating_sub(reading.bytes);
            count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let read = if count == 0 { 0 } else { self.inner.read(&mut buffer[..count])? };
        reading.bytes += read as u64;
        Ok(read)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut writing = lock(&self.writing);
        let count = self.admit(&mut writing, bytes.len())?;
        let bytes = &bytes[..count];
        let room = limits::FAULT_GLUE_BYTES_MAX.saturating_sub(writing.held.len());
        if !writing.held.is_empty() || writing.random.chance(self.faults.glue) {
            let more = writing.random.chance(self.faults.glue);
            let taken = count.min(room);
            writing.held.extend_from_slice(&bytes[..taken]);
            writing.bytes += taken as u64;
            if !more || taken < count {
                match self.send_held(&mut writing) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => {}
                    other => other?,
                }
            }
            return if taken == 0 && count > 0 {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(taken)
            };
        }
        let written = self.inner.write(bytes)?;
        writing.bytes += written as u64;
        Ok(written)
    }

    /// Waits for room for what is held back, up to [`limits::LINGER_TIMEOUT`].
    fn finish(&self) -> io::Result<()> {
        let until = Wait { deadline: deadline::after(limits::LINGER_TIMEOUT), ..Wait::FOREVER };
        loop {
            match self.send_held(&mut lock(&self.writing)) {
                Ok(()) => return self.inner.finish(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.inner.wait(Interest::WRITE, &until)? == Woken::Deadline {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn reset(&self) -> io::Result<()> {
        lock(&self.writing).held.clear();
        self.inner.reset()
    }

    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        loop {
            let held = match self.send_held(&mut lock(&self.writing)) {
                Ok(()) => false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
                // A broken stream is readiness: the next write tells.
                Err(_) => return Ok(Woken::Ready(interest)),
            };
            let both = Interest { write: interest.write || held, ..interest };
            match self.inner.wait(both, until)? {
                Woken::Ready(ready) => {
                    let wanted = Interest {
                        read: ready.read && interest.read,
                        write: ready.write && interest.write,
                    };
                    if wanted.read || wanted.write {
                        return Ok(Woken::Ready(wanted));
                    }
                }
                other => return Ok(other),
            }
        }
    }

    fn interest(&self, wanted: Interest) -> Interest {
        let held = !lock(&self.writing).held.is_empty();
        self.inner.interest(Interest { write: wanted.write || held, ..wanted })
    }

    fn flush(&self) -> io::Result<bool> {
        match self.send_held(&mut lock(&self.writing)) {
            Ok(()) => self.inner.flush(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    passed_on! {
        disown undelivered opening holds_input read_descriptor write_descriptor local remote client
        name set_liveness silence process tls facts
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        // Once, without waiting: dropping never blocks.
        let _ = self.send_held(&mut lock(&self.writing));
    }
}

fn lock(direction: &Mutex<Direction>) -> MutexGuard<'_, Direction> {
    direction.lock().unwrap_or_else(PoisonError::into_inner)
}
