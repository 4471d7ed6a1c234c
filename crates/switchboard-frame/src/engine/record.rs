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
use crate::record::{Item, More, Record};
use crate::{ErrorKind, Frame, FrameError};

mod sizes;

#[derive(Clone, Debug)]
pub(crate) struct Run {
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
    pub(crate) fn reset(&mut self, start: usize) {
        let mut values = core::mem::take(&mut self.values);
        values.clear();
        *self = Run { values, ..Run::new(start) };
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
                // Of padding it is the field that says how much which is at fault.
                let at = match &record.items[index] {
                    Item::Padding { item } => self.values[*item].end - 1,
                    _ => self.pos + at,
                };
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
