//! Where a frame says how long it is, and how it would say another length: for tools that look into
//! frames, and for those that send wrong ones on purpose.
//!
//! Owns no rule of its own. What a length counts is asked of `sizes`, how it is written of the
//! encoder. It does not build frames: the bytes it gives belong at one place of a frame that is
//! there already.

use alloc::vec::Vec;
use core::ops::Range;

use crate::encoder::number;
use crate::engine::record::Value;
use crate::record::{Integer, Item, Length, Record};
use crate::sizes;

/// The part of a frame that says how long it is: what [`Decoder::length_field`] gives.
///
/// # Examples
/// A frame whose length, which counts itself, is below what it counts at the least:
/// ```
/// use switchboard_frame::{Decoder, Framing, Step};
///
/// let framing = Framing::parse("type:1 len:u32be,self")?;
/// let frame = b"Q\x00\x00\x00\x09hello".to_vec();
/// let mut decoder = Decoder::new(&framing);
/// assert!(matches!(decoder.step(&frame, false)?, Step::Frame(_)));
///
/// let length = decoder.length_field(&frame).ok_or("there is one")?;
/// assert_eq!((length.at(), length.length(), length.length_min()), (1..5, 9, 4));
/// let mut wrong = frame.clone();
/// wrong.splice(length.at(), length.written(3).ok_or("it fits")?);
/// assert_eq!(wrong[..5], *b"Q\x00\x00\x00\x03");
/// assert!(Decoder::new(&framing).step(&wrong, false).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LengthField {
    at: Range<usize>,
    kind: Integer,
    little: Option<bool>,
    raw: u64,
    mask: u64,
    least: u64,
}

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LengthForm {
    /// As many bytes as ever, in either byte order.
    Binary,
    /// As many digits as ever, in this base.
    Digits(u8),
    /// Digits in this base, up to a byte that is none.
    DigitsUntil(u8),
    /// Groups of 7 bits, the lowest first: LEB128. At most so many bytes.
    Uleb(u8),
    /// Groups of 7 bits, the highest first. At most so many bytes.
    Vlq(u8),
    /// BER (X.690, 8.1.3).
    Ber,
}

impl LengthField {
    /// Where it lies in the bytes of the frame. Of digits up to a literal the literal is a part.
    #[must_use]
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// How it is written.
    #[must_use]
    pub fn form(&self) -> LengthForm {
        match &self.kind {
            Integer::Binary { .. } => LengthForm::Binary,
            Integer::Digits { base, .. } => LengthForm::Digits(*base),
            Integer::DigitsUntil { base, .. } => LengthForm::DigitsUntil(*base),
            Integer::Uleb { bytes_max } => LengthForm::Uleb(*bytes_max),
            Integer::Vlq { bytes_max } => LengthForm::Vlq(*bytes_max),
            Integer::Ber => LengthForm::Ber,
        }
    }

    /// What it says, in the units in which it counts, without bits that mean something else.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.raw & self.mask
    }

    /// The least that a frame with these fields can say: not 0 where more than the body is counted.
    #[must_use]
    pub fn length_min(&self) -> u64 {
        self.least
    }

    /// The most that it has room for. Of a signed integer the sign is a bit like any other.
    #[must_use]
    pub fn length_max(&self) -> u64 {
        let room = match &self.kind {
            Integer::Binary { bytes, .. } => u64::MAX >> (64 - u32::from(*bytes) * 8),
            kind => number::value_max(kind),
        };
        room & self.mask
    }

    /// The bytes that would say `length`, in its place; bits that mean something else stay. `None`
    /// when it has no room for it.
    #[must_use]
    pub fn written(&self, length: u64) -> Option<Vec<u8>> {
        let fits = length <= self.length_max() && length & !self.mask == 0;
        fits.then(|| {
            let mut bytes = Vec::new();
            number::write(&self.kind, self.raw & !self.mask | length, self.little, &mut bytes);
            bytes
        })
    }

    /// The number behind the name of a header line: `header:NAME`.
    pub(crate) fn of_header(at: Range<usize>, length: u64) -> LengthField {
        let kind = Integer::DigitsUntil { base: 10, literal: [].into() };
        LengthField { at, kind, little: None, raw: length, mask: u64::MAX, least: 0 }
    }

    /// The length field of a record, of whose items the values are known.
    pub(crate) fn of_record(
        record: &Record,
        value: impl Fn(usize) -> Option<Value>,
    ) -> Option<LengthField> {
        let length = record.length.as_ref()?;
        let Item::Integer { kind, .. } = record.items.get(length.item)? else { return None };
        let field = value(length.item)?;
        let is_set = |item, mask| value(item).is_some_and(|flag| flag.integer & mask != 0);
        let little = length.little_when.filter(|flag| is_set(flag.item, flag.mask));
        Some(LengthField {
            at: field.start..field.end,
            kind: kind.clone(),
            little: little.map(|_| true),
            raw: field.integer,
            mask: length.mask,
            least: least(record, length, &value)?,
        })
    }
}

/// The length of a frame without a body.
fn least(record: &Record, length: &Length, value: &impl Fn(usize) -> Option<Value>) -> Option<u64> {
    if length.short > 0 {
        // Below it every length has a meaning.
        return Some(0);
    }
    let key = value(0)?.start;
    let mut counted = sizes::counted_around(record, length, key).min - i128::from(length.add);
    for item in &length.add_items {
        counted -= i128::from(value(*item)?.integer);
    }
    let unit = i128::from(length.unit);
    u64::try_from((counted.max(0) + unit - 1) / unit).ok()
}
