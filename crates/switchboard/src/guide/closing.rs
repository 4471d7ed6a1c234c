//! Closing: half-close, linger, drop, and what a server does when it is stopped (H19).
//!
#![doc = include_str!("closing.md")]
//!
//! ## In the reference
//!
//! [`Conversation::finish`](crate::Conversation::finish),
//! [`Conversation::close`](crate::Conversation::close), [`lost_bytes`](crate::lost_bytes),
//! [`Service::finished`](crate::Service::finished), [`Reply::close`](crate::Reply::close),
//! [`Handle::stop`](crate::server::Handle::stop),
//! [`Server::with_stopper`](crate::Server::with_stopper).
