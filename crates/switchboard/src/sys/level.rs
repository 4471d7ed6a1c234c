//! Descriptors that say yes or no for as long as it is so, to be polled beside sockets. What is
//! behind the descriptor differs between systems: `counter`, `pipe`.

use super::signal::{Readable, Writable};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Readable while raised. Nothing reads it down but [`Level::lower`], so every waiter sees it.
#[derive(Debug)]
pub(crate) struct Level {
    signal: Signal,
    raised: AtomicBool,
}

#[derive(Debug)]
enum Signal {
    Own(Readable),
    /// A pipe of which another process has the other end: readable once that is closed.
    Lifeline(OwnedFd),
}

impl Level {
    pub(crate) fn new() -> io::Result<Level> {
        Ok(Level { signal: Signal::Own(Readable::new()?), raised: AtomicBool::new(false) })
    }

    /// Raised when nobody holds the other end of this pipe any more; who waits for it notices.
    pub(crate) fn of_lifeline(pipe: OwnedFd) -> Level {
        Level { signal: Signal::Lifeline(pipe), raised: AtomicBool::new(false) }
    }

    /// Its descriptor was found readable: it was raised by another process.
    pub(crate) fn note(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// Fit for a signal handler: one atomic operation and one `write`.
    pub(crate) fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel)
            && let Signal::Own(signal) = &self.signal
        {
            signal.set();
        }
    }

    /// Only for a level whose raising and lowering one lock orders; else a raise could get lost
    /// between the two steps.
    pub(crate) fn lower(&self) {
        if self.raised.swap(false, Ordering::AcqRel)
            && let Signal::Own(signal) = &self.signal
        {
            signal.clear();
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

impl AsFd for Level {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.signal {
            Signal::Own(signal) => signal.as_fd(),
            Signal::Lifeline(pipe) => pipe.as_fd(),
        }
    }
}

/// Writable while open.
#[derive(Debug)]
pub(crate) struct Gate {
    signal: Writable,
    shut: AtomicBool,
}

impl Gate {
    /// An open gate.
    pub(crate) fn new() -> io::Result<Gate> {
        Ok(Gate { signal: Writable::new()?, shut: AtomicBool::new(false) })
    }

    /// Opens or shuts the gate; one lock orders all calls.
    pub(crate) fn set_open(&self, open: bool) {
        if self.shut.swap(!open, Ordering::AcqRel) == open {
            if open {
                self.signal.unblock();
            } else {
                self.signal.block();
            }
        }
    }
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline;
    use crate::sys::{Watch, wait};
    use crate::transport::Wait;

    /// What a look without a wait finds.
    fn looks(descriptor: BorrowedFd<'_>) -> (bool, bool) {
        let mut watch = [Watch::new(descriptor, true, true)];
        wait(&mut watch, &Wait::until(deadline::now())).unwrap();
        (watch[0].readable, watch[0].writable)
    }

    #[test]
    fn a_level_is_readable_while_it_is_raised_however_often() {
        let level = Level::new().unwrap();
        for _ in 0..100_000 {
            level.raise();
            level.raise();
            level.lower();
            level.lower();
        }
        assert!(!looks(level.as_fd()).0);
        level.raise();
        for _ in 0..3 {
            assert!(looks(level.as_fd()).0);
            assert!(level.is_raised());
        }
        level.lower();
        assert!(!looks(level.as_fd()).0);
    }

    #[test]
    fn a_gate_is_writable_while_it_is_open_however_often_it_was_shut() {
        let gate = Gate::new().unwrap();
        for _ in 0..1000 {
            assert!(looks(gate.as_fd()).1);
            gate.set_open(true);
            assert!(looks(gate.as_fd()).1);
            gate.set_open(false);
            gate.set_open(false);
            assert!(!looks(gate.as_fd()).1);
            gate.set_open(true);
        }
    }

    #[test]
    fn who_waits_at_a_gate_is_woken_when_it_opens() {
        let gate = Gate::new().unwrap();
        gate.set_open(false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut watch = [Watch::new(gate.as_fd(), false, true)];
                wait(&mut watch, &Wait::FOREVER).unwrap();
                watch[0].writable
            });
            gate.set_open(true);
            assert!(waiting.join().unwrap());
        });
    }
}
