//! The record shape: header fields in wire order, a body, a trailer.
//!
//! ```text
//! +--------+-------+-----------+---------+
//! | fields | len   | body      | trailer |    type:1 len:u32be body xce
//! +--------+-------+-----------+---------+
//!  \____ header __/
//! ```
//!
//! A [`Record`] is what the parser read with every name resolved to an index, so that running it
//! looks nothing up.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A record whose names are resolved. Made by the parser, which refuses what cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// Header items, then trailer items, in wire order.
    pub(crate) items: Vec<Item>,
    /// How many of `items` lie before the body.
    pub(crate) header_items: usize,
    /// The length field; `None` when a literal trailer ends the body.
    pub(crate) length: Option<Length>,
}

/// One item of the header or the trailer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    /// Must be there, to the byte. Neighbouring literals are one.
    Literal(Box<[u8]>),
    /// `[name:]N`: N is not zero.
    Opaque { name: Option<Box<str>>, bytes: usize },
    /// `[name:]INT`. The length field without a name is named `len`.
    Integer { name: Option<Box<str>>, kind: Integer },
    /// `[name:]untilLIT`: text up to the literal, which belongs to the header.
    Until { name: Option<Box<str>>, literal: Box<[u8]> },
    /// `[name:]bertag`: a BER identifier (X.690, 8.1.2).
    BerTag { name: Option<Box<str>> },
    /// `=name`: as many bytes as the item with that index says. The index is of an integer before
    /// this one, or of an opaque field, read big-endian, of at most 8 bytes.
    Padding { item: usize },
}

/// How an integer lies on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Integer {
    /// `u8` to `u64be`, `u64le`; `i..` signed. 1 to 8 bytes.
    Binary { bytes: u8, little: bool, signed: bool },
    /// `uleb[N]`: little groups of 7 bits first; at most N bytes, 10 when not said.
    Uleb { bytes_max: u8 },
    /// `vlq[N]`: big groups of 7 bits first; at most N bytes, 10 when not said.
    Vlq { bytes_max: u8 },
    /// `ber`: a BER definite length (X.690, 8.1.3).
    Ber,
    /// `dec5`, `hex4`: exactly so many digits. `base` is 10 or 16.
    Digits { base: u8, digits: u8 },
    /// `dec":"`, `hexLIT`: digits up to the literal, which belongs to the field.
    DigitsUntil { base: u8, literal: Box<[u8]> },
}

/// The length field and what its value means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Length {
    /// Its index in `items`; an `Item::Integer` of the header.
    pub(crate) item: usize,
    pub(crate) counts: Counts,
    /// Applied first: the bits that are the length. All ones when not said.
    pub(crate) mask: u64,
    /// A masked value below this is a frame of the header alone; 0 when not said.
    pub(crate) short: u64,
    /// Bytes a unit; 1 when not said.
    pub(crate) unit: u64,
    /// The sum of `+N` and `-N`.
    pub(crate) add: i64,
    /// `+field`: indices of integers or opaque fields of the header whose values are added.
    pub(crate) add_items: Vec<usize>,
    /// `le=FIELD&HEX`: little-endian when a bit of that item is set.
    pub(crate) little_when: Option<Flag>,
    pub(crate) more: More,
}

/// A bit of an item of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flag {
    pub(crate) item: usize,
    pub(crate) mask: u64,
}

/// What a length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counts {
    /// The body: from the end of the header to the trailer.
    Body,
    /// All that follows the length field, the trailer too.
    Rest,
    /// From the length field on, the trailer too.
    Itself,
    /// Everything.
    Frame,
}

/// How a message of several frames says that it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum More {
    /// Every frame is a message.
    Never,
    /// `last=HEX`: this bit of the length field marks the last fragment.
    LastBit(u64),
    /// `last=FIELD&HEX`.
    LastFlag(Flag),
    /// `cont=HEX`: a length field of this value (before the mask) goes on in the next frame.
    ContinueValue(u64),
}

impl Record {
    pub(crate) fn header(&self) -> &[Item] {
        &self.items[..self.header_items]
    }

    pub(crate) fn trailer(&self) -> &[Item] {
        &self.items[self.header_items..]
    }

    /// Whether the header is only the length field and literals: then the body is the message.
    pub(crate) fn is_length_and_literals(&self) -> bool {
        self.header().iter().enumerate().all(|(index, item)| match item {
            Item::Literal(_) => true,
            Item::Integer { .. } => self.length.as_ref().is_some_and(|l| l.item == index),
            _ => false,
        })
    }
}

impl Item {
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Item::Opaque { name, .. }
            | Item::Integer { name, .. }
            | Item::Until { name, .. }
            | Item::BerTag { name } => name.as_deref(),
            Item::Literal(_) | Item::Padding { .. } => None,
        }
    }

    /// How many bytes this item takes, when that is always the same.
    pub(crate) fn fixed_bytes(&self) -> Option<usize> {
        match self {
            Item::Literal(literal) => Some(literal.len()),
            Item::Opaque { bytes, .. } => Some(*bytes),
            Item::Integer { kind, .. } => kind.fixed_bytes(),
            Item::Until { .. } | Item::BerTag { .. } | Item::Padding { .. } => None,
        }
    }
}

impl Integer {
    /// How many bytes this integer takes, when that is always the same.
    pub(crate) fn fixed_bytes(&self) -> Option<usize> {
        match self {
            Integer::Binary { bytes, .. } => Some(usize::from(*bytes)),
            Integer::Digits { digits, .. } => Some(usize::from(*digits)),
            _ => None,
        }
    }
}
