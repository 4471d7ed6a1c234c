//! A conversation in two halves, for two threads.

use super::{Conversation, Messages, Received};
use crate::Error;
use crate::session::{Message, Session};
use std::sync::Arc;
use switchboard_frame::{Fields, Framing, Protocol, Role};

/// The half that receives; see [`Conversation::split`].
#[derive(Debug)]
pub struct ReceivingHalf {
    pub(super) conversation: Conversation,
}

/// The half that sends; see [`Conversation::split`]. It writes through: nothing is queued in it
/// between two calls but what [`queue`](Self::queue) was asked to.
#[derive(Debug)]
pub struct SendingHalf {
    pub(super) conversation: Conversation,
}

impl Conversation {
    /// Takes the conversation apart into a half that receives and a half that sends, for two
    /// threads. The stream is closed when both are dropped. Neither waits for the other; so a
    /// `recv` does not flush what the other half has queued.
    ///
    /// # Errors
    /// What is pending could not be delivered; or the protocol is coupled (a message of one
    /// direction changes the framing of the other), and so cannot be taken apart.
    pub fn split(mut self) -> Result<(ReceivingHalf, SendingHalf), Error> {
        if self.session.is_coupled() {
            return Err(Error::caller("a coupled protocol cannot be split")
                .with_advice("keep its conversation in one thread"));
        }
        self.flush()?;
        let Session { inbound, outbound, .. } = self.take_session();
        let half = |session: Session| Conversation {
            link: self.link.clone(),
            session,
            receive_error: self.receive_error.clone(),
            send_error: self.send_error.clone(),
            broken: self.broken.clone(),
            finished: self.finished,
            receives: true,
            owed: false,
        };
        let raw = Protocol::symmetric(Framing::raw());
        let mut receiving = half(Session::new(&raw, Role::Client));
        receiving.session.inbound = inbound;
        let mut sending = half(Session::new(&raw, Role::Client));
        sending.session.outbound = outbound;
        sending.receives = false;
        let receiving = ReceivingHalf { conversation: receiving };
        Ok((receiving, SendingHalf { conversation: sending }))
    }
}

impl ReceivingHalf {
    /// As [`Conversation::recv`].
    ///
    /// # Errors
    /// As there.
    pub fn recv(&mut self) -> Result<Option<Message<'_>>, Error> {
        self.conversation.recv()
    }

    /// As [`Conversation::recv_owned`].
    ///
    /// # Errors
    /// As there.
    pub fn recv_owned(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.conversation.recv_owned()
    }

    /// As [`Conversation::try_recv`].
    ///
    /// # Errors
    /// As there.
    pub fn try_recv(&mut self) -> Result<Received<'_>, Error> {
        self.conversation.try_recv()
    }

    /// As [`Conversation::messages`].
    pub fn messages(&mut self) -> Messages<'_> {
        self.conversation.messages()
    }

    /// Puts the two halves together again.
    ///
    /// # Errors
    /// They are of different conversations; or the sending half could not deliver what it had
    /// queued.
    pub fn join(mut self, mut sending: SendingHalf) -> Result<Conversation, Error> {
        let ours = &self.conversation.link.transport;
        if !Arc::ptr_eq(ours, &sending.conversation.link.transport) {
            return Err(Error::caller("these halves are of different conversations"));
        }
        sending.conversation.flush()?;
        self.conversation.session.outbound = sending.conversation.take_session().outbound;
        self.conversation.send_error = sending.conversation.send_error.clone();
        self.conversation.finished = sending.conversation.finished;
        Ok(self.conversation)
    }
}

impl SendingHalf {
    /// As [`Conversation::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.conversation.send(message)
    }

    /// As [`Conversation::send_with`].
    ///
    /// # Errors
    /// As there.
    pub fn send_with(&mut self, fields: &Fields, body: &[u8]) -> Result<(), Error> {
        self.conversation.send_with(fields, body)
    }

    /// As [`Conversation::send_many`].
    ///
    /// # Errors
    /// As there.
    pub fn send_many<M: AsRef<[u8]>>(
        &mut self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<(), Error> {
        self.conversation.send_many(messages)
    }

    /// As [`Conversation::queue`], but nothing flushes it except [`flush`](Self::flush), the next
    /// [`send`](Self::send), [`finish`](Self::finish) or the mark.
    ///
    /// # Errors
    /// As there.
    pub fn queue(&mut self, message: &[u8]) -> Result<(), Error> {
        self.conversation.queue(message)
    }

    /// As [`Conversation::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.conversation.flush()
    }

    /// As [`Conversation::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.conversation.finish()
    }
}
