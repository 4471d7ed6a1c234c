//! Listening: addresses, backlog, ports in use, and the loop that must not die (H2, H4).
//!
#![doc = include_str!("listening.md")]
//!
//! ## In the reference
//!
//! [`Listener`](crate::Listener), [`ListenOptions`](crate::ListenOptions),
//! [`AcceptCounts`](crate::AcceptCounts), [`Server`](crate::Server), [`limits`](crate::limits).
