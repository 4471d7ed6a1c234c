//! When a fault happens: its triggers against what passes.
//!
//! Invariant: what is picked depends on the seed, the conversation's number, the fault's place in
//! the plan and the order of what passes, and on time only where a trigger names one. How the bytes
//! were cut on their way here changes nothing.

use super::plan::Planned;
use super::random::Random;
use super::what::Trigger;
use std::ops::Range;
use std::time::Duration;

/// What a trigger is held against.
pub(super) struct Occasion<'a> {
    pub(super) conversation: u64,
    /// Since the conversation began; for connections, since all began.
    pub(super) elapsed: Duration,
    pub(super) message: Option<u64>,
    /// What the framing delivers, where it is known.
    pub(super) content: Option<&'a [u8]>,
    /// Bytes of the stream.
    pub(super) bytes: Range<u64>,
}

/// The running state of one fault in one direction.
#[derive(Debug)]
pub(super) struct Chooser {
    pub(super) random: Random,
    /// Occasions that its other triggers picked.
    seen: u64,
    taken: u64,
}

impl Chooser {
    /// `salts`: the conversation, the direction, the place in the plan.
    pub(super) fn new(seed: u64, salts: &[u64]) -> Chooser {
        Chooser { random: Random::of(seed, salts), seen: 0, taken: 0 }
    }

    /// Whether the fault happens now: what names an occasion first, then every so many of those,
    /// then chance, then no more than so many.
    pub(super) fn picks(&mut self, planned: &Planned, occasion: &Occasion<'_>) -> bool {
        let triggers = &planned.fault.triggers;
        if !triggers.iter().all(|trigger| names(trigger, occasion)) {
            return false;
        }
        self.seen += 1;
        for trigger in triggers {
            if matches!(trigger, Trigger::Every(count) if !self.seen.is_multiple_of(*count)) {
                return false;
            }
        }
        for trigger in triggers {
            if matches!(trigger, Trigger::Chance(p) if self.random.fraction() >= *p) {
                return false;
            }
        }
        for trigger in triggers {
            if matches!(trigger, Trigger::First(count) if self.taken >= *count) {
                return false;
            }
        }
        self.taken += 1;
        true
    }

    /// How many bytes pass before the next one that chance picks, each with probability `p`.
    pub(super) fn bytes_before(&mut self, p: f64) -> u64 {
        if p >= 1.0 {
            return 0;
        }
        let gap = (1.0 - self.random.fraction()).ln() / (1.0 - p).ln();
        // Chance so small that it never comes; the cast stops at the largest number.
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of bytes is wanted")]
        let gap = gap as u64;
        gap
    }
}

/// Whether a trigger by itself names this occasion; those that count do not say.
fn names(trigger: &Trigger, occasion: &Occasion<'_>) -> bool {
    match trigger {
        Trigger::Conversation(n) => occasion.conversation == *n,
        Trigger::Message { n, .. } => occasion.message == Some(*n),
        Trigger::After(time) => occasion.elapsed >= *time,
        Trigger::Byte(at) => occasion.bytes.contains(at),
        Trigger::Match(pattern) => occasion.content.is_some_and(|content| pattern.is_in(content)),
        Trigger::First(_) | Trigger::Every(_) | Trigger::Chance(_) => true,
    }
}
