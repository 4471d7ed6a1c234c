//! How a peer that has silently gone is noticed.

use crate::limits;
use std::time::Duration;

/// When a peer that says nothing counts as dead: the keepalive of TCP and its user timeout in one
/// value.
///
/// A machine that loses its power or its cable sends no end. While this side waits to *receive*,
/// keepalive probes find out: after [`idle`](Self::idle) of silence one is sent each
/// [`interval`](Self::interval), and after [`probes`](Self::probes) without an answer the peer is
/// dead. While this side has *sent* bytes that nobody acknowledges, the
/// [`user_timeout`](Self::user_timeout) of RFC 5482 ends it.
///
/// By default a peer that is gone is told after two minutes, sending or receiving:
///
/// ```
/// use std::time::Duration;
/// use switchboard::Liveness;
///
/// let default = Liveness::default();
/// assert_eq!(default.detection_time(), Some(Duration::from_secs(120)));
/// // A link where ten seconds of silence mean the other side is gone.
/// let fast = Liveness::within(Duration::from_secs(10));
/// assert_eq!(fast.detection_time(), Some(Duration::from_secs(10)));
/// ```
///
/// Transports other than TCP end with the process at their other side and need none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// Silence before the first probe, in whole seconds, at least 1; `None` switches probes off.
    pub idle: Option<Duration>,
    /// Time between two probes, in whole seconds, at least 1.
    pub interval: Duration,
    /// Unanswered probes after which the peer is dead, at least 1.
    pub probes: u32,
    /// How long sent bytes may stay unacknowledged, in milliseconds; `None` leaves the system's
    /// own limit, on Linux about a quarter of an hour.
    ///
    /// Linux lets this one also decide about probes once it is set: after this much silence with a
    /// probe unanswered the peer is dead. And it counts the time in which a living peer reads
    /// nothing while bytes wait for it: where the other side may pause as long as it likes, take
    /// [`Liveness::patient`].
    pub user_timeout: Option<Duration>,
}

impl Default for Liveness {
    /// The values in [`limits`]: probes after 60 s, each 10 s, 6 of them; 120 s unacknowledged.
    fn default() -> Self {
        Liveness {
            idle: Some(limits::KEEPALIVE_IDLE),
            interval: limits::KEEPALIVE_INTERVAL,
            probes: limits::KEEPALIVE_PROBES,
            user_timeout: Some(limits::USER_TIMEOUT),
        }
    }
}

impl Liveness {
    /// No probes and the system's own limit for unacknowledged bytes: a receiver waits for ever
    /// for a peer that has gone.
    pub const OFF: Liveness = Liveness {
        idle: None,
        interval: limits::KEEPALIVE_INTERVAL,
        probes: limits::KEEPALIVE_PROBES,
        user_timeout: None,
    };

    /// The default without the limit for unacknowledged bytes: for relays and others who must not
    /// end a connection only because its receiver pauses. A peer that dies while bytes are under
    /// way to it is then told after the system's own limit.
    #[must_use]
    pub fn patient() -> Liveness {
        Liveness { user_timeout: None, ..Liveness::default() }
    }

    /// Values that tell a dead peer after about `time`, at least three seconds: half of it is
    /// silence, the rest goes to up to five probes.
    #[must_use]
    pub fn within(time: Duration) -> Liveness {
        let seconds = time.as_secs().max(3);
        let half = (seconds / 2).max(1);
        let probes = half.clamp(1, 5);
        let interval = (half / probes).max(1);
        let idle = seconds.saturating_sub(interval.saturating_mul(probes)).max(1);
        Liveness {
            idle: Some(Duration::from_secs(idle)),
            interval: Duration::from_secs(interval),
            probes: u32::try_from(probes).unwrap_or(1),
            user_timeout: Some(Duration::from_secs(seconds)),
        }
    }

    /// After how much silence a peer that has gone is told to a receiver; `None` when probes are
    /// off.
    #[must_use]
    pub fn detection_time(&self) -> Option<Duration> {
        Some(self.idle?.saturating_add(self.interval.saturating_mul(self.probes)))
    }
}
