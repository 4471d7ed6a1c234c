//! Connecting: names, addresses, deadlines, and a page from a web server (H1, H10).
//!
#![doc = include_str!("connecting.md")]
//!
//! ## In the reference
//!
//! [`Conversation::connect`](crate::Conversation::connect), [`Endpoint`](crate::Endpoint),
//! [`ConnectOptions`](crate::ConnectOptions), [`Error::attempts`](crate::Error::attempts).
