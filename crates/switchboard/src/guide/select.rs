//! Many things in one thread: lists of readers, writers and errors, and files (H21, H22).
//!
#![doc = include_str!("select.md")]
//!
//! ## In the reference
//!
//! [`select`](crate::select()), [`Poller`](crate::Poller), [`Source`](crate::Source),
//! [`Conversation::try_recv`](crate::Conversation::try_recv),
//! [`Endpoint::start_connect`](crate::Endpoint::start_connect).
