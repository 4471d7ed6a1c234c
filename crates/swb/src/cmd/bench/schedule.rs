//! When messages are due, in the open loop: the k-th at `k` times the interval, on each connection
//! in turn, whatever the server does.
//!
//! Nothing is kept of a message: which one it was on its connection says when it was due.

use std::ops::Range;

/// The schedule of all connections together; times in nanoseconds from the beginning of the load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    interval: f64,
    connections: u64,
    /// How many there are in all.
    total: u64,
    /// The next that has not been handed out.
    next: u64,
}

impl Schedule {
    pub(super) fn new(rate: f64, connections: usize, total: u64) -> Schedule {
        Schedule { interval: 1e9 / rate, connections: connections as u64, total, next: 0 }
    }

    /// When the `index`-th message of a connection is due.
    pub(super) fn due(&self, connection: usize, index: u64) -> u64 {
        self.at(connection as u64 + index * self.connections)
    }

    /// When there is something to hand out; `None` when all is.
    pub(super) fn next_at(&self) -> Option<u64> {
        (self.next < self.total).then(|| self.at(self.next))
    }

    /// Hands out what is due by `now`: the numbers of those messages.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub(super) fn hand_out(&mut self, now: u64) -> Range<u64> {
        let first = self.next;
        // Counted with one division, however many there are; rounding may be one off.
        self.next =
            ((now as f64 / self.interval) as u64).saturating_sub(1).clamp(first, self.total);
        while self.next_at().is_some_and(|at| at <= now) {
            self.next += 1;
        }
        first..self.next
    }

    /// How many messages behind one, each `step`-th, are due within so many nanoseconds of it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub(super) fn within(&self, nanoseconds: u64, step: u64) -> u64 {
        (nanoseconds as f64 / (self.interval * step as f64)) as u64
    }

    /// How many messages behind one of a connection are due within so many nanoseconds of it.
    pub(super) fn within_of_one(&self, nanoseconds: u64) -> u64 {
        self.within(nanoseconds, self.connections)
    }

    /// Each connection that messages of these numbers are of, and of how many.
    #[expect(clippy::cast_possible_truncation, reason = "below the number of connections")]
    pub(super) fn shares(&self, numbers: Range<u64>) -> impl Iterator<Item = (usize, u64)> {
        let connections = self.connections;
        (numbers.start..numbers.end.min(numbers.start + connections)).map(move |number| {
            let count = 1 + (numbers.end - 1 - number) / connections;
            ((number % connections) as usize, count)
        })
    }

    /// When the message of this number, of all connections, is due.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "years, in ns")]
    pub(super) fn at(&self, number: u64) -> u64 {
        (number as f64 * self.interval) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_in_turn_and_each_knows_when() {
        let mut schedule = Schedule::new(1e6, 3, 8);
        assert_eq!(schedule.next_at(), Some(0));
        let numbers = schedule.hand_out(4_500);
        assert_eq!(numbers, 0..5);
        assert_eq!(schedule.shares(numbers).collect::<Vec<_>>(), [(0, 2), (1, 2), (2, 1)]);
        let numbers = schedule.hand_out(1_000_000);
        assert_eq!(numbers, 5..8);
        assert_eq!(schedule.shares(numbers).collect::<Vec<_>>(), [(2, 1), (0, 1), (1, 1)]);
        assert_eq!((schedule.next_at(), schedule.hand_out(2_000_000)), (None, 8..8));
        assert_eq!((schedule.due(0, 0), schedule.due(1, 2)), (0, 7_000));
        assert_eq!((schedule.within(2_999, 1), schedule.within_of_one(3_000)), (2, 1));
    }

    #[test]
    fn what_is_due_is_handed_out_to_the_nanosecond_at_any_rate() {
        for rate in [0.001, 3.0, 7e5, 1e8] {
            let mut schedule = Schedule::new(rate, 1, u64::MAX);
            let mut next = 0;
            for now in (0..1_000_000_000).step_by(12_345_677) {
                let numbers = schedule.hand_out(now);
                assert_eq!(numbers.start, next);
                next = numbers.end;
                assert!(schedule.at(next) > now && (next == 0 || schedule.at(next - 1) <= now));
            }
        }
    }
}
