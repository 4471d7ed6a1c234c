//! The time of a run: nanoseconds from its beginning.

use std::time::{Duration, Instant};

use switchboard::deadline;

/// Read once a turn, so that the messages of a turn share it.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    began: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub(super) fn begin() -> Clock {
        Clock { began: deadline::now() }
    }

    pub(super) fn now(self) -> u64 {
        nanoseconds(deadline::now().saturating_duration_since(self.began))
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
