//! An encoder of which nothing has to be remembered: its twin in a decoder is
//! [`Decoder::is_settled`](crate::Decoder::is_settled).

use super::{EncodeError, Encoder, State};
use crate::Framing;

impl Encoder {
    /// An encoder in the middle of a stream, in the framing's last stage: what a
    /// [settled](Self::is_settled) one is.
    ///
    /// # Errors
    /// As for [`Encoder::new`].
    pub fn settled(framing: &Framing) -> Result<Encoder, EncodeError> {
        let mut encoder = Encoder::new(framing)?;
        encoder.enter(framing.stages.len() - 1);
        Ok(encoder)
    }

    /// Whether nothing of the stream so far matters for what is written next: the encoder is
    /// between two messages, in the last stage of its framing, and that goes on.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.custom.is_none()
            && self.state == State::Ready
            && self.stage + 1 == self.framing.stages.len()
    }
}
