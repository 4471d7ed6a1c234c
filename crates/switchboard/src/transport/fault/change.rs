//! What is made of one message: other bytes in it, none of it, more than one of it.
//!
//! Only whole messages come here, so nothing that a stream could not show an application is made.

use super::framer::Whole;
use super::plan::Planned;
use super::random::Random;
use super::what::{Kind, LengthChange};
use std::ops::Range;
use switchboard_frame::Role;

/// A message on its way through the faults that are about messages.
pub(super) struct Change {
    /// Frames before it.
    pub(super) before: Vec<Vec<u8>>,
    /// The message on the wire; empty when it is left out.
    pub(super) bytes: Vec<u8>,
    /// How often more it comes.
    pub(super) copies: u64,
    /// Its last frame begins here, and in it lie:
    frame_at: usize,
    header: Range<usize>,
    body: Range<usize>,
    end: usize,
}

impl Change {
    pub(super) fn new(whole: &Whole<'_>) -> Change {
        let frame = &whole.frame;
        Change {
            before: Vec::new(),
            bytes: whole.wire.to_vec(),
            copies: 0,
            frame_at: whole.wire.len() - frame.whole.end,
            header: frame.header.clone(),
            body: frame.body.clone(),
            end: frame.whole.end,
        }
    }

    /// In the middle of the header, of the body and of the trailer, where they have a middle.
    pub(super) fn middles(&self) -> impl Iterator<Item = usize> {
        let parts = [self.header.clone(), self.body.clone(), self.body.end..self.end];
        let at = self.frame_at;
        parts.into_iter().filter(|p| p.len() >= 2).map(move |p| at + p.start + p.len() / 2)
    }

    /// Does what a fault does; what that was.
    pub(super) fn apply(
        &mut self,
        planned: &Planned,
        writer: Role,
        whole: &Whole<'_>,
        random: &mut Random,
    ) -> String {
        match &planned.fault.kind {
            Kind::Flip { bits } => flip(&mut self.bytes, *bits, random),
            Kind::Truncate { bytes } => self.truncate(*bytes),
            Kind::Length { change } => self.length(*change, whole),
            Kind::Garbage { bytes } => {
                self.before.push(garbage(*bytes, random));
                format!("{bytes} bytes before it")
            }
            Kind::DelimiterInject => self.inject_delimiter(),
            Kind::Drop => {
                self.bytes.clear();
                format!("left out {} bytes", whole.wire.len())
            }
            Kind::Dup { times } => {
                self.copies += times;
                format!("{} times in all", self.copies + 1)
            }
            Kind::Replace { .. } => {
                let frame = &planned.frames[index(writer)];
                self.bytes = frame.to_vec();
                format!("{} bytes in place of {}", frame.len(), whole.wire.len())
            }
            Kind::Inject { .. } => {
                let frame = &planned.frames[index(writer)];
                self.before.push(frame.to_vec());
                format!("{} bytes before it", frame.len())
            }
            _ => String::new(),
        }
    }

    fn truncate(&mut self, bytes: u64) -> String {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.truncate(self.bytes.len() - bytes);
        format!("left out its last {bytes} bytes")
    }

    fn length(&mut self, change: LengthChange, whole: &Whole<'_>) -> String {
        let Some(field) = whole.decoder.length_field(whole.frame_at) else {
            return "nothing: it announces no length".to_owned();
        };
        let (said, most) = (field.length(), field.length_max());
        let says = match change {
            LengthChange::By(by) => said.saturating_add_signed(by).min(most),
            LengthChange::Max => most,
        };
        let (place, lie) = (field.at(), field.written(says).unwrap_or_default());
        let place = self.frame_at + place.start..self.frame_at + place.end;
        if lie.is_empty() || self.bytes.get(place.clone()).is_none() {
            return "nothing: there is no room for it".to_owned();
        }
        self.bytes.splice(place, lie);
        format!("announces {says}, not {said}")
    }

    fn inject_delimiter(&mut self) -> String {
        let delimiter = self.frame_at + self.body.end..self.frame_at + self.end;
        let middle = self.frame_at + self.body.start + self.body.len() / 2;
        match self.bytes.get(delimiter.clone()).map(<[u8]>::to_vec) {
            Some(bytes) if !bytes.is_empty() => {
                let what = format!("{} bytes more behind {middle}", bytes.len());
                self.bytes.splice(middle..middle, bytes);
                what
            }
            _ => "nothing: no delimiter ends it".to_owned(),
        }
    }
}

/// Flips so many different bits, or all there are.
pub(super) fn flip(bytes: &mut [u8], bits: u64, random: &mut Random) -> String {
    let all = bytes.len() * 8;
    let wanted = usize::try_from(bits).unwrap_or(usize::MAX).min(all);
    let mut flipped: Vec<usize> = Vec::with_capacity(wanted);
    while flipped.len() < wanted {
        // Of those left the one with this number: each is found once.
        let mut bit = random.below(all - flipped.len());
        let mut before = flipped.clone();
        before.sort_unstable();
        for other in before {
            bit += usize::from(other <= bit);
        }
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        flipped.push(bit);
    }
    let shown = |bit: &usize| format!("bit {} of byte {}", bit % 8, bit / 8);
    match &flipped[..] {
        [] => "nothing: it has no bits".to_owned(),
        [bit] => shown(bit),
        more => format!("{} bits, first {}", more.len(), shown(&more[0])),
    }
}

/// So many bytes by chance.
pub(super) fn garbage(bytes: u64, random: &mut Random) -> Vec<u8> {
    let mut garbage = vec![0; usize::try_from(bytes).unwrap_or(0)];
    random.fill(&mut garbage);
    garbage
}

/// The place of what the client, and of what the server writes.
pub(super) fn index(writer: Role) -> usize {
    match writer {
        Role::Client => 0,
        Role::Server => 1,
    }
}

/// Another order of so many: by chance, and never the one that they have.
pub(super) fn shuffled(count: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, random.below(last + 1));
    }
    if order.is_sorted() {
        order.rotate_left(1);
    }
    order
}
