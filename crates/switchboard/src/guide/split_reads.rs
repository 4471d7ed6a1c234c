//! Split reads: left-over bytes, marks and lengths cut in two (H15, H16).
//!
#![doc = include_str!("split_reads.md")]
//!
//! ## In the reference
//!
//! [`Decoder`](crate::frame::Decoder), [`ReceiveBuffer`](crate::frame::ReceiveBuffer),
//! [`Conversation::set_framing`](crate::Conversation::set_framing).
