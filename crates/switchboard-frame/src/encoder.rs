//! The running state of a framing on the sending side.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::Framing;

/// An encoder: the framings' own, or a user's for a format that no string can say.
pub trait Encode: Send {
    /// Appends `message`, framed, to `out`. Takes exactly what the decoder gives.
    ///
    /// # Errors
    /// The message cannot be written so that it decodes to itself; `out` is as it was.
    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

/// A message that cannot be written in this framing. An error of the caller: nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    pub(crate) message: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for EncodeError {}

/// Values for the named fields of a header or trailer, for [`Encoder::encode_with`].
#[derive(Clone, Debug, Default)]
pub struct Fields {}

/// The running state of a [`Framing`] on the sending side.
#[derive(Clone, Debug)]
pub struct Encoder {
    framing: Framing,
}
