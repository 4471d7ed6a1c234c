//! The clocks of a loop's conversations: a timer wheel.
//!
//! ```text
//!   slot   0     1     2    ..   511         a slot is 16 ms, a round 8.2 s
//!         [ ]  [7 3]  [ ]       [12]         numbers of conversations to look at then
//! ```
//!
//! A conversation has one entry at most that counts, for the earliest time at which it wants to be
//! looked at. Nearly every deadline is put off before it comes (another message came), so putting
//! off is free: the entry stays where it is, and whoever looks then finds that it is too early and
//! enters it anew. What is more than a round away is met once a round.
//!
//! **Invariant:** never early, and late by two slots at the most.

use crate::deadline;
use std::time::{Duration, Instant};

const SLOTS: usize = 512;
const SLOT: Duration = Duration::from_millis(16);

/// Entries for which a slot keeps its memory when it is empty.
const SLOT_ENTRIES_KEPT: usize = 32;

/// When the next entry is to be looked at.
#[derive(Clone, Copy, Debug)]
enum Next {
    Unknown,
    At(Option<Instant>),
}

#[derive(Debug)]
pub(super) struct Wheel {
    start: Instant,
    /// Slots up to this tick have been looked at.
    done: u64,
    /// When the one behind it will have passed: until then there is nothing to look at.
    fresh_until: Instant,
    /// The next entry, as far as it is known.
    next: Next,
    slots: Vec<Vec<u32>>,
    /// A bit for each slot that is not empty.
    filled: [u64; SLOTS / 64],
}

impl Wheel {
    pub(super) fn new(now: Instant) -> Wheel {
        let slots = std::iter::repeat_with(Vec::new).take(SLOTS).collect();
        let (fresh_until, next) = (now + SLOT, Next::At(None));
        Wheel { start: now, done: 0, fresh_until, next, slots, filled: [0; SLOTS / 64] }
    }

    /// The tick at which `at` has passed.
    fn tick(&self, at: Instant) -> u64 {
        let elapsed = at.saturating_duration_since(self.start).as_nanos();
        let tick = elapsed.div_ceil(SLOT.as_nanos());
        u64::try_from(tick).unwrap_or(u64::MAX)
    }

    /// Has the conversation with that number looked at when `at` has passed, or a round from now.
    /// Returns the time at which it will be.
    pub(super) fn enter(&mut self, index: u32, at: Instant) -> Instant {
        let tick = self.tick(at).clamp(self.done + 1, self.done + SLOTS as u64);
        let slot = slot(tick);
        self.slots[slot].push(index);
        self.filled[slot / 64] |= 1 << (slot % 64);
        let at = self.time(tick);
        if let Next::At(next) = self.next {
            self.next = Next::At(deadline::earlier(next, Some(at)));
        }
        at
    }

    fn time(&self, tick: u64) -> Instant {
        self.start + SLOT.saturating_mul(u32::try_from(tick).unwrap_or(u32::MAX))
    }

    /// When the next entry is to be looked at.
    pub(super) fn next(&mut self) -> Option<Instant> {
        if let Next::At(next) = self.next {
            return next;
        }
        let next = self.find_next();
        self.next = Next::At(next);
        next
    }

    fn find_next(&self) -> Option<Instant> {
        let first = slot(self.done + 1);
        // From the slot behind the last one looked at, round to itself.
        let mut words = (0..=SLOTS / 64).map(|word| {
            let at = (first / 64 + word) % (SLOTS / 64);
            let skipped = if word == 0 { first % 64 } else { 0 };
            (at, self.filled[at] >> skipped << skipped)
        });
        let (word, bits) = words.find(|(_, bits)| *bits != 0)?;
        let found = word * 64 + bits.trailing_zeros() as usize;
        let ahead = (found + SLOTS - first) % SLOTS;
        Some(self.time(self.done + 1 + ahead as u64))
    }

    /// Takes out what is to be looked at by `now`.
    pub(super) fn expire(&mut self, now: Instant, into: &mut Vec<u32>) {
        into.clear();
        if now < self.fresh_until {
            return;
        }
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        let tick = u64::try_from(elapsed / SLOT.as_nanos()).unwrap_or(u64::MAX);
        if tick <= self.done {
            return;
        }
        let rounds = (tick - self.done).min(SLOTS as u64);
        for tick in tick - rounds + 1..=tick {
            let slot = slot(tick);
            if self.filled[slot / 64] & 1 << (slot % 64) != 0 {
                self.filled[slot / 64] &= !(1 << (slot % 64));
                into.append(&mut self.slots[slot]);
                // Many that came together go round together, a slot further now and then: else
                // each slot would in time hold memory for all of them.
                self.slots[slot].shrink_to(SLOT_ENTRIES_KEPT);
            }
        }
        self.done = tick;
        self.fresh_until = self.time(tick + 1);
        self.next = Next::Unknown;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is less than the number of slots")]
fn slot(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters deadlines so many milliseconds away and goes forward in steps; gives when each came.
    fn run(deadlines: &[u64], step: u64) -> Vec<(u32, u64)> {
        let start = crate::deadline::now();
        let mut wheel = Wheel::new(start);
        for (index, deadline) in (0..).zip(deadlines) {
            wheel.enter(index, start + Duration::from_millis(*deadline));
        }
        let (mut came, mut expired) = (Vec::new(), Vec::new());
        for ms in (0..20_000).step_by(usize::try_from(step).unwrap()) {
            let now = start + Duration::from_millis(ms);
            wheel.expire(now, &mut expired);
            for &index in &expired {
                let deadline = start + Duration::from_millis(deadlines[index as usize]);
                if deadline <= now {
                    came.push((index, ms));
                } else {
                    wheel.enter(index, deadline);
                }
            }
        }
        came
    }

    #[test]
    fn nothing_comes_early_and_all_comes_soon_after() {
        let deadlines = [0, 1, 15, 16, 17, 500, 8_191, 8_192, 8_193, 9_000, 17_000];
        for step in [1, 3, 16, 100, 9_000] {
            let came = run(&deadlines, step);
            assert_eq!(came.len(), deadlines.len(), "step {step}");
            for (index, ms) in came {
                let deadline = deadlines[index as usize];
                assert!(ms >= deadline && ms <= deadline + 32 + step, "{deadline} came at {ms}");
            }
        }
    }

    #[test]
    fn the_next_one_is_told_wherever_it_lies() {
        let start = crate::deadline::now();
        for ahead in [1, 16, 17, 1_000, 5_000, 8_000] {
            let mut wheel = Wheel::new(start);
            assert_eq!(wheel.next(), None);
            wheel.expire(start + Duration::from_millis(3_000), &mut Vec::new());
            let deadline = start + Duration::from_millis(3_000 + ahead);
            let told = wheel.enter(0, deadline);
            assert_eq!(wheel.next(), Some(told));
            assert!(told >= deadline && told <= deadline + 2 * SLOT, "{ahead}");
        }
    }

    #[test]
    fn many_that_go_round_together_do_not_fill_every_slot_with_memory() {
        let start = crate::deadline::now();
        let (mut wheel, mut expired) = (Wheel::new(start), Vec::new());
        for slot in 0..SLOTS as u64 {
            let now = start + u32::try_from(slot).unwrap() * SLOT;
            for index in 0..1000 {
                wheel.enter(index, now + SLOT);
            }
            wheel.expire(now + SLOT, &mut expired);
            assert_eq!(expired.len(), 1000);
        }
        let kept: usize = wheel.slots.iter().map(Vec::capacity).sum();
        assert!(kept <= SLOTS * SLOT_ENTRIES_KEPT, "memory for {kept} entries");
    }
}
