//! The common forms, decoded without the interpreter: one binary length field in a header of fixed
//! size; a varint or decimal length ([`variable`](super::variable)); LF lines; CR LF and one-byte
//! delimiters; fixed sizes.
//!
//! A fast form knows only the good case, where a whole frame within the limits is there, or plainly
//! is not there yet. Everything else it leaves to the interpreter, which looks at the frame from
//! its first byte. So there is one place that knows what is wrong with a frame, and both give the
//! same results.

use crate::engine::looked_at;
use crate::engine::variable::Variable;
use crate::framing::{Delimiter, Deliver, Shape, Stage};
use crate::record::{Counts, Integer, Item, More};
use crate::{Frame, Taken, Whole, scan};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fast {
    /// No fast form: the interpreter.
    None,
    Length(Length),
    Variable(Variable),
    Lines {
        body_max: usize,
        whole: bool,
    },
    Byte {
        byte: u8,
        body_max: usize,
        whole: bool,
    },
    Crlf {
        body_max: usize,
        whole: bool,
    },
    Fixed {
        bytes: usize,
    },
}

/// One binary length field in a header of fixed size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    header: usize,
    /// Where the field lies, and how wide it is.
    at: usize,
    width: u8,
    little: bool,
    /// The bits of eight bytes that are not of the field.
    over: u8,
    /// The frame has so many bytes more than the field says; may be negative.
    add: i64,
    /// The values that are right lie between these two.
    value_min: u64,
    value_max: u64,
    whole: bool,
    /// It is the commonest of all, four bytes before the body that say how long that is: at most so
    /// long.
    u32be_max: Option<u32>,
}

/// What the fast form found.
pub(crate) enum Found {
    Frame(Frame),
    Need(usize),
    /// Something else: ask the interpreter.
    Unsure,
}

impl Fast {
    pub(crate) fn of(stage: &Stage) -> Fast {
        let whole = match stage.deliver() {
            Deliver::Body => false,
            Deliver::Frame => true,
            Deliver::Without(_) | Deliver::NoPad => return Fast::None,
        };
        let options = &stage.options;
        if options.maxframe.is_some() {
            return Fast::None;
        }
        // Far from the end of the numbers, so that a delimiter can be added.
        let body_max = usize::try_from(options.max()).unwrap_or(usize::MAX).min(usize::MAX / 2);
        match &stage.shape {
            Shape::Fixed(bytes) if *bytes <= body_max => Fast::Fixed { bytes: *bytes },
            Shape::Delimited(Delimiter::Lines) => Fast::Lines { body_max, whole },
            Shape::Delimited(Delimiter::Literals(list)) => match list.as_slice() {
                [literal] => match **literal {
                    [byte] => Fast::Byte { byte, body_max, whole },
                    [b'\r', b'\n'] => Fast::Crlf { body_max, whole },
                    _ => Fast::None,
                },
                _ => Fast::None,
            },
            Shape::Record(record) => Length::of(stage, whole)
                .map(Fast::Length)
                .or_else(|| Variable::of(stage, record, whole).map(Fast::Variable))
                .unwrap_or(Fast::None),
            _ => Fast::None,
        }
    }

    /// Of a frame that is not whole yet, once its header is: what it announces.
    pub(crate) fn announced(&self, bytes: &[u8]) -> Option<Taken> {
        match *self {
            Fast::Length(ref length) => {
                let header = bytes.get(length.at..length.header)?;
                let value = length.read(header)?;
                let right = length.value_min <= value && value <= length.value_max;
                let whole = right.then(|| value.wrapping_add_signed(length.add))?;
                let start = if length.whole { 0 } else { length.header as u64 };
                Some(Taken { message: start..whole, whole })
            }
            Fast::Variable(ref variable) => variable.announced(bytes),
            Fast::Fixed { bytes: size } if !bytes.is_empty() => {
                Some(Taken { message: 0..size as u64, whole: size as u64 })
            }
            _ => None,
        }
    }

    /// Looks for a whole frame. `scanned` is remembered between two calls: up to there no delimiter
    /// ends.
    #[inline(always)]
    pub(crate) fn step(&self, bytes: &[u8], scanned: &mut usize) -> Found {
        match *self {
            Fast::Length(ref length) => length.step(bytes),
            Fast::Variable(ref variable) => variable.step(bytes),
            Fast::Lines { body_max, whole } => {
                let Some(end) = find(b'\n', bytes, scanned, body_max) else {
                    return pending(bytes, body_max);
                };
                *scanned = 0;
                let cr = end > 0 && bytes[end - 1] == b'\r';
                delimited(end - usize::from(cr), end + 1, whole)
            }
            Fast::Byte { byte, body_max, whole } => {
                let Some(end) = find(byte, bytes, scanned, body_max) else {
                    return pending(bytes, body_max);
                };
                *scanned = 0;
                delimited(end, end + 1, whole)
            }
            Fast::Crlf { body_max, whole } => loop {
                let Some(end) = find(b'\n', bytes, scanned, body_max + 1) else {
                    return pending(bytes, body_max);
                };
                if end > 0 && bytes[end - 1] == b'\r' {
                    *scanned = 0;
                    return delimited(end - 1, end + 1, whole);
                }
                *scanned = end + 1;
            },
            Fast::Fixed { bytes: size } => {
                if bytes.len() < size {
                    return Found::Need(size - bytes.len());
                }
                let body = 0..size;
                let frame =
                    Frame { whole: 0..size, header: 0..0, message: 0..size, body, more: false };
                Found::Frame(frame)
            }
            Fast::None => Found::Unsure,
        }
    }
}

/// The place of `byte`, at most at `at_max`, in what has not been searched yet.
#[inline(always)]
fn find(byte: u8, bytes: &[u8], scanned: &mut usize, at_max: usize) -> Option<usize> {
    let end = bytes.len().min(at_max.saturating_add(1));
    let hit = scan::find(byte, &bytes[(*scanned).min(end)..end]);
    looked_at(hit.map_or(end.saturating_sub(*scanned), |hit| hit + 1));
    match hit {
        Some(hit) => Some(*scanned + hit),
        None => {
            *scanned = end.max(*scanned);
            None
        }
    }
}

/// No delimiter yet: fine while the body is within its limit.
#[inline(always)]
fn pending(bytes: &[u8], body_max: usize) -> Found {
    if bytes.len() <= body_max { Found::Need(1) } else { Found::Unsure }
}

#[inline(always)]
fn delimited(body_end: usize, end: usize, whole: bool) -> Found {
    let (whole_range, body) = (0..end, 0..body_end);
    let message = if whole { 0..end } else { 0..body_end };
    Found::Frame(Frame { whole: whole_range, header: 0..0, body, message, more: false })
}

impl Length {
    fn of(stage: &Stage, whole: bool) -> Option<Length> {
        let Shape::Record(record) = &stage.shape else {
            return None;
        };
        let length = record.length.as_ref()?;
        let plain = length.mask == u64::MAX
            && length.short == 0
            && length.unit == 1
            && length.add_items.is_empty()
            && length.little_when.is_none()
            && length.more == More::Never
            && record.trailer().is_empty();
        let mut header = 0;
        let mut at = 0;
        for (index, item) in record.header().iter().enumerate() {
            let fixed = matches!(item, Item::Opaque { .. } | Item::Integer { .. });
            if !plain || !fixed {
                return None;
            }
            if index == length.item {
                at = header;
            }
            header += item.fixed_bytes()?;
        }
        let Item::Integer { kind: Integer::Binary { bytes, little, signed }, .. } =
            &record.items[length.item]
        else {
            return None;
        };
        let width = *bytes;
        let counted_from = match length.counts {
            Counts::Body => header,
            Counts::Rest => at + usize::from(width),
            Counts::Itself => at,
            Counts::Frame => 0,
        };
        let add = i64::try_from(counted_from).ok()?.checked_add(length.add)?;
        let top = if width == 8 { u64::MAX } else { (1 << (8 * u32::from(width))) - 1 };
        let top = if *signed { top >> 1 } else { top };
        // value + add = header + body, with a body from 0 to max.
        let value_min = i128::try_from(header).ok()? - i128::from(add);
        let value_max = value_min + i128::from(stage.options.max().min(u64::MAX / 4));
        let value_max = u64::try_from(value_max).ok()?.min(top);
        let value_min = u64::try_from(value_min.max(0)).ok()?;
        // The field counts what is in the frame whatever `+N` says, or the interpreter decides.
        if i128::from(value_min) + i128::from(add) < i128::try_from(header).ok()? {
            return None;
        }
        let (little, over) = (*little, 64 - 8 * width);
        let is_u32be = (header, width, little, add, whole) == (4, 4, false, 4, false);
        let u32be_max = u32::try_from(value_max).ok().filter(|_| is_u32be);
        Some(Length {
            header,
            at,
            width,
            little,
            over,
            add,
            value_min,
            value_max,
            whole,
            u32be_max,
        })
    }

    #[inline(always)]
    pub(crate) fn step(&self, bytes: &[u8]) -> Found {
        let Some(header) = bytes.get(..self.header) else {
            return Found::Need(self.header - bytes.len());
        };
        let value = match bytes.get(self.at..).and_then(|field| field.first_chunk()) {
            Some(wide) => self.cut(*wide),
            None => match self.read(&header[self.at..]) {
                Some(value) => value,
                None => return Found::Unsure,
            },
        };
        if value < self.value_min || value > self.value_max {
            return Found::Unsure;
        }
        let Ok(end) = usize::try_from(value.wrapping_add_signed(self.add)) else {
            return Found::Unsure;
        };
        if bytes.len() < end {
            return Found::Need(end - bytes.len());
        }
        let start = if self.whole { 0 } else { self.header };
        Found::Frame(Frame {
            whole: 0..end,
            header: 0..self.header,
            body: self.header..end,
            message: start..end,
            more: false,
        })
    }

    /// A frame that is there, if nothing has to be looked at twice to see that.
    #[inline(always)]
    pub(crate) fn whole(&self, bytes: &[u8]) -> Option<Whole> {
        if let Some(body_max) = self.u32be_max {
            let body = u32::from_be_bytes(*bytes.first_chunk()?);
            let end = usize::try_from(body).ok()?.checked_add(4)?;
            let is_there = body <= body_max && end <= bytes.len();
            return is_there.then_some(Whole { message: 4..end, end });
        }
        let value = self.cut(*bytes.get(self.at..)?.first_chunk()?);
        if value < self.value_min || value > self.value_max {
            return None;
        }
        let end = usize::try_from(value.wrapping_add_signed(self.add)).ok()?;
        let start = if self.whole { 0 } else { self.header };
        (end <= bytes.len()).then_some(Whole { message: start..end, end })
    }

    /// The field at the front of eight bytes: where there are so many, no width has to be asked
    /// for.
    #[inline(always)]
    fn cut(&self, wide: [u8; 8]) -> u64 {
        match self.little {
            true => u64::from_le_bytes(wide) << self.over >> self.over,
            false => u64::from_be_bytes(wide) >> self.over,
        }
    }

    fn read(&self, field: &[u8]) -> Option<u64> {
        Some(match (self.width, self.little) {
            (1, _) => u64::from(*field.first()?),
            (2, false) => u64::from(u16::from_be_bytes(*field.first_chunk()?)),
            (2, true) => u64::from(u16::from_le_bytes(*field.first_chunk()?)),
            (4, false) => u64::from(u32::from_be_bytes(*field.first_chunk()?)),
            (4, true) => u64::from(u32::from_le_bytes(*field.first_chunk()?)),
            (width, false) => super::item::big_endian(field.get(..usize::from(width))?),
            (width, true) => super::item::little_endian(field.get(..usize::from(width))?),
        })
    }
}
