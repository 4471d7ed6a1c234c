//! The transport, and conversations over it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use switchboard::frame::Protocol;
use switchboard::server::Running;
use switchboard::transport::{Facts, Interest, Pair, pair_with_capacity};
use switchboard::{Conversation, Ending, Endpoint, Timeouts, Transport, deadline};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PREFACE: &[u8] = b"hi";
/// Says goodbye; part of no message here.
const BYE: u8 = 0xff;
const HELD_MAX: usize = 4096;

#[derive(Debug)]
pub(crate) struct Layered {
    inner: Pair,
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    has_spoken: bool,
    heard: usize,
    input: VecDeque<u8>,
    has_ended: bool,
    pub(crate) output: Vec<u8>,
    finishing: bool,
}

/// Two ends that speak to each other over few bytes at a time.
pub(crate) fn layered() -> (Arc<Layered>, Arc<Layered>) {
    let (a, b) = pair_with_capacity(1000).unwrap();
    (over(a), over(b))
}

pub(crate) fn over(inner: Pair) -> Arc<Layered> {
    Arc::new(Layered { inner, state: Mutex::default() })
}

impl Layered {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn open(&self, state: &mut State) -> io::Result<()> {
        if !state.has_spoken {
            state.has_spoken = self.inner.write(PREFACE)? > 0;
        }
        while state.heard < PREFACE.len() {
            let mut byte = [0];
            if self.inner.read(&mut byte)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if byte[0] != PREFACE[state.heard] {
                return Err(io::Error::new(ErrorKind::InvalidData, "that is no preface"));
            }
            state.heard += 1;
        }
        Ok(())
    }
}

impl Transport for Layered {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.lock();
        self.open(&mut state)?;
        if state.input.is_empty() && !state.has_ended {
            let mut ahead = [0; 2048];
            let count = self.inner.read(&mut ahead)?;
            state.has_ended = ahead[..count].ends_with(&[BYE]);
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let bytes = count - usize::from(state.has_ended);
            state.input.extend(&ahead[..bytes]);
        }
        let bite = buffer.len().min(7);
        io::Read::read(&mut state.input, &mut buffer[..bite])
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        self.open(&mut state)?;
        let count = bytes.len().min(HELD_MAX - state.output.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.output.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn finish(&self) -> io::Result<()> {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.finishing, true) {
            state.output.push(BYE);
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<bool> {
        let mut state = self.lock();
        let mut flush = || {
            self.open(&mut state)?;
            while !state.output.is_empty() {
                let count = self.inner.write(&state.output)?;
                state.output.drain(..count);
            }
            if state.finishing { self.inner.finish() } else { Ok(()) }
        };
        match flush() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(state.output.is_empty()),
            Err(error) => Err(error),
        }
    }

    fn interest(&self, wanted: Interest) -> Interest {
        let state = self.lock();
        match state.heard < PREFACE.len() {
            true => Interest { read: true, write: !state.has_spoken },
            false => Interest { write: wanted.write || !state.output.is_empty(), ..wanted },
        }
    }

    fn opening(&self) -> Option<&'static str> {
        (self.lock().heard < PREFACE.len()).then_some("the preface")
    }

    fn wait(
        &self,
        interest: Interest,
        until: &switchboard::transport::Wait<'_>,
    ) -> io::Result<switchboard::transport::Woken> {
        use switchboard::transport::{Woken, wait_on};
        if interest.read && self.holds_input() {
            return Ok(Woken::Ready(Interest::READ));
        }
        let (read, write) = (self.read_descriptor(), self.write_descriptor());
        Ok(match wait_on(read, write, self.interest(interest), until)? {
            // What it wanted to do it tries, whichever it was.
            Woken::Ready(_) => Woken::Ready(interest),
            other => other,
        })
    }

    fn holds_input(&self) -> bool {
        let state = self.lock();
        !state.input.is_empty() || state.has_ended
    }

    fn reset(&self) -> io::Result<()> {
        self.inner.reset()
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inner.read_descriptor()
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inner.write_descriptor()
    }

    fn local(&self) -> Option<Endpoint> {
        None
    }

    fn remote(&self) -> Option<Endpoint> {
        None
    }

    fn name(&self) -> String {
        "layered".to_owned()
    }

    fn facts(&self) -> Facts {
        self.inner.facts()
    }
}

pub(crate) fn converse(over: Arc<dyn Transport>, framing: &str) -> Conversation {
    let protocol: Protocol = framing.parse().unwrap();
    Conversation::over(over, &protocol).with_timeouts(Timeouts::all(PATIENCE))
}

/// Waits until all conversations are over.
pub(crate) fn ended(running: &Running, ending: Ending) {
    let end = deadline::after(PATIENCE);
    loop {
        let stats = running.handle().stats();
        if stats.open == 0 && stats.endings.sum() > 0 {
            assert_eq!(stats.endings.count(ending), stats.endings.sum(), "{}", stats.endings);
            return;
        }
        assert!(!deadline::has_passed(end), "{stats:?}");
        std::thread::yield_now();
    }
}
