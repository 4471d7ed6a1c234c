//! The faults of `transport::fault` in virtual time: each by what goes out, when, and what is told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod catalogue;
mod closing;
mod content;
mod help;
mod injected;
mod pieces;
mod plans;
mod property;
mod same_again;
mod silence;
mod triggers;
