//! The common forms, encoded without looking at the framing again: one length field, with or
//! without literals; lines; CR LF and one-byte delimiters; fixed sizes.
//!
//! A fast form knows only the good case. What it does not write it leaves to the general encoder,
//! so there is one place that knows what is wrong with a message.

use alloc::boxed::Box;
use alloc::vec::Vec;

use memchr::memchr_iter;

use crate::framing::{Delimiter, Deliver, Options, Shape, Stage};
use crate::record::{Counts, Integer, Item, Length, More};
use crate::scan;

use super::{Encoder, number};

#[derive(Clone, Debug)]
pub(super) enum Fast {
    /// No fast form.
    None,
    Prefix(Prefix),
    Plain(Box<Plain>),
    Lines {
        body_max: usize,
    },
    Byte {
        byte: u8,
        body_max: usize,
    },
    Crlf {
        body_max: usize,
    },
    Fixed {
        bytes: usize,
    },
}

/// One length field, and literals around it and behind the body.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    before: Box<[u8]>,
    kind: Integer,
    after: Box<[u8]>,
    trailer: Box<[u8]>,
    /// The field says so much more than the body's size.
    add: u64,
    body_max: usize,
}

/// One binary length field, then the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefix {
    bytes: u8,
    little: bool,
    /// The field says so much more than the body's size.
    add: u64,
    body_max: usize,
}

impl Fast {
    /// The fast form of a stage that applies for ever.
    pub(super) fn of(stage: &Stage) -> Fast {
        let (options, deliver) = (&stage.options, stage.deliver());
        match &stage.shape {
            Shape::Fixed(bytes) if deliver != Deliver::NoPad => {
                let allowed = room(options, 0) >= *bytes as u64;
                if allowed { Fast::Fixed { bytes: *bytes } } else { Fast::None }
            }
            Shape::Delimited(delimiter) if deliver == Deliver::Body => match delimiter {
                Delimiter::Lines => Fast::Lines { body_max: body_max(options, 1) },
                Delimiter::Literals(list) => match list.as_slice() {
                    [one] if **one == *b"\r\n" => Fast::Crlf { body_max: body_max(options, 2) },
                    [one] => match **one {
                        [byte] => Fast::Byte { byte, body_max: body_max(options, 1) },
                        _ => Fast::None,
                    },
                    _ => Fast::None,
                },
            },
            Shape::Record(_) if deliver == Deliver::Body => {
                let plain = || Plain::of(stage).map(|plain| Fast::Plain(Box::new(plain)));
                Prefix::of(stage).map(Fast::Prefix).or_else(plain).unwrap_or(Fast::None)
            }
            _ => Fast::None,
        }
    }

    /// Appends the frame of `message`, in any form but the first; `false` when that is for the
    /// general encoder to do.
    #[inline(never)]
    fn encode(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            // Lines need no table to be found by.
            Fast::Lines { body_max } => encode_line(message, *body_max, out),
            fast => fast.encode_rarer(message, out),
        }
    }

    #[inline(never)]
    fn encode_rarer(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Fast::Plain(plain) => plain.encode(message, out),
            Fast::Byte { byte, body_max } => {
                let good = message.len() <= *body_max && !scan::holds(*byte, message);
                good && append_with(message, *byte, out)
            }
            Fast::Crlf { body_max } => {
                message.len() <= *body_max && !holds_crlf(message) && append(message, b"\r\n", out)
            }
            Fast::Fixed { bytes } => message.len() == *bytes && append(message, b"", out),
            // The first two have been seen to.
            Fast::Prefix(_) | Fast::Lines { .. } | Fast::None => false,
        }
    }
}

impl Encoder {
    /// Appends `message`, framed, if nothing about it is special; whether it did.
    ///
    /// For loops over many small messages: the work of [`encode`](Self::encode) where the framing
    /// has a fast form and the message is one for it. `false` says nothing but that `encode` is to
    /// be called.
    #[inline(always)]
    #[must_use]
    pub fn encode_simple(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        match &self.fast {
            // The commonest of all is not worth a call.
            Fast::Prefix(prefix) => prefix.encode(message, out),
            fast => fast.encode(message, out),
        }
    }
}

impl Prefix {
    fn of(stage: &Stage) -> Option<Prefix> {
        let Shape::Record(record) = &stage.shape else { return None };
        let length = record.length.as_ref()?;
        let [Item::Integer { kind, .. }] = record.items.as_slice() else { return None };
        let Integer::Binary { bytes, little, .. } = kind else { return None };
        if !is_plain(length) || record.header_items != 1 {
            return None;
        }
        let itself = match length.counts {
            Counts::Body | Counts::Rest => 0,
            Counts::Itself | Counts::Frame => i64::from(*bytes),
        };
        let add = u64::try_from(itself.checked_sub(length.add)?).ok()?;
        let field_max = number::value_max(kind).checked_sub(add)?;
        let body_max = field_max.min(room(&stage.options, u64::from(*bytes)));
        let body_max = usize::try_from(body_max).unwrap_or(usize::MAX);
        Some(Prefix { bytes: *bytes, little: *little, add, body_max })
    }

    #[inline(always)]
    pub(super) fn encode(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        if message.len() > self.body_max {
            return false;
        }
        let value = message.len() as u64 + self.add;
        if self.bytes == 4 && !self.little {
            // Its value has been held against what four bytes can say.
            let [_, _, _, _, field @ ..] = value.to_be_bytes();
            out.extend_from_slice(&field);
        } else {
            self.append_field(value, out);
        }
        out.extend_from_slice(message);
        true
    }

    fn append_field(&self, value: u64, out: &mut Vec<u8>) {
        // All eight bytes are written and those too many given back: a copy of a fixed size is two
        // instructions, one of a size only known when running is a call.
        let wide = match self.little {
            true => value.to_le_bytes(),
            false => (value << (64 - 8 * u32::from(self.bytes))).to_be_bytes(),
        };
        let start = out.len();
        out.extend_from_slice(&wide);
        out.truncate(start + usize::from(self.bytes));
    }
}

impl Plain {
    fn of(stage: &Stage) -> Option<Plain> {
        let Shape::Record(record) = &stage.shape else { return None };
        let length = record.length.as_ref().filter(|length| is_plain(length))?;
        let Some(Item::Integer { kind, .. }) = record.items.get(length.item) else { return None };
        let before = literals(record.items.get(..length.item)?)?;
        let after = literals(record.header().get(length.item + 1..)?)?;
        let trailer = literals(record.trailer())?;
        let behind = after.len() + trailer.len();
        let size = kind.fixed_bytes();
        let counted = match length.counts {
            Counts::Body => 0,
            Counts::Rest => behind,
            Counts::Itself => size? + behind,
            Counts::Frame => before.len() + size? + behind,
        };
        let around = match stage.options.maxframe {
            Some(_) => before.len() + size? + behind,
            None => 0,
        };
        let add = i64::try_from(counted).ok()?.checked_sub(length.add)?;
        let add = u64::try_from(add).ok()?;
        let field_max = number::value_max(kind).checked_sub(add)?;
        let body_max = field_max.min(room(&stage.options, around as u64));
        let body_max = usize::try_from(body_max).unwrap_or(usize::MAX);
        Some(Plain { before, kind: kind.clone(), after, trailer, add, body_max })
    }

    #[inline(never)]
    fn encode(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        if message.len() > self.body_max {
            return false;
        }
        out.extend_from_slice(&self.before);
        number::write(&self.kind, message.len() as u64 + self.add, None, out);
        out.extend_from_slice(&self.after);
        append(message, &self.trailer, out)
    }
}

/// The items joined, when all are literals.
fn literals(items: &[Item]) -> Option<Box<[u8]>> {
    let mut joined = Vec::new();
    for item in items {
        let Item::Literal(literal) = item else { return None };
        joined.extend_from_slice(literal);
    }
    Some(joined.into_boxed_slice())
}

/// Whether the length is the number in the field and an addition that is always the same.
fn is_plain(length: &Length) -> bool {
    length.mask == u64::MAX
        && (length.short, length.unit) == (0, 1)
        && length.add_items.is_empty()
        && length.little_when.is_none()
        && length.more == More::Never
}

#[inline(always)]
fn encode_line(message: &[u8], body_max: usize, out: &mut Vec<u8>) -> bool {
    let good =
        message.len() <= body_max && message.last() != Some(&b'\r') && !scan::holds(b'\n', message);
    good && append_with(message, b'\n', out)
}

/// A byte at the end is no copy.
#[inline(always)]
fn append_with(message: &[u8], end: u8, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(message);
    out.push(end);
    true
}

#[inline]
fn append(message: &[u8], end: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(message.len() + end.len());
    out.extend_from_slice(message);
    out.extend_from_slice(end);
    true
}

#[inline]
fn holds_crlf(message: &[u8]) -> bool {
    memchr_iter(b'\n', message).any(|at| at > 0 && message[at - 1] == b'\r')
}

/// How large a body may be in a frame with `around` bytes beside it. What is left of nothing is
/// told apart by the general encoder.
fn room(options: &Options, around: u64) -> u64 {
    options.max().min(options.maxframe.map_or(u64::MAX, |max| max.saturating_sub(around)))
}

fn body_max(options: &Options, around: u64) -> usize {
    usize::try_from(room(options, around)).unwrap_or(usize::MAX)
}
