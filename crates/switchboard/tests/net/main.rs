//! The lower half of the crate against the real system: endpoints, transports, listeners,
//! connecting, programs behind pipes.
//!
//! Nothing here sleeps: a wait is for an event, and a deadline in it is only there to end a test
//! that fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod closed;
mod connect;
mod endpoint;
mod help;
mod interrupt;
mod listener;
mod local;
mod pipe;
mod proxied;
mod read_within;
mod transport;
