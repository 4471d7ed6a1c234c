//! Partial sends and receives: never seen, even when they stop half-way (H8, H17).
//!
#![doc = include_str!("partial_sends.md")]
//!
//! ## In the reference
//!
//! [`Conversation::send`](crate::Conversation::send),
//! [`Conversation::send_from`](crate::Conversation::send_from),
//! [`Faulty`](crate::transport::Faulty), [`Timeouts`](crate::Timeouts).
