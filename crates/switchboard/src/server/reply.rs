//! What a service answers through: [`Reply`].

use super::bench::Bench;
use super::inbox::{Mailbox, Token};
use super::line::{Held, Line, Phase};
use super::sender::{Pending, Sender, SlowPeer};
use super::stats::Count;
use crate::session::Sending;
use crate::transport::Transport;
use crate::{Ending, Endpoint, Error, limits};
use bytes::Bytes;
use std::any::Any;
use std::io::ErrorKind;
use std::sync::Arc;
use switchboard_frame::{EncodeError, Fields, Protocol};

/// The handle through which a [`Service`](super::Service) answers, and does everything else with
/// its conversation.
///
/// Nothing here waits. What is sent is gathered and leaves in one write when the service has been
/// given all messages that came together, so a flush cannot be forgotten.
pub struct Reply<'a> {
    pub(super) sending: Sending<'a>,
    line: &'a mut Line,
    bench: &'a Bench,
    token: Token,
    /// So many bytes can be sent, and the next message be given, without another question. Whatever
    /// might change that takes it away.
    room: usize,
}

impl<'a> Reply<'a> {
    #[inline]
    pub(super) fn new(
        sending: Sending<'a>,
        line: &'a mut Line,
        bench: &'a Bench,
        token: Token,
        room: usize,
    ) -> Reply<'a> {
        Reply { sending, line, bench, token, room }
    }
}

impl Reply<'_> {
    /// Sends a message. Any number may be sent for one that came, or none.
    ///
    /// # Errors
    /// The message cannot be written in this framing: nothing is sent of it. The conversation has
    /// been [closed](Self::close) or [finished](Self::finish). So much is queued that it would pass
    /// [`queued_bytes_max`](super::Limits::queued_bytes_max).
    ///
    /// Behind an answer that was [promised](Self::later) a message waits as it is, and is written
    /// when its turn comes: one that cannot be written ends the conversation then. That the peer
    /// takes nothing any more is no error here: what is sent is dropped, and
    /// [`closed`](super::Service::closed) tells.
    #[inline]
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        if message.len() <= self.room && self.sending.outbound.queue_simple(message) {
            self.room -= message.len();
            return Ok(());
        }
        self.send_otherwise(message)
    }

    #[inline(never)]
    fn send_otherwise(&mut self, message: &[u8]) -> Result<(), Error> {
        if message.len() > limits::WRITE_THROUGH_BYTES
            && self.room() >= message.len()
            && self.sent_through(message)
        {
            self.room = 0;
            return Ok(());
        }
        if !self.goes_at_once(message.len())? {
            return self.later_or_never(Held::Message(Bytes::copy_from_slice(message)));
        }
        let queued = self.sending.queue(message);
        self.queued(queued)
    }

    /// Offers a large message to the transport as it lies, behind what is queued; what the
    /// transport does not take is queued. `false` where the framing has to see a message before its
    /// head.
    fn sent_through(&mut self, message: &[u8]) -> bool {
        let (outbound, line) = (&mut *self.sending.outbound, &mut *self.line);
        let Ok(mut through) = outbound.begin_through(message) else { return false };
        loop {
            match line.transport.write_vectored(&through.parts()) {
                Ok(sent) => {
                    through.handle_sent(sent);
                    line.said = self.bench.now;
                    self.bench.counters.add(Count::BytesSent, sent as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    through.end();
                    line.deafened("cannot send to", error);
                    outbound.discard();
                    return true;
                }
            }
            // A write that takes less than all says as much as the next one would.
            through.end();
            return true;
        }
    }

    /// Sends a message that is shared: where it has to wait it is held, not copied.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_shared(&mut self, message: &Bytes) -> Result<(), Error> {
        if !self.goes_at_once(message.len())? {
            return self.later_or_never(Held::Message(message.clone()));
        }
        let queued = self.sending.queue(message);
        self.queued(queued)
    }

    /// Sends a message with values for the named fields of its header.
    ///
    /// # Errors
    /// As [`send`](Self::send); also for a field that is missing, unknown, or does not fit.
    pub fn send_with(&mut self, fields: &Fields, body: &[u8]) -> Result<(), Error> {
        if !self.goes_at_once(body.len())? {
            return self.later_or_never(Held::With(fields.clone(), body.to_vec()));
        }
        let queued = self.sending.queue_with(fields, body);
        self.queued(queued)
    }

    /// How many bytes may be sent, where nothing but their number is in the way of that.
    fn room(&self) -> usize {
        let flags = &self.line.flags;
        let is_plain = self.line.phase == Phase::Open
            && !flags.finishing
            && !self.sending.is_coupled()
            && self.is_next();
        let queued = self.queued_bytes();
        if !is_plain || queued > 0 && self.bench.may_be_over_queued() {
            return 0;
        }
        self.bench.setup.limits.queued_bytes_max.saturating_sub(queued)
    }

    /// Whether the next message can be given to the service as the last one was: with not so much
    /// queued that it is to be written, and nothing changed.
    #[inline]
    pub(super) fn goes_on(&mut self) -> bool {
        self.room > 0 || self.looks_whether_it_goes_on()
    }

    #[inline(never)]
    fn looks_whether_it_goes_on(&mut self) -> bool {
        let (flags, queued) = (&self.line.flags, self.sending.outbound.pending());
        let mark = self.bench.setup.mark;
        let goes_on = self.line.phase == Phase::Open
            && !flags.paused
            && !flags.full
            && self.line.held() == 0
            && !self.sending.reframes()
            && queued < mark;
        if goes_on {
            self.room = self.room().min(mark - queued).min(limits::WRITE_THROUGH_BYTES);
        }
        goes_on
    }

    /// Whether a message can be framed now, or must wait for an answer that was promised, or comes
    /// to nothing.
    #[inline]
    fn goes_at_once(&mut self, bytes: usize) -> Result<bool, Error> {
        self.room = 0;
        let flags = &self.line.flags;
        if flags.finishing || self.line.phase != Phase::Open {
            return Err(self.caller("nothing can be sent any more to", "the service has closed it"));
        }
        let queued = self.queued_bytes();
        let limits = &self.bench.setup.limits;
        if queued.saturating_add(bytes) > limits.queued_bytes_max
            || queued > 0 && self.bench.is_over_queued()
        {
            return Err(self.over_limit(queued));
        }
        Ok(self.is_next())
    }

    /// Whether nothing that was promised is to go before, and the peer takes what is sent.
    #[inline]
    fn is_next(&self) -> bool {
        self.line.extras.is_none() || self.line.held() == 0 && !self.line.is_deaf()
    }

    #[cold]
    fn later_or_never(&mut self, held: Held) -> Result<(), Error> {
        if !self.line.is_deaf() {
            self.line.hold(held);
        }
        Ok(())
    }

    #[cold]
    fn over_limit(&self, queued: usize) -> Error {
        Error::limit(format!("{queued} bytes are queued, and no more may be, for"))
            .at_endpoint(self.line.transport.name())
            .with_advice(
                "send less at a time, wait for the peer to take it, or raise queued_bytes_max in \
                 the limits",
            )
    }

    #[inline]
    fn queued(&self, result: Result<(), EncodeError>) -> Result<(), Error> {
        result.map_err(|error| self.cannot_send(error))
    }

    #[cold]
    fn cannot_send(&self, error: EncodeError) -> Error {
        Error::caller("cannot send to")
            .with_source(error)
            .at_endpoint(self.line.transport.name())
            .at_message(self.sending.outbound.messages() + 1)
    }

    #[cold]
    fn caller(&self, what: &str, advice: &str) -> Error {
        Error::caller(what).at_endpoint(self.line.transport.name()).with_advice(advice)
    }

    /// Promises an answer that is given later, from any thread. Answers leave in the order in which
    /// they were asked for: whatever is sent here meanwhile waits behind this one. There may be
    /// [`later_max`](super::Limits::later_max) promises at a time; then nothing more is read from
    /// the peer until one is kept.
    ///
    /// ```
    /// use switchboard::server::{Reply, Server};
    ///
    /// let server = Server::new("u32be")?.listen("127.0.0.1:0")?;
    /// let running = server.start(|| |message: &[u8], reply: &mut Reply<'_>| {
    ///     let (message, answer) = (message.to_vec(), reply.later());
    ///     // Whatever takes its time does so somewhere else.
    ///     std::thread::spawn(move || answer.send(message.to_ascii_uppercase()));
    /// })?;
    /// let endpoint = running.endpoints()[0].to_string();
    /// let mut client = switchboard::Conversation::connect(&endpoint, "u32be")?;
    /// client.send_many(["a", "b", "c"])?;
    /// for expected in [b"A", b"B", b"C"] {
    ///     assert_eq!(&*client.recv()?.unwrap(), expected);
    /// }
    /// running.stop()?;
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    pub fn later(&mut self) -> Pending {
        self.room = 0;
        let mailbox = self.mailbox();
        let extras = self.line.extras();
        extras.promises += 1;
        let number = extras.promises;
        self.line.hold(Held::Promise(number));
        Pending::new(mailbox, number)
    }

    /// A handle that reaches this conversation from anywhere, for as long as it lives: another
    /// conversation's service, another thread. What it sends does not wait for promised answers.
    ///
    /// # Errors
    /// Under *processes*: other conversations have no memory in common with this one.
    pub fn sender(&mut self, policy: SlowPeer) -> Result<Sender, Error> {
        if self.bench.shared.is_of_child() {
            let what = "a sender cannot be had: other processes do not reach this conversation, at";
            let advice = "use threads or events for what is sent from one conversation to another";
            return Err(self.caller(what, advice));
        }
        Ok(Sender::new(self.mailbox(), policy))
    }

    fn mailbox(&mut self) -> Arc<Mailbox> {
        let Reply { line, bench, token, .. } = self;
        let is_closing = line.phase != Phase::Open || line.flags.finishing;
        let make = || Arc::new(Mailbox::new(bench, *token));
        let mailbox = line.extras().mailbox.get_or_insert_with(make);
        if is_closing {
            mailbox.close_to_messages();
        }
        Arc::clone(mailbox)
    }

    /// Ends the conversation so that the peer loses nothing: no more messages are given to the
    /// service; what is queued or promised is delivered; then this side half-closes and throws away
    /// what still comes until the peer's end, for as long as [`linger`](super::Limits::linger)
    /// says.
    pub fn close(&mut self) {
        self.room = 0;
        let ended = self.line.flags.told_finished;
        self.line.close(if ended { Ending::Finished } else { Ending::Stopped }, None);
    }

    /// Says that this side is done sending, once what is queued or promised is delivered. Messages
    /// that come are still given to the service.
    pub fn finish(&mut self) {
        self.room = 0;
        self.line.finish();
    }

    /// Switches to another framing, both ways: of what is sent from here on, and of what comes
    /// behind the message at hand. Bytes already received are framed anew; none is lost.
    pub fn set_framing(&mut self, protocol: &Protocol) {
        self.room = 0;
        if self.line.held() > 0 {
            self.line.hold(Held::Framing(Box::new(protocol.clone())));
            self.sending.set_inbound(protocol);
        } else {
            self.sending.set_protocol(protocol);
        }
    }

    /// Reads nothing more from the peer until [`resume`](Self::resume) or
    /// [`Sender::resume`]: what it sends fills the system's buffers, and then it has to wait.
    pub fn pause(&mut self) {
        self.room = 0;
        self.line.flags.paused = true;
    }

    /// Goes on reading.
    pub fn resume(&mut self) {
        if std::mem::take(&mut self.line.flags.paused) {
            self.line.heard = self.bench.now;
        }
    }

    /// The number of this conversation among all that the server has let in, from 1: the same under
    /// every dispatcher.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.line.number
    }

    /// The peer's endpoint, when it has one that says something.
    #[must_use]
    pub fn remote(&self) -> Option<Endpoint> {
        self.line.transport.remote()
    }

    /// This side's endpoint.
    #[must_use]
    pub fn local(&self) -> Option<Endpoint> {
        self.line.transport.local()
    }

    /// The stream. [Reset](Transport::reset) from another thread it breaks the conversation off,
    /// also while a method of the service does not return.
    ///
    /// ```
    /// use switchboard::server::{Reply, Server};
    ///
    /// let server = Server::new("lines")?.listen("127.0.0.1:0")?;
    /// let running = server.start(|| |_: &[u8], reply: &mut Reply<'_>| {
    ///     let stream = std::sync::Arc::clone(reply.transport());
    ///     std::thread::spawn(move || stream.reset());
    /// })?;
    /// let endpoint = running.endpoints()[0].to_string();
    /// let mut client = switchboard::Conversation::connect(&endpoint, "lines")?;
    /// assert!(client.request(b"hello").is_err_and(|error| error.is_reset()));
    /// # running.stop()?;
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.line.transport
    }

    /// Bytes that are queued and that the peer has not taken yet.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.sending.outbound.pending() + self.line.held_bytes()
    }

    /// Something that belongs to this conversation, made when it is first asked for: what a closure
    /// has instead of a service's fields. One value; another type replaces it.
    ///
    /// ```
    /// use switchboard::server::Reply;
    ///
    /// let count = |_: &[u8], reply: &mut Reply<'_>| {
    ///     *reply.data::<u64>() += 1;
    ///     let count = *reply.data::<u64>();
    ///     reply.send(count.to_string().as_bytes())
    /// };
    /// # let _ = switchboard::server::Server::new("lines")?.start(move || count);
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    pub fn data<T: Any + Default>(&mut self) -> &mut T {
        let slot = &mut self.line.extras().data;
        if !slot.as_ref().is_some_and(|data| data.is::<T>()) {
            *slot = Some(Box::<T>::default());
        }
        let data = slot.as_mut().and_then(|data| data.downcast_mut());
        data.unwrap_or_else(|| unreachable!("a value of this type was put there just now"))
    }
}

impl std::fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("to", &self.line.transport).finish_non_exhaustive()
    }
}
