//! By what a dead peer is to be found out, and within which time.

use std::time::Duration;
use switchboard::server::{Heartbeat, Limits};
use switchboard::{Liveness, Timeouts};

/// What finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// TCP: probes, and bytes that nobody acknowledges.
    Liveness,
    /// Our own clocks, while TCP goes on hoping.
    Clocks,
    /// TCP, by bytes that only a heartbeat sends.
    Heartbeat,
}

/// What TCP has.
pub(crate) const LIVENESS: Duration = Duration::from_secs(3);

/// What each of our clocks has, and lingering behind it.
pub(crate) const CLOCK: Duration = Duration::from_millis(1_800);
pub(crate) const LINGER: Duration = Duration::from_millis(200);

const HEARTBEAT: Duration = Duration::from_millis(250);

/// What a peer asks for to be sent much; and how much that is, more than any buffers on the way.
pub(crate) const MUCH: &[u8] = b"send me much";
pub(crate) const MUCH_BYTES: usize = 16 << 20;

pub(crate) fn parse(name: &str) -> Mode {
    match name {
        "Liveness" => Mode::Liveness,
        "Clocks" => Mode::Clocks,
        "Heartbeat" => Mode::Heartbeat,
        _ => panic!("no such mode: {name}"),
    }
}

impl Mode {
    /// How the conversations end.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Mode::Liveness | Mode::Heartbeat => "peer-dead",
            Mode::Clocks => "timed-out",
        }
    }

    /// Within which time they are to.
    pub(crate) fn time(self) -> Duration {
        match self {
            Mode::Liveness => LIVENESS,
            // The next heartbeat begins it.
            Mode::Heartbeat => LIVENESS + HEARTBEAT,
            Mode::Clocks => CLOCK + LINGER,
        }
    }

    pub(crate) fn liveness(self) -> Liveness {
        match self {
            Mode::Liveness => Liveness::within(LIVENESS),
            Mode::Clocks => Liveness::OFF,
            Mode::Heartbeat => Liveness { idle: None, ..Liveness::within(LIVENESS) },
        }
    }

    pub(crate) fn timeouts(self) -> Timeouts {
        match self {
            Mode::Liveness | Mode::Heartbeat => Timeouts::all(Duration::from_secs(60)),
            Mode::Clocks => Timeouts::all(CLOCK),
        }
    }

    pub(crate) fn limits(self) -> Limits {
        let heartbeat = Heartbeat { interval: HEARTBEAT, message: b"still here".to_vec() };
        Limits {
            timeouts: self.timeouts(),
            linger: LINGER,
            heartbeat: (self == Mode::Heartbeat).then_some(heartbeat),
            ..Limits::default()
        }
    }
}
