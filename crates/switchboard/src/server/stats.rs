//! What a server counts: [`Stats`].

use crate::{Ending, sys};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a server has done so far; a look at it costs its loops nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Conversations begun.
    pub accepted: u64,
    /// Conversations open now.
    pub open: u64,
    /// Connections closed as soon as they were accepted: too many of one address, or, after
    /// [`EXHAUSTED_PATIENCE`](crate::limits::EXHAUSTED_PATIENCE) without a descriptor, turned away.
    pub refused: u64,
    /// Calls of `accept` that failed other than for want of a connection.
    pub accept_errors: u64,
    /// Whole messages received.
    pub messages_received: u64,
    /// Messages passed over, because they were too large (`oversize=discard`).
    pub messages_discarded: u64,
    /// Messages queued to be sent.
    pub messages_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes that the system has taken.
    pub bytes_sent: u64,
    /// Bytes queued now, that no peer has taken yet.
    pub queued_bytes: u64,
    /// How conversations ended.
    pub endings: Endings,
    /// Conversations ended by an error of their service; they count as `stopped` too, unless the
    /// error has an ending of its own.
    pub failed: u64,
    /// Conversations ended by a panic of their service; they count as `stopped` too.
    pub panicked: u64,
    /// Conversations whose process died before they were over: of a signal, an abort, an exit, or
    /// for want of memory; they count as `stopped` too. Under *processes* only: elsewhere the whole
    /// server dies of these.
    pub crashed: u64,
    /// Conversations cut off by the deadline of a [drain](super::Handle::drain); they count as
    /// `stopped` too, unless something else had gone wrong before.
    pub cut_off: u64,
}

/// How many conversations ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endings([u64; Ending::ALL.len()]);

impl Endings {
    /// How many ended like that.
    #[must_use]
    pub fn count(&self, ending: Ending) -> u64 {
        self.0[ending as usize]
    }

    /// How many ended.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those that there were any of, in the order of [`Ending::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Ending, u64)> {
        Ending::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

impl fmt::Display for Endings {
    /// `finished 12, reset 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (ending, count)) in self.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{ending} {count}")?;
        }
        Ok(())
    }
}

/// What one loop, thread or process counts. It alone writes them, so that counting is an addition
/// and no more; anyone may read. Clones are the same numbers.
#[derive(Clone, Debug)]
pub(super) struct Counters(Row);

/// What is counted, besides endings: each a number of the row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    MessagesReceived,
    MessagesDiscarded,
    MessagesSent,
    BytesReceived,
    BytesSent,
    Failed,
    Panicked,
    CutOff,
    /// Closed since there were too many of its address, once that was known.
    Refused,
}

/// The endings begin here.
const ENDINGS: usize = 9;
/// What only processes have use for: see `processes/board.rs`.
pub(super) const MORE: usize = ENDINGS + Ending::ALL.len();
/// Numbers of a row.
pub(super) const ROW: usize = MORE + 7;
pub(super) type Row = sys::Row<ROW>;

impl Counters {
    pub(super) fn new() -> Counters {
        Counters(Row::new())
    }

    /// Goes on counting in these numbers.
    pub(super) fn of(row: Row) -> Counters {
        Counters(row)
    }

    pub(super) fn is_same(&self, other: &Counters) -> bool {
        self.0.is_same(&other.0)
    }

    #[inline]
    pub(super) fn add(&self, what: Count, count: u64) {
        add(&self.0[what as usize], count);
    }

    pub(super) fn ended(&self, ending: Ending) {
        add(&self.0[ENDINGS + ending as usize], 1);
    }

    /// How many conversations have ended.
    pub(super) fn endings(&self) -> u64 {
        self.0[ENDINGS..MORE].iter().map(|number| number.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn add_to(&self, stats: &mut Stats) {
        let count = |what: Count| self.0[what as usize].load(Ordering::Relaxed);
        stats.messages_received += count(Count::MessagesReceived);
        stats.messages_discarded += count(Count::MessagesDiscarded);
        stats.messages_sent += count(Count::MessagesSent);
        stats.bytes_received += count(Count::BytesReceived);
        stats.bytes_sent += count(Count::BytesSent);
        stats.failed += count(Count::Failed);
        stats.panicked += count(Count::Panicked);
        stats.cut_off += count(Count::CutOff);
        stats.refused += count(Count::Refused);
        for (sum, number) in stats.endings.0.iter_mut().zip(&self.0[ENDINGS..MORE]) {
            *sum += number.load(Ordering::Relaxed);
        }
    }
}

/// Adds to a number that has one writer.
#[inline]
pub(super) fn add(number: &AtomicU64, count: u64) {
    number.store(number.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}
