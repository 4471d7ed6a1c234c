//! A record, run: header items, body, trailer items.
//!
//! ```text
//! +------------------+--------------+----------------+
//! | header items     | body         | trailer items  |
//! +------------------+--------------+----------------+
//! 0     ^ resolved   ^ header_end   ^ body_end       ^ whole
//! ```
//!
//! The length is resolved as soon as every field that it needs has been read, and the limits are
//! checked there: before the rest of the header has come.

use alloc::vec::Vec;

use crate::engine::delimited::{self, Ends, Search};
use crate::engine::item::{self, Progress, Read, Wrong};
use crate::engine::{Input, Out, Oversize, delivered};
use crate::framing::{Deliver, HEADER_BYTES_MAX, Options};
use crate::record::{Counts, Integer, Item, Length, More, Record};
use crate::{ErrorKind, Frame, FrameError};

#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Where the record begins: after the key of a `type{}`.
    start: usize,
    /// What has been read, item by item.
    values: Vec<Value>,
    /// The item at hand begins here.
    pos: usize,
    progress: Progress,
    size: Size,
    header_end: usize,
    /// Set when the body has been passed.
    body_end: Option<usize>,
    /// The search for the literal that ends a body without a length.
    search: Option<delimited::Run>,
}

/// An item that has been read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) integer: u64,
}

/// What the length field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Unknown,
    Body(u64),
    /// Of the whole frame, from its first byte.
    Whole(u64),
    /// `short=`: a frame of the header alone.
    HeaderOnly,
}

impl Run {
    pub(crate) fn new(start: usize) -> Run {
        Run {
            start,
            values: Vec::new(),
            pos: start,
            progress: Progress::default(),
            size: Size::Unknown,
            header_end: start,
            body_end: None,
            search: None,
        }
    }

    /// Ready for the next frame; keeps its memory.
    pub(crate) fn reset(&mut self) {
        let mut values = core::mem::take(&mut self.values);
        values.clear();
        *self = Run { values, ..Run::new(self.start) };
    }

    /// The item with that index, as read.
    pub(crate) fn value(&self, item: usize) -> Option<Value> {
        self.values.get(item).copied()
    }

    /// Where the body begins and how large the frame is, once the header has been read, when
    /// nothing stands behind the body and the message is this frame.
    pub(crate) fn announced(&self, record: &Record) -> Option<(u64, u64)> {
        let plain = self.values.len() >= record.header_items
            && record.length.is_some()
            && record.trailer().is_empty()
            && !self.more(record);
        let whole = plain.then(|| self.whole(record))??;
        Some((self.header_end as u64, whole))
    }

    pub(crate) fn run(
        &mut self,
        record: &Record,
        deliver: Deliver,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Out, FrameError> {
        while self.values.len() < record.header_items {
            if let Some(out) = self.header_item(record, options, input)? {
                return Ok(out);
            }
        }
        if self.body_end.is_none()
            && let Some(out) = self.body(record, options, input)?
        {
            return Ok(out);
        }
        let body_end = self.body_end.unwrap_or(self.pos);
        if self.size != Size::HeaderOnly {
            while self.values.len() < record.items.len() {
                if let Some(out) = self.trailer_item(record, options, input)? {
                    return Ok(out);
                }
            }
        }
        let (whole, body) = (0..self.pos, self.header_end..body_end);
        let message = delivered(deliver, &whole, &body, self.padding_at_end(record));
        let more = self.more(record);
        Ok(Out::Frame(Frame { whole, header: 0..self.header_end, body, message, more }))
    }

    fn header_item(
        &mut self,
        record: &Record,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Option<Out>, FrameError> {
        let index = self.values.len();
        let mut excess = None;
        let read = {
            let resolves = record.length.as_ref().filter(|l| l.resolved_at() == index);
            let simple = resolves.filter(|l| l.item == index && l.mask == u64::MAX);
            let run = &*self;
            let mut watch = |value: u64, seen: usize| {
                if input.discarding {
                    return false;
                }
                excess =
                    simple.and_then(|l| run.digits_excess(record, l, value, seen, options, input));
                excess.is_some()
            };
            let mut progress = self.progress;
            let read = self.read(record, index, &mut progress, options, input, &mut watch);
            self.progress = progress;
            read
        };
        if let Some((declared, limit)) = excess {
            let at = self.pos + self.progress.seen - 1;
            return Ok(Some(Oversize::body(at, Some(declared), limit)));
        }
        if let Some(out) = self.take(read, ErrorKind::BadPrefix, record, index, input)? {
            return Ok(Some(out));
        }
        if index + 1 == record.header_items {
            self.header_end = self.pos;
        }
        let Some(length) = &record.length else {
            return Ok(None);
        };
        if index == length.resolved_at() {
            self.size = self.resolve(record, length, input)?;
            self.check_against_header(record, length, input)?;
            return Ok(self.check(record, options, input));
        }
        if index + 1 == record.header_items {
            self.check_against_header(record, length, input)?;
            return Ok(self.check(record, options, input));
        }
        Ok(None)
    }

    fn trailer_item(
        &mut self,
        record: &Record,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Option<Out>, FrameError> {
        let index = self.values.len();
        let mut progress = self.progress;
        let read = self.read(record, index, &mut progress, options, input, &mut |_, _| false);
        self.progress = progress;
        if let Some(out) = self.take(read, ErrorKind::BadTrailer, record, index, input)? {
            return Ok(Some(out));
        }
        match options.maxframe {
            Some(max) if self.pos as u64 > max && !input.discarding => {
                Ok(Some(Oversize::body(self.pos - 1, Some(self.pos as u64), max)))
            }
            _ => Ok(None),
        }
    }

    /// Reads the item at hand as far as it is there.
    fn read(
        &self,
        record: &Record,
        index: usize,
        progress: &mut Progress,
        options: &Options,
        input: Input<'_>,
        watch: &mut dyn FnMut(u64, usize) -> bool,
    ) -> Read {
        let bytes = &input.bytes[self.pos.min(input.bytes.len())..];
        let item = &record.items[index];
        let Item::Padding { item: said_by } = item else {
            return item::read(item, bytes, progress, options.leading_zeros, watch);
        };
        let padding = usize::try_from(self.values[*said_by].integer).unwrap_or(usize::MAX);
        match padding {
            _ if padding > HEADER_BYTES_MAX => Read::Bad(0, Wrong::Endless),
            _ if padding > bytes.len() => Read::Need(padding - bytes.len()),
            _ => Read::Done(padding),
        }
    }

    /// Goes behind an item that is whole; says what is wrong with one that cannot be.
    fn take(
        &mut self,
        read: Read,
        kind: ErrorKind,
        record: &Record,
        index: usize,
        input: Input<'_>,
    ) -> Result<Option<Out>, FrameError> {
        match read {
            Read::Done(bytes) => {
                let (start, end) = (self.pos, self.pos + bytes);
                self.values.push(Value { start, end, integer: self.progress.value });
                self.pos = end;
                self.progress = Progress::default();
                Ok(None)
            }
            Read::Need(more) => {
                let need = self.need(record, index);
                let more =
                    need.map_or(more, |need| need.saturating_sub(input.bytes.len()).max(more));
                let need = need.map(|need| need as u64);
                Ok(Some(Out::Need { more: more as u64, need }))
            }
            Read::Bad(at, Wrong::Endless) => {
                let at = (self.pos + at).min(input.bytes.len().saturating_sub(1));
                Ok(Some(Oversize::fatal(at, HEADER_BYTES_MAX, "a header field")))
            }
            Read::Bad(at, wrong) => {
                let kind = match wrong {
                    Wrong::TooLong | Wrong::Indefinite if kind == ErrorKind::BadPrefix => {
                        ErrorKind::BadLength
                    }
                    _ => kind,
                };
                Err(input.error(kind, self.pos + at).with_expected(wrong.expected()))
            }
        }
    }

    /// The end of the header, or with the header whole of the frame, when it is known.
    fn need(&self, record: &Record, index: usize) -> Option<usize> {
        let items = match index < record.header_items {
            true => record.header(),
            false => &record.items,
        };
        items[index..].iter().try_fold(self.pos, |end, item| {
            let bytes = match item {
                Item::Padding { item } => usize::try_from(self.value(*item)?.integer).ok()?,
                _ => item.fixed_bytes()?,
            };
            end.checked_add(bytes)
        })
    }

    /// Passes the body.
    fn body(
        &mut self,
        record: &Record,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Option<Out>, FrameError> {
        if record.length.is_none() {
            return Ok(self.body_to_literal(record, options, input));
        }
        let whole = self.whole(record);
        if input.discarding
            && let Some(bytes) = whole
        {
            return Ok(Some(Out::Whole { bytes, more: self.more(record) }));
        }
        let body = self.body_bytes(record).unwrap_or(0);
        let end = self.header_end as u64 + body;
        let len = input.bytes.len();
        if (len as u64) < end {
            let more = whole.unwrap_or(end) - len as u64;
            return Ok(Some(Out::Need { more, need: whole }));
        }
        // Not more than `len`, so it is in range.
        self.pos = usize::try_from(end).unwrap_or(len);
        self.body_end = Some(self.pos);
        Ok(None)
    }

    /// Passes a body that a literal ends.
    fn body_to_literal(
        &mut self,
        record: &Record,
        options: &Options,
        input: Input<'_>,
    ) -> Option<Out> {
        let Some(Item::Literal(literal)) = record.trailer().first() else {
            return None;
        };
        let start = self.header_end;
        let search = self.search.get_or_insert_with(|| delimited::Run::new(start));
        match search.search(Ends::Literal(literal), options, input) {
            Search::Found { body_end, .. } => {
                self.pos = body_end;
                self.header_end = self.header_end.min(body_end);
                self.body_end = Some(body_end);
                None
            }
            Search::Out(out) => Some(out),
        }
    }

    /// The size that a number whose digits are still coming has at least, and the limit it passes.
    fn digits_excess(
        &self,
        record: &Record,
        length: &Length,
        value: u64,
        seen: usize,
        options: &Options,
        input: Input<'_>,
    ) -> Option<(u64, u64)> {
        let counted = self.counted(record, length, value)?;
        let body = match length.counts {
            Counts::Body => counted,
            counts => {
                let rest = fixed_bytes(&record.header()[length.item + 1..])?;
                let field = digit_bytes(&record.items[length.item], seen);
                let end = self.pos + field + rest;
                let base = match counts {
                    Counts::Rest => self.pos + field,
                    Counts::Itself => self.pos,
                    Counts::Body | Counts::Frame => 0,
                };
                let around = end - base + fixed_bytes(record.trailer())?;
                counted.checked_sub(around as u64)?
            }
        };
        let max = options.max();
        (input.collected.saturating_add(body) > max).then_some((body, max))
    }

    /// What the length field's value comes to after mask, unit and additions.
    fn counted(&self, record: &Record, length: &Length, value: u64) -> Option<u64> {
        let mut counted = i128::from(value & length.mask) * i128::from(length.unit);
        counted = counted.checked_add(i128::from(length.add))?;
        for item in &length.add_items {
            let value = self.value(*item)?.integer;
            let signed = matches!(
                record.items[*item],
                Item::Integer { kind: Integer::Binary { signed: true, .. }, .. }
            );
            let value = if signed { value.cast_signed().into() } else { i128::from(value) };
            counted = counted.checked_add(value)?;
        }
        // More than 64 bits can hold is as much as the largest number: past every limit.
        u64::try_from(counted.min(u64::MAX.into())).ok()
    }

    /// Reads the length once all that it needs is there.
    fn resolve(
        &mut self,
        record: &Record,
        length: &Length,
        input: Input<'_>,
    ) -> Result<Size, FrameError> {
        let value = self.values[length.item];
        let mut raw = value.integer;
        if let Some(flag) = length.little_when
            && self.values[flag.item].integer & flag.mask != 0
        {
            raw = item::little_endian(&input.bytes[value.start..value.end]);
            self.values[length.item].integer = raw;
        }
        let kind = match &record.items[length.item] {
            Item::Integer { kind, .. } => Some(kind),
            _ => None,
        };
        if matches!(kind, Some(Integer::Binary { signed: true, .. })) && raw.cast_signed() < 0 {
            return Err(self.bad_length(input, value.end).with_expected("a length of 0 or more"));
        }
        if raw & length.mask < length.short {
            return Ok(Size::HeaderOnly);
        }
        let Some(counted) = self.counted(record, length, raw) else {
            return Err(self.bad_length(input, value.end).with_expected("a length of 0 or more"));
        };
        Ok(match length.counts {
            Counts::Body => Size::Body(counted),
            Counts::Rest => Size::Whole(counted.saturating_add(value.end as u64)),
            Counts::Itself => Size::Whole(counted.saturating_add(value.start as u64)),
            Counts::Frame => Size::Whole(counted),
        })
    }

    fn bad_length(&self, input: Input<'_>, end: usize) -> FrameError {
        input.error(ErrorKind::BadLength, end - 1)
    }

    /// A length that counts the header must be at least as large.
    fn check_against_header(
        &self,
        record: &Record,
        length: &Length,
        input: Input<'_>,
    ) -> Result<(), FrameError> {
        let Size::Whole(whole) = self.size else {
            return Ok(());
        };
        let header = &record.header()[self.values.len()..];
        let least: usize = header.iter().map(least_bytes).sum();
        let least = (self.pos + least) as u64 + self.trailer_bytes(record).unwrap_or(0);
        if whole < least {
            let declared = Some(self.values[length.item].integer);
            let expected = alloc::format!("a length of a frame of {least} bytes or more");
            let error = self.bad_length(input, self.pos);
            return Err(error.with_sizes(declared, None).with_expected(expected));
        }
        Ok(())
    }

    /// Whether the sizes, as far as they are known, pass a limit.
    fn check(&self, record: &Record, options: &Options, input: Input<'_>) -> Option<Out> {
        if input.discarding {
            return None;
        }
        let (body, whole) = (self.body_bytes(record), self.whole(record));
        let over = |size: Option<u64>, limit: u64| {
            size.filter(|size| *size > limit).map(|size| (size, limit))
        };
        let max = options.max();
        let excess = over(body.map(|body| body.saturating_add(input.collected)), max)
            .or_else(|| options.maxframe.and_then(|max| over(whole, max)))
            .or_else(|| over(whole, isize::MAX as u64));
        let (declared, limit) = excess?;
        let frame_bytes = whole.filter(|_| self.stands_alone(record, input));
        let at = self.pos - 1;
        let declared = Some(declared);
        Some(Out::Oversize(Oversize { at, declared, limit, frame_bytes, fatal: None }))
    }

    /// Whether this frame is known to be its whole message.
    fn stands_alone(&self, record: &Record, input: Input<'_>) -> bool {
        let more = record.length.as_ref().map_or(More::Never, |length| length.more);
        let known = match more {
            More::LastFlag(flag) => flag.item < self.values.len(),
            _ => true,
        };
        input.collected == 0 && known && !self.more(record)
    }

    /// Bytes of body, when they are known by now.
    fn body_bytes(&self, record: &Record) -> Option<u64> {
        match self.size {
            Size::Unknown => None,
            Size::Body(bytes) => Some(bytes),
            Size::HeaderOnly => Some(0),
            Size::Whole(whole) => {
                let rest = fixed_bytes(&record.header()[self.values_in_header(record)..])?;
                let end = self.header_pos(record) + rest;
                whole.checked_sub(end as u64)?.checked_sub(self.trailer_bytes(record)?)
            }
        }
    }

    /// Bytes of the whole frame, when they are known by now.
    fn whole(&self, record: &Record) -> Option<u64> {
        if let Size::Whole(whole) = self.size {
            return Some(whole);
        }
        let rest = fixed_bytes(&record.header()[self.values_in_header(record)..])?;
        let header = (self.header_pos(record) + rest) as u64;
        match self.size {
            Size::Body(body) => {
                Some(header.saturating_add(body).saturating_add(self.trailer_bytes(record)?))
            }
            Size::HeaderOnly => Some(header),
            Size::Unknown | Size::Whole(_) => None,
        }
    }

    fn values_in_header(&self, record: &Record) -> usize {
        self.values.len().min(record.header_items)
    }

    /// The end of what has been read of the header.
    fn header_pos(&self, record: &Record) -> usize {
        if self.values.len() < record.header_items { self.pos } else { self.header_end }
    }

    /// Bytes of the trailer, when they are known by now.
    fn trailer_bytes(&self, record: &Record) -> Option<u64> {
        record.trailer().iter().try_fold(0u64, |sum, item| {
            let bytes = match item {
                Item::Padding { item } => self.value(*item)?.integer,
                _ => item.fixed_bytes()? as u64,
            };
            Some(sum.saturating_add(bytes))
        })
    }

    /// Bytes of padding at the end of the frame.
    fn padding_at_end(&self, record: &Record) -> usize {
        let items = record.trailer().iter().enumerate().rev();
        items
            .take_while(|(_, item)| matches!(item, Item::Padding { .. }))
            .filter_map(|(index, _)| self.value(record.header_items + index))
            .map(|value| value.end - value.start)
            .sum()
    }

    /// Whether the message goes on in the next frame.
    fn more(&self, record: &Record) -> bool {
        let Some(length) = &record.length else {
            return false;
        };
        let raw = self.value(length.item).map_or(0, |value| value.integer);
        if self.size == Size::HeaderOnly {
            return false;
        }
        match length.more {
            More::Never => false,
            More::LastBit(bit) => raw & bit == 0,
            More::LastFlag(flag) => {
                self.value(flag.item).is_some_and(|value| value.integer & flag.mask == 0)
            }
            More::ContinueValue(value) => raw == value,
        }
    }
}

impl Length {
    /// The item after which the length can be told.
    fn resolved_at(&self) -> usize {
        let flag = self.little_when.map(|flag| flag.item);
        self.add_items.iter().copied().chain(flag).fold(self.item, usize::max)
    }
}

/// The sum of the items' sizes, when each has always the same.
fn fixed_bytes(items: &[Item]) -> Option<usize> {
    items.iter().map(Item::fixed_bytes).sum()
}

/// How many bytes a number takes of which so many bytes have been seen and all are digits, if no
/// further digit comes.
fn digit_bytes(item: &Item, seen: usize) -> usize {
    match item {
        Item::Integer { kind: Integer::DigitsUntil { literal, .. }, .. } => seen + literal.len(),
        item => item.fixed_bytes().unwrap_or(seen),
    }
}

/// Bytes that an item takes at least.
fn least_bytes(item: &Item) -> usize {
    item.fixed_bytes().unwrap_or(match item {
        Item::Padding { .. } => 0,
        Item::Until { literal, .. } => literal.len(),
        Item::Integer { kind: Integer::DigitsUntil { literal, .. }, .. } => 1 + literal.len(),
        _ => 1,
    })
}
