//! Descriptors that say yes or no for as long as it is so, to be polled beside sockets.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Readable while raised. Nothing reads it down but [`Level::lower`], so every waiter sees it.
#[derive(Debug)]
pub(crate) struct Level {
    descriptor: OwnedFd,
    raised: AtomicBool,
}

impl Level {
    pub(crate) fn new() -> io::Result<Level> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Level { descriptor, raised: AtomicBool::new(false) })
    }

    /// Fit for a signal handler: one atomic operation and one `write`.
    pub(crate) fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            add(&self.descriptor, 1);
        }
    }

    /// Only for a level whose raising and lowering one lock orders; else a raise could get lost
    /// between the two steps.
    pub(crate) fn lower(&self) {
        if self.raised.swap(false, Ordering::AcqRel) {
            drain(&self.descriptor);
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

impl AsFd for Level {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Writable while open. An event counter is writable unless it is full, so closing the gate fills
/// the counter.
#[derive(Debug)]
pub(crate) struct Gate {
    descriptor: OwnedFd,
    shut: AtomicBool,
}

impl Gate {
    /// An open gate.
    pub(crate) fn new() -> io::Result<Gate> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Gate { descriptor, shut: AtomicBool::new(false) })
    }

    /// Opens or shuts the gate; one lock orders all calls.
    pub(crate) fn set_open(&self, open: bool) {
        if self.shut.swap(!open, Ordering::AcqRel) == open {
            if open {
                drain(&self.descriptor);
            } else {
                // One below the counter's reserved value is the most it holds.
                add(&self.descriptor, u64::MAX - 1);
            }
        }
    }
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The write cannot fail: the counter has room by the callers' bookkeeping, and the descriptor is
/// open for as long as it is owned.
fn add(descriptor: &OwnedFd, count: u64) {
    let written = rustix::io::retry_on_intr(|| rustix::io::write(descriptor, &count.to_ne_bytes()));
    debug_assert!(written.is_ok(), "an event counter with room takes a count");
}

fn drain(descriptor: &OwnedFd) {
    let mut count = [0; 8];
    let read = rustix::io::retry_on_intr(|| rustix::io::read(descriptor, &mut count));
    debug_assert!(read.is_ok(), "an event counter above zero is read at once");
}
