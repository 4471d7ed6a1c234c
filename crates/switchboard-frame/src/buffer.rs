//! The receive buffer: where the transport's bytes land and messages are read in place.
//!
//! ```text
//!  0        consumed      scanned      filled         bytes.len()
//!  | dropped | unread, seen | unread, new | spare        |
//! ```
//!
//! `consumed <= scanned <= filled <= bytes.len()`, asserted after each call in debug builds. The
//! buffer grows with the bytes received, never with the bytes announced: it is at most 64 KiB, or
//! twice what is unread, whichever is more, and 1 KiB for a header.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// What a buffer begins with when the first byte is to be read, in bytes.
const CAPACITY_MIN: usize = 4 * 1024;

/// What the memory for a few bytes from elsewhere is a multiple of, in bytes.
const CAPACITY_STEP: usize = 64;

/// What a buffer grows to without a larger message, in bytes: 64 KiB, and a header before them, so
/// that a frame of a round size comes in one read.
const CAPACITY_MAX: usize = 65 * 1024;

/// Holds what has been received and not yet consumed.
///
/// # Examples
/// ```
/// use switchboard_frame::{Decoder, Framing, ReceiveBuffer, Step};
///
/// let mut buffer = ReceiveBuffer::new();
/// let mut decoder = Decoder::new(&Framing::parse("lines")?);
/// // What a read from a socket does:
/// let spare = buffer.spare_mut(1);
/// spare[..9].copy_from_slice(b"one\ntwo\nt");
/// buffer.filled(9);
///
/// let mut lines = Vec::new();
/// while let Step::Frame(frame) = decoder.step(buffer.unread(), false)? {
///     lines.push(String::from_utf8_lossy(&buffer.unread()[frame.message]).into_owned());
///     buffer.consume(frame.whole.end);
/// }
/// assert_eq!(lines, ["one", "two"]);
/// assert_eq!(buffer.unread(), b"t");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct ReceiveBuffer {
    bytes: Vec<u8>,
    consumed: usize,
    scanned: usize,
    filled: usize,
}

impl ReceiveBuffer {
    /// An empty buffer. It takes no memory until something is received.
    #[must_use]
    pub const fn new() -> ReceiveBuffer {
        ReceiveBuffer { bytes: Vec::new(), consumed: 0, scanned: 0, filled: 0 }
    }

    /// An empty buffer that has grown to the 64 KiB that one without a large message has at most:
    /// for a loop that reads for many streams in turn.
    #[must_use]
    pub fn grown() -> ReceiveBuffer {
        ReceiveBuffer { bytes: vec![0; CAPACITY_MAX], ..ReceiveBuffer::new() }
    }

    /// What has been received and not consumed.
    #[must_use]
    #[inline]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.consumed..self.filled]
    }

    /// Whether everything received has been consumed.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.consumed == self.filled
    }

    /// How many bytes of memory the buffer holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Room for the next read, at least one byte. `need` is how many bytes the decoder asked for,
    /// a hint: so much is made room for as what has been received allows.
    ///
    /// Moves what is unread to the front when the room behind it has become small; so do not keep
    /// ranges over this call.
    pub fn spare_mut(&mut self, need: usize) -> &mut [u8] {
        self.make_room(need);
        self.check();
        &mut self.bytes[self.filled..]
    }

    /// Says that so many bytes of what [`spare_mut`](Self::spare_mut) gave have been written.
    ///
    /// # Panics
    /// When that is more than there was room for.
    pub fn filled(&mut self, bytes: usize) {
        assert!(bytes <= self.bytes.len() - self.filled, "more bytes than there was room for");
        self.filled += bytes;
        self.check();
    }

    /// Appends bytes that were received elsewhere. An empty buffer takes no more memory than a few
    /// of them need, where a read would want room for more: half a message put aside stays small.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.is_empty() && self.bytes.len() <= CAPACITY_MAX {
            (self.consumed, self.scanned, self.filled) = (0, 0, 0);
            if bytes.len() < CAPACITY_MIN {
                self.grow(bytes.len().next_multiple_of(CAPACITY_STEP));
            }
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.bytes.len() - self.filled < rest.len() {
                self.make_room(rest.len());
            }
            let spare = &mut self.bytes[self.filled..];
            let taken = spare.len().min(rest.len());
            spare[..taken].copy_from_slice(&rest[..taken]);
            self.filled(taken);
            rest = &rest[taken..];
        }
    }

    /// Drops so many bytes from the front of what is unread.
    ///
    /// # Panics
    /// When that is more than is unread.
    #[inline]
    pub fn consume(&mut self, bytes: usize) {
        assert!(bytes <= self.filled - self.consumed, "more bytes than have been received");
        self.consumed += bytes;
        self.scanned = self.scanned.max(self.consumed);
        self.check();
    }

    /// Says that a decoder has seen everything that is here.
    #[inline]
    pub fn scanned(&mut self) {
        self.scanned = self.filled;
        self.check();
    }

    /// Bytes received since a decoder last saw everything.
    #[must_use]
    #[inline]
    pub fn unscanned(&self) -> usize {
        self.filled - self.scanned
    }

    fn make_room(&mut self, need: usize) {
        let need = need.max(1);
        let unread = self.filled - self.consumed;
        let was_full = self.filled == self.bytes.len();
        let has_passed = self.consumed > 0;
        let room = self.bytes.len() - self.filled;
        // What the buffer may be: never on the word of the other side alone.
        let capacity_max = CAPACITY_MAX.max(unread.saturating_mul(2));
        // What is to be cut off behind must not be where unread bytes lie.
        let shrinks = self.bytes.len() > capacity_max;
        let small = room < need.max(self.bytes.len() / 4);
        if unread == 0 || self.consumed > 0 && (small || shrinks) {
            self.bytes.copy_within(self.consumed..self.filled, 0);
            self.scanned -= self.consumed;
            self.consumed = 0;
            self.filled = unread;
        }
        let len = self.bytes.len();
        if shrinks {
            // A large message has passed; its memory is not kept for the next small one.
            self.bytes.truncate(capacity_max);
            self.bytes.shrink_to(capacity_max);
        }
        let wanted = unread.saturating_add(need);
        let target = match len {
            // A first read is small, so that a connection that only announces costs little.
            _ if len < CAPACITY_MIN => CAPACITY_MIN,
            // Reads that fill the buffer want a larger one; how much larger, when nobody knows how
            // much is still to come, as behind messages that came together and half of another.
            _ if was_full && (need == 1 || has_passed) => wanted.max(len.saturating_mul(2)),
            _ if was_full => wanted,
            _ if unread == len || unread >= CAPACITY_MIN => wanted,
            _ => len,
        };
        self.grow(target.min(capacity_max));
    }

    fn grow(&mut self, len: usize) {
        if len > self.bytes.len() {
            self.bytes.reserve_exact(len - self.bytes.len());
            self.bytes.resize(len, 0);
        }
    }

    #[inline]
    fn check(&self) {
        debug_assert!(self.consumed <= self.scanned, "{self:?}");
        debug_assert!(self.scanned <= self.filled, "{self:?}");
        debug_assert!(self.filled <= self.bytes.len(), "{self:?}");
        debug_assert!(
            self.bytes.len() <= CAPACITY_MAX.max(self.filled.saturating_mul(2)),
            "{} bytes of buffer for {} received",
            self.bytes.len(),
            self.filled
        );
    }
}

impl fmt::Debug for ReceiveBuffer {
    /// The cursors and not the bytes: they may be many, and they are somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveBuffer")
            .field("consumed", &self.consumed)
            .field("scanned", &self.scanned)
            .field("filled", &self.filled)
            .field("capacity", &self.bytes.capacity())
            .finish_non_exhaustive()
    }
}
