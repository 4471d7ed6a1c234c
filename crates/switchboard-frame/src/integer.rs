//! Integers inside messages, in either byte order.
//!
//! A framing says where a message ends; what is inside is the user's. Most binary formats hold
//! integers there, and machines differ in how they keep them: most have the least significant byte
//! first in memory, while network protocols nearly always send the most significant one first
//! ("network byte order"). In C four functions turn one into the other, and a call forgotten on one
//! side is a bug that shows only between two kinds of machines:
//!
//! | C | bits | from whose order to whose | here |
//! |---|---|---|---|
//! | `htons` | 16 | this machine's to the network's | [`put_u16_be`] |
//! | `htonl` | 32 | this machine's to the network's | [`put_u32_be`] |
//! | `ntohs` | 16 | the network's to this machine's | [`Reader::u16_be`] |
//! | `ntohl` | 32 | the network's to this machine's | [`Reader::u32_be`] |
//!
//! Here there is nothing to forget: the byte order is in the name of every call, and values are
//! values, never bytes kept in an integer.
//!
//! ```
//! use switchboard_frame::integer::{Reader, put_u16_be, put_u32_be, put_u32_le};
//!
//! let mut message = Vec::new();
//! put_u16_be(&mut message, 443); // htons
//! put_u32_be(&mut message, 0x7f00_0001); // htonl
//! put_u32_le(&mut message, 7); // a format that wants the other order
//! assert_eq!(message, [0x01, 0xbb, 0x7f, 0, 0, 1, 7, 0, 0, 0]);
//!
//! let mut reader = Reader::new(&message);
//! assert_eq!(reader.u16_be()?, 443); // ntohs
//! assert_eq!(reader.u32_be()?, 0x7f00_0001); // ntohl
//! assert_eq!(reader.u32_le()?, 7);
//! assert!(reader.is_empty());
//! # Ok::<(), switchboard_frame::integer::ReadError>(())
//! ```
//!
//! Small values are shorter as text, or as a varint: `"0"` is one byte and a 32-bit zero is four.
//!
//! ```
//! use switchboard_frame::integer::{Reader, put_uleb128};
//!
//! let mut message = Vec::new();
//! put_uleb128(&mut message, 0);
//! put_uleb128(&mut message, 300);
//! assert_eq!(message, [0x00, 0xac, 0x02]);
//! let mut reader = Reader::new(&message);
//! assert_eq!((reader.uleb128()?, reader.uleb128()?), (0, 300));
//! # Ok::<(), switchboard_frame::integer::ReadError>(())
//! ```

use alloc::vec::Vec;
use core::fmt;

/// Reads a message from its front. Every call checks that the bytes are there.
///
/// A call that fails leaves the reader where it was.
///
/// ```
/// use switchboard_frame::integer::Reader;
///
/// let mut reader = Reader::new(b"\x05hello\x01");
/// let len = reader.u8()?;
/// assert_eq!(reader.bytes(len.into())?, b"hello");
/// let error = reader.u32_be().unwrap_err();
/// assert_eq!(error.at(), 6);
/// assert!(error.to_string().ends_with("a 32-bit integer needs 4 bytes, 1 is left"));
/// assert_eq!(reader.rest(), [1]);
/// # Ok::<(), switchboard_frame::integer::ReadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    message: &'a [u8],
    /// Never past the message's end.
    at: usize,
}

/// A message that does not hold what was read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadError {
    at: usize,
    wanted: Wanted,
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Integer {
        bytes: usize,
    },
    Bytes(usize),
    /// No last byte within the message.
    Varint,
    /// More than 64 bits.
    VarintBits,
}

impl ReadError {
    /// The offset in the message at which it was read, in bytes.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.left == 1 { "is" } else { "are" };
        write!(f, "at byte {} of the message: ", self.at)?;
        match self.wanted {
            Wanted::Integer { bytes: 1 } => write!(f, "an 8-bit integer needs 1 byte")?,
            Wanted::Integer { bytes } => {
                write!(f, "a {}-bit integer needs {bytes} bytes", bytes * 8)?;
            }
            Wanted::Bytes(bytes) => write!(f, "{bytes} bytes wanted")?,
            Wanted::Varint => f.write_str("a varint does not end")?,
            Wanted::VarintBits => return f.write_str("a varint of more than 64 bits"),
        }
        write!(f, ", {} {verb} left", self.left)
    }
}

impl core::error::Error for ReadError {}

/// One reading method for each width, byte order and sign.
macro_rules! readers {
    ($($name:ident $type:ty, $bytes:literal, $order:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        ///
        /// # Errors
        /// Fewer bytes are left.
        pub fn $name(&mut self) -> Result<$type, ReadError> {
            const SIZE: usize = size_of::<$type>();
            let field = self.take($bytes, Wanted::Integer { bytes: $bytes })?;
            // An integer of 24 or 48 bits is widened on its most significant side.
            let mut wide = [0; SIZE];
            widen!($order, wide, field, $bytes);
            Ok(<$type>::$order(wide))
        }
    )*};
}

/// Copies a field to the less significant end of a wider one.
macro_rules! widen {
    (from_be_bytes, $wide:ident, $field:ident, $bytes:literal) => {
        $wide[SIZE - $bytes..].copy_from_slice($field)
    };
    (from_le_bytes, $wide:ident, $field:ident, $bytes:literal) => {
        $wide[..$bytes].copy_from_slice($field)
    };
}

impl<'a> Reader<'a> {
    /// Reads `message` from its first byte.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { message, at: 0 }
    }

    /// The offset of the next byte in the message.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.message.len() - self.at
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        self.take(count, Wanted::Bytes(count))
    }

    /// All that is left; perhaps nothing.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.message[self.at..];
        self.at = self.message.len();
        rest
    }

    readers! {
        u8 u8, 1, from_be_bytes, "The next byte.";
        i8 i8, 1, from_be_bytes, "The next byte, signed.";
        u16_be u16, 2, from_be_bytes, "16 bits, most significant byte first: `ntohs`.";
        u16_le u16, 2, from_le_bytes, "16 bits, least significant byte first.";
        i16_be i16, 2, from_be_bytes, "16 bits, signed, most significant byte first.";
        i16_le i16, 2, from_le_bytes, "16 bits, signed, least significant byte first.";
        u24_be u32, 3, from_be_bytes, "24 bits, most significant byte first.";
        u24_le u32, 3, from_le_bytes, "24 bits, least significant byte first.";
        u32_be u32, 4, from_be_bytes, "32 bits, most significant byte first: `ntohl`.";
        u32_le u32, 4, from_le_bytes, "32 bits, least significant byte first.";
        i32_be i32, 4, from_be_bytes, "32 bits, signed, most significant byte first.";
        i32_le i32, 4, from_le_bytes, "32 bits, signed, least significant byte first.";
        u48_be u64, 6, from_be_bytes, "48 bits, most significant byte first.";
        u48_le u64, 6, from_le_bytes, "48 bits, least significant byte first.";
        u64_be u64, 8, from_be_bytes, "64 bits, most significant byte first.";
        u64_le u64, 8, from_le_bytes, "64 bits, least significant byte first.";
        i64_be i64, 8, from_be_bytes, "64 bits, signed, most significant byte first.";
        i64_le i64, 8, from_le_bytes, "64 bits, signed, least significant byte first.";
    }

    /// A varint of 7 bits a byte, the least significant first (protobuf, MQTT, DWARF's ULEB128).
    ///
    /// # Errors
    /// Its last byte is not there, or it is more than 64 bits.
    pub fn uleb128(&mut self) -> Result<u64, ReadError> {
        self.varint(|value, group, index| {
            let shift = u32::try_from(index * 7).ok()?;
            let part = group.checked_shl(shift).filter(|part| part >> shift == group)?;
            Some(value | part)
        })
    }

    /// A varint of 7 bits a byte, the most significant first (MIDI, Git's and ASN.1's groups).
    ///
    /// # Errors
    /// Its last byte is not there, or it is more than 64 bits.
    pub fn vlq(&mut self) -> Result<u64, ReadError> {
        self.varint(|value, group, _| (value >> 57 == 0).then_some(value << 7 | group))
    }

    fn varint(
        &mut self,
        mut add: impl FnMut(u64, u64, usize) -> Option<u64>,
    ) -> Result<u64, ReadError> {
        let mut value = 0;
        for (index, byte) in self.message[self.at..].iter().enumerate() {
            match add(value, u64::from(byte & 0x7f), index) {
                Some(sum) => value = sum,
                None => return Err(self.error(Wanted::VarintBits)),
            }
            if byte & 0x80 == 0 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(self.error(Wanted::Varint))
    }

    fn take(&mut self, count: usize, wanted: Wanted) -> Result<&'a [u8], ReadError> {
        let left = &self.message[self.at..];
        let Some(field) = left.get(..count) else { return Err(self.error(wanted)) };
        self.at += count;
        Ok(field)
    }

    fn error(&self, wanted: Wanted) -> ReadError {
        ReadError { at: self.at, wanted, left: self.len() }
    }
}

/// One appending function for each width and byte order.
macro_rules! writers {
    ($($name:ident $type:ty, $order:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        pub fn $name(out: &mut Vec<u8>, value: $type) {
            out.extend_from_slice(&value.$order());
        }
    )*};
}

writers! {
    put_u16_be u16, to_be_bytes, "Appends 16 bits, most significant byte first: `htons`.";
    put_u16_le u16, to_le_bytes, "Appends 16 bits, least significant byte first.";
    put_i16_be i16, to_be_bytes, "Appends 16 bits, signed, most significant byte first.";
    put_i16_le i16, to_le_bytes, "Appends 16 bits, signed, least significant byte first.";
    put_u32_be u32, to_be_bytes, "Appends 32 bits, most significant byte first: `htonl`.";
    put_u32_le u32, to_le_bytes, "Appends 32 bits, least significant byte first.";
    put_i32_be i32, to_be_bytes, "Appends 32 bits, signed, most significant byte first.";
    put_i32_le i32, to_le_bytes, "Appends 32 bits, signed, least significant byte first.";
    put_u64_be u64, to_be_bytes, "Appends 64 bits, most significant byte first.";
    put_u64_le u64, to_le_bytes, "Appends 64 bits, least significant byte first.";
    put_i64_be i64, to_be_bytes, "Appends 64 bits, signed, most significant byte first.";
    put_i64_le i64, to_le_bytes, "Appends 64 bits, signed, least significant byte first.";
}

/// A value that does not fit the width it is to be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    value: u64,
    bits: u32,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = (1_u64 << self.bits) - 1;
        write!(f, "{} does not fit {} bits, which hold at most {max}", self.value, self.bits)
    }
}

impl core::error::Error for TooLarge {}

/// One appending function for each width that Rust has no type for.
macro_rules! odd_writers {
    ($($name:ident $bytes:literal, $order:ident, $range:expr, $doc:literal;)*) => {$(
        #[doc = $doc]
        ///
        /// # Errors
        /// The value needs more bits; nothing is appended.
        pub fn $name(out: &mut Vec<u8>, value: u64) -> Result<(), TooLarge> {
            const BITS: u32 = $bytes * 8;
            if value >> BITS != 0 {
                return Err(TooLarge { value, bits: BITS });
            }
            out.extend_from_slice(&value.$order()[$range]);
            Ok(())
        }
    )*};
}

odd_writers! {
    put_u24_be 3, to_be_bytes, 5.., "Appends 24 bits, most significant byte first.";
    put_u24_le 3, to_le_bytes, ..3, "Appends 24 bits, least significant byte first.";
    put_u48_be 6, to_be_bytes, 2.., "Appends 48 bits, most significant byte first.";
    put_u48_le 6, to_le_bytes, ..6, "Appends 48 bits, least significant byte first.";
}

/// Appends a varint of 7 bits a byte, the least significant first, in as few bytes as it needs.
pub fn put_uleb128(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let group = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            return out.push(group);
        }
        out.push(group | 0x80);
    }
}

/// Appends a varint of 7 bits a byte, the most significant first, in as few bytes as it needs.
pub fn put_vlq(out: &mut Vec<u8>, value: u64) {
    let groups = (u64::BITS - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let bits = (value >> (group * 7)).to_le_bytes()[0] & 0x7f;
        out.push(if group == 0 { bits } else { bits | 0x80 });
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn both_byte_orders_read_the_same_vectors() {
        let bytes = [0x81, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88];
        let read = || Reader::new(&bytes);
        assert_eq!(read().u16_be(), Ok(0x8102));
        assert_eq!(read().u16_le(), Ok(0x0281));
        assert_eq!(read().u24_be(), Ok(0x0081_0203));
        assert_eq!(read().u24_le(), Ok(0x0003_0281));
        assert_eq!(read().u32_be(), Ok(0x8102_0304));
        assert_eq!(read().u32_le(), Ok(0x0403_0281));
        assert_eq!(read().u48_be(), Ok(0x8102_0304_0506));
        assert_eq!(read().u48_le(), Ok(0x0605_0403_0281));
        assert_eq!(read().u64_be(), Ok(0x8102_0304_0506_0788));
        assert_eq!(read().u64_le(), Ok(0x8807_0605_0403_0281));
        assert_eq!(read().i16_be(), Ok(-0x7efe));
        assert_eq!(read().i64_le(), Ok(0x8807_0605_0403_0281_u64.cast_signed()));
    }

    #[test]
    fn varints_come_back_at_every_width() {
        for bits in 0..64 {
            for value in [1_u64 << bits, (1_u64 << bits) - 1, u64::MAX >> bits] {
                let mut out = Vec::new();
                put_uleb128(&mut out, value);
                let uleb_bytes = out.len();
                put_vlq(&mut out, value);
                assert_eq!(out.len(), 2 * uleb_bytes);
                let mut reader = Reader::new(&out);
                assert_eq!(reader.uleb128(), Ok(value));
                assert_eq!(reader.vlq(), Ok(value));
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn a_failed_read_moves_nothing_and_says_where() {
        let mut reader = Reader::new(&[0xff; 11]);
        assert_eq!(
            reader.vlq().unwrap_err().to_string(),
            "at byte 0 of the message: a varint of more than 64 bits"
        );
        assert!(reader.uleb128().is_err());
        assert_eq!(reader.offset(), 0);
        let mut reader = Reader::new(&[0x80]);
        assert_eq!(
            reader.uleb128().unwrap_err().to_string(),
            "at byte 0 of the message: a varint does not end, 1 is left"
        );
        assert_eq!(reader.bytes(2).unwrap_err().at(), 0);
    }

    #[test]
    fn a_value_too_wide_is_refused() {
        let mut out = Vec::new();
        assert!(put_u24_be(&mut out, 0x00ff_ffff).is_ok());
        assert_eq!(
            put_u24_le(&mut out, 0x0100_0000).unwrap_err().to_string(),
            "16777216 does not fit 24 bits, which hold at most 16777215"
        );
        assert_eq!(out, [0xff; 3]);
    }
}
