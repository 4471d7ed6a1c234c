//! Writing your own decoder, for what no framing string can say.
//!
#![doc = include_str!("own_decoder.md")]
//!
//! ## In the reference
//!
//! [`Decode`](crate::frame::Decode), [`Encode`](crate::frame::Encode),
//! [`Conversation::with_codec`](crate::Conversation::with_codec).
