//! Values for the named fields of a frame.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{EncodeError, number};
use crate::Field;
use crate::record::{Flag, Integer, Item, Record};

/// Values for the named fields of a header or trailer, for [`Encoder::encode_with`].
///
/// ```
/// use switchboard_frame::Fields;
///
/// let fields = Fields::new().integer("seq", 3).bytes("id", b"\x01\x02");
/// assert_eq!(fields.names().collect::<Vec<_>>(), ["seq", "id"]);
/// ```
///
/// [`Encoder::encode_with`]: crate::Encoder::encode_with
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    list: Vec<(String, Given)>,
}

/// A value as the user gave it; the field's type decides what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Integer(u64),
    Bytes(Vec<u8>),
    Text(String),
}

impl Fields {
    /// No values yet.
    #[must_use]
    pub fn new() -> Fields {
        Fields::default()
    }

    /// Gives an integer; for a field of opaque bytes it is written most significant byte first.
    /// A negative one of a signed field is given in two's complement.
    #[must_use]
    pub fn integer(self, name: impl Into<String>, value: u64) -> Fields {
        self.set(name.into(), Given::Integer(value))
    }

    /// Gives opaque bytes, or the text of an `until` field without its literal.
    #[must_use]
    pub fn bytes(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Fields {
        self.set(name.into(), Given::Bytes(value.as_ref().to_vec()))
    }

    /// Gives a value as a person writes it. For an integer field: decimal, or `0x` and hexadecimal.
    /// For any other: `0x` and pairs of hexadecimal digits, or text, in which `\xNN`, `\n`, `\r`,
    /// `\t`, `\0` and `\\` stand for bytes.
    #[must_use]
    pub fn text(self, name: impl Into<String>, value: impl Into<String>) -> Fields {
        self.set(name.into(), Given::Text(value.into()))
    }

    /// Gives a value as a decoder told it.
    #[must_use]
    pub fn field(self, name: impl Into<String>, value: Field<'_>) -> Fields {
        match value {
            Field::Integer(value) => self.integer(name, value),
            Field::Bytes(value) => self.bytes(name, value),
        }
    }

    /// The names given, in the order given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }

    /// Whether no value was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A name given again takes the later value.
    fn set(mut self, name: String, value: Given) -> Fields {
        match self.list.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => self.list.push((name, value)),
        }
        self
    }

    /// Whether the value given for `name` is this number.
    pub(super) fn says(&self, name: &str, number: u64) -> bool {
        match self.find(name) {
            Some(Given::Integer(value)) => *value == number,
            Some(Given::Text(text)) => text.parse() == Ok(number),
            Some(Given::Bytes(_)) | None => false,
        }
    }

    fn find(&self, name: &str) -> Option<&Given> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// The values of a record's items, one for each item; empty when no item has a name.
pub(super) struct Values<'a> {
    list: Vec<Value<'a>>,
    /// The length field, when it was given.
    pub(super) length: Option<u64>,
}

enum Value<'a> {
    /// A literal, padding, the length, or a field without a name: that one is zero.
    Unset,
    Integer(u64),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Values<'a> {
    /// Finds a value for every named item, and nothing that is no item.
    pub(super) fn resolve(record: &Record, fields: &'a Fields) -> Result<Values<'a>, EncodeError> {
        let length = record.length.as_ref().map(|length| length.item);
        let mut values = Values { list: Vec::new(), length: None };
        for name in fields.names() {
            if !names(record).any(|(_, known)| known == name) {
                return Err(unknown(name, record));
            }
        }
        if names(record).all(|(index, _)| Some(index) == length) && fields.is_empty() {
            return Ok(values);
        }
        values.list.extend(record.items.iter().map(|_| Value::Unset));
        for (index, name) in names(record) {
            let item = &record.items[index];
            match fields.find(name) {
                Some(given) if Some(index) == length => {
                    if let Value::Integer(value) = resolve_one(name, item, given)? {
                        values.length = Some(value);
                    }
                }
                Some(given) => values.list[index] = resolve_one(name, item, given)?,
                None if Some(index) == length => {}
                None => return Err(missing(record, fields)),
            }
        }
        Ok(values)
    }

    /// The item as a number: an integer, or opaque bytes, the most significant first.
    pub(super) fn number(&self, item: usize) -> u64 {
        match self.list.get(item) {
            Some(Value::Integer(value)) => *value,
            Some(Value::Bytes(bytes)) => {
                bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
            }
            _ => 0,
        }
    }

    /// The bytes of an item that is no integer.
    pub(super) fn bytes(&self, item: usize) -> &[u8] {
        match self.list.get(item) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// Sets the bits of `flag`, whatever the field was given.
    pub(super) fn set_flag(&mut self, flag: Flag) {
        let value = self.number(flag.item) | flag.mask;
        match self.list.get_mut(flag.item) {
            Some(Value::Bytes(bytes)) => {
                let bytes = bytes.to_mut();
                let wide = value.to_be_bytes();
                let len = bytes.len().min(wide.len());
                let at = bytes.len() - len;
                bytes[at..].copy_from_slice(&wide[wide.len() - len..]);
            }
            Some(place) => *place = Value::Integer(value),
            None => {}
        }
    }
}

/// The names of a record's items; the length field has the name `len` when it has no other.
pub(super) fn names(record: &Record) -> impl Iterator<Item = (usize, &str)> {
    let length = record.length.as_ref().map(|length| length.item);
    record.items.iter().enumerate().filter_map(move |(index, item)| {
        let unnamed = (Some(index) == length).then_some("len");
        item.name().or(unnamed).map(|name| (index, name))
    })
}

fn unknown(name: &str, record: &Record) -> EncodeError {
    let list: Vec<&str> = names(record).map(|(_, name)| name).collect();
    let have = match list.is_empty() {
        true => "this framing has no fields".into(),
        false => format!("the fields are {}", list.join(", ")),
    };
    // Of a framing with several stages that is said of the stage in force.
    EncodeError::new(format!("no field {name:?}: {have}, in the frame to be sent now"))
}

fn missing(record: &Record, fields: &Fields) -> EncodeError {
    let length = record.length.as_ref().map(|length| length.item);
    let list: Vec<&str> = names(record)
        .filter(|(index, name)| Some(*index) != length && fields.find(name).is_none())
        .map(|(_, name)| name)
        .collect();
    let many = if list.len() == 1 { "field" } else { "fields" };
    EncodeError::new(format!("no value for the {many} {}", list.join(", ")))
}

fn resolve_one<'a>(name: &str, item: &Item, given: &'a Given) -> Result<Value<'a>, EncodeError> {
    let fail = |why: String| EncodeError::new(format!("field {name}: {why}"));
    match item {
        Item::Integer { kind, .. } => {
            let value = match given {
                Given::Integer(value) => *value,
                Given::Text(text) => parse_integer(text, kind).map_err(fail)?,
                Given::Bytes(_) => return Err(fail("an integer, not bytes, belongs here".into())),
            };
            if !number::holds(kind, value) {
                let max = number::value_max(kind);
                return Err(fail(format!("{value} is too large, it holds at most {max}")));
            }
            Ok(Value::Integer(value))
        }
        Item::Opaque { bytes: size, .. } => {
            let bytes = match given {
                Given::Integer(value) => Cow::Owned(big_endian(*value, *size).map_err(fail)?),
                _ => literal_bytes(given).map_err(fail)?,
            };
            if bytes.len() != *size {
                return Err(fail(format!("it takes {size} bytes, {} were given", bytes.len())));
            }
            Ok(Value::Bytes(bytes))
        }
        Item::Until { literal, .. } => {
            let bytes = literal_bytes(given).map_err(fail)?;
            let mut wire = bytes.to_vec();
            wire.extend_from_slice(literal);
            match memchr::memmem::find(&wire, literal) {
                Some(at) if at < bytes.len() => {
                    Err(fail(format!("the value holds what ends it, at byte {at}")))
                }
                _ => Ok(Value::Bytes(bytes)),
            }
        }
        Item::BerTag { .. } => {
            let bytes = match given {
                Given::Integer(value) => Cow::Owned(big_endian(*value, 1).map_err(fail)?),
                _ => literal_bytes(given).map_err(fail)?,
            };
            match is_ber_tag(&bytes) {
                true => Ok(Value::Bytes(bytes)),
                false => Err(fail("the bytes are no BER identifier".into())),
            }
        }
        Item::Literal(_) | Item::Padding { .. } => Ok(Value::Unset),
    }
}

fn literal_bytes(given: &Given) -> Result<Cow<'_, [u8]>, String> {
    match given {
        Given::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
        Given::Text(text) => parse_bytes(text).map(Cow::Owned),
        Given::Integer(_) => Err("bytes, not an integer, belong here".into()),
    }
}

fn big_endian(value: u64, size: usize) -> Result<Vec<u8>, String> {
    let wide = value.to_be_bytes();
    let zeros = (value.leading_zeros() / 8) as usize;
    let digits = &wide[zeros..];
    if digits.len() > size {
        return Err(format!("{value} does not fit {size} bytes"));
    }
    let mut bytes = alloc::vec![0; size - digits.len()];
    bytes.extend_from_slice(digits);
    Ok(bytes)
}

fn parse_integer(text: &str, kind: &Integer) -> Result<u64, String> {
    let signed = matches!(kind, Integer::Binary { signed: true, .. });
    let parsed = match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.starts_with('+') => None,
        None if signed && text.starts_with('-') => text.parse().ok().map(i64::cast_unsigned),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| {
        format!("{text:?} is no integer of 64 bits, write decimal digits, or 0x and hexadecimal")
    })
}

/// Text with escapes, or `0x` and pairs of hexadecimal digits.
fn parse_bytes(text: &str) -> Result<Vec<u8>, String> {
    let hex = |pair: &[u8]| {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        u8::try_from(digit(0)? << 4 | digit(1)?).ok()
    };
    if let Some(digits) = text.strip_prefix("0x") {
        let pairs = digits.as_bytes().chunks(2).map(hex);
        return pairs.collect::<Option<_>>().ok_or_else(|| {
            format!("{text:?} is not 0x and pairs of hexadecimal digits; \\x30x.. is the text")
        });
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (escaped, used) = match rest.first() {
            Some(b'x') => (rest.get(1..3).and_then(hex), 3),
            Some(b'n') => (Some(b'\n'), 1),
            Some(b'r') => (Some(b'\r'), 1),
            Some(b't') => (Some(b'\t'), 1),
            Some(b'0') => (Some(0), 1),
            Some(b'\\') => (Some(b'\\'), 1),
            _ => (None, 0),
        };
        bytes.push(escaped.ok_or_else(|| {
            format!("{text:?} holds an escape that is none of \\xNN \\n \\r \\t \\0 \\\\")
        })?);
        rest = &rest[used..];
    }
    Ok(bytes)
}

/// X.690, 8.1.2: one byte, or one with its low five bits set and groups of seven bits behind it.
fn is_ber_tag(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((first, [])) => first & 0x1f != 0x1f,
        Some((first, groups)) => {
            let ends = groups.iter().position(|group| group & 0x80 == 0);
            first & 0x1f == 0x1f && ends == Some(groups.len() - 1) && groups.len() <= 10
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_bytes() {
        let check = |text: &str, expect: &[u8]| assert_eq!(parse_bytes(text).unwrap(), expect);
        check("ab", b"ab");
        check(r"a\x00\xFFb\n\r\t\0\\", b"a\0\xffb\n\r\t\0\\");
        check("0x00ff", &[0, 0xff]);
        check("0x", b"");
        for wrong in ["0x0", "0xzz", r"\", r"\x4", r"\xg0", r"\q", r"\x+1"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn text_becomes_integers() {
        let unsigned = Integer::Uleb { bytes_max: 10 };
        let signed = Integer::Binary { bytes: 2, little: false, signed: true };
        assert_eq!(parse_integer("10", &unsigned), Ok(10));
        assert_eq!(parse_integer("0x10", &unsigned), Ok(16));
        assert_eq!(parse_integer("-1", &signed), Ok(u64::MAX));
        for wrong in ["", "-1", "+1", "0x", "0x+1", "1a", "18446744073709551616"] {
            assert!(parse_integer(wrong, &unsigned).is_err(), "{wrong}");
        }
        assert!(number::holds(&signed, (-32768_i64).cast_unsigned()));
        assert!(!number::holds(&signed, (-32769_i64).cast_unsigned()));
        assert!(!number::holds(&signed, 32768));
    }

    #[test]
    fn ber_identifiers() {
        for good in [&[0x30][..], &[0x1f, 0x81, 0x01], &[0xff, 0x7f]] {
            assert!(is_ber_tag(good), "{good:?}");
        }
        for bad in [&[][..], &[0x1f], &[0x30, 0x30], &[0x1f, 0x81], &[0x1f, 0x01, 0x01]] {
            assert!(!is_ber_tag(bad), "{bad:?}");
        }
    }
}
