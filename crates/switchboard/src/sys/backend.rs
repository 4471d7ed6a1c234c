//! What an event loop asks of the system: [`Backend`].
//!
//! A backend tells which of the things it watches are ready, and what time it is; it reads and
//! writes nothing. The one of Linux is `epoll`, elsewhere it is mio, and the tests have one that is
//! simulated.

use crate::transport::{Interest, Transport};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tells when things are ready. Readiness is a level: as long as it is so, every wait tells it
/// again.
pub(crate) trait Backend {
    /// The clock that only goes forward.
    fn clock(&self) -> Clock;

    /// Changes what a transport is watched for, from `before` to `interest`; `NONE` on either side
    /// is not watched at all.
    ///
    /// # Errors
    /// The system cannot watch such a thing, or has no memory for it.
    fn watch(
        &mut self,
        transport: &Arc<dyn Transport>,
        key: u64,
        before: Interest,
        interest: Interest,
    ) -> io::Result<()>;

    /// Watches a descriptor for reading. `is_shared`: other loops watch it too, and it is enough
    /// that one of them wakes.
    ///
    /// # Errors
    /// As for [`watch`](Self::watch).
    fn watch_descriptor(
        &mut self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        is_shared: bool,
    ) -> io::Result<()>;

    /// Watches it no longer.
    ///
    /// # Errors
    /// When it was not watched.
    fn unwatch_descriptor(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()>;

    /// Waits until something is ready or `timeout` has passed, and puts what is ready into `found`,
    /// which is emptied first.
    ///
    /// # Errors
    /// The system cannot wait. That a signal came is no error: nothing is found.
    fn wait(&mut self, found: &mut Vec<Readiness>, timeout: Option<Duration>) -> io::Result<()>;
}

/// Tells the time.
pub(crate) type Clock = Box<dyn Fn() -> Instant>;

/// Something that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) key: u64,
    /// For what, errors and hang-ups included: the next call tells which it is.
    pub(crate) ready: Interest,
}
