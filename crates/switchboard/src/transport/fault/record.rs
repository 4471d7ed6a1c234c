//! What was done, for who wants to know: one record for each time that a fault happened.

use std::sync::Arc;
use std::time::Duration;
use switchboard_frame::Role;

/// What happened in a conversation that faults are done to.
///
/// The same seed, the same conversations and the same bytes in the same order give the same
/// records, times apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// A fault happened.
    Injection(Injection),
    /// A direction is not framed from here on: its faults about messages do nothing any more.
    Unframed {
        /// Of what this side writes.
        writer: Role,
        /// From this byte of it on.
        offset: u64,
        /// Why.
        why: String,
        /// Since the conversation began.
        time: Duration,
    },
}

/// A fault that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// Whose bytes it is about; `None` for a fault of the connection.
    pub writer: Option<Role>,
    /// The fault, as it is written.
    pub fault: Arc<str>,
    /// The message, from 1 on, where there are messages.
    pub message: Option<u64>,
    /// The byte of the direction at which it happened.
    pub offset: u64,
    /// What was done.
    pub done: String,
    /// Whose sides are reset by it. A transport that has no resets ends instead
    /// ([`Facts::reset`](crate::transport::Facts::reset)), of which `done` knows nothing.
    pub resets: &'static [Role],
    /// Since the conversation began.
    pub time: Duration,
}
