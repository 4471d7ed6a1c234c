//! Events: loops that never block, fairness, back-pressure, many conversations (H3, H21).
//!
#![doc = include_str!("events.md")]
//!
//! ## In the reference
//!
//! [`Dispatch::events`](crate::Dispatch::events), [`Limits`](crate::server::Limits),
//! [`Handle::adopt`](crate::server::Handle::adopt), [`Stats`](crate::server::Stats).
