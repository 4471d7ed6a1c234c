//! The framing string, read.

use core::str::FromStr;

use crate::{Framing, FramingError, Protocol};

/// Reads a protocol: a preset of two directions, or a framing string for both.
pub(crate) fn protocol(text: &str) -> Result<Protocol, FramingError> {
    text.parse().map(Protocol::symmetric)
}

impl FromStr for Framing {
    type Err = FramingError;

    fn from_str(text: &str) -> Result<Framing, FramingError> {
        let _ = text;
        unimplemented!("written next")
    }
}
