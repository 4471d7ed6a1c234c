//! The requests of one connection that have no reply yet, and when each was sent.

use std::collections::VecDeque;

/// Sent and not answered; times in nanoseconds.
pub(super) enum Flight {
    /// A reply is to the oldest. Those that were sent together stand together.
    Order { sent: VecDeque<(u64, u64)>, count: u64 },
    /// A reply says its number. The front is of the oldest that is not answered.
    Numbers { sent: VecDeque<Option<u64>>, front: u64, count: u64 },
}

impl Flight {
    pub(super) fn new(is_numbered: bool) -> Flight {
        match is_numbered {
            true => Flight::Numbers { sent: VecDeque::new(), front: 0, count: 0 },
            false => Flight::Order { sent: VecDeque::new(), count: 0 },
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        match self {
            Flight::Order { count, .. } | Flight::Numbers { count, .. } => *count,
        }
    }

    /// So many more have been sent.
    pub(super) fn send(&mut self, now: u64, more: u64) {
        match self {
            Flight::Order { sent, count } => {
                *count += more;
                match sent.back_mut() {
                    Some((at, together)) if *at == now => *together += more,
                    _ if more > 0 => sent.push_back((now, more)),
                    _ => {}
                }
            }
            Flight::Numbers { sent, count, .. } => {
                *count += more;
                sent.extend((0..more).map(|_| Some(now)));
            }
        }
    }

    /// The oldest are answered, at most so many: when they were sent, and how many of them then.
    pub(super) fn answer_oldest(&mut self, most: u64) -> Option<(u64, u64)> {
        let Flight::Order { sent, count } = self else { return None };
        let (at, together) = sent.front_mut()?;
        let (at, answered) = (*at, most.min(*together));
        *together -= answered;
        *count -= answered;
        if *together == 0 {
            sent.pop_front();
        }
        Some((at, answered))
    }

    /// The one of this number, below `numbers`, is answered: which one it was, counted from 0, and
    /// when it was sent.
    pub(super) fn answer(&mut self, number: u64, numbers: u64) -> Option<(u64, u64)> {
        let Flight::Numbers { sent, front, count } = self else { return None };
        let ahead = (number % numbers + numbers - *front % numbers) % numbers;
        let at = sent.get_mut(usize::try_from(ahead).ok()?)?.take()?;
        let index = *front + ahead;
        *count -= 1;
        while let Some(None) = sent.front() {
            sent.pop_front();
            *front += 1;
        }
        Some((index, at))
    }

    /// Which of all that were sent, counted from 0, have no reply, where so many have one.
    pub(super) fn unanswered(&self, answered: u64) -> Vec<u64> {
        match self {
            Flight::Order { count, .. } => (answered..answered + count).collect(),
            Flight::Numbers { sent, front, .. } => {
                let indices = sent.iter().zip(*front..);
                indices.filter_map(|(at, index)| at.map(|_| index)).collect()
            }
        }
    }

    /// One that no reply is awaited for any more, or several that were sent together.
    pub(super) fn give_up(&mut self) -> Option<(u64, u64)> {
        match self {
            Flight::Order { .. } => self.answer_oldest(u64::MAX),
            Flight::Numbers { sent, front, count } => loop {
                let first = sent.pop_front()?;
                *front += 1;
                if let Some(at) = first {
                    *count -= 1;
                    return Some((at, 1));
                }
            },
        }
    }

    /// Whether another one may be sent: with its number none is in flight.
    pub(super) fn room(&self, numbers: u64) -> u64 {
        match self {
            Flight::Order { .. } => u64::MAX,
            Flight::Numbers { sent, .. } => numbers - sent.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_those_that_were_sent_together_stand_together() {
        let mut flight = Flight::new(false);
        flight.send(10, 2);
        flight.send(10, 1);
        flight.send(20, 1);
        assert_eq!(flight.answer_oldest(2), Some((10, 2)));
        assert_eq!(flight.unanswered(2), [2, 3]);
        assert_eq!(flight.answer_oldest(9), Some((10, 1)));
        assert_eq!((flight.count(), flight.answer_oldest(1)), (1, Some((20, 1))));
        assert_eq!((flight.count(), flight.answer_oldest(1)), (0, None));
    }

    #[test]
    fn by_number_each_is_answered_once_and_numbers_come_again() {
        let mut flight = Flight::new(true);
        flight.send(10, 3);
        assert_eq!(flight.room(4), 1);
        assert_eq!(flight.answer(2, 4), Some((2, 10)));
        assert_eq!(flight.answer(2, 4), None, "once");
        assert_eq!(flight.answer(3, 4), None, "not sent");
        assert_eq!(flight.answer(0, 4), Some((0, 10)));
        assert_eq!((flight.count(), flight.room(4)), (1, 2));
        assert_eq!(flight.unanswered(2), [1]);
        flight.send(20, 2);
        assert_eq!(flight.answer(0, 4), Some((4, 20)), "the number 0 again");
        assert_eq!(flight.answer(1, 4), Some((1, 10)));
        assert_eq!(flight.answer(3, 4), Some((3, 20)));
        assert_eq!((flight.count(), flight.room(4)), (0, 4));
    }
}
