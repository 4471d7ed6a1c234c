//! Batching: many messages in one write, and a flush that cannot be forgotten (H7).
//!
#![doc = include_str!("batching.md")]
//!
//! ## In the reference
//!
//! [`Conversation::queue`](crate::Conversation::queue),
//! [`Conversation::flush`](crate::Conversation::flush), [`lost_bytes`](crate::lost_bytes).
