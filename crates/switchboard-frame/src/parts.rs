//! What the frames of a framing have, for tools that change them on purpose: whoever asks for a
//! change of what is never there is told before the first byte.
//!
//! It says what is possible. What one frame has is known once that was read.

use crate::Framing;
use crate::framing::Shape;
use crate::sizes::{self, Span};

/// What frames may have: what [`Framing::parts`] gives.
///
/// # Examples
/// ```
/// use switchboard_frame::Framing;
///
/// let lines = Framing::parse("lines")?.parts();
/// assert!(lines.message && lines.trailer && !lines.length);
/// let framed = Framing::parse("u32be")?.parts();
/// assert!(framed.message && framed.length && !framed.trailer);
/// assert!(!Framing::parse("raw")?.parts().message);
/// # Ok::<(), switchboard_frame::FramingError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parts {
    /// There are messages at all: `raw` has none.
    pub message: bool,
    /// A frame may say how long it is.
    pub length: bool,
    /// Something may stand behind the body: a delimiter, a checksum.
    pub trailer: bool,
    /// Header, body or trailer may have two bytes or more, so that it has a middle.
    pub middle: bool,
}

impl Framing {
    /// What its frames may have.
    #[must_use]
    pub fn parts(&self) -> Parts {
        let framed = self.stages.iter().map(|stage| &stage.shape);
        // What never ends is followed by nothing.
        let framed = framed.take_while(|shape| !matches!(shape, Shape::Raw));
        framed.fold(Parts::default(), |parts, shape| parts.or(of(shape)))
    }
}

impl Parts {
    fn or(self, other: Parts) -> Parts {
        Parts {
            message: self.message || other.message,
            length: self.length || other.length,
            trailer: self.trailer || other.trailer,
            middle: self.middle || other.middle,
        }
    }
}

fn of(shape: &Shape) -> Parts {
    let parts = |length, trailer, middle| Parts { message: true, length, trailer, middle };
    match shape {
        Shape::Raw => Parts::default(),
        Shape::Eof => parts(false, false, true),
        Shape::Fixed(bytes) => parts(false, false, *bytes >= 2),
        Shape::Delimited(_) => parts(false, true, true),
        Shape::Header(_) => parts(true, false, true),
        Shape::Type(cases) => {
            let all = cases.iter().map(|case| of(&case.stage.shape));
            all.fold(parts(false, false, true), Parts::or)
        }
        // Their numbers and line ends are many, and which of them counts is for a frame to say.
        Shape::Resp { .. } | Shape::Chunked => parts(true, true, true),
        Shape::Record(record) => {
            let holds = |span: Span, bytes| span.max.is_none_or(|most| most >= bytes);
            let trailer = sizes::trailer(record);
            let all = [sizes::header(record), sizes::body(shape, 0), trailer];
            let middle = all.into_iter().any(|span| holds(span, 2));
            parts(record.length.is_some(), holds(trailer, 1), middle)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(framing: &str, expected: &str) {
        let parts = Framing::parse(framing).unwrap_or_else(|error| panic!("{error}")).parts();
        let names = [
            (parts.message, "message"),
            (parts.length, "length"),
            (parts.trailer, "trailer"),
            (parts.middle, "middle"),
        ];
        let names = names.iter().filter(|(is, _)| *is).map(|(_, name)| *name);
        assert_eq!(names.collect::<alloc::vec::Vec<_>>().join(" "), expected, "{framing}");
    }

    #[test]
    fn each_shape_has_its_own() {
        check("raw", "");
        check("eof", "message middle");
        check("fixed:1", "message");
        check("fixed:2", "message middle");
        check("lines", "message trailer middle");
        check("header:content-length", "message length middle");
        check("u8", "message length middle");
        check("netstring", "message length trailer middle");
        check("chunked", "message length trailer middle");
    }
}
