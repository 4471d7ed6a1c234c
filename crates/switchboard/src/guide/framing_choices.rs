//! Choosing a framing: the close, a size, a mark, a length, or a type (H10-H14).
//!
#![doc = include_str!("framing_choices.md")]
//!
//! ## In the reference
//!
//! [`Framing`](crate::frame::Framing), [`presets`](crate::frame::presets()),
//! [`Protocol`](crate::frame::Protocol).
