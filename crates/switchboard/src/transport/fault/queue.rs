//! What is on its way out in one direction: bytes, cut and timed, and what happens between them.
//!
//! Invariant: what goes in comes out in its order. Nothing is written before its time, and no write
//! goes over a cut.

use crate::deadline::earlier;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Bytes up to which pieces are joined.
const JOINED_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// Bytes in `items`.
    bytes: usize,
    /// Nothing goes before.
    not_before: Option<Instant>,
    /// How fast bytes may go, by the fault that says it.
    paces: BTreeMap<usize, Pace>,
    /// When the last bytes may go: those behind them not before.
    last_due: Option<Instant>,
}

#[derive(Debug)]
enum Item {
    Bytes(Piece),
    Pause(Duration),
    /// What is behind it waits until it is taken away.
    Hold,
    Act(Act),
}

/// What happens once everything before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// This direction ends.
    Finish,
    /// Both do.
    FinishBoth,
    /// Both sides are reset.
    Reset,
}

/// Bytes and how they are to be written.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// Not before.
    pub(super) due: Option<Instant>,
    /// The pause behind each cut.
    pub(super) gap: Duration,
    /// Behind so many bytes of it, in rising order.
    pub(super) cuts: VecDeque<usize>,
    /// Behind the first so many and then every so many.
    pub(super) every: Option<(usize, usize)>,
    /// Its end is a cut too.
    pub(super) ends: bool,
    /// The fault whose pace it has.
    pub(super) pace: Option<usize>,
    /// How many of them are written.
    pub(super) written: usize,
}

/// A bucket that fills with the time.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) bytes_per_second: f64,
    /// Bytes that it holds.
    pub(super) burst: f64,
    credit: f64,
    at: Option<Instant>,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// So many bytes of [`Queue::front`].
    Write(usize),
    Act(Act),
    /// Nothing before that time, or without one before there is more.
    Wait(Option<Instant>),
}

impl Queue {
    /// The memory of it, about, in bytes.
    pub(super) fn held(&self) -> usize {
        self.bytes + self.items.len() * size_of::<Item>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes behind all that is there. Those that are not cut join those before them, if they may
    /// go at the same time.
    pub(super) fn push(&mut self, mut piece: Piece) {
        if piece.bytes.is_empty() {
            return;
        }
        self.bytes += piece.bytes.len();
        if self.items.is_empty() {
            self.last_due = None;
        }
        // What comes later never goes earlier.
        piece.due = piece.due.max(self.last_due);
        self.last_due = piece.due;
        if let Some(Item::Bytes(last)) = self.items.back_mut()
            && last.is_uncut()
            && piece.is_uncut()
            && last.due == piece.due
            && last.bytes.len() < JOINED_BYTES
        {
            last.bytes.append(&mut piece.bytes);
            return;
        }
        self.items.push_back(Item::Bytes(piece));
    }

    pub(super) fn pause(&mut self, time: Duration) {
        self.items.push_back(Item::Pause(time));
    }

    /// Holds all that comes from here on.
    pub(super) fn hold(&mut self) {
        self.items.push_back(Item::Hold);
    }

    /// And lets go of it.
    pub(super) fn unhold(&mut self) {
        self.items.retain(|item| !matches!(item, Item::Hold));
    }

    pub(super) fn act(&mut self, act: Act) {
        self.items.push_back(Item::Act(act));
    }

    /// Forgets all of it: nobody takes it any more.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.bytes = 0;
    }

    /// How fast what belongs to `fault` goes, from when it is first seen on.
    pub(super) fn set_pace(&mut self, fault: usize, bytes_per_second: f64, burst: f64) {
        let pace = || Pace { bytes_per_second, burst, credit: burst, at: None };
        self.paces.entry(fault).or_insert_with(pace);
    }

    /// Forgets how fast: its faults are of another plan. What waits goes at once.
    pub(super) fn forget_paces(&mut self) {
        self.paces.clear();
    }

    pub(super) fn next(&mut self, now: Instant) -> Next {
        loop {
            match self.items.front() {
                None | Some(Item::Hold) => return Next::Wait(None),
                Some(Item::Act(act)) => return self.wait(now).unwrap_or(Next::Act(*act)),
                Some(Item::Pause(time)) => {
                    let from = self.not_before.map_or(now, |before| before.max(now));
                    self.not_before = from.checked_add(*time);
                    self.items.pop_front();
                }
                Some(Item::Bytes(_)) => return self.write(now),
            }
        }
    }

    /// That the act at the front was done.
    pub(super) fn acted(&mut self) {
        if matches!(self.items.front(), Some(Item::Act(_))) {
            self.items.pop_front();
        }
    }

    /// The first bytes that [`next`](Queue::next) told of.
    pub(super) fn front(&self, bytes: usize) -> &[u8] {
        match self.items.front() {
            Some(Item::Bytes(piece)) => {
                let end = piece.bytes.len().min(piece.written + bytes);
                &piece.bytes[piece.written..end]
            }
            _ => &[],
        }
    }

    /// That so many of them were written.
    pub(super) fn wrote(&mut self, bytes: usize, now: Instant) {
        let Some(Item::Bytes(piece)) = self.items.front_mut() else { return };
        let bytes = bytes.min(piece.bytes.len() - piece.written);
        piece.written += bytes;
        self.bytes -= bytes;
        if let Some(pace) = piece.pace.and_then(|pace| self.paces.get_mut(&pace)) {
            pace.credit -= bytes as f64;
        }
        if piece.is_at_cut() && !piece.gap.is_zero() {
            self.not_before = now.checked_add(piece.gap);
        }
        if piece.written == piece.bytes.len() {
            self.items.pop_front();
        }
    }

    fn wait(&self, now: Instant) -> Option<Next> {
        self.not_before.filter(|at| *at > now).map(|at| Next::Wait(Some(at)))
    }

    fn write(&mut self, now: Instant) -> Next {
        let Some(Item::Bytes(piece)) = self.items.front() else { return Next::Wait(None) };
        let at = piece.due.max(self.not_before).filter(|at| *at > now);
        if let Some(at) = at {
            return Next::Wait(Some(at));
        }
        let mut bytes = piece.to_next_cut();
        if let Some(pace) = piece.pace.and_then(|pace| self.paces.get_mut(&pace)) {
            match pace.admits(now) {
                Ok(admitted) => bytes = bytes.min(admitted),
                Err(at) => return Next::Wait(at),
            }
        }
        Next::Write(bytes)
    }
}

impl Piece {
    fn is_uncut(&self) -> bool {
        self.pace.is_none() && self.every.is_none() && self.cuts.is_empty() && !self.ends
    }

    /// How many bytes there are before the next cut.
    fn to_next_cut(&self) -> usize {
        let left = self.bytes.len() - self.written;
        let cut = self.cuts.iter().find(|cut| **cut > self.written);
        let mut bytes = cut.map_or(left, |cut| left.min(cut - self.written));
        if let Some((first, every)) = self.every {
            let cut = match self.written.checked_sub(first) {
                None => first - self.written,
                Some(behind) => every - behind % every,
            };
            bytes = bytes.min(cut);
        }
        bytes
    }

    /// Whether what was written ends at a cut.
    fn is_at_cut(&self) -> bool {
        let every = self.every.is_some_and(|(first, every)| {
            self.written.checked_sub(first).is_some_and(|behind| behind.is_multiple_of(every))
        });
        let end = self.ends && self.written == self.bytes.len();
        every || end || self.cuts.contains(&self.written)
    }
}

impl Pace {
    /// How many bytes may go now, or when the next one may.
    fn admits(&mut self, now: Instant) -> Result<usize, Option<Instant>> {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        let earned = since.as_secs_f64() * self.bytes_per_second;
        self.credit = (self.credit + earned).min(self.burst);
        if self.credit < 1.0 {
            let missing = (1.0 - self.credit) / self.bytes_per_second;
            // Rounded up to the clocks that wait: less would be asked for again at once.
            let wait = Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX);
            return Err(now.checked_add(wait.saturating_add(Duration::from_micros(1))));
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most the burst, which was a size")]
        let bytes = self.credit as usize;
        Ok(bytes)
    }
}

/// When to look again: whichever comes first.
pub(super) fn soonest(times: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    times.into_iter().fold(None, earlier)
}
