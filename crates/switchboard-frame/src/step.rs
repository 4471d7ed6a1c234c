//! What a decoder answers: a [`Step`], and what a step may hold.
//!
//! A decoder gives ranges of the bytes it was shown and owns none of them: whoever owns the bytes
//! decides when they move.

use core::num::NonZeroUsize;
use core::ops::Range;

use crate::FrameError;

/// What a decoder found at the front of the bytes it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// At least so many bytes more are needed. Call again with the same bytes and more behind.
    Need(NonZeroUsize),
    /// A whole frame. Drop `frame.whole.end` bytes from the front before the next call.
    Frame(Frame),
    /// Bytes that belong to no message. Drop `skipped.bytes` bytes from the front.
    Skipped(Skipped),
    /// The stream ended at a frame's edge. Only when `at_end` was said.
    End,
}

/// Where a frame lies in the bytes given to [`Decode::step`]. Ranges, not borrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The frame on the wire. Begins after 0 where blanks before the frame were passed over.
    pub whole: Range<usize>,
    /// The header.
    pub header: Range<usize>,
    /// The body.
    pub body: Range<usize>,
    /// What the framing delivers of this frame.
    pub message: Range<usize>,
    /// The frame is a fragment: its message goes on in the next frame.
    pub more: bool,
}

/// Bytes passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// How many bytes to drop from the front; may be 0.
    pub bytes: usize,
    /// A frame that is being discarded, told once, at the moment it is known to be too large.
    pub discarded: Option<Discarded>,
}

/// A frame, or a message of several, that was too large and is not delivered
/// (`oversize=discard`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// The offset in the stream at which it begins, in bytes.
    pub offset: u64,
    /// Its size on the wire in bytes, when that is known by now.
    pub frame_bytes: Option<u64>,
    /// The size it announced, in bytes, when it is known.
    pub declared: Option<u64>,
    /// The limit it passed, in bytes.
    pub limit: u64,
}

/// A decoder: the framings' own, or a user's for a format that no string can say.
///
/// # Contract
/// - `bytes` begins where the last step left off: at a frame's edge after [`Step::Frame`], further
///   on after [`Step::Skipped`], at the same byte after [`Step::Need`]. It never shrinks between
///   two steps that answer `Need`.
/// - Any chunking of the same stream gives the same messages and the same ending.
/// - An error is sticky: later calls give it again.
pub trait Decode: Send {
    /// Looks at the bytes received and not yet consumed. `at_end` says that no more will come.
    ///
    /// # Errors
    /// The stream breaks the framing, or ended inside a frame.
    fn step(&mut self, bytes: &[u8], at_end: bool) -> Result<Step, FrameError>;
}
