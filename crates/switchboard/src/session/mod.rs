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

mod inbound;
mod outbound;

pub use inbound::{Event, Inbound, Message};
pub use outbound::{Outbound, Unsent};

use crate::limits;
use std::time::{Duration, Instant};
use switchboard_frame::{
    Coupler, Decoder, EncodeError, Encoder, FrameError, Framing, Protocol, Role,
};

/// How long a conversation waits, and for what. `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the moment that more of a message already begun has to be waited for until it is whole.
    pub message: Option<Duration>,
    /// For the first byte of the next message, from when waiting for it begins.
    pub idle: Option<Duration>,
    /// For the peer to take any byte of what is sent.
    pub stall: Option<Duration>,
}

impl Timeouts {
    /// Waits for ever, for everything. A peer that is gone is then told only by
    /// [`Liveness`](crate::Liveness).
    pub const FOREVER: Timeouts = Timeouts { message: None, idle: None, stall: None };

    /// The same limit for everything.
    #[must_use]
    pub fn all(time: Duration) -> Timeouts {
        Timeouts { message: Some(time), idle: Some(time), stall: Some(time) }
    }
}

impl Default for Timeouts {
    /// The values in [`limits`].
    fn default() -> Timeouts {
        Timeouts {
            message: Some(limits::MESSAGE_TIMEOUT),
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
        self.inbound.set_framing(protocol.framing(self.role.other()));
        self.outbound.set_framing(protocol.framing(self.role));
        self.coupler = protocol.is_coupled().then(|| protocol.coupler());
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
    pub fn poll(&mut self) -> Result<Event, FrameError> {
        let event = self.inbound.poll()?;
        if matches!(event, Event::Message) && self.coupler.is_some() {
            self.observe(self.role.other());
        }
        Ok(event)
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
        self.outbound.queue(message)?;
        if self.coupler.is_some() {
            self.observe_sent(message);
        }
        Ok(())
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
        let Some(coupler) = &mut self.coupler else { return };
        let switches = coupler.observe(writer, &self.inbound.message());
        self.switch(switches);
    }

    #[cold]
    fn observe_sent(&mut self, message: &[u8]) {
        let Some(coupler) = &mut self.coupler else { return };
        let switches = coupler.observe(self.role, message);
        self.switch(switches);
    }

    fn switch(&mut self, switches: Vec<switchboard_frame::Switch>) {
        for switch in switches {
            let framing: &Framing = &switch.framing;
            match switch.writer == self.role {
                true => self.outbound.set_framing(framing),
                false => self.inbound.set_framing(framing),
            }
            self.notice = self.notice.or(switch.why);
        }
    }
}
