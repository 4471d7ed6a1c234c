//! Whole messages out of byte streams.
//!
//! This crate turns bytes into messages and messages into bytes. It does no input or output, reads
//! no clock and starts no threads. A [`Framing`] is a value, parsed from one short string; a
//! [`Decoder`] and an [`Encoder`] are its running state; a [`Protocol`] is a framing for each
//! direction; an [`Assembler`] joins the fragments of a message.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod assembler;
mod buffer;
mod builders;
mod cut_off;
mod decoder;
mod describe;
mod display;
mod encoder;
mod engine;
mod error;
mod fields;
mod framing;
pub mod integer;
mod length_field;
mod parse;
mod parts;
mod postgres;
mod presets;
mod protocol;
mod record;
mod scan;
mod sizes;
mod step;
mod take_over;
#[cfg(feature = "tokio")]
mod tokio;
mod whole;

pub use assembler::Assembler;
pub use buffer::ReceiveBuffer;
pub use decoder::Decoder;
pub use encoder::{Encode, EncodeError, Encoder, Fields};
pub use error::{ErrorKind, FrameError, FramingError};
pub use fields::Field;
pub use framing::Framing;
pub use length_field::{LengthField, LengthForm};
pub use parse::parse_size;
pub use parts::Parts;
pub use presets::{Preset, preset, presets};
pub use protocol::{Coupler, Protocol, Role, Switch};
pub use step::{Decode, Discarded, Frame, Skipped, Step};
pub use take_over::Taken;
#[cfg(feature = "tokio")]
pub use tokio::{Codec, CodecError};
pub use whole::Whole;

/// Every bound of the engine, with its default.
pub mod limits {
    pub use crate::framing::{HEADER_BYTES_MAX, MESSAGE_BYTES_MAX_DEFAULT, RESP_DEPTH_MAX};
}

/// Bytes that all decoders of the process have looked at so far, in a debug build; for the tests
/// that no byte is scanned twice.
#[cfg(debug_assertions)]
#[doc(hidden)]
pub fn work() -> usize {
    engine::work::BYTES.load(core::sync::atomic::Ordering::Relaxed)
}
