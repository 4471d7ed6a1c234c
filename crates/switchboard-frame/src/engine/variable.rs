//! Fast forms of lengths of variable width, without the interpreter: a little-endian varint behind
//! a few fixed bytes (`protobuf`, `mqtt`), and decimal digits up to one byte (`netstring`,
//! `syslog-octet`).
//!
//! As every fast form these know the good case only; see [`fast`](super::fast).

use crate::engine::fast::Found;
use crate::framing::{Options, Stage};
use crate::record::{Counts, Integer, Item, Length, More, Record};
use crate::{Frame, Taken};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable {
    kind: Kind,
    /// Where the length field begins: behind bytes that may be anything.
    at: usize,
    body_max: u64,
    /// The byte that must stand behind the body.
    trailer: Option<u8>,
    /// The frame is the message, not the body.
    whole: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Uleb { bytes_max: u8 },
    Decimal { until: u8, leading_zeros: bool },
}

/// A header that has been read.
struct Head {
    end: usize,
    body: u64,
}

impl Variable {
    pub(crate) fn of(stage: &Stage, record: &Record, whole: bool) -> Option<Variable> {
        let length = record.length.as_ref().filter(|length| is_plain(length))?;
        let (last, before) = record.header().split_last()?;
        let Item::Integer { kind, .. } = last else { return None };
        if length.item != before.len() || before.iter().any(|item| matches!(item, Item::Literal(_)))
        {
            return None;
        }
        let at = before.iter().map(Item::fixed_bytes).sum::<Option<usize>>()?;
        let trailer = match record.trailer() {
            [] => None,
            [Item::Literal(literal)] => match **literal {
                [byte] => Some(byte),
                _ => return None,
            },
            _ => return None,
        };
        let options: &Options = &stage.options;
        let kind = match kind {
            // Nine groups of seven bits fit whatever they are.
            Integer::Uleb { bytes_max } => Kind::Uleb { bytes_max: (*bytes_max).min(9) },
            Integer::DigitsUntil { base: 10, literal } => match **literal {
                [until] => Kind::Decimal { until, leading_zeros: options.leading_zeros },
                _ => return None,
            },
            _ => return None,
        };
        Some(Variable { kind, at, body_max: options.max().min(u64::MAX / 4), trailer, whole })
    }

    #[inline(always)]
    pub(crate) fn step(&self, bytes: &[u8]) -> Found {
        let head = match self.head(bytes) {
            Ok(head) => head,
            Err(found) => return found,
        };
        let Ok(body) = usize::try_from(head.body) else { return Found::Unsure };
        let body_end = head.end + body;
        let end = body_end + usize::from(self.trailer.is_some());
        if bytes.len() < end {
            // The interpreter tells a wrong trailer at its first byte; there is only this one.
            return Found::Need(end - bytes.len());
        }
        if self.trailer.is_some_and(|trailer| bytes[body_end] != trailer) {
            return Found::Unsure;
        }
        let message = if self.whole { 0..end } else { head.end..body_end };
        let (header, body) = (0..head.end, head.end..body_end);
        Found::Frame(Frame { whole: 0..end, header, body, message, more: false })
    }

    /// Of a frame that is not whole yet, once its header is: what it announces. A frame with a
    /// trailer is not to be passed unseen.
    pub(crate) fn announced(&self, bytes: &[u8]) -> Option<Taken> {
        let head = self.head(bytes).ok().filter(|_| self.trailer.is_none())?;
        let whole = head.end as u64 + head.body;
        let start = if self.whole { 0 } else { head.end as u64 };
        Some(Taken { message: start..whole, whole })
    }

    #[inline(always)]
    fn head(&self, bytes: &[u8]) -> Result<Head, Found> {
        let Some(field) = bytes.get(self.at..).filter(|field| !field.is_empty()) else {
            return Err(Found::Need(self.at + 1 - bytes.len()));
        };
        let (size, body) = match self.kind {
            Kind::Uleb { bytes_max } => uleb(field, usize::from(bytes_max))?,
            Kind::Decimal { until, leading_zeros } => decimal(field, until, leading_zeros)?,
        };
        if body > self.body_max {
            return Err(Found::Unsure);
        }
        Ok(Head { end: self.at + size, body })
    }
}

/// Whether the field says the size of the body and nothing else.
fn is_plain(length: &Length) -> bool {
    length.counts == Counts::Body
        && length.mask == u64::MAX
        && length.short == 0
        && length.unit == 1
        && length.add == 0
        && length.add_items.is_empty()
        && length.little_when.is_none()
        && length.more == More::Never
}

/// The width and the value of a varint; it has a first byte.
#[inline(always)]
fn uleb(field: &[u8], bytes_max: usize) -> Result<(usize, u64), Found> {
    let mut value = 0;
    for (at, byte) in field.iter().enumerate().take(bytes_max) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            return Ok((at + 1, value));
        }
    }
    Err(if field.len() < bytes_max { Found::Need(1) } else { Found::Unsure })
}

/// The width and the value of digits and the byte that ends them; there is a first byte.
#[inline(always)]
fn decimal(field: &[u8], until: u8, leading_zeros: bool) -> Result<(usize, u64), Found> {
    /// So many digits fit into 64 bits whatever they are.
    const DIGITS_MAX: usize = 19;
    let mut value: u64 = 0;
    for (at, byte) in field.iter().enumerate().take(DIGITS_MAX + 1) {
        if *byte == until && at > 0 {
            return Ok((at + 1, value));
        }
        let second_of_zero = at > 0 && value == 0 && !leading_zeros;
        if !byte.is_ascii_digit() || second_of_zero || at == DIGITS_MAX {
            return Err(Found::Unsure);
        }
        value = value * 10 + u64::from(byte - b'0');
    }
    // The digits so far may already pass the limit, which is told at once.
    Err(Found::Unsure)
}
