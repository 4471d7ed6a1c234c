//! One conversation without any input or output: bytes and events in, messages and bytes out.
//!
//! ```text
//!  handle_received / handle_end ->  [ buffer -> decoder -> assembler ]  -> poll, message
//!  poll_transmit, handle_sent  <-   [ out bytes  <-  encoder         ]  <- queue
//!                                     deadlines, coupling
//! ```
//!
//! A [`Session`] owns the state of both directions and nothing else: the blocking conversation, an
//! event loop and a simulator drive the same one. Methods are getters, `handle_*` for what happened
//! to the transport, and `poll_*` for what is to be done; time is an argument. It reads no clock,
//! makes no system call and never waits.
//!
//! **Invariant:** a message is given whole or not at all, everything received whole is given before
//! an ending is told, and an ending is told again at every later call.

mod buffers;
mod inbound;
mod message;
mod outbound;
mod rest;
mod run;
mod sending;

pub(crate) use buffers::{Buffers, park};
pub use inbound::{Event, Inbound};
pub use message::Message;
pub use outbound::{Outbound, Unsent};
pub(crate) use rest::Rest;
pub(crate) use run::Run;
pub(crate) use sending::Sending;

use crate::limits;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};
use switchboard_frame::{
    Coupler, Decoder, EncodeError, Encoder, FrameError, Framing, Protocol, Role,
};

/// How long a conversation waits, and for what. `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the moment that more of a message already begun has to be waited for until it is whole,
    /// and what [`rate_min`](Self::rate_min) adds to it.
    pub message: Option<Duration>,
    /// Bytes a second at which a message begun must come at least, once [`message`](Self::message)
    /// has passed: so many bytes buy a second more, as long as something comes within each such
    /// time. A large message over a slow link is let through; a peer that sends a byte now and then
    /// is not, and neither is one that sent much and then falls silent. `None`: however much comes,
    /// the time stays the same.
    pub rate_min: Option<NonZeroU32>,
    /// For the first byte of the next message, from when waiting for it begins.
    pub idle: Option<Duration>,
    /// For the peer to take any byte of what is sent.
    pub stall: Option<Duration>,
}

impl Timeouts {
    /// Waits for ever, for everything. A peer that is gone is then told only by
    /// [`Liveness`](crate::Liveness).
    pub const FOREVER: Timeouts =
        Timeouts { message: None, rate_min: None, idle: None, stall: None };

    /// The same limit for everything.
    #[must_use]
    pub fn all(time: Duration) -> Timeouts {
        Timeouts { message: Some(time), rate_min: None, idle: Some(time), stall: Some(time) }
    }
}

impl Default for Timeouts {
    /// The values in [`limits`].
    fn default() -> Timeouts {
        Timeouts {
            message: Some(limits::MESSAGE_TIMEOUT),
            rate_min: NonZeroU32::new(limits::MESSAGE_RATE_MIN),
            idle: Some(limits::IDLE_TIMEOUT),
            stall: Some(limits::STALL_TIMEOUT),
        }
    }
}

/// The state of one conversation; see the [module](self).
///
/// # Examples
/// ```
/// use switchboard::session::{Event, Session};
/// use switchboard_frame::{Protocol, Role};
///
/// let mut session = Session::new(&Protocol::parse("netstring")?, Role::Client);
/// session.queue(b"hello")?;
/// assert_eq!(session.poll_transmit(), b"5:hello,");
/// session.handle_sent(8);
///
/// let space = session.receive_space(1);
/// space[..6].copy_from_slice(b"2:hi,3");
/// session.handle_received(6);
/// assert!(matches!(session.poll()?, Event::Message));
/// assert_eq!(&*session.message(), b"hi");
/// assert!(matches!(session.poll()?, Event::Need(_)));
///
/// session.handle_end();
/// assert_eq!(session.poll().unwrap_err().to_string(),
///     "truncated: frame at byte 5, the stream ended after 1 bytes of it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    role: Role,
    /// What comes in.
    pub inbound: Inbound,
    /// What goes out.
    pub outbound: Outbound,
    coupler: Option<Coupler>,
    /// To be switched to before the next step: the message given last is still read with the old.
    next_inbound: Option<Framing>,
    /// It has a framing, or a codec, that the protocol it began with does not know of.
    switched: bool,
    notice: Option<&'static str>,
}

impl Session {
    /// A session at the start of both streams. `role` is this side's.
    #[must_use]
    pub fn new(protocol: &Protocol, role: Role) -> Session {
        Session {
            role,
            inbound: Inbound::new(protocol.framing(role.other())),
            outbound: Outbound::new(protocol.framing(role)),
            coupler: protocol.is_coupled().then(|| protocol.coupler()),
            next_inbound: None,
            switched: false,
            notice: None,
        }
    }

    /// A session with a decoder and an encoder of one's own.
    #[must_use]
    pub fn with_codec(decoder: Decoder, encoder: Encoder) -> Session {
        Session {
            role: Role::Client,
            inbound: Inbound::with_decoder(decoder),
            outbound: Outbound::with_encoder(Ok(encoder)),
            coupler: None,
            next_inbound: None,
            switched: true,
            notice: None,
        }
    }

    /// This side's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether a message of one direction may change the framing of the other.
    #[must_use]
    pub fn is_coupled(&self) -> bool {
        self.coupler.is_some()
    }

    /// Why the streams can be read no further, once a coupled protocol has said so:
    /// `encrypted from here`.
    #[must_use]
    pub fn notice(&self) -> Option<&'static str> {
        self.notice
    }

    /// Switches to another protocol by hand, both directions. Bytes already received are framed
    /// anew; none is lost.
    pub fn set_protocol(&mut self, protocol: &Protocol) {
        self.sending().set_protocol(protocol);
    }

    /// The message that the last poll told, and what can be sent while it is looked at.
    #[inline]
    pub(crate) fn message_and_sending(&mut self) -> (Message<'_>, Sending<'_>) {
        let Session { role, inbound, outbound, coupler, next_inbound, switched, notice } = self;
        let role = *role;
        let sending = Sending { role, outbound, coupler, next_inbound, switched, notice };
        (inbound.message(), sending)
    }

    /// The messages that lie one behind the other, and what can be sent meanwhile. The first is the
    /// one that the last poll told, if `is_told`.
    #[inline]
    pub(crate) fn run(&mut self, is_told: bool) -> (Run<'_>, Sending<'_>) {
        let Session { role, inbound, outbound, coupler, next_inbound, switched, notice } = self;
        let role = *role;
        // Else each message may change how the next is to be read.
        let plain = coupler.is_none() && next_inbound.is_none();
        let sending = Sending { role, outbound, coupler, next_inbound, switched, notice };
        (inbound.run(is_told, plain), sending)
    }

    /// Whether a [run](Self::run) without one that is told would give a message.
    pub(crate) fn has_run(&mut self) -> bool {
        self.run(false).0.is_there()
    }

    /// What can be sent.
    pub(crate) fn sending(&mut self) -> Sending<'_> {
        let Session { role, outbound, coupler, next_inbound, switched, notice, .. } = self;
        let role = *role;
        Sending { role, outbound, coupler, next_inbound, switched, notice }
    }

    /// Room for the next read from the transport, at least one byte.
    pub fn receive_space(&mut self, need: usize) -> &mut [u8] {
        self.inbound.space(need)
    }

    /// So many bytes have been read into [`receive_space`](Self::receive_space).
    pub fn handle_received(&mut self, bytes: usize) {
        self.inbound.handle_received(bytes);
    }

    /// The peer has ended its stream.
    pub fn handle_end(&mut self) {
        self.inbound.handle_end();
    }

    /// What the bytes received come to.
    ///
    /// # Errors
    /// The stream breaks the framing; the same error at every later call.
    #[inline]
    pub fn poll(&mut self) -> Result<Event, FrameError> {
        if let Some(framing) = self.next_inbound.take() {
            self.inbound.set_framing(&framing);
        }
        let event = self.inbound.poll()?;
        if matches!(event, Event::Message) && self.coupler.is_some() {
            self.observe(self.role.other());
        }
        Ok(event)
    }

    /// Polls for as long as that tells messages, and gives them, at most `max`: many small ones
    /// cost less than with a [`poll`](Self::poll) each. Tells what the last poll came to, which was
    /// not given; [`Event::Message`] when there may be more.
    ///
    /// ```
    /// use switchboard::session::{Event, Session};
    /// use switchboard_frame::{Protocol, Role};
    ///
    /// let mut session = Session::new(&Protocol::parse("lines")?, Role::Client);
    /// session.receive_space(1)[..10].copy_from_slice(b"a\nbc\ndef\ng");
    /// session.handle_received(10);
    /// let mut lengths = Vec::new();
    /// let event = session.poll_messages(usize::MAX, |message| lengths.push(message.len()))?;
    /// assert_eq!(lengths, [1, 2, 3]);
    /// assert!(matches!(event, Event::Need(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`poll`](Self::poll), behind the messages before the fault.
    pub fn poll_messages(
        &mut self,
        max: usize,
        mut give: impl FnMut(&Message<'_>),
    ) -> Result<Event, FrameError> {
        let mut given = 0;
        while given < max {
            match self.poll()? {
                Event::Message => given += self.give_run(max - given, &mut give),
                event => return Ok(event),
            }
        }
        Ok(Event::Message)
    }

    /// Gives the message that the last poll told, and those that lie behind it; how many.
    pub(crate) fn give_run(&mut self, max: usize, mut give: impl FnMut(&Message<'_>)) -> usize {
        let (mut run, _) = self.run(true);
        let mut given = 0;
        while given < max
            && let Some(message) = run.next()
        {
            give(&message);
            given += 1;
        }
        given
    }

    /// Whether a poll could tell something new.
    pub(crate) fn may_be_ready(&self) -> bool {
        // Another framing may find a message in what the last one saw no end of.
        self.inbound.may_be_ready()
            || self.next_inbound.is_some() && !self.inbound.unread().is_empty()
    }

    /// The message that the last [`poll`](Self::poll) told.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        self.inbound.message()
    }

    /// Frames a message and puts it behind what is still to be sent.
    ///
    /// # Errors
    /// The message cannot be written in this framing; nothing is queued.
    pub fn queue(&mut self, message: &[u8]) -> Result<(), EncodeError> {
        self.sending().queue(message)
    }

    /// What is to be written to the transport next; empty when there is nothing.
    #[must_use]
    pub fn poll_transmit(&self) -> &[u8] {
        self.outbound.poll_transmit()
    }

    /// The transport has taken so many bytes of [`poll_transmit`](Self::poll_transmit).
    pub fn handle_sent(&mut self, bytes: usize) {
        self.outbound.handle_sent(bytes);
    }

    /// When waiting for more is to be given up, if it begins or goes on at `now`.
    pub fn poll_deadline(&mut self, timeouts: &Timeouts, now: Instant) -> Option<Instant> {
        self.inbound.poll_deadline(timeouts, now)
    }

    #[cold]
    fn observe(&mut self, writer: Role) {
        let (message, mut sending) = self.message_and_sending();
        sending.observe(writer, &message);
    }
}
