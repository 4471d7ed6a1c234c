//! The bytes around the one at which a framing broke: what a person needs to see what came instead.

use super::Error;
use crate::limits::AROUND_BYTES_MAX;

impl Error {
    /// The bytes around the one at which the framing broke, as far as they had arrived, at most
    /// [`AROUND_BYTES_MAX`] on each side of it; and the offset in the stream of the first of them.
    #[must_use]
    pub fn around(&self) -> Option<(u64, &[u8])> {
        self.inner.around.as_ref().map(|(offset, bytes)| (*offset, &**bytes))
    }

    /// With the bytes around the fault, out of those at hand, which begin at an offset in the
    /// stream. Says nothing unless the framing is broken.
    #[must_use]
    pub fn with_around(mut self, offset: u64, bytes: &[u8]) -> Error {
        let Some(at) = self.frame_error().and_then(|error| error.at().checked_sub(offset)) else {
            return self;
        };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let from = at.min(bytes.len()).saturating_sub(AROUND_BYTES_MAX);
        let to = at.saturating_add(1 + AROUND_BYTES_MAX).min(bytes.len());
        if from < to {
            self.inner.around = Some((offset + from as u64, bytes[from..to].into()));
        }
        self
    }
}
