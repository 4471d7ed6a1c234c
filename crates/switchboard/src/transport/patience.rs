//! How a thread waits that has one transport to wait for: [`Patience`].

use crate::limits;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// Decides between a [read that waits](super::Transport::read_within) and a poll before a read.
///
/// A read that waits saves the poll. It is blind for whatever else there is, a stopper, a mailbox:
/// so it takes no longer than [`BLIND_WAIT`](limits::BLIND_WAIT) there, everything is looked at
/// once in that time, and who waits longer than that each time had better poll at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    way: Way,
    /// When everything was looked at last.
    looked: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Read,
    /// Until a wait was short.
    Poll,
    /// This transport has no read that waits.
    PollOnly,
}

impl Patience {
    /// Whether a read may wait for a transport that is all there is to be looked at.
    pub(crate) fn reads(&self) -> bool {
        self.way == Way::Read
    }

    /// For how long a read may wait from `now` on, if at all, where other things are to be looked
    /// at too, and something is to be done at `due`.
    pub(crate) fn reads_blindly(&self, now: Instant, due: Option<Instant>) -> Option<Duration> {
        let is_in_time =
            |at: Instant, then: Instant| then.saturating_duration_since(at) < limits::BLIND_WAIT;
        let looks = self.looked.is_none_or(|looked| !is_in_time(looked, now));
        let acts = due.is_some_and(|due| is_in_time(now, due));
        (self.reads() && !looks && !acts).then_some(limits::BLIND_WAIT)
    }

    /// A read that was to wait failed. Whether that is no more than that nothing came.
    pub(crate) fn failed(&mut self, error: &io::Error) -> bool {
        self.way = match error.kind() {
            ErrorKind::Unsupported => Way::PollOnly,
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Way::Poll,
            _ => return false,
        };
        true
    }

    /// A poll that began at `since` came back at `now`.
    pub(crate) fn looked(&mut self, since: Instant, now: Instant) {
        self.looked = Some(now);
        if self.way == Way::Poll && now.saturating_duration_since(since) < limits::BLIND_WAIT / 2 {
            self.way = Way::Read;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_blindly_looks_at_everything_in_between() {
        let start = crate::deadline::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut patience = Patience::default();
        assert!(patience.reads());
        assert_eq!(patience.reads_blindly(start, None), None, "nothing has been looked at");
        patience.looked(start, start);
        assert_eq!(patience.reads_blindly(after(63), None), Some(limits::BLIND_WAIT));
        assert_eq!(patience.reads_blindly(after(64), None), None);
        // What is due comes first.
        assert_eq!(patience.reads_blindly(start, Some(after(63))), None);
        assert_eq!(patience.reads_blindly(after(9), Some(after(8))), None);
        assert_eq!(patience.reads_blindly(start, Some(after(64))), Some(limits::BLIND_WAIT));
    }

    #[test]
    fn long_waits_are_polled_until_one_was_short() {
        let start = crate::deadline::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut patience = Patience::default();
        assert!(patience.failed(&ErrorKind::WouldBlock.into()));
        assert!(!patience.reads());
        patience.looked(start, after(32));
        assert!(!patience.reads());
        patience.looked(start, after(31));
        assert!(patience.reads());
        assert!(!patience.failed(&ErrorKind::ConnectionReset.into()));
        assert!(patience.reads());
        assert!(patience.failed(&ErrorKind::Unsupported.into()));
        patience.looked(start, start);
        assert!(!patience.reads(), "it never can");
    }
}
