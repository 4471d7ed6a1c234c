//! What a run came to, counted while it goes on.
//!
//! **Invariant:** a latency counts when its message was without a reply within the time that is
//! measured: due (in the closed loop: sent) before its end, and not answered before its beginning.
//! Messages and bytes count when they moved within it.

use std::collections::BTreeMap;
use std::ops::Range;

use hdrhistogram::Histogram;
use switchboard::Error;

use super::limits::LATENCY_MAX;
use crate::exit::Failure;

/// Counts, and times in nanoseconds.
pub(super) struct Tally {
    /// What is measured, from the beginning of the load on.
    pub(super) window: Range<u64>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    /// From when a message was due, or in the closed loop sent, to its reply.
    pub(super) latency: Histogram<u64>,
    /// The same, of this second alone: added to `latency` when it is over.
    second: Histogram<u64>,
    second_began: (u64, u64),
    pub(super) seconds: Vec<Second>,
    /// From when it was really sent; of the open loop alone.
    pub(super) service: Histogram<u64>,
    /// From when it was due to when this program saw to it.
    pub(super) lag: Histogram<u64>,
    pub(super) connect: Histogram<u64>,
    /// How many messages were to be sent, by the schedule.
    pub(super) due: u64,
    /// Replies that did not come, and how often each other thing went wrong.
    pub(super) errors: BTreeMap<&'static str, u64>,
    /// The last connection that ended, and why.
    pub(super) last_error: Option<Error>,
    /// Conversations that were opened again, from the beginning of the load on.
    pub(super) reconnects: u64,
    /// How the first reply of all begins.
    pub(super) first_reply: Option<String>,
    /// Where a reply first had a number that no request waited for, and which ones did.
    pub(super) unknown_number: Option<String>,
    /// Where a reply first differed from what was sent.
    pub(super) difference: Option<String>,
    /// A reply has come, whenever that was.
    pub(super) has_replies: bool,
    /// Connections that had no reply at all, though something was sent or due on them.
    pub(super) silent_connections: u64,
    /// The time that is measured has begun.
    has_begun: bool,
}

/// A second of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) seconds: f64,
    pub(super) received: u64,
    /// Of latencies; none where no reply came.
    pub(super) p50: Option<u64>,
    pub(super) p99: Option<u64>,
    pub(super) max: Option<u64>,
}

impl Tally {
    pub(super) fn new(window: Range<u64>) -> Result<Tally, Failure> {
        Ok(Tally {
            window,
            sent: 0,
            received: 0,
            bytes_sent: 0,
            bytes_received: 0,
            latency: histogram()?,
            second: histogram()?,
            second_began: (0, 0),
            seconds: Vec::new(),
            service: histogram()?,
            lag: histogram()?,
            connect: histogram()?,
            due: 0,
            errors: BTreeMap::new(),
            last_error: None,
            reconnects: 0,
            first_reply: None,
            unknown_number: None,
            difference: None,
            has_replies: false,
            silent_connections: 0,
            has_begun: false,
        })
    }

    /// The time that is measured begins: what moved before it does not count.
    pub(super) fn begin(&mut self, now: u64) {
        (self.sent, self.received, self.due) = (0, 0, 0);
        (self.bytes_sent, self.bytes_received) = (0, 0);
        self.second_began = (now, 0);
        self.has_begun = true;
    }

    /// So many replies have come.
    #[inline]
    pub(super) fn receive(&mut self, count: u64) {
        self.received += count;
        self.has_replies = true;
    }

    /// So many messages that were sent together were answered.
    #[inline]
    pub(super) fn answered(&mut self, sent: u64, now: u64, count: u64) {
        if self.has_begun && sent < self.window.end {
            self.second.saturating_record_n(now.saturating_sub(sent), count);
        }
    }

    /// A message that was due then, and was sent later, was answered.
    #[inline]
    pub(super) fn answered_due(&mut self, due: u64, sent: u64, now: u64) {
        if self.has_begun && due < self.window.end {
            self.second.saturating_record(now.saturating_sub(due));
            self.service.saturating_record(now.saturating_sub(sent));
        }
    }

    /// So many messages that were due then are seen to.
    pub(super) fn seen_to(&mut self, due: u64, now: u64, count: u64) {
        self.due += count;
        if self.window.contains(&due) {
            self.lag.saturating_record_n(now.saturating_sub(due), count);
        }
    }

    /// How much later than this one a message may be due, and has waited as long in the digits
    /// that are told apart: those are counted at once, for there may be any number of them.
    pub(super) fn alike(&self, due: u64, now: u64) -> u64 {
        let waited = now.saturating_sub(due);
        let alike = waited - self.lag.lowest_equivalent(waited);
        match self.window.start.checked_sub(due + 1) {
            Some(before) => alike.min(before),
            None => alike,
        }
    }

    pub(super) fn error(&mut self, kind: &'static str, count: u64) {
        if count > 0 {
            *self.errors.entry(kind).or_default() += count;
        }
    }

    /// A second is over, or what there was of the last one.
    pub(super) fn second(&mut self, now: u64) -> Second {
        let (began, received) = std::mem::replace(&mut self.second_began, (now, self.received));
        let second = Second {
            number: self.seconds.len() as u64 + 1,
            seconds: now.saturating_sub(began) as f64 / 1e9,
            received: self.received - received,
            p50: at(&self.second, 0.5),
            p99: at(&self.second, 0.99),
            max: at(&self.second, 1.0),
        };
        self.seconds.push(second);
        self.add_up();
        second
    }

    /// What moves from here on is not to count.
    pub(super) fn counts(&self) -> [u64; 5] {
        [self.sent, self.received, self.due, self.bytes_sent, self.bytes_received]
    }

    pub(super) fn set_counts(&mut self, counts: [u64; 5]) {
        [self.sent, self.received, self.due, self.bytes_sent, self.bytes_received] = counts;
    }

    /// Adds what has been recorded since the last second to the sum.
    pub(super) fn add_up(&mut self) {
        // Both have the same bounds, so there is nothing that the sum could not hold.
        let _ = self.latency.add(&self.second);
        self.second.reset();
    }
}

/// The latency that so large a part is within; of nothing there is none.
pub(super) fn at(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile))
}

fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, LATENCY_MAX, 3).map_err(Failure::usage)
}
