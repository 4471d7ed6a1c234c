//! Byte order: of lengths, of header fields, of integers inside messages (H18).
//!
#![doc = include_str!("byte_order.md")]
//!
//! ## In the reference
//!
//! [`integer`](crate::frame::integer), [`Fields`](crate::frame::Fields),
//! [`Message::field`](crate::Message::field).
