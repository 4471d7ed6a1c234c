//! Reaching a conversation from elsewhere: [`Sender`] for messages of its own accord, [`Pending`]
//! for an answer that was promised.

use super::bench::Setup;
use super::in_service;
use super::inbox::{Mailbox, Post};
use crate::Error;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// What becomes of a message for a peer that takes nothing, once its queue is full: a megabyte
/// ([`SENDER_BYTES_MAX`](crate::limits::SENDER_BYTES_MAX)) or 65,536 messages
/// ([`SENDER_MESSAGES_MAX`](crate::limits::SENDER_MESSAGES_MAX)), or the server's queues together
/// ([`queued_bytes_in_all_max`](super::Limits::queued_bytes_in_all_max)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowPeer {
    /// The sender waits until there is room, or the conversation is over: at most about as long as
    /// [`Timeouts::stall`](crate::Timeouts::stall) for a peer that takes nothing. For threads that
    /// serve no conversation. Inside a service it is an error: it would keep its own loop, or the
    /// one that is to make room, waiting for ever.
    Wait,
    /// The message is dropped, which is no error, and counted by [`Sender::dropped`].
    DropNewest,
    /// The oldest message of the queue is dropped for it, and counted.
    DropOldest,
    /// The message is refused, and the conversation ended, as `stopped`, without delivering what is
    /// queued.
    Disconnect,
}

/// Sends to a conversation from anywhere: another conversation's service, another thread. Made by
/// [`Reply::sender`](super::Reply::sender); clones reach the same conversation.
///
/// A message is queued and leaves with the next turn of that conversation. The queue is bounded by
/// [`SENDER_BYTES_MAX`](crate::limits::SENDER_BYTES_MAX) and
/// [`SENDER_MESSAGES_MAX`](crate::limits::SENDER_MESSAGES_MAX).
///
/// ```
/// use std::sync::Mutex;
/// use switchboard::server::{Reply, Sender, Server, SlowPeer};
/// use switchboard::Conversation;
///
/// // What one says, all hear.
/// let everyone: &Mutex<Vec<Sender>> = Box::leak(Box::default());
/// let server = Server::new("lines")?.listen("127.0.0.1:0")?;
/// let running = server.start(move || {
///     |message: &[u8], reply: &mut Reply<'_>| {
///         let mut everyone = everyone.lock().unwrap();
///         if message == b"join" {
///             everyone.push(reply.sender(SlowPeer::Disconnect).expect("it is under threads"));
///         }
///         everyone.retain(|one| one.send(message.to_vec()).is_ok());
///     }
/// })?;
/// let endpoint = running.endpoints()[0].to_string();
/// let mut a = Conversation::connect(&endpoint, "lines")?;
/// assert_eq!(&*a.request(b"join")?, b"join");
/// let mut b = Conversation::connect(&endpoint, "lines")?;
/// b.send(b"hello")?;
/// assert_eq!(&*a.recv()?.unwrap(), b"hello");
/// running.stop()?;
/// # Ok::<(), switchboard::Error>(())
/// ```
#[derive(Clone)]
pub struct Sender {
    mailbox: Arc<Mailbox>,
    policy: SlowPeer,
}

impl Sender {
    pub(super) fn new(mailbox: Arc<Mailbox>, policy: SlowPeer) -> Sender {
        Sender { mailbox, policy }
    }

    /// Sends a message. Of a [`Bytes`] no copy is made on the way, so that one message for many
    /// conversations is held once.
    ///
    /// # Errors
    /// The conversation is over ([`Error::ending`] is `finished`). Its queue is full, and the
    /// policy is to wait, inside a service, or to disconnect. A message that the framing cannot
    /// carry ends the conversation: it is found out there.
    pub fn send(&self, message: impl Into<Bytes>) -> Result<(), Error> {
        in_service::post_gathered();
        self.post(Post::Message(message.into()))
    }

    /// Has messages delivered, as the policy says.
    pub(super) fn post(&self, post: Post) -> Result<(), Error> {
        self.mailbox.send(post, self.policy)
    }

    pub(super) fn policy(&self) -> SlowPeer {
        self.policy
    }

    pub(super) fn setup(&self) -> &Arc<Setup> {
        self.mailbox.setup()
    }

    pub(super) fn reaches_same(&self, other: &Sender) -> bool {
        Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }

    /// Goes on reading after [`Reply::pause`](super::Reply::pause).
    pub fn resume(&self) {
        // A conversation that is over reads no more in any case; so with the two below.
        let _ = self.mailbox.post(Post::Resume);
    }

    /// Half-closes, as [`Reply::finish`](super::Reply::finish).
    pub fn finish(&self) {
        let _ = self.mailbox.post(Post::Finish);
    }

    /// Closes, as [`Reply::close`](super::Reply::close).
    pub fn close(&self) {
        let _ = self.mailbox.post(Post::Close);
    }

    /// Whether the conversation is over: nothing sent now would arrive.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// Messages to this conversation that its policies have dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.mailbox.dropped()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("to", &self.mailbox).field("policy", &self.policy).finish()
    }
}

/// An answer that was promised, to be given from any thread; made by
/// [`Reply::later`](super::Reply::later). Whatever the service sends meanwhile waits behind it.
///
/// Dropped without an answer it ends the conversation, once what comes before it is delivered: a
/// peer that waits for the answer to its third request must not take the fourth for it.
#[derive(Debug)]
pub struct Pending {
    mailbox: Arc<Mailbox>,
    number: u64,
    is_given: bool,
}

impl Pending {
    pub(super) fn new(mailbox: Arc<Mailbox>, number: u64) -> Pending {
        Pending { mailbox, number, is_given: false }
    }

    /// Gives the answer.
    ///
    /// # Errors
    /// The conversation is over, and nobody waits for the answer any more.
    pub fn send(mut self, answer: impl Into<Bytes>) -> Result<(), Error> {
        self.give(Ok(Some(answer.into())))
    }

    /// Takes the promise back: there is no answer to this one, and what waits behind it goes on.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn skip(mut self) -> Result<(), Error> {
        self.give(Ok(None))
    }

    fn give(&mut self, answer: Result<Option<Bytes>, Error>) -> Result<(), Error> {
        self.is_given = true;
        self.mailbox.post(Post::Answer { number: self.number, answer })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_given {
            let error = Error::caller("a promised answer was dropped")
                .with_advice("give it with send, or say that there is none with skip");
            // Of a conversation that is over nobody waits for it.
            let _ = self.give(Err(error));
        }
    }
}
