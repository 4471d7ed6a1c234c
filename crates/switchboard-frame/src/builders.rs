//! Framings made by a call where the string is not needed. Each is equal to its string, read.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use core::num::NonZeroUsize;

use crate::framing::{Delimiter, MESSAGE_BYTES_MAX_DEFAULT, Shape, Stage};
use crate::record::{Counts, Integer, Item, Length, More, Record};
use crate::{Framing, FramingError};

macro_rules! lengths {
    ($($name:ident, $text:literal, $bytes:literal, $little:literal, $what:literal;)*) => {
        impl Framing {$(
            #[doc = concat!("A length of ", $what, ", then as many bytes: `", $text, "`.")]
            ///
            /// ```
            /// use switchboard_frame::Framing;
            ///
            #[doc = concat!("let framing: Framing = \"", $text, "\".parse()?;")]
            #[doc = concat!("assert_eq!(Framing::", stringify!($name), "(), framing);")]
            /// # Ok::<(), switchboard_frame::FramingError>(())
            /// ```
            #[must_use]
            pub fn $name() -> Framing {
                let kind = Integer::Binary { bytes: $bytes, little: $little, signed: false };
                length_then_body(kind, &[])
            }
        )*}
    };
}

lengths! {
    u8, "u8", 1, false, "one byte";
    u16_be, "u16be", 2, false, "two bytes, the high one first";
    u16_le, "u16le", 2, true, "two bytes, the low one first";
    u32_be, "u32be", 4, false, "four bytes, the highest first";
    u32_le, "u32le", 4, true, "four bytes, the lowest first";
    u64_be, "u64be", 8, false, "eight bytes, the highest first";
    u64_le, "u64le", 8, true, "eight bytes, the lowest first";
}

macro_rules! plain {
    ($($name:ident, $text:literal, $shape:expr, $what:literal;)*) => {
        impl Framing {$(
            #[doc = concat!($what, ": `", $text, "`.")]
            ///
            /// ```
            /// use switchboard_frame::Framing;
            ///
            #[doc = concat!("let framing: Framing = \"", $text, "\".parse()?;")]
            #[doc = concat!("assert_eq!(Framing::", stringify!($name), "(), framing);")]
            /// # Ok::<(), switchboard_frame::FramingError>(())
            /// ```
            #[must_use]
            pub fn $name() -> Framing {
                one($shape)
            }
        )*}
    };
}

plain! {
    lines, "lines", Shape::Delimited(Delimiter::Lines),
        "Lines ended by LF, one CR before it dropped";
    crlf, "crlf", Shape::Delimited(Delimiter::Literals(vec![Box::from(&b"\r\n"[..])])),
        "Lines ended by CR LF; a bare CR or LF is data";
    raw, "raw", Shape::Raw, "Bytes as they come: a message is what a read happened to bring";
    to_end, "eof", Shape::Eof, "The whole stream is one message, ended by the end of stream";
    chunked, "chunked", Shape::Chunked,
        "The chunks of HTTP/1.1 (RFC 9112, section 7.1); the last is an empty message";
    resp, "resp", Shape::Resp { inline: false }, "Values of the Redis serialization protocol";
}

impl Framing {
    /// Messages of `bytes` bytes each: `fixed:N`. The bound on a message is raised to that size
    /// where it is above the default.
    ///
    /// ```
    /// use core::num::NonZeroUsize;
    /// use switchboard_frame::Framing;
    ///
    /// let eight = NonZeroUsize::new(8).unwrap();
    /// assert_eq!(Framing::fixed(eight), "fixed:8".parse()?);
    /// # Ok::<(), switchboard_frame::FramingError>(())
    /// ```
    #[must_use]
    pub fn fixed(bytes: NonZeroUsize) -> Framing {
        let mut stage = Stage::once(Shape::Fixed(bytes.get()));
        let max = bytes.get() as u64;
        stage.options.max = (max > MESSAGE_BYTES_MAX_DEFAULT).then_some(max);
        Framing::from_stages(vec![stage])
    }

    /// Messages ended by `delimiter`, which is no part of them: `delim:LIT`.
    ///
    /// # Errors
    /// The delimiter is empty: it would be found everywhere.
    ///
    /// ```
    /// use switchboard_frame::Framing;
    ///
    /// assert_eq!(Framing::delimited(b"\0")?, "delim:x00".parse()?);
    /// assert!(Framing::delimited(b"").is_err());
    /// # Ok::<(), switchboard_frame::FramingError>(())
    /// ```
    pub fn delimited(delimiter: &[u8]) -> Result<Framing, FramingError> {
        if delimiter.is_empty() {
            return Err(FramingError {
                text: "delim:\"\"".to_string(),
                column: 7,
                message: "an empty delimiter is found everywhere".to_string(),
                hint: Some("give the bytes that end a message, such as b\"\\n\"".to_string()),
            });
        }
        Ok(one(Shape::Delimited(Delimiter::Literals(vec![delimiter.into()]))))
    }

    /// Netstrings (D. J. Bernstein, 1997): a length in digits, a colon, the message, a comma:
    /// `dec":" body ","`.
    ///
    /// ```
    /// use switchboard_frame::Framing;
    ///
    /// assert_eq!(Framing::netstring(), "netstring".parse()?);
    /// # Ok::<(), switchboard_frame::FramingError>(())
    /// ```
    #[must_use]
    pub fn netstring() -> Framing {
        let kind = Integer::DigitsUntil { base: 10, literal: Box::from(&b":"[..]) };
        length_then_body(kind, b",")
    }
}

fn one(shape: Shape) -> Framing {
    Framing::from_stages(vec![Stage::once(shape)])
}

/// A record of a length, a body and perhaps a literal behind it.
fn length_then_body(kind: Integer, trailer: &[u8]) -> Framing {
    let length = Length {
        item: 0,
        counts: Counts::Body,
        mask: u64::MAX,
        short: 0,
        unit: 1,
        add: 0,
        add_items: vec![],
        little_when: None,
        more: More::Never,
    };
    let mut items = vec![Item::Integer { name: Some("len".into()), kind }];
    if !trailer.is_empty() {
        items.push(Item::Literal(trailer.into()));
    }
    one(Shape::Record(Record { items, header_items: 1, length: Some(length) }))
}
