//! Dispatching: one service, driven by threads, by processes or by events (H3).
//!
#![doc = include_str!("dispatching.md")]
//!
//! ## In the reference
//!
//! [`Server`](crate::Server), [`Dispatch`](crate::Dispatch), [`Service`](crate::Service),
//! [`Reply::later`](crate::Reply::later), [`Limits`](crate::server::Limits),
//! [`Stats`](crate::server::Stats).
