//! TLS: the same conversations where others could listen, and its goodbye (H19).
//!
#![doc = include_str!("tls.md")]
//!
//! ## In the reference
//!
//! [`TlsClient`](crate::transport::TlsClient), [`TlsServer`](crate::transport::TlsServer),
//! [`Tls`](crate::transport::Tls), [`Transport::tls`](crate::Transport::tls),
//! [`Transport::flush`](crate::Transport::flush), [`Error::is_tls`](crate::Error::is_tls),
//! [`Service::unopened`](crate::Service::unopened).
