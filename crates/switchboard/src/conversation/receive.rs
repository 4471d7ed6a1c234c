//! Receiving: whole messages, waiting for them or not.

use super::Conversation;
use super::link::Read;
use crate::session::{Event, Message};
use crate::transport::Interest;
use crate::{Error, deadline};
use std::io;
use std::num::NonZeroUsize;
use std::time::Instant;
use switchboard_frame::FrameError;

/// What [`Conversation::try_recv`] found.
#[derive(Debug)]
pub enum Received<'a> {
    /// A message.
    Message(Message<'a>),
    /// No whole message is there yet.
    Pending,
    /// The peer has ended its stream between two messages.
    Finished,
}

/// How a look at the session and the transport ended.
pub(super) enum Outcome {
    Message,
    Finished,
    Pending,
}

/// What a wait of who receives is called in an error.
pub(super) const RECEIVED: &str = "waiting for a message from";

/// Where somebody waits who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// In the call itself.
    Here,
    /// In the caller, which is told so by [`Outcome::Pending`].
    Elsewhere,
    Nowhere,
}

/// What is waited for, and until when.
pub(super) struct Awaited {
    pub(super) interest: Interest,
    pub(super) deadline: Option<Instant>,
    pub(super) since: Instant,
    /// For the error.
    pub(super) what: &'static str,
}

impl Conversation {
    /// Receives the next message, waiting for it. `None` is the end of the stream: the peer has
    /// finished sending, between two messages. It may still be receiving.
    ///
    /// The message is borrowed from the receive buffer: nothing is allocated or copied for it, and
    /// it lives until the next call. [`recv_owned`](Self::recv_owned) gives one to keep.
    ///
    /// # Errors
    /// Every other ending is an error with an [`ending`](Error::ending) of its own: `truncated`
    /// carries the bytes that had arrived ([`Error::partial`]), `reset`, `peer-dead`, a broken
    /// framing. They are told again at every later call. `timed-out` and `stopped` are not final:
    /// everything received is kept, and `recv` may be called again.
    pub fn recv(&mut self) -> Result<Option<Message<'_>>, Error> {
        match self.receive(Waits::Here)? {
            Outcome::Message => Ok(Some(self.session.message())),
            Outcome::Finished | Outcome::Pending => Ok(None),
        }
    }

    /// Receives the next message into a vector of its own.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_owned(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.recv()?.map(|message| message.to_vec()))
    }

    /// Receives the next message if it is there already, without waiting.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), without the deadlines.
    pub fn try_recv(&mut self) -> Result<Received<'_>, Error> {
        Ok(match self.receive(Waits::Nowhere)? {
            Outcome::Message => Received::Message(self.session.message()),
            Outcome::Finished => Received::Finished,
            Outcome::Pending => Received::Pending,
        })
    }

    /// Sends a message and receives the next one.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`recv`](Self::recv); and when the peer finishes without a
    /// reply. Behind `timed-out` the reply may still come, and would be taken for that of another
    /// request: there is none until it has been received.
    pub fn request(&mut self, message: &[u8]) -> Result<Message<'_>, Error> {
        self.may_request()?;
        self.queue(message)?;
        self.owed = true;
        match self.receive(Waits::Here)? {
            Outcome::Message => Ok(self.session.message()),
            Outcome::Finished | Outcome::Pending => Err(self.no_reply()),
        }
    }

    /// # Errors
    /// A reply to an earlier request has not been received.
    pub(super) fn may_request(&self) -> Result<(), Error> {
        match self.owed {
            false => Ok(()),
            true => Err(Error::reply_owed(self.link.transport.name())),
        }
    }

    #[cold]
    pub(super) fn no_reply(&self) -> Error {
        Error::finished("no reply from")
            .at_endpoint(self.link.transport.name())
            .with_advice("it finished without one")
    }

    /// The messages that come, each in a vector of its own, until the peer finishes. An error ends
    /// it too.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages { conversation: self, over: false }
    }

    pub(super) fn receive(&mut self, waits: Waits) -> Result<Outcome, Error> {
        loop {
            let need = match self.buffered()? {
                Ok(outcome) => return Ok(outcome),
                Err(need) => need,
            };
            if let Some(outcome) = self.fill(need, waits)? {
                return Ok(outcome);
            }
        }
    }

    /// What is there already, or how many bytes more are needed.
    pub(super) fn buffered(&mut self) -> Result<Result<Outcome, NonZeroUsize>, Error> {
        if let Some(error) = &self.receive_error {
            return Err(error.clone());
        }
        // Of nothing nothing comes: whoever asks for one message after the other reads at once.
        if self.session.inbound.is_empty() {
            return Ok(Err(NonZeroUsize::MIN));
        }
        loop {
            return match self.session.poll() {
                Ok(Event::Message) => {
                    self.owed = false;
                    Ok(Ok(Outcome::Message))
                }
                Ok(Event::Finished) => Ok(Ok(Outcome::Finished)),
                Ok(Event::Discarded(_)) => continue,
                Ok(Event::Need(need)) => Ok(Err(need)),
                Err(error) => Err(self.broken_frame(error, self.session.inbound.messages() + 1)),
            };
        }
    }

    /// Reads once more, or waits until that can be; flushes what is pending before it waits.
    pub(super) fn fill(
        &mut self,
        need: NonZeroUsize,
        waits: Waits,
    ) -> Result<Option<Outcome>, Error> {
        if self.send_error.is_none() && !self.link.owes_nothing(&self.session.outbound) {
            // Should the peer read no more: what it sent before is still to be received.
            let _ = self.write_now();
        }
        if let Some(error) = self.broken.take() {
            return Err(self.unreadable(error));
        }
        // Where the last read left nothing, whoever may wait begins with that.
        if waits == Waits::Nowhere || !self.link.drained {
            let read = self.link.read(&mut self.session.inbound, need.get());
            match self.readable(read)? {
                Read::Some | Read::End => return Ok(None),
                Read::Nothing => {}
            }
        }
        if waits != Waits::Here {
            return Ok(Some(Outcome::Pending));
        }
        let (now, deadline) = self.due();
        let sends = self.sends();
        if !sends {
            let inbound = &mut self.session.inbound;
            let read = self.link.read_within(inbound, need.get(), (now, deadline));
            if self.readable(read)? != Read::Nothing {
                return Ok(None);
            }
        }
        let awaited = self.awaited(now, deadline);
        if let Err(error) = self.wait(&awaited) {
            // What has come till then is given first.
            let read = self.link.read(&mut self.session.inbound, need.get());
            return match self.readable(read)? {
                Read::Some | Read::End => Ok(None),
                Read::Nothing => Err(self.untimely(error, awaited.since)),
            };
        }
        Ok(None)
    }

    /// The time, and until when is waited. For who waits for ever the clock need not be looked at.
    pub(super) fn due(&mut self) -> (Option<Instant>, Option<Instant>) {
        let now = self.has_deadline().then(deadline::now);
        (now, now.and_then(|now| self.session.poll_deadline(&self.link.timeouts, now)))
    }

    /// Whether there is something to be written meanwhile.
    fn sends(&self) -> bool {
        self.send_error.is_none() && self.session.outbound.pending() > 0
    }

    pub(super) fn awaited(&self, now: Option<Instant>, deadline: Option<Instant>) -> Awaited {
        let what = match self.session.inbound.unread().is_empty() {
            true => RECEIVED,
            false => "waiting for the rest of a message from",
        };
        let interest = if self.sends() { Interest::BOTH } else { Interest::READ };
        Awaited { interest, deadline, since: now.unwrap_or_else(deadline::now), what }
    }

    fn has_deadline(&mut self) -> bool {
        let inbound = &mut self.session.inbound;
        if inbound.has_begun() || self.link.timeouts.idle.is_some() {
            return true;
        }
        inbound.restart_clock();
        false
    }

    /// Waits until there may be something to read.
    fn wait(&mut self, awaited: &Awaited) -> Result<(), Error> {
        let ready = self.link.wait(awaited.interest, awaited.deadline, awaited.what)?;
        self.link.drained = !ready.read;
        self.link.patience.looked(awaited.since, deadline::now());
        Ok(())
    }

    /// Nothing is lost: the next call goes on with what is there, and with a new clock.
    #[cold]
    pub(super) fn untimely(&mut self, error: Error, now: Instant) -> Error {
        let since = self.session.inbound.waits_since().unwrap_or(now);
        self.session.inbound.restart_clock();
        let error = error.since(Some(since), deadline::now());
        error.at_message(self.session.inbound.messages() + 1)
    }

    pub(super) fn readable(&mut self, read: io::Result<Read>) -> Result<Read, Error> {
        read.map_err(|error| {
            let error = self.link.error("cannot receive from", error);
            self.unreadable(error)
        })
    }

    /// The stream is broken behind what was received.
    #[cold]
    fn unreadable(&mut self, error: Error) -> Error {
        let error = error
            .at_message(self.session.inbound.messages() + 1)
            .with_partial(self.session.inbound.partial());
        self.ended(error)
    }

    /// The framing is broken at the message with that number; told again at every later call.
    #[cold]
    pub(super) fn broken_frame(&mut self, error: FrameError, number: u64) -> Error {
        let error = Error::frame(error, self.link.transport.name(), number);
        self.ended(error)
    }

    /// An ending that is told again at every later call.
    #[cold]
    pub(super) fn ended(&mut self, error: Error) -> Error {
        let error = self.session.inbound.shown(error);
        self.receive_error = Some(error.clone());
        error
    }
}

/// An iterator over the messages of a conversation; see [`Conversation::messages`].
#[derive(Debug)]
pub struct Messages<'a> {
    conversation: &'a mut Conversation,
    over: bool,
}

impl Iterator for Messages<'_> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.conversation.recv_owned().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<'a> IntoIterator for &'a mut Conversation {
    type Item = Result<Vec<u8>, Error>;
    type IntoIter = Messages<'a>;

    fn into_iter(self) -> Messages<'a> {
        self.messages()
    }
}
