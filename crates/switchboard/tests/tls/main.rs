//! TLS: what it says when it does not come about, and what it does with a stream when it does.
//!
//! The certificates are made here. Peers that are not of this crate are in the command's tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod agreed;
mod help;
mod refused;
mod restarted;
mod streams;
