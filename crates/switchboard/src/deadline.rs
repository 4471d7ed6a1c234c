//! The one place where this crate reads the clock, and arithmetic on points in time.
//!
//! A deadline is an `Option<Instant>`; `None` is "for ever" and stands only where the user wrote
//! so.

use std::time::{Duration, Instant};

/// The time now, on the clock that only goes forward.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// The point in time `duration` from now; `None`, for ever, when that is past what the clock can
/// say.
///
/// ```
/// use std::time::Duration;
/// assert!(switchboard::deadline::after(Duration::from_secs(1)).is_some());
/// assert!(switchboard::deadline::after(Duration::MAX).is_none());
/// ```
#[must_use]
pub fn after(duration: Duration) -> Option<Instant> {
    now().checked_add(duration)
}

/// The earlier of two deadlines.
#[must_use]
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether a deadline has passed.
#[must_use]
pub fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| at <= now())
}

/// What is left until a deadline: zero when it has passed, `None` when there is none.
#[must_use]
pub fn remaining(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|at| at.saturating_duration_since(now()))
}
