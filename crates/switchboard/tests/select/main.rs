//! `select` and `Poller` against the real system: who is ready, who is not, and that what is
//! buffered counts.
//!
//! Nothing here sleeps: a wait is for an event, with a time limit that only ends a test that fails;
//! and that nothing is ready is a look without a wait.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod buffered;
mod fair;
mod help;
mod interrupt;
mod lists;
mod many;
mod poller;
mod poller_large;
