//! What every encoder is, the framings' own and a user's, and what its errors are.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// An encoder: the framings' own, or a user's for a format that no string can say.
///
/// # Examples
/// Messages that begin with a checksum of one byte, which no framing string can compute:
/// ```
/// use switchboard_frame::{Encode, EncodeError, Encoder};
///
/// struct Summed;
///
/// impl Encode for Summed {
///     fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
///         let len = u8::try_from(message.len())
///             .map_err(|_| EncodeError::new("a message of more than 255 bytes"))?;
///         out.push(message.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
///         out.push(len);
///         out.extend_from_slice(message);
///         Ok(())
///     }
/// }
///
/// let mut encoder = Encoder::custom(Box::new(Summed));
/// let mut out = Vec::new();
/// encoder.encode(b"\x01\x02", &mut out)?;
/// assert_eq!(out, [3, 2, 1, 2]);
/// # Ok::<(), EncodeError>(())
/// ```
pub trait Encode: Send {
    /// Appends `message`, framed, to `out`. Takes exactly what the decoder gives.
    ///
    /// # Errors
    /// The message cannot be written so that it decodes to itself. An
    /// [`Encoder`](crate::Encoder) puts `out` back as it was.
    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

/// A message that cannot be written in this framing, or a framing that cannot be written at all.
/// An error of the caller: nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    message: Box<str>,
}

impl EncodeError {
    /// An error in words, for an encoder of one's own.
    #[must_use]
    pub fn new(message: impl Into<String>) -> EncodeError {
        EncodeError { message: message.into().into_boxed_str() }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for EncodeError {}
