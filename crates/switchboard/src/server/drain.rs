//! Ending by a deadline: when it comes, whoever is left is cut off, and told of: [`CutOff`].
//!
//! A turn asks for the deadline as it does for every other clock; for the style that is given
//! blocking conversations, whoever accepted fires their stoppers.
//!
//! **Invariant:** the deadline only ever comes nearer, and is set before the server is seen to be
//! stopping.

use super::processes::Board;
use crate::{Error, Stopper, limits};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A conversation that was ended by the deadline of a [drain](super::Handle::drain).
///
/// One whose peer had been given everything and only did not end counts too, with nothing queued
/// and nothing promised.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutOff {
    /// The peer, or this side of the stream where the peer has no name: as errors name it.
    pub peer: String,
    /// Bytes for it that the system had not taken.
    pub queued_bytes: usize,
    /// Answers that were [promised](super::Reply::later) and had not come.
    pub promised: usize,
}

impl fmt::Display for CutOff {
    /// `tcp://10.0.0.1:40000: 512 bytes queued, 1 answer promised`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.what_was_left())
    }
}

impl CutOff {
    fn what_was_left(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let queued = count(self.queued_bytes, "byte");
        match (self.queued_bytes, self.promised) {
            (0, 0) => "it had everything, and did not end".to_owned(),
            (_, 0) => format!("{queued} queued"),
            (0, promised) => format!("{} promised", count(promised, "answer")),
            (_, promised) => format!("{queued} queued, {} promised", count(promised, "answer")),
        }
    }

    /// What the service of the conversation is told.
    pub(super) fn error(&self) -> Error {
        let left = self.what_was_left();
        Error::stopped("cut off:").at_endpoint(&self.peer).with_advice(left)
    }
}

/// Until when a server that stops may go on.
#[derive(Debug)]
pub(super) struct Drain {
    /// What the times below count from, in nanoseconds.
    epoch: Instant,
    by: AtomicU64,
    /// When the stop of a server that was taken over begins.
    begins: AtomicU64,
    /// Where the deadline stands if several processes are to see it.
    board: OnceLock<Board>,
    /// How long a stop may take that comes from a stopper, not from a call.
    within: AtomicU64,
    cut_off: Mutex<Vec<CutOff>>,
    /// Stopped when the deadline comes.
    stoppers: Mutex<Vec<Stopper>>,
}

/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

impl Drain {
    pub(super) fn new(now: Instant) -> Drain {
        Drain {
            epoch: now,
            by: AtomicU64::new(NEVER),
            begins: AtomicU64::new(NEVER),
            board: OnceLock::new(),
            within: AtomicU64::new(NEVER),
            cut_off: Mutex::default(),
            stoppers: Mutex::default(),
        }
    }

    /// From here on the deadline is one of all processes.
    pub(super) fn share(&self, board: &Board) {
        // It may have been set before there were any.
        board.drains_by().fetch_min(self.by.load(Ordering::Acquire), Ordering::Release);
        let _ = self.board.set(board.clone());
    }

    /// The same deadline, for a process that tells its master who was cut off.
    pub(super) fn of_child(&self) -> Drain {
        Drain { board: self.board.clone(), ..Drain::new(self.epoch) }
    }

    fn beginning(&self) -> &AtomicU64 {
        self.board.get().map_or(&self.begins, Board::stops_at)
    }

    fn deadline(&self) -> &AtomicU64 {
        self.board.get().map_or(&self.by, Board::drains_by)
    }

    /// How long a stop may take unless its caller says otherwise.
    pub(super) fn set_within(&self, within: Duration) {
        self.within.store(nanoseconds(within), Ordering::Relaxed);
    }

    pub(super) fn within(&self) -> Duration {
        match self.within.load(Ordering::Relaxed) {
            NEVER => Duration::MAX,
            within => Duration::from_nanos(within),
        }
    }

    /// Sets the deadline, if it is nearer than the one there is. Whether it was.
    pub(super) fn shorten(&self, now: Instant, within: Duration) -> bool {
        let now = nanoseconds(now.saturating_duration_since(self.epoch));
        let by = now.saturating_add(nanoseconds(within));
        by < self.deadline().fetch_min(by, Ordering::Release)
    }

    /// The deadline.
    pub(super) fn by(&self) -> Option<Instant> {
        self.point(self.deadline())
    }

    /// Has the stop begin when half of its time is over, because another process accepts instead.
    pub(super) fn begin_later(&self, now: Instant) {
        let within = match self.within() {
            Duration::MAX => limits::DRAIN_TIMEOUT,
            within => within,
        };
        self.shorten(now, within);
        let now = nanoseconds(now.saturating_duration_since(self.epoch));
        self.beginning().store(now.saturating_add(nanoseconds(within / 2)), Ordering::Release);
    }

    /// When the stop of a server that was taken over begins.
    pub(super) fn begins(&self) -> Option<Instant> {
        self.point(self.beginning())
    }

    fn point(&self, at: &AtomicU64) -> Option<Instant> {
        match at.load(Ordering::Acquire) {
            NEVER => None,
            at => self.epoch.checked_add(Duration::from_nanos(at)),
        }
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.by().is_some_and(|by| by <= now)
    }

    pub(super) fn note(&self, cut: CutOff) {
        let mut cut_off = lock(&self.cut_off);
        if cut_off.len() < limits::CUT_OFF_MAX {
            cut_off.push(cut);
        }
    }

    pub(super) fn cut_off(&self) -> Vec<CutOff> {
        lock(&self.cut_off).clone()
    }

    /// Has a stopper stopped when the deadline comes.
    pub(super) fn on_deadline(&self, stopper: &Stopper) {
        lock(&self.stoppers).push(stopper.clone());
    }

    /// Whether somebody has to be told that the deadline has come.
    pub(super) fn has_stoppers(&self) -> bool {
        !lock(&self.stoppers).is_empty()
    }

    pub(super) fn fire(&self) {
        lock(&self.stoppers).iter().for_each(Stopper::stop);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_only_comes_nearer() {
        let now = crate::deadline::now();
        let drain = Drain::new(now);
        assert_eq!((drain.by(), drain.within()), (None, Duration::MAX));
        assert!(!drain.shorten(now, Duration::MAX));
        assert_eq!(drain.by(), None);
        for (seconds, sooner, by) in
            [(30, true, 30), (40, false, 30), (30, false, 30), (5, true, 5)]
        {
            assert_eq!(drain.shorten(now, Duration::from_secs(seconds)), sooner, "{seconds}");
            assert_eq!(drain.by(), Some(now + Duration::from_secs(by)));
        }
        assert!(!drain.is_over(now + Duration::from_millis(4999)));
        assert!(drain.is_over(now + Duration::from_secs(5)));
    }

    #[test]
    fn who_was_cut_off_of_what_is_said_in_words() {
        for (queued_bytes, promised, expected) in [
            (0, 0, "a: it had everything, and did not end"),
            (1, 0, "a: 1 byte queued"),
            (0, 2, "a: 2 answers promised"),
            (512, 1, "a: 512 bytes queued, 1 answer promised"),
        ] {
            let cut = CutOff { peer: "a".to_owned(), queued_bytes, promised };
            assert_eq!(cut.to_string(), expected);
        }
        let cut = CutOff { peer: "tcp://10.0.0.1:40".to_owned(), queued_bytes: 2, promised: 0 };
        assert!(cut.error().is_stopped());
        let told = "cut off: tcp://10.0.0.1:40: stopped: 2 bytes queued";
        assert_eq!(cut.error().to_string(), told);
    }

    #[test]
    fn the_list_is_bounded() {
        let drain = Drain::new(crate::deadline::now());
        for _ in 0..limits::CUT_OFF_MAX + 10 {
            drain.note(CutOff { peer: String::new(), queued_bytes: 1, promised: 0 });
        }
        assert_eq!(drain.cut_off().len(), limits::CUT_OFF_MAX);
    }
}
