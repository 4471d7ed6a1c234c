//! What a server counts: [`Stats`].

use crate::Ending;
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

/// What one loop or thread counts. It alone writes them, so that counting is an addition and no
/// more; anyone may read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) messages_received: Counter,
    pub(super) messages_discarded: Counter,
    pub(super) messages_sent: Counter,
    pub(super) bytes_received: Counter,
    pub(super) bytes_sent: Counter,
    pub(super) failed: Counter,
    pub(super) panicked: Counter,
    pub(super) cut_off: Counter,
    endings: [Counter; Ending::ALL.len()],
}

/// A counter with one writer.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.store(self.count() + count, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn ended(&self, ending: Ending) {
        self.endings[ending as usize].add(1);
    }

    pub(super) fn add_to(&self, stats: &mut Stats) {
        stats.messages_received += self.messages_received.count();
        stats.messages_discarded += self.messages_discarded.count();
        stats.messages_sent += self.messages_sent.count();
        stats.bytes_received += self.bytes_received.count();
        stats.bytes_sent += self.bytes_sent.count();
        stats.failed += self.failed.count();
        stats.panicked += self.panicked.count();
        stats.cut_off += self.cut_off.count();
        for (sum, counter) in stats.endings.0.iter_mut().zip(&self.endings) {
            *sum += counter.count();
        }
    }
}
