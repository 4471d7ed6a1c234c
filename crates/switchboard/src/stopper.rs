//! Ending blocked calls from another thread or from a signal handler.

use crate::sys::Level;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Wakes every call that waits with it, now and from then on.
///
/// Clones are the same stopper. Once stopped it stays stopped: a call that begins later ends at
/// once with the ending `stopped`. Nothing is lost by it: a message half received stays half
/// received.
///
/// ```
/// use switchboard::Stopper;
///
/// let stopper = Stopper::new()?;
/// let in_the_handler = stopper.clone();
/// assert!(!stopper.is_stopped());
/// in_the_handler.stop();
/// assert!(stopper.is_stopped());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stopper {
    level: Arc<Level>,
}

impl Stopper {
    /// A stopper that has not stopped.
    ///
    /// # Errors
    /// When the process or the system has no descriptor left.
    pub fn new() -> io::Result<Stopper> {
        Ok(Stopper { level: Arc::new(Level::new()?) })
    }

    /// Stops: every waiting call wakes and ends. May be called from any thread, any number of
    /// times, and from a signal handler: it makes one `write` and takes no lock.
    pub fn stop(&self) {
        self.level.raise();
    }

    /// Stopped when nobody holds the other end of this pipe any more: when the process that does
    /// has ended, say.
    pub(crate) fn at_the_end_of(pipe: OwnedFd) -> Stopper {
        Stopper { level: Arc::new(Level::of_lifeline(pipe)) }
    }

    /// Its descriptor was found readable: another process that shares it has stopped it.
    pub(crate) fn note(&self) {
        self.level.note();
    }

    /// Whether it has been stopped. That another process did it, which shares the descriptor, is
    /// known once a call has waited.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.level.is_raised()
    }
}

impl AsFd for Stopper {
    /// A descriptor that is readable once stopped, for a loop of your own. Read nothing from it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.level.as_fd()
    }
}
