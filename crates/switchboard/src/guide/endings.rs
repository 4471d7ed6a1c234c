//! Endings: the end, half a message and a reset are three things (H9, H12).
//!
#![doc = include_str!("endings.md")]
//!
//! ## In the reference
//!
//! [`Ending`](crate::Ending), [`Error::partial`](crate::Error::partial),
//! [`Conversation::finish`](crate::Conversation::finish),
//! [`Conversation::close`](crate::Conversation::close).
