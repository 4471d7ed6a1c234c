//! The common case of a step: a frame that is whole, and that is a message of its own.

use core::ops::Range;

use crate::Decoder;
use crate::engine::fast::{Fast, Found};

/// A whole message at the front of the bytes given to [`Decoder::whole`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Where the message lies.
    pub message: Range<usize>,
    /// Drop so many bytes from the front before the next call.
    pub end: usize,
}

impl Decoder {
    /// A message that lies whole at the front of `bytes`, if nothing about it is special.
    ///
    /// For loops over many small messages: it does the work of [`step`](Self::step) in the one case
    /// that they nearly always meet, in half the time. `None` says nothing but that `step` is to be
    /// called with the same bytes.
    ///
    /// ```
    /// use switchboard_frame::{Decoder, Framing, Step};
    ///
    /// let mut decoder = Decoder::new(&Framing::parse("lines")?);
    /// let bytes = b"one\ntwo\nthr";
    /// let mut at = 0;
    /// let mut lines = Vec::new();
    /// while let Some(whole) = decoder.whole(&bytes[at..]) {
    ///     lines.push(&bytes[at..][whole.message]);
    ///     at += whole.end;
    /// }
    /// assert_eq!(lines, [b"one", b"two"]);
    /// assert!(matches!(decoder.step(&bytes[at..], false)?, Step::Need(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn whole(&mut self, bytes: &[u8]) -> Option<Whole> {
        if self.busy {
            return None;
        }
        let whole = match &self.fast {
            // The commonest of all needs no table to be found by.
            Fast::Length(length) => length.whole(bytes)?,
            fast => match fast.step(bytes, &mut self.scanned) {
                Found::Frame(frame) => Whole { message: frame.message, end: frame.whole.end },
                Found::Need(_) | Found::Unsure => return None,
            },
        };
        self.offset += whole.end as u64;
        self.was_fast = true;
        Some(whole)
    }

    /// Whether [`whole`](Self::whole) would give a frame; nothing is passed over.
    #[must_use]
    pub fn has_whole(&self, bytes: &[u8]) -> bool {
        let mut scanned = self.scanned;
        match &self.fast {
            _ if self.busy => false,
            Fast::Length(length) => length.whole(bytes).is_some(),
            fast => matches!(fast.step(bytes, &mut scanned), Found::Frame(_)),
        }
    }
}
