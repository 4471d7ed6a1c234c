//! What the user writes: [`Service`].

use super::Reply;
use crate::session::Message;
use crate::{Ending, Error};

/// The user's code on the server side: one value for each conversation.
///
/// The shortest is a closure, of the message and of the [`Reply`]:
///
/// ```
/// use switchboard::server::{Reply, Server};
///
/// let server = Server::new("lines")?.listen("127.0.0.1:0")?;
/// let running = server.start(|| |message: &[u8], reply: &mut Reply<'_>| reply.send(message))?;
/// let endpoint = running.endpoints()[0].to_string();
/// let mut client = switchboard::Conversation::connect(&endpoint, "lines")?;
/// assert_eq!(&*client.request(b"echo me")?, b"echo me");
/// client.close()?;
/// running.stop()?;
/// # Ok::<(), switchboard::Error>(())
/// ```
///
/// A value has room for what belongs to the conversation, and for what happens to it:
///
/// ```
/// use switchboard::server::{Reply, Service};
/// use switchboard::{Ending, Error, Message};
///
/// /// Adds up the numbers of one conversation.
/// #[derive(Default)]
/// struct Sum(u64);
///
/// impl Service for Sum {
///     fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
///         reply.send(b"numbers, please")
///     }
///
///     fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
///         let text = std::str::from_utf8(&message).ok();
///         let number = text.and_then(|text| text.parse::<u64>().ok());
///         match number.and_then(|number| self.0.checked_add(number)) {
///             Some(sum) => self.0 = sum,
///             None => return reply.send(b"that is no number, or too large"),
///         }
///         reply.send(self.0.to_string().as_bytes())
///     }
///
///     fn closed(&mut self, ending: Ending, _: Option<&Error>) {
///         println!("{} in all, {ending}", self.0);
///     }
/// }
/// ```
///
/// # Errors and panics
/// A method that returns an error ends its conversation: what was queued or promised before is
/// delivered, and then the peer is told by a reset, because an end would say that this was all.
/// [`closed`](Self::closed) is told the error. A panic does the same, and `closed` is not called
/// then. Neither touches any other conversation. A service that wants a clean end calls
/// [`Reply::close`], and returns `Ok`.
///
/// A reset waits until the peer's system has everything, for [`Limits::linger`](super::Limits) at
/// the most; where that cannot be known (systems other than Linux), for all of that time. Unix
/// sockets and pipes have no resets: there the peer reads an end behind what was delivered, and
/// only the protocol can say that more was to come.
///
/// # Waiting inside a method
/// Under *threads* a method that waits keeps its own conversation waiting, and its thread. Under
/// *events* it keeps every conversation of its loop waiting: hand the work to a thread of yours and
/// promise the answer with [`Reply::later`].
pub trait Service {
    /// The conversation has begun. A server that speaks first does it here.
    ///
    /// # Errors
    /// Whatever is to end the conversation.
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        let _ = reply;
        Ok(())
    }

    /// A whole message has come.
    ///
    /// # Errors
    /// Whatever is to end the conversation.
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error>;

    /// The other side is done sending, between two messages, and may still receive: it has
    /// half-closed. The default closes, once everything that is queued or promised is delivered. A
    /// service that still has something to say overrides it and calls [`Reply::close`] when it is
    /// done.
    ///
    /// # Errors
    /// Whatever is to end the conversation.
    fn finished(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.close();
        Ok(())
    }

    /// Called every [`Limits::tick`](super::Limits::tick), whether messages come or not: for
    /// heartbeats that have to be made, and for clocks of one's own.
    ///
    /// # Errors
    /// Whatever is to end the conversation.
    fn tick(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        let _ = reply;
        Ok(())
    }

    /// The conversation never began, and this is all that is ever told of it: its transport did not
    /// open (a TLS handshake that failed or did not come), or the server stopped before.
    fn unopened(&mut self, ending: Ending, error: Option<&Error>) {
        let _ = (ending, error);
    }

    /// The conversation is over: how it ended, and the error if it did not end well. The last call
    /// there is; nothing can be sent any more.
    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        let _ = (ending, error);
    }
}

impl<F, R> Service for F
where
    F: FnMut(&[u8], &mut Reply<'_>) -> R,
    R: Outcome,
{
    #[inline(always)]
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        self(message.bytes(), reply).outcome()
    }
}

/// What a closure that serves may return: nothing, or a result.
pub trait Outcome: sealed::Sealed {
    /// The result.
    #[doc(hidden)]
    fn outcome(self) -> Result<(), Error>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), Error> {
        Ok(())
    }
}

impl Outcome for Result<(), Error> {
    fn outcome(self) -> Result<(), Error> {
        self
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for Result<(), crate::Error> {}
}
