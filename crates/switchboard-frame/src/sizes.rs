//! The sizes that are possible in a framing: of a header, a body, a frame. The parser refuses by
//! them, and `describe` shows them.

use crate::framing::{Delimiter, Shape};
use crate::record::{Counts, Integer, Item, Length, Record};

/// From so many bytes to so many; `None` is "no bound of its own". Wide enough that no sum of
/// fields overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) min: i128,
    pub(crate) max: Option<i128>,
}

impl Span {
    pub(crate) fn exact(bytes: usize) -> Span {
        Span::new(bytes as i128, Some(bytes as i128))
    }

    pub(crate) fn new(min: i128, max: Option<i128>) -> Span {
        Span { min, max }
    }

    pub(crate) fn and(self, other: Span) -> Span {
        let max = self.max.zip(other.max).map(|(a, b)| a.saturating_add(b));
        Span { min: self.min.saturating_add(other.min), max }
    }

    fn without(self, other: Span) -> Span {
        let min = other.max.map_or(i128::MIN, |most| self.min.saturating_sub(most));
        Span { min, max: self.max.map(|max| max.saturating_sub(other.min)) }
    }
}

/// The largest value an integer can have. A signed one's is its largest positive.
pub(crate) fn value_max(integer: &Integer) -> u64 {
    match integer {
        Integer::Binary { bytes, signed, .. } => {
            let bits = u32::from(*bytes) * 8 - u32::from(*signed);
            u64::MAX >> (64 - bits)
        }
        Integer::Uleb { bytes_max } | Integer::Vlq { bytes_max } => {
            u64::MAX >> 64u32.saturating_sub(u32::from(*bytes_max) * 7)
        }
        Integer::Ber | Integer::DigitsUntil { .. } => u64::MAX,
        Integer::Digits { base, digits } => {
            u64::from(*base).checked_pow(u32::from(*digits)).map_or(u64::MAX, |n| n - 1)
        }
    }
}

/// The largest value of an item used as a number.
fn item_value_max(item: &Item) -> u64 {
    match item {
        Item::Integer { kind, .. } => value_max(kind),
        Item::Opaque { bytes, .. } => match u32::try_from(*bytes) {
            Ok(bytes @ 1..=8) => u64::MAX >> (64 - bytes * 8),
            _ => u64::MAX,
        },
        _ => u64::MAX,
    }
}

/// The bits that a flag of this item may have.
pub(crate) fn item_bits(item: &Item) -> u64 {
    match item {
        Item::Integer { kind: Integer::Binary { bytes, .. }, .. } => {
            u64::MAX >> (64 - u32::from(*bytes) * 8)
        }
        _ => item_value_max(item),
    }
}

/// The bytes an item may take.
pub(crate) fn item(item: &Item, items: &[Item]) -> Span {
    match item {
        Item::Literal(literal) => Span::exact(literal.len()),
        Item::Opaque { bytes, .. } => Span::exact(*bytes),
        Item::Integer { kind, .. } => integer(kind),
        Item::Until { literal, .. } => Span::new(literal.len() as i128, None),
        Item::BerTag { .. } => Span::new(1, None),
        Item::Padding { item } => {
            Span::new(0, items.get(*item).map(|field| i128::from(item_value_max(field))))
        }
    }
}

fn integer(integer: &Integer) -> Span {
    match integer {
        Integer::Binary { bytes, .. } => Span::exact(usize::from(*bytes)),
        Integer::Digits { digits, .. } => Span::exact(usize::from(*digits)),
        Integer::Uleb { bytes_max } | Integer::Vlq { bytes_max } => {
            Span::new(1, Some(i128::from(*bytes_max)))
        }
        // The short form, or how many bytes follow and these: eight hold 64 bits.
        Integer::Ber => Span::new(1, Some(9)),
        Integer::DigitsUntil { literal, .. } => Span::new(1 + literal.len() as i128, None),
    }
}

fn sum(items: &[Item], all: &[Item]) -> Span {
    items.iter().fold(Span::exact(0), |span, next| span.and(item(next, all)))
}

/// The header's bytes, without the keys in front of it.
pub(crate) fn header(record: &Record) -> Span {
    sum(record.header(), &record.items)
}

/// The trailer's bytes.
pub(crate) fn trailer(record: &Record) -> Span {
    sum(record.trailer(), &record.items)
}

/// What a length can say of the body: from its smallest value to its largest, below 0 when that
/// is short of the header. `key` bytes of keys are in front.
pub(crate) fn body_said(record: &Record, length: &Length, key: usize) -> Span {
    let Some(Item::Integer { kind, .. }) = record.items.get(length.item) else {
        return Span::new(0, None);
    };
    let value = i128::from(value_max(kind).min(length.mask));
    let fields = length.add_items.iter().fold(0i128, |sum, index| {
        sum + record.items.get(*index).map_or(0, |item| i128::from(item_value_max(item)))
    });
    let add = i128::from(length.add);
    let said = Span::new(
        add,
        Some(value.saturating_mul(i128::from(length.unit)).saturating_add(fields + add)),
    );
    said.without(counted_around(record, length, key))
}

/// The bytes that the length counts and that are no body.
pub(crate) fn counted_around(record: &Record, length: &Length, key: usize) -> Span {
    let all = &record.items;
    let header = record.header();
    let around = match length.counts {
        Counts::Body => return Span::exact(0),
        Counts::Rest => sum(&header[length.item + 1..], all),
        Counts::Itself => sum(&header[length.item..], all),
        Counts::Frame => sum(header, all).and(Span::exact(key)),
    };
    around.and(sum(record.trailer(), all))
}

/// The body's bytes, before any limit.
pub(crate) fn body(shape: &Shape, key: usize) -> Span {
    match shape {
        Shape::Fixed(bytes) => Span::exact(*bytes),
        Shape::Record(record) => match &record.length {
            Some(length) => {
                let said = body_said(record, length, key);
                let min = if length.short > 0 { 0 } else { said.min.max(0) };
                Span::new(min, said.max)
            }
            None => Span::new(0, None),
        },
        _ => Span::new(0, None),
    }
}

/// The frame's bytes, before any limit.
pub(crate) fn frame(shape: &Shape, key: usize) -> Span {
    let keys = Span::exact(key);
    match shape {
        Shape::Raw | Shape::Eof => Span::new(1.max(key as i128), None),
        Shape::Fixed(bytes) => Span::exact(*bytes).and(keys),
        Shape::Delimited(Delimiter::Lines) => Span::new(1, None).and(keys),
        Shape::Delimited(Delimiter::Literals(literals)) => {
            let least = literals.iter().map(|literal| literal.len()).min().unwrap_or(1);
            Span::new(least as i128, None).and(keys)
        }
        // The blank line that ends the block, at the least.
        Shape::Header(_) => Span::new(1, None).and(keys),
        // An array or a null of RESP3 takes three bytes, an inline command's line end one.
        Shape::Resp { inline } => Span::new(if *inline { 1 } else { 3 }, None).and(keys),
        // `0` and the two line ends.
        Shape::Chunked => Span::new(3, None).and(keys),
        Shape::Record(record) => {
            header(record).and(body(shape, key)).and(trailer(record)).and(keys)
        }
        Shape::Type(cases) => {
            let spans = cases.iter().map(|case| {
                frame(&case.stage.shape, key + case.key.as_ref().map_or(0, |key| key.len()))
            });
            spans
                .reduce(|a, b| Span::new(a.min.min(b.min), a.max.zip(b.max).map(|(a, b)| a.max(b))))
                .unwrap_or(Span::new(1, None))
        }
    }
}
