//! A record, written: header fields, the computed length, a body, a trailer.
//!
//! The length is what the decoder's rule turned around. It reads: mask, unit, additions, and then
//! what it counts; so from the bytes that are counted the additions are taken off, the unit is
//! divided out, and what remains must lie under the mask.

use alloc::format;
use alloc::vec::Vec;

use super::fields::Values;
use super::{EncodeError, number};
use crate::framing::HEADER_BYTES_MAX;
use crate::record::{Counts, Integer, Item, Length, More, Record};

/// A record about to be written.
pub(super) struct Writer<'a> {
    pub(super) record: &'a Record,
    /// The key of a `type{}` before it.
    pub(super) key: &'a [u8],
    pub(super) values: Values<'a>,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// One frame; the length field says this. `None` when a trailer ends the body.
    Whole(Option<u64>),
    /// A fragment of so many bytes, and more behind it.
    Fragment { body_bytes: usize, raw: u64 },
}

impl Writer<'_> {
    /// How the next frame is to be written when `body_len` bytes of the message are left.
    pub(super) fn plan(&self, body_len: u64) -> Result<Plan, EncodeError> {
        let Some(length) = &self.record.length else { return Ok(Plan::Whole(None)) };
        if let Some(given) = self.values.length {
            return self.given(length, given, body_len).map(|raw| Plan::Whole(Some(raw)));
        }
        let whole = self.raw(length, body_len);
        let More::ContinueValue(value) = length.more else {
            return whole.map(|raw| Plan::Whole(Some(raw)));
        };
        match whole {
            Ok(raw) if raw != value => Ok(Plan::Whole(Some(raw))),
            whole => self.fragment(length, value, body_len, whole.err()),
        }
    }

    /// `cont=`: the first fragment of a body that takes several frames.
    fn fragment(
        &self,
        length: &Length,
        value: u64,
        body_len: u64,
        whole: Option<EncodeError>,
    ) -> Result<Plan, EncodeError> {
        let body = self.body_of(length, value).filter(|body| *body > 0 && *body <= body_len);
        let (Some(body), Some(body_bytes)) = (body, body.and_then(|b| usize::try_from(b).ok()))
        else {
            return Err(whole.unwrap_or_else(|| {
                EncodeError::new(format!("a body of {body_len} bytes has no length of its own"))
            }));
        };
        if super::fields::names(self.record).any(|(index, _)| index != length.item) {
            return Err(EncodeError::new(format!(
                "a body of {body_len} bytes takes several frames, because one holds less than \
                 {body} bytes of it; each has fields of its own, so send them yourself"
            )));
        }
        Ok(Plan::Fragment { body_bytes, raw: value })
    }

    /// The body's size that a raw value of the length field stands for.
    fn body_of(&self, length: &Length, raw: u64) -> Option<u64> {
        let around = self.around(length, number::size(self.length_kind(length)?, raw));
        let counted = i128::from(raw & length.mask)
            .checked_mul(i128::from(length.unit))?
            .checked_add(self.added(length))?;
        u64::try_from(counted - around).ok()
    }

    /// The raw value that a body of `body_len` bytes needs.
    fn raw(&self, length: &Length, body_len: u64) -> Result<u64, EncodeError> {
        let kind = self.length_kind(length).ok_or_else(|| EncodeError::new("no length field"))?;
        let bits = match length.more {
            More::LastBit(bit) => bit,
            _ => 0,
        };
        // A field of variable size may count itself. The value grows with the size, so the first
        // size that agrees with itself is the smallest.
        let mut size = number::size(kind, 0);
        loop {
            let counted = i128::from(body_len) + self.around(length, size);
            let value = self.value(length, kind, counted, body_len, bits)?;
            let raw = value | bits;
            let taken = number::size(kind, raw);
            if taken <= size {
                return Ok(raw);
            }
            size = taken;
        }
    }

    /// The value of the length field that stands for `counted` bytes.
    fn value(
        &self,
        length: &Length,
        kind: &Integer,
        counted: i128,
        body_len: u64,
        bits: u64,
    ) -> Result<u64, EncodeError> {
        let units = counted - self.added(length);
        let unit = i128::from(length.unit);
        if units % unit != 0 {
            let over = units.rem_euclid(unit);
            return Err(EncodeError::new(format!(
                "a body of {body_len} bytes is {over} bytes over a whole number of units of \
                 {unit} bytes, in which its length is counted"
            )));
        }
        let allowed = length.mask & !bits;
        let max = number::value_max(kind).min(allowed);
        let short = i128::from(length.short);
        match u64::try_from(units / unit) {
            Ok(value) if value <= max => {
                if value & allowed != value {
                    return Err(EncodeError::new(format!(
                        "a body of {body_len} bytes has the length {value}, which has bits \
                         outside those of the length field, {allowed:#x}"
                    )));
                }
                if i128::from(value) < short {
                    return Err(EncodeError::new(format!(
                        "a body of {body_len} bytes has the length {value}, and a length below \
                         {short} stands for a frame without a body"
                    )));
                }
                Ok(value)
            }
            Err(_) if units < 0 => Err(EncodeError::new(format!(
                "a body of {body_len} bytes is too short: its length would be {}",
                units / unit
            ))),
            _ => Err(EncodeError::new(format!(
                "a body of {body_len} bytes is too long: its length would be {}, the length \
                 field holds at most {max}",
                units / unit
            ))),
        }
    }

    /// A length that the user gave: the computed one, with any bits outside the mask, or one
    /// below `short=` when there is no body.
    fn given(&self, length: &Length, given: u64, body_len: u64) -> Result<u64, EncodeError> {
        if given & length.mask < length.short && body_len == 0 {
            return Ok(given);
        }
        let raw = self.raw(length, body_len)?;
        let kept = match length.more {
            More::LastBit(bit) => length.mask | bit,
            More::ContinueValue(value) if given == value => {
                return Err(EncodeError::new(format!(
                    "the length {given} says that the message goes on in the next frame"
                )));
            }
            _ => length.mask,
        };
        let kind = self.length_kind(length);
        let same_size =
            kind.is_some_and(|kind| number::size(kind, given) == number::size(kind, raw));
        if given & kept == raw & kept && same_size {
            return Ok(given);
        }
        Err(EncodeError::new(format!(
            "the length {given} was given, a body of {body_len} bytes has the length {raw}; \
             leave it away to have it computed"
        )))
    }

    /// What is counted beside the body, when the length field takes `size` bytes.
    fn around(&self, length: &Length, size: usize) -> i128 {
        let header = self.record.header_items;
        let before = || self.sizes(0..length.item) + self.key.len() as u128;
        let after = || self.sizes(length.item + 1..header);
        let trailer = || self.sizes(header..self.record.items.len());
        let counted = match length.counts {
            Counts::Body => 0,
            Counts::Rest => after() + trailer(),
            Counts::Itself => size as u128 + after() + trailer(),
            Counts::Frame => before() + size as u128 + after() + trailer(),
        };
        counted.cast_signed()
    }

    /// What the additions come to.
    fn added(&self, length: &Length) -> i128 {
        let fields = length.add_items.iter().map(|item| i128::from(self.values.number(*item)));
        i128::from(length.add) + fields.sum::<i128>()
    }

    fn sizes(&self, items: core::ops::Range<usize>) -> u128 {
        items.map(|index| u128::from(self.item_size(index))).sum()
    }

    fn item_size(&self, index: usize) -> u64 {
        match &self.record.items[index] {
            Item::Literal(literal) => literal.len() as u64,
            Item::Opaque { bytes, .. } => *bytes as u64,
            Item::Integer { kind, .. } => number::size(kind, self.values.number(index)) as u64,
            Item::Until { literal, .. } => (self.values.bytes(index).len() + literal.len()) as u64,
            Item::BerTag { .. } => self.values.bytes(index).len().max(1) as u64,
            Item::Padding { item } => self.values.number(*item),
        }
    }

    fn length_kind(&self, length: &Length) -> Option<&Integer> {
        match self.record.items.get(length.item) {
            Some(Item::Integer { kind, .. }) => Some(kind),
            _ => None,
        }
    }

    /// Appends the key and the header.
    pub(super) fn header(&self, raw: Option<u64>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(self.key);
        self.items(0..self.record.header_items, raw, out)
    }

    /// Appends the trailer.
    pub(super) fn trailer(&self, raw: Option<u64>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.items(self.record.header_items..self.record.items.len(), raw, out)
    }

    fn items(
        &self,
        items: core::ops::Range<usize>,
        raw: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        for index in items {
            match &self.record.items[index] {
                Item::Literal(literal) => out.extend_from_slice(literal),
                Item::Opaque { bytes, .. } => match self.values.bytes(index) {
                    [] => out.resize(out.len() + bytes, 0),
                    value => out.extend_from_slice(value),
                },
                Item::Integer { kind, .. } => {
                    let length = self.record.length.as_ref().filter(|l| l.item == index);
                    let value = length.and(raw).unwrap_or_else(|| self.values.number(index));
                    let little = length
                        .and_then(|length| length.little_when)
                        .map(|flag| self.values.number(flag.item) & flag.mask != 0);
                    number::write(kind, value, little, out);
                }
                Item::Until { literal, .. } => {
                    out.extend_from_slice(self.values.bytes(index));
                    out.extend_from_slice(literal);
                }
                Item::BerTag { .. } => match self.values.bytes(index) {
                    [] => out.push(0),
                    value => out.extend_from_slice(value),
                },
                Item::Padding { item } => {
                    let bytes = self.values.number(*item);
                    let limit = HEADER_BYTES_MAX;
                    let size = usize::try_from(bytes).ok().filter(|size| *size <= limit);
                    let Some(size) = size else {
                        return Err(EncodeError::new(format!(
                            "padding of {bytes} bytes is over the limit of {limit}"
                        )));
                    };
                    out.resize(out.len() + size, 0);
                }
            }
        }
        Ok(())
    }
}
