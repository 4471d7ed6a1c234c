//! Signals to be polled, over the event counters of Linux.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Readable while it is set.
#[derive(Debug)]
pub(crate) struct Readable {
    counter: OwnedFd,
}

impl Readable {
    /// Not set.
    pub(crate) fn new() -> io::Result<Readable> {
        Ok(Readable { counter: counter()? })
    }

    /// Sets it, which it is not. Fit for a signal handler: one `write`.
    pub(crate) fn set(&self) {
        add(&self.counter, 1);
    }

    pub(crate) fn clear(&self) {
        drain(&self.counter);
    }
}

impl AsFd for Readable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }
}

/// Writable unless it is blocked. An event counter is writable unless it is full.
#[derive(Debug)]
pub(crate) struct Writable {
    counter: OwnedFd,
}

impl Writable {
    /// Not blocked.
    pub(crate) fn new() -> io::Result<Writable> {
        Ok(Writable { counter: counter()? })
    }

    /// Blocks it, which it is not.
    pub(crate) fn block(&self) {
        // One below the counter's reserved value is the most it holds.
        add(&self.counter, u64::MAX - 1);
    }

    pub(crate) fn unblock(&self) {
        drain(&self.counter);
    }
}

impl AsFd for Writable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }
}

/// A file of its own, unlike a duplicate, and to be had without `/dev`.
pub(crate) fn spare() -> io::Result<OwnedFd> {
    counter()
}

fn counter() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
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
