//! The items of a record's header and trailer, one at a time, each resumable at every byte.

use crate::engine::looked_at;
use crate::framing::HEADER_BYTES_MAX;
use crate::record::{Integer, Item};

/// How far the item at hand has been read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Bytes of the item looked at.
    pub(crate) seen: usize,
    /// The value so far.
    pub(crate) value: u64,
    /// Digits so far; for a literal behind digits, 0 once the digits are over.
    digits: usize,
    /// Bytes of the literal matched so far.
    matched: usize,
}

/// What reading an item came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// The item takes so many bytes.
    Done(usize),
    /// At least so many bytes more.
    Need(usize),
    /// Wrong at this byte of the item.
    Bad(usize, Wrong),
}

/// What is wrong with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Literal,
    Digit(u8),
    LeadingZero,
    /// Longer than its longest form, or than 64 bits.
    TooLong,
    /// The indefinite form of a BER length.
    Indefinite,
    /// No end within the bound on headers.
    Endless,
}

impl Wrong {
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Wrong::Literal => "another byte here, as the framing says",
            Wrong::Digit(16) => "a hexadecimal digit",
            Wrong::Digit(_) => "a decimal digit",
            Wrong::LeadingZero => "a number without a leading zero",
            Wrong::TooLong => "a number of no more bytes, within 64 bits",
            Wrong::Indefinite => "a definite length",
            Wrong::Endless => "an end of the header field",
        }
    }
}

/// Reads `item` from `bytes`, which begin with it. `watch` is shown the value and how many bytes
/// have been read after each digit, and ends the reading by saying true; the answer is then `Done`
/// with what has been seen.
pub(crate) fn read(
    item: &Item,
    bytes: &[u8],
    progress: &mut Progress,
    leading_zeros: bool,
    watch: &mut dyn FnMut(u64, usize) -> bool,
) -> Read {
    match item {
        Item::Literal(literal) => read_literal(literal, bytes, progress),
        Item::Opaque { bytes: size, .. } => {
            if bytes.len() < *size {
                return Read::Need(size - bytes.len());
            }
            if *size <= 8 {
                progress.value = big_endian(&bytes[..*size]);
            }
            Read::Done(*size)
        }
        Item::Until { literal, .. } => read_until(literal, bytes, progress),
        Item::BerTag { .. } => read_ber_tag(bytes, progress),
        // The record knows how many bytes of padding there are.
        Item::Padding { .. } => Read::Done(0),
        Item::Integer { kind, .. } => read_integer(kind, bytes, progress, leading_zeros, watch),
    }
}

pub(crate) fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

pub(crate) fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn read_literal(literal: &[u8], bytes: &[u8], progress: &mut Progress) -> Read {
    let from = progress.seen;
    for (at, (want, have)) in literal.iter().zip(bytes).enumerate().skip(from) {
        if want != have {
            return Read::Bad(at, Wrong::Literal);
        }
        progress.seen = at + 1;
    }
    looked_at(progress.seen - from);
    match literal.len() - progress.seen {
        0 => Read::Done(literal.len()),
        more => Read::Need(more),
    }
}

fn read_until(literal: &[u8], bytes: &[u8], progress: &mut Progress) -> Read {
    let Some(last) = literal.last() else {
        return Read::Done(0);
    };
    let end = bytes.len().min(HEADER_BYTES_MAX);
    while progress.seen < end {
        let rest = &bytes[progress.seen..end];
        let hit = memchr::memchr(*last, rest);
        looked_at(hit.map_or(rest.len(), |hit| hit + 1));
        match hit {
            None => progress.seen = end,
            Some(hit) => {
                progress.seen += hit + 1;
                if bytes[..progress.seen].ends_with(literal) {
                    return Read::Done(progress.seen);
                }
            }
        }
    }
    if end == HEADER_BYTES_MAX {
        return Read::Bad(end - 1, Wrong::Endless);
    }
    Read::Need(1)
}

/// A BER identifier (X.690, 8.1.2): one byte, or with 31 in its low bits groups of 7 after it.
fn read_ber_tag(bytes: &[u8], progress: &mut Progress) -> Read {
    while let Some(byte) = bytes.get(progress.seen) {
        let first = progress.seen == 0;
        progress.seen += 1;
        let more = if first { byte & 0x1f == 0x1f } else { byte & 0x80 != 0 };
        if !more {
            return Read::Done(progress.seen);
        }
        if progress.seen == 11 {
            return Read::Bad(progress.seen - 1, Wrong::TooLong);
        }
    }
    Read::Need(1)
}

fn read_integer(
    kind: &Integer,
    bytes: &[u8],
    progress: &mut Progress,
    leading_zeros: bool,
    watch: &mut dyn FnMut(u64, usize) -> bool,
) -> Read {
    match kind {
        Integer::Binary { bytes: size, little, signed } => {
            let size = usize::from(*size);
            let Some(field) = bytes.get(..size) else {
                return Read::Need(size - bytes.len());
            };
            let value = if *little { little_endian(field) } else { big_endian(field) };
            progress.value = if *signed { sign_extend(value, size) } else { value };
            Read::Done(size)
        }
        Integer::Uleb { bytes_max } => {
            read_varint(bytes, progress, usize::from(*bytes_max), |value, group, at| {
                let shift = u32::try_from(at).ok()?.checked_mul(7)?;
                let part = group.checked_shl(shift).filter(|part| part >> shift == group)?;
                Some(value | part)
            })
        }
        Integer::Vlq { bytes_max } => {
            read_varint(bytes, progress, usize::from(*bytes_max), |value, group, _| {
                (value >> 57 == 0).then_some(value << 7 | group)
            })
        }
        Integer::Ber => read_ber(bytes, progress),
        Integer::Digits { base, digits } => {
            let size = usize::from(*digits);
            while progress.seen < size {
                let Some(byte) = bytes.get(progress.seen) else {
                    return Read::Need(size - progress.seen);
                };
                if let Some(read) = read_digit(*byte, *base, progress, watch) {
                    return read;
                }
            }
            Read::Done(size)
        }
        Integer::DigitsUntil { base, literal } => {
            let strict = *base == 10 && !leading_zeros;
            read_digits_until(*base, literal, strict, bytes, progress, watch)
        }
    }
}

pub(crate) fn sign_extend(value: u64, size: usize) -> u64 {
    let unused = 64 - 8 * u32::try_from(size).unwrap_or(8);
    (((value << unused).cast_signed()) >> unused).cast_unsigned()
}

fn read_varint(
    bytes: &[u8],
    progress: &mut Progress,
    bytes_max: usize,
    join: impl Fn(u64, u64, usize) -> Option<u64>,
) -> Read {
    while let Some(byte) = bytes.get(progress.seen) {
        looked_at(1);
        let at = progress.seen;
        let group = u64::from(byte & 0x7f);
        let Some(value) = join(progress.value, group, at) else {
            return Read::Bad(at, Wrong::TooLong);
        };
        progress.value = value;
        progress.seen += 1;
        if byte & 0x80 == 0 {
            return Read::Done(progress.seen);
        }
        if progress.seen == bytes_max {
            return Read::Bad(at, Wrong::TooLong);
        }
    }
    Read::Need(1)
}

/// A BER length (X.690, 8.1.3): one byte below 128, or the count of the bytes that follow.
fn read_ber(bytes: &[u8], progress: &mut Progress) -> Read {
    let Some(first) = bytes.first() else {
        return Read::Need(1);
    };
    let size = usize::from(first & 0x7f);
    if first & 0x80 == 0 {
        progress.value = u64::from(*first);
        return Read::Done(1);
    }
    if size == 0 {
        return Read::Bad(0, Wrong::Indefinite);
    }
    progress.seen = progress.seen.max(1);
    while progress.seen <= size {
        let Some(byte) = bytes.get(progress.seen) else {
            return Read::Need(size + 1 - progress.seen);
        };
        // Leading zeros are allowed, so it is the value that must fit, not the count of bytes.
        if progress.value >> 56 != 0 {
            return Read::Bad(progress.seen, Wrong::TooLong);
        }
        progress.value = progress.value << 8 | u64::from(*byte);
        progress.seen += 1;
    }
    Read::Done(size + 1)
}

/// Takes one digit; `Some` when that ends the reading.
fn read_digit(
    byte: u8,
    base: u8,
    progress: &mut Progress,
    watch: &mut dyn FnMut(u64, usize) -> bool,
) -> Option<Read> {
    looked_at(1);
    let at = progress.seen;
    let Some(digit) = char::from(byte).to_digit(u32::from(base)) else {
        return Some(Read::Bad(at, Wrong::Digit(base)));
    };
    let value = progress.value.checked_mul(u64::from(base));
    let Some(value) = value.and_then(|value| value.checked_add(u64::from(digit))) else {
        return Some(Read::Bad(at, Wrong::TooLong));
    };
    progress.value = value;
    progress.seen += 1;
    progress.digits += 1;
    watch(value, progress.seen).then_some(Read::Done(progress.seen))
}

fn read_digits_until(
    base: u8,
    literal: &[u8],
    strict: bool,
    bytes: &[u8],
    progress: &mut Progress,
    watch: &mut dyn FnMut(u64, usize) -> bool,
) -> Read {
    while progress.matched < literal.len() {
        let at = progress.seen;
        let Some(byte) = bytes.get(at) else {
            return Read::Need(literal.len() - progress.matched);
        };
        if at >= HEADER_BYTES_MAX {
            return Read::Bad(at, Wrong::Endless);
        }
        let digits_over = progress.digits > 0 && *byte == literal[progress.matched];
        if progress.matched > 0 || digits_over {
            if !digits_over {
                return Read::Bad(at, Wrong::Literal);
            }
            progress.matched += 1;
            progress.seen += 1;
            continue;
        }
        let is_digit = char::from(*byte).is_digit(u32::from(base));
        if strict && is_digit && progress.digits > 0 && progress.value == 0 {
            return Read::Bad(at, Wrong::LeadingZero);
        }
        if let Some(read) = read_digit(*byte, base, progress, watch) {
            return read;
        }
    }
    Read::Done(progress.seen)
}
