//! What bounds a server: counts, queues and clocks, each with a default in [`limits`].

use crate::session::Timeouts;
use crate::{Error, limits};
use std::time::Duration;
use switchboard_frame::{Encoder, Protocol, Role};

/// What bounds a server. Every number has its default, and its reason, in [`limits`].
///
/// ```
/// use std::time::Duration;
/// use switchboard::Timeouts;
/// use switchboard::server::Limits;
///
/// let limits = Limits {
///     conversations_max: 500,
///     conversations_per_address_max: Some(20),
///     timeouts: Timeouts { idle: Some(Duration::from_secs(30)), ..Timeouts::default() },
///     ..Limits::default()
/// };
/// # let _ = limits;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conversations at a time, of all listeners together; at the limit new ones wait in the
    /// kernel's backlog. [`CONVERSATIONS_MAX`](limits::CONVERSATIONS_MAX). Under *threads* there
    /// are no more than [threads](super::Dispatch::with_threads_max) either.
    pub conversations_max: usize,
    /// Conversations at a time from one IP address, an IPv6 one with its /64 (see
    /// [`PerAddress`](super::PerAddress)); one more is closed as soon as it is accepted, and
    /// counted as [`refused`](super::Stats::refused). `None`, the default, is as many as there are.
    pub conversations_per_address_max: Option<usize>,
    /// The largest message body, in bytes; replaces the framing's own limit.
    pub message_bytes_max: Option<u64>,
    /// Messages of one conversation before others have their turn, at least 1.
    /// [`MESSAGES_PER_TURN`](limits::MESSAGES_PER_TURN).
    pub messages_per_turn: usize,
    /// Bytes queued to one peer at which nothing more is read from it, looked at after each write.
    /// [`QUEUE_HIGH_BYTES`](limits::QUEUE_HIGH_BYTES).
    pub queue_high_bytes: usize,
    /// Bytes queued to one peer at which reading from it goes on; less than
    /// [`queue_high_bytes`](Self::queue_high_bytes). [`QUEUE_LOW_BYTES`](limits::QUEUE_LOW_BYTES).
    pub queue_low_bytes: usize,
    /// Bytes queued to one peer: a reply that would pass it is refused, and that ends the
    /// conversation unless the service handles it. [`QUEUED_BYTES_MAX`](limits::QUEUED_BYTES_MAX).
    pub queued_bytes_max: usize,
    /// The same for all conversations of the server together; past it, a reply to a peer that has
    /// bytes queued already is refused.
    /// [`QUEUED_BYTES_IN_ALL_MAX`](limits::QUEUED_BYTES_IN_ALL_MAX).
    pub queued_bytes_in_all_max: usize,
    /// Answers of one conversation promised with [`later`](super::Reply::later) and not given yet;
    /// at the limit nothing more is read from its peer, and what was sent behind a promise counts.
    /// [`LATER_MAX`](limits::LATER_MAX).
    pub later_max: usize,
    /// How long a conversation may be idle between messages, take for a message (with its least
    /// rate), and take nothing of what is sent to it.
    pub timeouts: Timeouts,
    /// How long a transport may take to open (a TLS handshake, ..), from when its connection was
    /// accepted; `None` is for ever. Until then the service is told nothing of it;
    /// should it never come to that, [`unopened`](super::Service::unopened).
    /// [`OPENING_TIMEOUT`](limits::OPENING_TIMEOUT).
    pub opening: Option<Duration>,
    /// How long closing waits for the peer's end, while it throws away at most
    /// [`LINGER_BYTES_MAX`](limits::LINGER_BYTES_MAX). [`LINGER_TIMEOUT`](limits::LINGER_TIMEOUT);
    /// zero does not wait.
    pub linger: Duration,
    /// How often [`Service::tick`](super::Service::tick) is called; `None`, the default, is never.
    /// Under *events* a tick is up to 32 ms late.
    pub tick: Option<Duration>,
    /// A message of its own sent whenever nothing was sent for a while; `None`, the default, for
    /// none.
    pub heartbeat: Option<Heartbeat>,
}

/// A message that keeps a silent conversation alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Silence of this side after which it is sent.
    pub interval: Duration,
    /// The message, as [`send`](super::Reply::send) takes it. One that the framing cannot carry
    /// ends each conversation at its first heartbeat.
    pub message: Vec<u8>,
}

impl Heartbeat {
    /// The heartbeat that a protocol has of its own, by the name of its
    /// [preset](crate::frame::preset), as the server sends it. Where a heartbeat has to be made
    /// anew each time, send it in [`tick`](super::Service::tick).
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::server::Heartbeat;
    ///
    /// let heartbeat = Heartbeat::of("amqp", Duration::from_secs(30))?;
    /// assert_eq!(heartbeat.message, b"\x08\0\0\0\0\0\0\xce");
    /// assert!(Heartbeat::of("redis", Duration::from_secs(30)).is_err());
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such preset, or its server has no message for that.
    pub fn of(preset: &str, interval: Duration) -> Result<Heartbeat, Error> {
        let preset_named = crate::frame::preset(preset);
        match preset_named.and_then(|preset| preset.heartbeat(Role::Server)) {
            Some(message) => Ok(Heartbeat { interval, message: message.to_vec() }),
            None => {
                let what = format!("{preset} has no heartbeat that is always the same");
                Err(Error::caller(what).with_advice("give the message, or send it in tick"))
            }
        }
    }
}

impl Default for Limits {
    /// The values in [`limits`].
    fn default() -> Limits {
        Limits {
            conversations_max: limits::CONVERSATIONS_MAX,
            conversations_per_address_max: None,
            message_bytes_max: None,
            messages_per_turn: limits::MESSAGES_PER_TURN,
            queue_high_bytes: limits::QUEUE_HIGH_BYTES,
            queue_low_bytes: limits::QUEUE_LOW_BYTES,
            queued_bytes_max: limits::QUEUED_BYTES_MAX,
            queued_bytes_in_all_max: limits::QUEUED_BYTES_IN_ALL_MAX,
            later_max: limits::LATER_MAX,
            timeouts: Timeouts::default(),
            opening: Some(limits::OPENING_TIMEOUT),
            linger: limits::LINGER_TIMEOUT,
            tick: None,
            heartbeat: None,
        }
    }
}

impl Limits {
    /// Refuses what cannot be, by the name of the setting, before anything is served.
    pub(super) fn check(&self, protocol: &Protocol) -> Result<(), Error> {
        let zero = |name: &str, is_zero: bool| match is_zero {
            true => Err(Error::caller(format!("{name} is 0 in the limits of the server"))
                .with_advice("nothing could be served: give it at least 1, or leave it out")),
            false => Ok(()),
        };
        let time = |time: Option<Duration>| time == Some(Duration::ZERO);
        zero("conversations_max", self.conversations_max == 0)?;
        zero("conversations_per_address_max", self.conversations_per_address_max == Some(0))?;
        zero("message_bytes_max", self.message_bytes_max == Some(0))?;
        zero("messages_per_turn", self.messages_per_turn == 0)?;
        zero("queue_high_bytes", self.queue_high_bytes == 0)?;
        zero("queued_bytes_max", self.queued_bytes_max == 0)?;
        zero("queued_bytes_in_all_max", self.queued_bytes_in_all_max == 0)?;
        zero("later_max", self.later_max == 0)?;
        zero("timeouts.idle", time(self.timeouts.idle))?;
        zero("timeouts.message", time(self.timeouts.message))?;
        zero("timeouts.stall", time(self.timeouts.stall))?;
        zero("opening", time(self.opening))?;
        zero("tick", time(self.tick))?;
        zero("heartbeat.interval", time(self.heartbeat.as_ref().map(|beat| beat.interval)))?;
        if self.queue_low_bytes >= self.queue_high_bytes {
            let (low, high) = (self.queue_low_bytes, self.queue_high_bytes);
            let what = format!("queue_low_bytes ({low}) is not below queue_high_bytes ({high})");
            let error = Error::caller(what);
            return Err(error.with_advice("reading stops at the high mark and goes on at the low"));
        }
        self.check_heartbeat(protocol)
    }

    fn check_heartbeat(&self, protocol: &Protocol) -> Result<(), Error> {
        let Some(heartbeat) = &self.heartbeat else { return Ok(()) };
        let encoder = Encoder::settled(protocol.framing(Role::Server));
        let sent =
            encoder.and_then(|mut encoder| encoder.encode(&heartbeat.message, &mut Vec::new()));
        sent.map_err(|error| {
            Error::caller("heartbeat.message in the limits of the server cannot be sent")
                .with_source(error)
        })
    }
}
