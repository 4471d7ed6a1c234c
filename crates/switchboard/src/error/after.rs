//! How long a peer had been waited for, when that is what went wrong.

use super::{Error, Kind};
use crate::Transport;
use std::fmt;
use std::time::{Duration, Instant};

impl Error {
    /// For how long nothing had come or nothing was taken, when a deadline passed or a peer was
    /// found dead. Of a dead peer only where the system says it: Linux does.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        self.inner.after
    }

    /// With how long nothing had come or nothing was taken; of anything but a deadline that passed
    /// or a dead peer this says nothing, and is left out.
    #[must_use]
    pub fn with_after(mut self, time: Option<Duration>) -> Error {
        if matches!(self.inner.kind, Kind::TimedOut | Kind::PeerDead) {
            self.inner.after = time.or(self.inner.after);
        }
        self
    }

    /// Of a deadline that passed: with how long was waited, from `then` to `now`.
    pub(crate) fn since(self, then: Option<Instant>, now: Instant) -> Error {
        if !self.is_timeout() {
            return self;
        }
        self.with_after(then.map(|then| now.saturating_duration_since(then)))
    }

    /// Of a dead peer: with how long it has been silent.
    pub(crate) fn with_silence(self, peer: &dyn Transport) -> Error {
        if !self.is_peer_dead() {
            return self;
        }
        let silence = peer.silence();
        self.with_after(silence)
    }
}

/// What happened, and after how long.
pub(super) fn tell(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    after: Option<Duration>,
    of: &str,
) -> fmt::Result {
    match after {
        Some(after) => write!(f, ": {what} after {}{of}", Time(after)),
        None => write!(f, ": {what}"),
    }
}

/// A time as a person reads it: `250 ms`, `1.5 s`, `30 s`, `5 min`.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let tenths = (millis + 50) / 100;
        match (tenths / 10, tenths % 10) {
            (0, _) => write!(f, "{millis} ms"),
            (seconds @ 1..=9, tenths @ 1..) => write!(f, "{seconds}.{tenths} s"),
            (seconds @ 1..=9, 0) => write!(f, "{seconds} s"),
            _ => match (millis + 500) / 1000 {
                seconds @ ..120 => write!(f, "{seconds} s"),
                seconds => match (seconds / 60, seconds % 60) {
                    (minutes, 0) => write!(f, "{minutes} min"),
                    (minutes, seconds) => write!(f, "{minutes} min {seconds} s"),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn an_error_says_how_long_it_took() {
        let dead = || Error::stream("cannot send to tcp://a:1", Errno::TIMEDOUT.into());
        assert_eq!(dead().to_string(), "cannot send to tcp://a:1: peer dead");
        let after = Some(Duration::from_secs(12));
        let text = "cannot send to tcp://a:1: peer dead after 12 s without an answer";
        assert_eq!(dead().with_after(after).to_string(), text);
        assert_eq!(dead().with_after(after).after(), after);
        let cut = Error::stream("cannot send to tcp://a:1", Errno::HOSTUNREACH.into());
        assert_eq!(cut.with_after(after).to_string(), format!("{text}: no route to host"));
        let late = Error::timed_out("waiting for a message from tcp://a:1").with_after(after);
        assert_eq!(late.to_string(), "waiting for a message from tcp://a:1: timed out after 12 s");
        assert_eq!(Error::caller("mistaken").with_after(after).after(), None);
    }

    #[test]
    fn a_time_is_read_at_a_glance() {
        for (millis, text) in [
            (0, "0 ms"),
            (250, "250 ms"),
            (949, "949 ms"),
            (999, "1 s"),
            (1_000, "1 s"),
            (1_500, "1.5 s"),
            (3_016, "3 s"),
            (9_949, "9.9 s"),
            (9_960, "10 s"),
            (30_016, "30 s"),
            (119_000, "119 s"),
            (120_031, "2 min"),
            (125_000, "2 min 5 s"),
        ] {
            assert_eq!(Time(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
