//! What a record's length says: read in the order of its rule, and the sizes that are known by now.
//!
//! Sizes are told as early as they are certain, so that a frame past a limit is refused before it
//! has come; and everything is computed in checked arithmetic.

use super::{Run, Size};
use crate::engine::{Input, Out, Oversize, item};
use crate::framing::Options;
use crate::record::{Counts, Integer, Item, Length, More, Record};
use crate::{ErrorKind, FrameError};

impl Run {
    /// The size that a number whose digits are still coming has at least, and the limit it passes.
    pub(super) fn digits_excess(
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
    pub(super) fn counted(&self, record: &Record, length: &Length, value: u64) -> Option<u64> {
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
    pub(super) fn resolve(
        &mut self,
        record: &Record,
        length: &Length,
        input: Input<'_>,
    ) -> Result<Size, FrameError> {
        let value = self.values[length.item];
        let signed = matches!(
            &record.items[length.item],
            Item::Integer { kind: Integer::Binary { signed: true, .. }, .. }
        );
        let mut raw = value.integer;
        if let Some(flag) = length.little_when
            && self.values[flag.item].integer & flag.mask != 0
        {
            let field = &input.bytes[value.start..value.end];
            raw = item::little_endian(field);
            if signed {
                raw = item::sign_extend(raw, field.len());
            }
            self.values[length.item].integer = raw;
        }
        if signed && raw.cast_signed() < 0 {
            return Err(self.bad_length(input, self.pos).with_expected("a length of 0 or more"));
        }
        if raw & length.mask < length.short {
            return Ok(Size::HeaderOnly);
        }
        let Some(counted) = self.counted(record, length, raw) else {
            return Err(self.bad_length(input, self.pos).with_expected("a length of 0 or more"));
        };
        Ok(match length.counts {
            Counts::Body => Size::Body(counted),
            Counts::Rest => Size::Whole(counted.saturating_add(value.end as u64)),
            Counts::Itself => Size::Whole(counted.saturating_add(value.start as u64)),
            Counts::Frame => Size::Whole(counted),
        })
    }

    pub(super) fn bad_length(&self, input: Input<'_>, end: usize) -> FrameError {
        input.error(ErrorKind::BadLength, end - 1)
    }

    /// A length that counts the header must be at least as large.
    pub(super) fn check_against_header(
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
    pub(super) fn check(
        &self,
        record: &Record,
        options: &Options,
        input: Input<'_>,
    ) -> Option<Out> {
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
    pub(super) fn stands_alone(&self, record: &Record, input: Input<'_>) -> bool {
        let more = record.length.as_ref().map_or(More::Never, |length| length.more);
        let known = match more {
            More::LastFlag(flag) => flag.item < self.values.len(),
            _ => true,
        };
        input.collected == 0 && known && !self.more(record)
    }

    /// Bytes of body, when they are known by now.
    pub(super) fn body_bytes(&self, record: &Record) -> Option<u64> {
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
    pub(super) fn whole(&self, record: &Record) -> Option<u64> {
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

    pub(super) fn values_in_header(&self, record: &Record) -> usize {
        self.values.len().min(record.header_items)
    }

    /// The end of what has been read of the header.
    pub(super) fn header_pos(&self, record: &Record) -> usize {
        if self.values.len() < record.header_items { self.pos } else { self.header_end }
    }

    /// Bytes of the trailer, when they are known by now.
    pub(super) fn trailer_bytes(&self, record: &Record) -> Option<u64> {
        record.trailer().iter().try_fold(0u64, |sum, item| {
            let bytes = match item {
                Item::Padding { item } => self.value(*item)?.integer,
                _ => item.fixed_bytes()? as u64,
            };
            Some(sum.saturating_add(bytes))
        })
    }
}

impl Length {
    /// The item after which the length can be told.
    pub(super) fn resolved_at(&self) -> usize {
        let flag = self.little_when.map(|flag| flag.item);
        self.add_items.iter().copied().chain(flag).fold(self.item, usize::max)
    }
}

/// The sum of the items' sizes, when each has always the same.
pub(super) fn fixed_bytes(items: &[Item]) -> Option<usize> {
    items.iter().map(Item::fixed_bytes).sum()
}

/// How many bytes a number takes of which so many bytes have been seen and all are digits, if no
/// further digit comes.
pub(super) fn digit_bytes(item: &Item, seen: usize) -> usize {
    match item {
        Item::Integer { kind: Integer::DigitsUntil { literal, .. }, .. } => seen + literal.len(),
        item => item.fixed_bytes().unwrap_or(seen),
    }
}

/// Bytes that an item takes at least.
pub(super) fn least_bytes(item: &Item) -> usize {
    item.fixed_bytes().unwrap_or(match item {
        Item::Padding { .. } => 0,
        Item::Until { literal, .. } => literal.len(),
        Item::Integer { kind: Integer::DigitsUntil { literal, .. }, .. } => 1 + literal.len(),
        _ => 1,
    })
}
