//! On one machine: loopback, Unix sockets, pipes, and what each costs (H6).
//!
#![doc = include_str!("local.md")]
//!
//! ## In the reference
//!
//! [`Endpoint`](crate::Endpoint), [`transport`](crate::transport),
//! [`Listener`](crate::Listener), [`Pipe`](crate::transport::Pipe).
