//! One look for a connection, and the counts of what came of it.

use crate::limits;
use crate::sys::{self, AcceptTrouble};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came of a listener's calls of `accept(2)` so far.
///
/// ```
/// use switchboard::{Conversation, Listener};
///
/// let listener = Listener::listen("127.0.0.1:0")?;
/// let _client = Conversation::connect(&listener.endpoints()[0].to_string(), "lines")?;
/// listener.accept_conversation(&"lines".parse().unwrap())?;
/// let counts = listener.accept_counts();
/// assert_eq!((counts.accepted, counts.errors, counts.exhausted), (1, 0, 0));
/// assert!(counts.calls >= 1);
/// # Ok::<(), switchboard::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptCounts {
    /// Calls of the system, whatever they said: also that no connection waits.
    pub calls: u64,
    /// Connections handed out.
    pub accepted: u64,
    /// Errors of one connection, passed over: its client went away, a firewall forbade it, ..
    pub errors: u64,
    /// Calls that found no descriptor or no memory left.
    pub exhausted: u64,
    /// Connections closed by [`Listener::turn_away`](crate::Listener::turn_away).
    pub turned_away: u64,
}

/// The counts while they grow. Each stands for itself, so no order between them is kept.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: AtomicU64,
    pub(super) accepted: AtomicU64,
    errors: AtomicU64,
    exhausted: AtomicU64,
    pub(super) turned_away: AtomicU64,
}

impl Counts {
    pub(super) fn now(&self) -> AcceptCounts {
        AcceptCounts {
            calls: self.calls.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            exhausted: self.exhausted.load(Ordering::Relaxed),
            turned_away: self.turned_away.load(Ordering::Relaxed),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Accepts until one succeeds, none waits, or the listener itself has a trouble.
pub(super) fn accept_one<T>(
    counts: &Counts,
    mut accept: impl FnMut() -> io::Result<T>,
) -> io::Result<Option<T>> {
    // Without an end, a system that refuses every call (a filter on system calls does) would keep
    // the caller here, where no deadline and no stopper reaches it.
    for _ in 0..limits::ACCEPT_ERRORS_MAX {
        count(&counts.calls);
        let error = match accept() {
            Ok(accepted) => return Ok(Some(accepted)),
            Err(error) => error,
        };
        match sys::accept_trouble(&error) {
            AcceptTrouble::NoneWaits => return Ok(None),
            AcceptTrouble::Interrupted => {}
            AcceptTrouble::Connection => count(&counts.errors),
            AcceptTrouble::Exhausted => {
                count(&counts.exhausted);
                return Err(error);
            }
            AcceptTrouble::Fatal => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    /// One look at a system that answers with `errnos`, one a call, and then with a connection.
    fn look(errnos: &[Errno]) -> (io::Result<Option<usize>>, AcceptCounts) {
        let counts = Counts::default();
        let mut answers = errnos.iter();
        let accept = || match answers.next() {
            Some(errno) => Err(io::Error::from(*errno)),
            None => Ok(7),
        };
        (accept_one(&counts, accept), counts.now())
    }

    #[test]
    fn errors_of_connections_are_passed_over_and_counted() {
        let (found, counts) = look(&[Errno::CONNABORTED, Errno::INTR, Errno::NETUNREACH]);
        assert_eq!(found.unwrap(), Some(7));
        assert_eq!(counts, AcceptCounts { calls: 4, errors: 2, ..AcceptCounts::default() });
    }

    #[test]
    fn the_first_lack_ends_the_look() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::NOSR] {
            let (found, counts) = look(&[Errno::CONNABORTED, errno]);
            assert_eq!(found.unwrap_err().raw_os_error(), Some(errno.raw_os_error()));
            let expected = AcceptCounts { calls: 2, errors: 1, exhausted: 1, ..counts };
            assert_eq!(counts, expected);
        }
    }

    #[test]
    fn a_fatal_error_and_no_connection_end_the_look_and_are_no_errors_of_connections() {
        let (found, counts) = look(&[Errno::INVAL]);
        assert_eq!(found.unwrap_err().raw_os_error(), Some(Errno::INVAL.raw_os_error()));
        assert_eq!(counts, AcceptCounts { calls: 1, ..AcceptCounts::default() });
        let (found, counts) = look(&[Errno::AGAIN]);
        assert_eq!(found.unwrap(), None);
        assert_eq!(counts, AcceptCounts { calls: 1, ..AcceptCounts::default() });
    }

    #[test]
    fn a_system_that_refuses_every_call_does_not_keep_the_caller() {
        let counts = Counts::default();
        let found = accept_one(&counts, || Err::<(), _>(Errno::PERM.into()));
        assert!(matches!(found, Ok(None)));
        assert_eq!(counts.now().calls, u64::from(limits::ACCEPT_ERRORS_MAX));
    }
}
