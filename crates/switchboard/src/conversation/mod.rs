//! A framed connection: sends and receives whole messages over a transport, and waits for them.
//!
//! A [`Conversation`] drives one [`Session`] over one [`Transport`]. It owns the waiting:
//! deadlines, the stopper, and the rule that pending output is flushed before any wait for input.
//! What a message is it leaves to the session.
//!
//! **Invariants:** nothing waits for ever unless the user wrote so; a timeout of receiving loses
//! nothing; a message that was sent by half poisons the sending direction and says so; dropping
//! never blocks.

mod early;
mod fail;
mod link;
mod ready;
mod receive;
mod send;
mod shared;
mod split;
mod stream;
mod turn;

pub use ready::SharedSource;
pub use receive::{Messages, Received};
pub use send::lost_bytes;
pub use shared::{Look, SharedConversation};
pub use split::{ReceivingHalf, SendingHalf};

use crate::session::{Session, Timeouts};
use crate::transport::{Interrupt, Transport};
use crate::{Endpoint, Error, Listener, Liveness, Stopper};
use link::Link;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use switchboard_frame::{Decode, Decoder, Encode, Encoder, Framing, Protocol, Role};

/// A framed connection; the same type at both ends.
///
/// # Examples
/// ```
/// use switchboard::{Conversation, Listener};
///
/// let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &Default::default())?;
/// let endpoint = listener.endpoints()[0].to_string();
/// let server = std::thread::spawn(move || -> Result<(), switchboard::Error> {
///     let mut conversation = listener.accept_conversation(&"u32be".parse().unwrap())?;
///     while let Some(message) = conversation.recv()? {
///         let reply = message.to_ascii_uppercase();
///         conversation.send(&reply)?;
///     }
///     conversation.close()
/// });
///
/// let mut client = Conversation::connect(&endpoint, "u32be")?;
/// assert_eq!(&*client.request(b"hello")?, b"HELLO");
/// client.finish()?; // Done sending, still receiving.
/// assert!(client.recv()?.is_none());
/// server.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Who waits for what
/// - [`recv`](Self::recv) first gives what is already there, then writes what is still to be sent,
///   then waits: for the first byte of a message as long as [`Timeouts::idle`] says, for the rest
///   of it as long as [`Timeouts::message`] says.
/// - [`send`](Self::send) waits while the peer takes nothing, as long as [`Timeouts::stall`] says;
///   meanwhile it reads ahead a bounded amount, so that two sides that both send do not block each
///   other too soon.
/// - After a timeout everything received is still there and `recv` may be called again.
pub struct Conversation {
    link: Link,
    session: Session,
    /// How receiving ended, other than well.
    receive_error: Option<Error>,
    /// Why nothing can be sent any more.
    send_error: Option<Error>,
    /// The stream broke while a `send` read ahead; told behind what came before it.
    broken: Option<Error>,
    /// This side has half-closed.
    finished: bool,
    /// This side receives too, so a `send` that waits may read ahead.
    receives: bool,
    /// A request was sent whose reply has not been received.
    owed: bool,
}

impl Conversation {
    /// Connects to an endpoint, as the client.
    ///
    /// # Errors
    /// A string that is no endpoint or no framing, and whatever [`Endpoint::connect`] says: each
    /// address that was tried.
    pub fn connect(endpoint: &str, framing: &str) -> Result<Conversation, Error> {
        let protocol = parse_protocol(framing)?;
        let endpoint: Endpoint =
            endpoint.parse().map_err(|error| Error::caller("cannot connect").with_source(error))?;
        let transport = endpoint.connect(&crate::ConnectOptions::default())?;
        Ok(Conversation::with_role(transport, &protocol, Role::Client))
    }

    /// Two conversations with each other in memory, the client's side and the server's: for tests
    /// of what one's own program says, without a network.
    ///
    /// ```
    /// use switchboard::Conversation;
    ///
    /// let (mut client, mut server) = Conversation::pair("lines")?;
    /// client.send(b"hello")?;
    /// assert_eq!(&*server.recv()?.expect("a message"), b"hello");
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// A string that is no framing; or no descriptors are left, of which a pair takes four.
    pub fn pair(framing: &str) -> Result<(Conversation, Conversation), Error> {
        let protocol = parse_protocol(framing)?;
        let (a, b) = crate::transport::pair()
            .map_err(|error| Error::io("cannot make a pair in memory", error))?;
        let client = Conversation::with_role(Arc::new(a), &protocol, Role::Client);
        Ok((client, Conversation::with_role(Arc::new(b), &protocol, Role::Server)))
    }

    /// A conversation over a transport, where both directions have the same framing.
    ///
    /// For a protocol with two different directions this is the client's side; see
    /// [`with_role`](Self::with_role).
    #[must_use]
    pub fn over(transport: Arc<dyn Transport>, protocol: &Protocol) -> Conversation {
        Conversation::with_role(transport, protocol, Role::Client)
    }

    /// A conversation over a transport, on this side of the protocol.
    #[must_use]
    pub fn with_role(
        transport: Arc<dyn Transport>,
        protocol: &Protocol,
        role: Role,
    ) -> Conversation {
        Conversation::with_session(transport, Session::new(protocol, role))
    }

    /// A conversation with a decoder and an encoder of one's own, for a format that no framing
    /// string can say.
    #[must_use]
    pub fn with_codec(
        transport: Arc<dyn Transport>,
        decode: Box<dyn Decode>,
        encode: Box<dyn Encode>,
    ) -> Conversation {
        let session = Session::with_codec(Decoder::custom(decode), Encoder::custom(encode));
        Conversation::with_session(transport, session)
    }

    fn with_session(transport: Arc<dyn Transport>, session: Session) -> Conversation {
        Conversation {
            link: Link::new(transport),
            session,
            receive_error: None,
            send_error: None,
            broken: None,
            finished: false,
            receives: true,
            owed: false,
        }
    }

    /// Sets how long to wait, and for what.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.link.timeouts = timeouts;
    }

    /// The same, in one expression.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Conversation {
        self.set_timeouts(timeouts);
        self
    }

    /// The same limit for all waiting: idle, message, stall.
    #[must_use]
    pub fn with_timeout(self, time: Duration) -> Conversation {
        self.with_timeouts(Timeouts::all(time))
    }

    /// Sets how a peer that has silently gone is noticed.
    ///
    /// # Errors
    /// The system refuses the values.
    pub fn set_liveness(&self, liveness: &Liveness) -> Result<(), Error> {
        let done = self.link.transport.set_liveness(liveness);
        done.map_err(|error| self.link.error("cannot set the liveness of", error))
    }

    /// How long the transport may take to open, from now: a TLS handshake, or whatever else comes
    /// before the first byte. [`OPENING_TIMEOUT`](crate::limits::OPENING_TIMEOUT) from when the
    /// conversation was made, if nothing is said; `None` is for ever. A transport that is open, or
    /// needs no opening, takes no notice.
    pub fn set_opening_timeout(&mut self, time: Option<Duration>) {
        self.link.opens_until = time.and_then(crate::deadline::after);
    }

    /// Waits until the transport is open, for as long as that
    /// [may take](Self::set_opening_timeout). Nobody needs to call it: the first message waits for
    /// it too. It is for who wants to know before whom he is talking to.
    ///
    /// # Errors
    /// Opening failed, or took too long; a stop.
    pub fn open(&mut self) -> Result<(), Error> {
        self.link.open()
    }

    /// A stopper ends every call of this conversation that waits, now or later, with the ending
    /// `stopped`. One stopper may serve many conversations.
    pub fn set_stopper(&mut self, stopper: &Stopper) {
        self.link.stopper = Some(stopper.clone());
    }

    /// This conversation's stopper; makes one if there is none.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn stopper(&mut self) -> Result<Stopper, Error> {
        if self.link.stopper.is_none() {
            let stopper = Stopper::new();
            let stopper = stopper.map_err(|error| self.link.error("cannot make a stopper", error));
            self.link.stopper = Some(stopper?);
        }
        self.link.stopper.clone().ok_or_else(|| Error::caller("there is no stopper"))
    }

    /// Has a function called when a signal interrupts a wait, and now and then, as
    /// [`Wait::on_interrupt`] says; it says whether to go on waiting. Without it signals are never
    /// seen here.
    ///
    /// [`Wait::on_interrupt`]: crate::transport::Wait::on_interrupt
    pub fn set_on_interrupt(&mut self, hook: impl Fn() -> Interrupt + Send + Sync + 'static) {
        self.link.on_interrupt = Some(Arc::new(hook));
    }

    /// Switches both directions to another framing, from the next message on. Bytes already
    /// received are framed anew; none is lost. For a protocol with two directions the role given
    /// when the conversation was made decides.
    pub fn set_framing(&mut self, protocol: &Protocol) {
        self.session.set_protocol(protocol);
    }

    /// The transport. Reading from or writing to it by hand breaks the framing.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.link.transport
    }

    /// The peer's endpoint, when it has one that says something.
    #[must_use]
    pub fn remote(&self) -> Option<Endpoint> {
        self.link.transport.remote()
    }

    /// This side's endpoint.
    #[must_use]
    pub fn local(&self) -> Option<Endpoint> {
        self.link.transport.local()
    }

    /// Why nothing can be sent any more, once that is so: the stream broke, or a message has gone
    /// by half. Every later call that sends tells it again, and so does [`close`](Self::close).
    ///
    /// ```
    /// use switchboard::Conversation;
    ///
    /// let (mut a, b) = Conversation::pair("lines")?;
    /// assert!(a.send_error().is_none());
    /// b.abort();
    /// assert!(a.send(b"to nobody").is_err());
    /// assert!(a.send_error().is_some_and(switchboard::Error::is_reset));
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    #[must_use]
    pub fn send_error(&self) -> Option<&Error> {
        self.send_error.as_ref()
    }

    /// The state of both directions: counts, and what is buffered.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Why the streams can be read no further, once a coupled protocol has said so.
    #[must_use]
    pub fn notice(&self) -> Option<&'static str> {
        self.session.notice()
    }

    /// Says that this side is done sending: what is pending is delivered, then the peer reads the
    /// end of the stream. Receiving goes on.
    ///
    /// # Errors
    /// What is pending could not be delivered, or the stream is broken.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.finished {
            return Ok(());
        }
        self.flush()?;
        let done = self.link.transport.finish();
        done.map_err(|error| self.link.error("cannot finish sending to", error))?;
        self.finished = true;
        self.deliver()
    }

    /// Ends the conversation so that the peer loses nothing: delivers what is pending,
    /// half-closes, then reads and throws away what still comes until the peer's end, for at most
    /// [`LINGER_TIMEOUT`](crate::limits::LINGER_TIMEOUT); past
    /// [`LINGER_BYTES_MAX`](crate::limits::LINGER_BYTES_MAX) it only waits. Closing a socket with
    /// unread input sends a reset, and a reset may destroy a reply on its way.
    ///
    /// # Errors
    /// What is pending could not be delivered. That the peer does not end in time is no error.
    pub fn close(mut self) -> Result<(), Error> {
        self.end()
    }

    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.finish()?;
        if self.receives && self.receive_error.as_ref().is_none_or(Error::is_frame) {
            self.link.linger(&mut self.session);
        }
        Ok(())
    }

    /// Breaks the conversation off: what is pending is thrown away and the peer is told with a
    /// reset, where the transport has such a thing.
    pub fn abort(mut self) {
        self.break_off();
    }

    fn break_off(&mut self) {
        self.send_error.get_or_insert_with(|| Error::caller("aborted"));
        // There is no one left to tell that even breaking off did not work.
        let _ = self.link.transport.reset();
    }

    /// Takes the conversation apart: the transport, and the bytes received that no message was
    /// made of. Pending output is delivered first.
    ///
    /// # Errors
    /// What is pending could not be delivered.
    pub fn into_parts(mut self) -> Result<(Arc<dyn Transport>, Vec<u8>), Error> {
        self.flush()?;
        let transport = Arc::clone(&self.link.transport);
        Ok((transport, self.take_session().inbound.into_unread()))
    }

    /// One over the same transport that is over, for where another one has been.
    fn husk(&self) -> Conversation {
        let raw = Protocol::symmetric(Framing::raw());
        let session = Session::new(&raw, Role::Client);
        let mut husk = Conversation::with_session(Arc::clone(&self.link.transport), session);
        (husk.finished, husk.receives) = (true, false);
        husk
    }

    fn take_session(&mut self) -> Session {
        let raw = Protocol::symmetric(Framing::raw());
        std::mem::replace(&mut self.session, Session::new(&raw, Role::Client))
    }
}

impl Drop for Conversation {
    /// Tries once to write what is pending, without waiting; what does not go is lost and counted
    /// by [`lost_bytes`].
    fn drop(&mut self) {
        self.write_once_and_count();
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("transport", &self.link.transport)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Listener {
    /// Waits for a client and begins a conversation with it, as the server.
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub fn accept_conversation(&self, protocol: &Protocol) -> Result<Conversation, Error> {
        let transport = self.accept(&crate::transport::Wait::FOREVER)?;
        Ok(Conversation::with_role(transport, protocol, Role::Server))
    }
}

pub(crate) fn parse_protocol(framing: &str) -> Result<Protocol, Error> {
    framing.parse().map_err(|error: switchboard_frame::FramingError| {
        Error::caller("not a framing").with_source(error)
    })
}
