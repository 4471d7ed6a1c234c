//! What can be wrong: with a stream ([`FrameError`]) and with a framing string ([`FramingError`]).

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// What is wrong with a frame. The list is closed and its names are the same in the library, the
/// command and every binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The stream ended inside a frame, or between the fragments of a message.
    Truncated,
    /// A message or a frame is larger than the limit.
    Oversize,
    /// A wrong literal in the header, a byte that is no digit where a digit belongs, a leading
    /// zero, a first byte that the format does not know.
    BadPrefix,
    /// A length smaller than its own header, negative, or not to be held in 64 bits.
    BadLength,
    /// A wrong literal after the body.
    BadTrailer,
    /// No case of `type{}` begins with these bytes.
    BadType,
}

impl ErrorKind {
    /// The name of this kind, as the command prints it: `truncated`, `oversize`, `bad-prefix`, ...
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Truncated => "truncated",
            ErrorKind::Oversize => "oversize",
            ErrorKind::BadPrefix => "bad-prefix",
            ErrorKind::BadLength => "bad-length",
            ErrorKind::BadTrailer => "bad-trailer",
            ErrorKind::BadType => "bad-type",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A stream that breaks its framing: what, and where. One word wide.
///
/// A decoder that gave one gives the same one again at every later call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameError {
    pub(crate) inner: Box<FrameErrorInner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameErrorInner {
    pub(crate) kind: ErrorKind,
    /// Offset in the stream of the frame at fault.
    pub(crate) offset: u64,
    /// Offset in the stream of the byte where it showed.
    pub(crate) at: u64,
    pub(crate) declared: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) have: Option<u64>,
    pub(crate) need: Option<u64>,
    /// What belongs there, for a person: `a decimal digit`, `"," after the body`.
    pub(crate) expected: Option<String>,
}

impl FrameError {
    /// An error for a decoder of one's own: `offset` is where the frame at fault begins in the
    /// stream, `at` the byte where it showed.
    #[must_use]
    pub fn new(kind: ErrorKind, offset: u64, at: u64) -> FrameError {
        let inner = FrameErrorInner {
            kind,
            offset,
            at,
            declared: None,
            limit: None,
            have: None,
            need: None,
            expected: None,
        };
        FrameError { inner: Box::new(inner) }
    }

    /// Says what belongs there.
    #[must_use]
    pub fn with_expected(mut self, expected: impl Into<String>) -> FrameError {
        self.inner.expected = Some(expected.into());
        self
    }

    /// The announced size and the limit it passes, in bytes.
    #[must_use]
    pub fn with_sizes(mut self, declared: Option<u64>, limit: Option<u64>) -> FrameError {
        self.inner.declared = declared;
        self.inner.limit = limit;
        self
    }

    /// How many bytes are there, of how many.
    #[must_use]
    pub fn with_progress(mut self, have: u64, need: Option<u64>) -> FrameError {
        self.inner.have = Some(have);
        self.inner.need = need;
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The offset in the stream, in bytes, at which the frame at fault begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.inner.offset
    }

    /// The offset in the stream, in bytes, of the byte where it showed; for [`Truncated`] the end
    /// of the stream.
    ///
    /// [`Truncated`]: ErrorKind::Truncated
    #[must_use]
    pub fn at(&self) -> u64 {
        self.inner.at
    }

    /// The size that the frame announced, in bytes, for [`ErrorKind::Oversize`] and
    /// [`ErrorKind::BadLength`], when it is known.
    #[must_use]
    pub fn declared(&self) -> Option<u64> {
        self.inner.declared
    }

    /// The limit that was passed, in bytes, for [`ErrorKind::Oversize`].
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.inner.limit
    }

    /// How many bytes of the frame are there, for [`ErrorKind::Truncated`].
    #[must_use]
    pub fn have(&self) -> Option<u64> {
        self.inner.have
    }

    /// How many bytes there should be, for [`ErrorKind::Truncated`], when it is known: of the
    /// header while the header is not whole, else of the frame.
    #[must_use]
    pub fn need(&self) -> Option<u64> {
        self.inner.need
    }

    /// What belongs where the stream went wrong, in words.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.inner.expected.as_deref()
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &*self.inner;
        write!(f, "{}: frame at byte {}", e.kind, e.offset)?;
        match e.kind {
            ErrorKind::Truncated => {
                write!(f, ", the stream ended after {} ", e.have.unwrap_or(0))?;
                match e.need {
                    Some(need) => write!(f, "of {need} bytes")?,
                    None => f.write_str("bytes of it")?,
                }
            }
            ErrorKind::Oversize => {
                if let Some(declared) = e.declared {
                    write!(f, " announces {declared} bytes")?;
                } else {
                    f.write_str(" goes on")?;
                }
                if let Some(limit) = e.limit {
                    write!(f, ", the limit is {limit}")?;
                }
            }
            _ => {
                write!(f, ", wrong at byte {}", e.at)?;
                if let Some(declared) = e.declared {
                    write!(f, ", announced {declared}")?;
                }
            }
        }
        if let Some(expected) = &e.expected {
            write!(f, ", expected {expected}")?;
        }
        Ok(())
    }
}

impl core::error::Error for FrameError {}

/// A framing string that describes no framing: where, what was expected, what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramingError {
    pub(crate) text: String,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// What is wrong and what belongs there.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: Option<String>,
}

impl FramingError {
    /// The string that was parsed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The column at fault, in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, without the string and the column.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, when there is a likely answer.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// How much of a framing string its error shows, in characters.
const SHOWN_CHARS: usize = 160;

impl fmt::Display for FramingError {
    /// Three lines: what is wrong, the string, a caret below the column; then the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "framing, column {}: {}", self.column, self.message)?;
        // Of a long one, what is around the column.
        let first = self.column.saturating_sub(SHOWN_CHARS / 2 + 1);
        let cut = if first > 0 { ".." } else { "" };
        let shown: String = self.text.chars().skip(first).take(SHOWN_CHARS).collect();
        let rest = self.text.chars().nth(first + SHOWN_CHARS).map_or("", |_| "..");
        writeln!(f, "  {cut}{shown}{rest}")?;
        write!(f, "  {:>width$}", '^', width = self.column - first + cut.len())?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}

impl core::error::Error for FramingError {}
