//! Integers of a header, written: the counterpart of reading them.

use alloc::vec::Vec;

use crate::record::Integer;

/// How many bytes `value` takes, written as `kind`, the literal behind the digits counted.
pub(super) fn size(kind: &Integer, value: u64) -> usize {
    let groups = |bits: u32| (u64::BITS - value.leading_zeros()).div_ceil(bits).max(1) as usize;
    match kind {
        Integer::Binary { bytes, .. } => usize::from(*bytes),
        Integer::Uleb { .. } | Integer::Vlq { .. } => groups(7),
        Integer::Ber if value < 0x80 => 1,
        Integer::Ber => 1 + groups(8),
        Integer::Digits { digits, .. } => usize::from(*digits),
        Integer::DigitsUntil { base, literal } => digits(value, *base) + literal.len(),
    }
}

/// The largest value that `kind` holds.
pub(crate) fn value_max(kind: &Integer) -> u64 {
    let ones = |bits: u32| if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    match kind {
        Integer::Binary { bytes, signed, .. } => ones(u32::from(*bytes) * 8) >> u32::from(*signed),
        Integer::Uleb { bytes_max } | Integer::Vlq { bytes_max } => ones(u32::from(*bytes_max) * 7),
        Integer::Ber | Integer::DigitsUntil { .. } => u64::MAX,
        Integer::Digits { base, digits } => {
            u64::from(*base).checked_pow(u32::from(*digits)).map_or(u64::MAX, |end| end - 1)
        }
    }
}

/// Whether `kind` holds `value`; a negative one of a signed kind is in two's complement.
pub(super) fn holds(kind: &Integer, value: u64) -> bool {
    if let Integer::Binary { signed: true, .. } = kind {
        let magnitude = if value.cast_signed() < 0 { !value } else { value };
        return magnitude <= value_max(kind);
    }
    value <= value_max(kind)
}

/// Appends `value`, which `kind` holds. `little` overrides the byte order.
pub(crate) fn write(kind: &Integer, value: u64, little: Option<bool>, out: &mut Vec<u8>) {
    match kind {
        Integer::Binary { bytes, little: written, .. } => {
            let bytes = usize::from(*bytes);
            if little.unwrap_or(*written) {
                out.extend_from_slice(&value.to_le_bytes()[..bytes]);
            } else {
                out.extend_from_slice(&value.to_be_bytes()[8 - bytes..]);
            }
        }
        Integer::Uleb { .. } => crate::integer::put_uleb128(out, value),
        Integer::Vlq { .. } => crate::integer::put_vlq(out, value),
        Integer::Ber if value < 0x80 => out.push(value.to_le_bytes()[0]),
        Integer::Ber => {
            let bytes = size(kind, value) - 1;
            out.push(0x80 | bytes.to_le_bytes()[0]);
            out.extend_from_slice(&value.to_be_bytes()[8 - bytes..]);
        }
        Integer::Digits { base, digits } => {
            put_digits(out, value, *base, usize::from(*digits));
        }
        Integer::DigitsUntil { base, literal } => {
            put(out, value, *base);
            out.extend_from_slice(literal);
        }
    }
}

/// How many digits `value` has.
fn digits(value: u64, base: u8) -> usize {
    value.checked_ilog(u64::from(base)).unwrap_or(0) as usize + 1
}

/// Appends as many digits as `value` has.
pub(super) fn put(out: &mut Vec<u8>, value: u64, base: u8) {
    put_digits(out, value, base, digits(value, base));
}

/// Appends exactly `digits` digits; those of base 16 are lower case, as the formats have them.
fn put_digits(out: &mut Vec<u8>, mut value: u64, base: u8, digits: usize) {
    let base = u64::from(base);
    let start = out.len();
    out.resize(start + digits, b'0');
    for place in out[start..].iter_mut().rev() {
        *place = b"0123456789abcdef"[usize::from((value % base).to_le_bytes()[0] & 0xf)];
        value /= base;
    }
}
