//! Joins the fragments of a message; copies only then.

use alloc::vec::Vec;

/// Joins the fragments of a message. A message of one frame passes through and is not copied.
///
/// The size of what is collected is bounded by the decoder, which counts the fragments' bodies
/// against `max` before it delivers them.
///
/// # Examples
/// ```
/// use switchboard_frame::Assembler;
///
/// let mut assembler = Assembler::new();
/// // A message of one frame is given back as it is.
/// assert_eq!(assembler.push(b"whole", false), Some(&b"whole"[..]));
/// // The fragments of another are joined; it is there with the last one.
/// assert_eq!(assembler.push(b"in ", true), None);
/// assert!(assembler.is_open());
/// assert_eq!(assembler.collected(), b"in ");
/// assert_eq!(assembler.push(b"parts", false), Some(&b"in parts"[..]));
/// assert!(!assembler.is_open());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    /// The fragments so far; or, while `open` is false, the message given last.
    parts: Vec<u8>,
    open: bool,
}

/// What a message may leave allocated for the next one, in bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;

impl Assembler {
    /// No fragments yet.
    #[must_use]
    pub fn new() -> Assembler {
        Assembler::default()
    }

    /// Takes what a frame delivers; `more` is [`Frame::more`](crate::Frame::more). Gives the
    /// message once it is whole: `part` itself when it is all of it, else the fragments joined.
    #[inline]
    pub fn push<'a>(&'a mut self, part: &'a [u8], more: bool) -> Option<&'a [u8]> {
        if !self.open && !more {
            return Some(part);
        }
        self.join(part, more)
    }

    fn join(&mut self, part: &[u8], more: bool) -> Option<&[u8]> {
        if !self.open {
            self.parts.clear();
            // One large message is no reason to hold its size for ever.
            self.parts.shrink_to(KEPT_BYTES_MAX);
        }
        self.parts.extend_from_slice(part);
        self.open = more;
        (!more).then_some(&*self.parts)
    }

    /// Whether a message has begun and is not whole yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The fragments of the message that is not whole yet, joined; empty when there is none.
    #[must_use]
    pub fn collected(&self) -> &[u8] {
        if self.open { &self.parts } else { &[] }
    }

    /// The message that the last [`push`](Self::push) joined of several fragments; empty when it
    /// was of one, and while it is not whole.
    #[must_use]
    pub fn joined(&self) -> &[u8] {
        if self.open { &[] } else { &self.parts }
    }

    /// Forgets the message that is not whole yet: it has been discarded, or the framing switched.
    pub fn reset(&mut self) {
        self.parts.clear();
        self.open = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_one_frame_is_not_copied() {
        let part = b"whole";
        let mut assembler = Assembler::new();
        let message = assembler.push(part, false).unwrap();
        assert_eq!(message.as_ptr(), part.as_ptr());
    }

    #[test]
    fn an_empty_fragment_opens_and_ends_a_message() {
        let mut assembler = Assembler::new();
        assert_eq!(assembler.push(b"", true), None);
        assert!(assembler.is_open());
        assert_eq!(assembler.push(b"", false), Some(&b""[..]));
        assert!(!assembler.is_open());
        assert_eq!(assembler.collected(), b"");
    }

    #[test]
    fn nothing_of_one_message_is_in_the_next() {
        let mut assembler = Assembler::new();
        assembler.push(b"a", true);
        assembler.push(b"b", false);
        assert_eq!(assembler.collected(), b"");
        assembler.push(b"c", true);
        assert_eq!(assembler.collected(), b"c");
        assembler.reset();
        assert_eq!(assembler.push(b"d", false), Some(&b"d"[..]));
    }
}
