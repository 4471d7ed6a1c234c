//! Peers: who speaks first, who closes, and what is used up by it (H5).
//!
#![doc = include_str!("peers.md")]
//!
//! ## In the reference
//!
//! [`Conversation`](crate::Conversation), [`Conversation::split`](crate::Conversation::split),
//! [`Timeouts`](crate::Timeouts).
