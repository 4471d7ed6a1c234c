//! Receiving: whole messages, waiting for them or not.

use super::Conversation;
use super::link::Read;
use crate::session::{Event, Message};
use crate::transport::Interest;
use crate::{Error, deadline};
use std::num::NonZeroUsize;
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
        match self.receive(true)? {
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
        Ok(match self.receive(false)? {
            Outcome::Message => Received::Message(self.session.message()),
            Outcome::Finished => Received::Finished,
            Outcome::Pending => Received::Pending,
        })
    }

    /// Sends a message and receives the next one.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`recv`](Self::recv); and when the peer finishes without a
    /// reply.
    pub fn request(&mut self, message: &[u8]) -> Result<Message<'_>, Error> {
        self.queue(message)?;
        match self.receive(true)? {
            Outcome::Message => Ok(self.session.message()),
            Outcome::Finished | Outcome::Pending => Err(Error::finished("no reply from")
                .at_endpoint(self.link.transport.name())
                .with_advice("it finished without one")),
        }
    }

    /// The messages that come, each in a vector of its own, until the peer finishes. An error ends
    /// it too.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages { conversation: self, over: false }
    }

    fn receive(&mut self, waits: bool) -> Result<Outcome, Error> {
        if let Some(error) = &self.receive_error {
            return Err(error.clone());
        }
        loop {
            let need = match self.session.poll() {
                Ok(Event::Message) => return Ok(Outcome::Message),
                Ok(Event::Finished) => return Ok(Outcome::Finished),
                Ok(Event::Discarded(_)) => continue,
                Ok(Event::Need(need)) => need,
                Err(error) => {
                    return Err(self.broken_frame(error, self.session.inbound.messages() + 1));
                }
            };
            if let Some(outcome) = self.fill(need, waits)? {
                return Ok(outcome);
            }
        }
    }

    /// Reads once more; flushes what is pending before it waits.
    pub(super) fn fill(
        &mut self,
        need: NonZeroUsize,
        waits: bool,
    ) -> Result<Option<Outcome>, Error> {
        if self.send_error.is_none() {
            // Should the peer read no more: what it sent before is still to be received.
            let _ = self.write_now();
        }
        let read = match self.broken.take() {
            Some(error) => Err(error),
            None => {
                let read = self.link.read(&mut self.session.inbound, need.get());
                read.map_err(|error| self.link.error("cannot receive from", error))
            }
        };
        match read {
            Ok(Read::Some | Read::End) => return Ok(None),
            Ok(Read::Nothing) if !waits => return Ok(Some(Outcome::Pending)),
            Ok(Read::Nothing) => {}
            Err(error) => {
                let error = error
                    .at_message(self.session.inbound.messages() + 1)
                    .with_partial(self.session.inbound.partial());
                return Err(self.ended(error));
            }
        }
        let sends = self.send_error.is_none() && self.session.outbound.pending() > 0;
        let interest = if sends { Interest::BOTH } else { Interest::READ };
        let now = deadline::now();
        let deadline = self.session.poll_deadline(&self.link.timeouts, now);
        let what = match self.session.inbound.unread().is_empty() {
            true => "waiting for a message from",
            false => "waiting for the rest of a message from",
        };
        if let Err(error) = self.link.wait(interest, deadline, what) {
            // Nothing is lost: the next call goes on with what is there, and with a new clock.
            let since = self.session.inbound.waits_since().unwrap_or(now);
            self.session.inbound.restart_clock();
            let error = error.since(Some(since), deadline::now());
            return Err(error.at_message(self.session.inbound.messages() + 1));
        }
        Ok(None)
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
