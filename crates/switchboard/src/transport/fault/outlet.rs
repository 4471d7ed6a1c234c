//! The way out of one direction: bytes become pieces as the faults of segmentation and of time say.
//!
//! Invariant: these faults neither invent, lose nor reorder a byte. All that they decide is which
//! bytes go in one write, and when.

use super::plan::Planned;
use super::queue::{Piece, Queue};
use super::random::Random;
use super::what::{Cut, Kind};
use crate::limits;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Outlet {
    pub(super) queue: Queue,
    effects: Effects,
    gathered: Gathered,
    /// How much of the write under way is there already, in hundredths of a message.
    glued: u64,
}

/// What is done to the message under way.
#[derive(Debug, Default)]
struct Effects {
    split: Option<(Cut, Duration)>,
    /// Cuts of this message alone.
    cuts: Vec<usize>,
    gather: Option<Gather>,
    delay: Option<Duration>,
    /// Each read by itself is late by so much more or less: there are no messages.
    jitter: Option<(Duration, Random)>,
    pace: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Gather {
    messages: Option<u64>,
    bytes: Option<u64>,
    within: Duration,
    /// Hundredths of a message a write, and the pause behind it.
    glue: Option<(u64, Duration)>,
}

/// Bytes that wait for others to be written with.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    messages: u64,
    until: Option<Instant>,
    gap: Duration,
}

/// A part of a message on its way out.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    /// Where in the message it begins.
    pub(super) base: usize,
    /// How long the message is, where that is known.
    pub(super) whole: Option<usize>,
    /// The message ends with it.
    pub(super) ends: bool,
}

impl Outlet {
    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.queue.held() + self.gathered.bytes.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.held() >= limits::FAULT_HELD_BYTES_MAX
    }

    /// The next message begins, and nothing is done to it yet.
    pub(super) fn clear_effects(&mut self) {
        self.effects = Effects::default();
    }

    /// Cuts of the message under way alone, where a fault wants its fields cut.
    pub(super) fn set_field_cuts(&mut self, cuts: impl Iterator<Item = usize>) {
        if matches!(self.effects.split, Some((Cut::Field, _))) {
            self.effects.cuts = cuts.collect();
        }
    }

    /// A fault is done to what comes from here on; what that is. Of two of a kind the first counts.
    pub(super) fn activate(
        &mut self,
        index: usize,
        planned: &Planned,
        random: &mut Random,
        by_message: bool,
    ) -> Option<String> {
        let effects = &mut self.effects;
        let told = match planned.fault.kind {
            Kind::Split { cut, gap } if effects.split.is_none() => {
                effects.split = Some((cut, gap));
                "cut".to_owned()
            }
            Kind::Coalesce { messages, bytes, within } if effects.gather.is_none() => {
                effects.gather = Some(Gather { messages, bytes, within, glue: None });
                "gathered".to_owned()
            }
            Kind::Glue { hundredths, within, gap } if effects.gather.is_none() => {
                let glue = Some((hundredths, gap));
                effects.gather = Some(Gather { messages: None, bytes: None, within, glue });
                "glued".to_owned()
            }
            Kind::Delay { time, jitter } if effects.delay.is_none() => {
                if by_message || jitter.is_zero() {
                    let time = late(time, jitter, random);
                    effects.delay = Some(time);
                    format!("{} ms late", time.as_millis())
                } else {
                    effects.delay = Some(time);
                    // With numbers of its own: how often they are asked for is chance too.
                    effects.jitter = Some((jitter, Random::new(random.next())));
                    "late".to_owned()
                }
            }
            Kind::Drip { bytes_per_second } if effects.pace.is_none() => {
                effects.pace = Some(index);
                self.queue.set_pace(index, bytes_per_second as f64, 1.0);
                "one byte after the other".to_owned()
            }
            Kind::Rate { bits_per_second, burst } if effects.pace.is_none() => {
                effects.pace = Some(index);
                let bytes_per_second = bits_per_second as f64 / 8.0;
                self.queue.set_pace(index, bytes_per_second, burst.max(1) as f64);
                "slowed down".to_owned()
            }
            _ => return None,
        };
        Some(told)
    }

    pub(super) fn emit(&mut self, part: Part<'_>, now: Instant) {
        match self.effects.gather {
            Some(gather) => self.gather(gather, part, now),
            None => {
                self.flush(now);
                let piece = self.piece(part, now);
                self.queue.push(piece);
            }
        }
    }

    /// Writes what was gathered, without waiting for more.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.gathered.bytes.is_empty() {
            return;
        }
        let gathered = std::mem::take(&mut self.gathered);
        let due = self.due(now);
        self.queue.push(Piece {
            bytes: gathered.bytes,
            due,
            gap: gathered.gap,
            ends: true,
            pace: self.effects.pace,
            ..Piece::default()
        });
    }

    /// Writes what was gathered for as long as it may.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.deadline().is_some_and(|until| until <= now) {
            self.flush(now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.gathered.until
    }

    fn gather(&mut self, gather: Gather, part: Part<'_>, now: Instant) {
        if self.gathered.bytes.is_empty() {
            self.gathered.until = now.checked_add(gather.within);
        }
        let mut bytes = part.bytes;
        if let Some((hundredths, gap)) = gather.glue {
            self.gathered.gap = gap;
            let at = self.glue_cut(hundredths, part);
            if let Some((before, behind)) = at.and_then(|at| bytes.split_at_checked(at)) {
                self.gathered.bytes.extend_from_slice(before);
                self.flush(now);
                self.gathered.until = now.checked_add(gather.within);
                self.gathered.gap = gap;
                bytes = behind;
            }
            if part.ends {
                self.glued = (self.glued + 100) % hundredths;
            }
        }
        self.gathered.bytes.extend_from_slice(bytes);
        self.gathered.messages += u64::from(part.ends);
        let enough = gather.messages.is_some_and(|n| self.gathered.messages >= n)
            || gather.bytes.is_some_and(|n| self.gathered.bytes.len() as u64 >= n)
            || self.gathered.bytes.len() >= limits::FAULT_HELD_BYTES_MAX;
        if self.gathered.bytes.is_empty() {
            self.gathered.until = None;
        } else if enough {
            self.flush(now);
        }
    }

    /// Where in this part a write of so many hundredths of a message is full.
    fn glue_cut(&self, hundredths: u64, part: Part<'_>) -> Option<usize> {
        let missing = usize::try_from(hundredths.checked_sub(self.glued)?).ok()?;
        let whole = part.whole.filter(|_| missing <= 100)?;
        let at = (missing * whole).div_ceil(100).checked_sub(part.base)?;
        // At the edge between two parts it is in the first of them.
        (at > 0 || part.base == 0).then_some(at)
    }

    fn piece(&mut self, part: Part<'_>, now: Instant) -> Piece {
        let mut piece = Piece {
            bytes: part.bytes.to_vec(),
            due: self.due(now),
            pace: self.effects.pace,
            ..Piece::default()
        };
        let Some((cut, gap)) = self.effects.split else { return piece };
        let (base, end) = (part.base, part.base + part.bytes.len());
        piece.gap = gap;
        piece.ends = part.ends;
        match cut {
            Cut::Every(bytes) => {
                let every = usize::try_from(bytes).unwrap_or(usize::MAX);
                piece.every = Some((every - base % every, every));
            }
            Cut::At(bytes) => {
                let at = usize::try_from(bytes).unwrap_or(usize::MAX);
                piece.cuts.extend((base < at && at <= end).then(|| at - base));
            }
            Cut::Field => {
                let cuts = self.effects.cuts.iter().filter(|at| (base + 1..=end).contains(at));
                piece.cuts.extend(cuts.map(|at| at - base));
            }
        }
        piece
    }

    fn due(&mut self, now: Instant) -> Option<Instant> {
        let delay = self.effects.delay?;
        let time = match &mut self.effects.jitter {
            Some((jitter, random)) => late(delay, *jitter, random),
            None => delay,
        };
        now.checked_add(time)
    }
}

/// So much, and by chance up to `jitter` more or less.
fn late(time: Duration, jitter: Duration, random: &mut Random) -> Duration {
    if jitter.is_zero() {
        return time;
    }
    let moved = jitter.mul_f64(2.0 * random.fraction());
    (time + moved).saturating_sub(jitter)
}
