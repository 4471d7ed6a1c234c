//! A stream that was cut off, and whether that can be seen from its messages.

use crate::Decoder;
use crate::framing::Shape;

impl Decoder {
    /// Whether, at the edge where the decoder is, only the end of the stream says that there is no
    /// more of what the framing delivers: `raw`, `eof`. So too with a decoder of one's own, of
    /// which nothing is known.
    ///
    /// ```
    /// use switchboard_frame::{Decoder, Framing};
    ///
    /// assert!(Decoder::new(&Framing::parse("eof")?).ends_with_stream());
    /// assert!(!Decoder::new(&Framing::parse("lines")?).ends_with_stream());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ends_with_stream(&self) -> bool {
        let run = self.run.as_ref();
        // The frame given last may have been the last of its stage.
        let is_over = run.is_some_and(|run| run.done) && self.left == 1;
        let next = (self.stage + usize::from(is_over)).min(self.framing.stages.len() - 1);
        self.custom.is_some()
            || run.is_some_and(|run| run.state.is_raw())
            || matches!(self.framing.stages[next].shape, Shape::Raw | Shape::Eof)
    }
}
