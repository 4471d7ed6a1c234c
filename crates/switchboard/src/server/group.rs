//! One message for many conversations: a [`Group`] of senders.
//!
//! ```text
//!  send, send, send --> [ batch ] --once a turn--> a mailbox for each member --> one write each
//!                     framed once
//! ```
//!
//! **Invariant:** a message goes to those who are members when it is sent. What has been gathered
//! is posted before anybody joins or leaves.

use super::Sender;
use super::bench::Setup;
use super::in_service::{self, InService};
use super::inbox::Post;
use super::sender::SlowPeer;
use crate::{Error, limits};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use switchboard_frame::{Encoder, Role};

/// Conversations that are all sent the same: a room, a topic, everyone. Clones are the same group.
///
/// Sending costs the same however many are in it: messages are gathered in one piece of memory,
/// framed once for all members, and each member has them with its next turn, in one write. What a
/// service sends is gathered for the length of its turn, as its replies are; what is sent from
/// elsewhere leaves at once.
///
/// To each member it is as if its [`Sender`] had sent: the same queue with the same bound, and its
/// own [`SlowPeer`] policy for when that is full. Messages that have been gathered together are
/// queued together, or dropped together and each counted. Conversations that are over leave by
/// themselves, and those that have been cut off.
///
/// ```
/// use switchboard::Conversation;
/// use switchboard::server::{Group, Reply, Server, SlowPeer};
///
/// // What one says, all hear.
/// let everyone = Group::new();
/// let server = Server::new("lines")?.listen("127.0.0.1:0")?;
/// let running = server.start(move || {
///     let everyone = everyone.clone();
///     move |message: &[u8], reply: &mut Reply<'_>| {
///         if message == b"join" {
///             everyone.join(reply.sender(SlowPeer::Disconnect)?)?;
///         }
///         everyone.send(message);
///         Ok::<(), switchboard::Error>(())
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
#[derive(Clone, Default)]
pub struct Group {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    members: Vec<Sender>,
    /// How the server of the first member frames.
    framing: Option<Common>,
    /// What was sent and not posted yet. Nobody else has it.
    batch: Arc<Batch>,
    /// The one before, whose memory is used again once everybody has taken it.
    last: Arc<Batch>,
}

/// What all conversations of a server frame with that have nothing to remember of their streams.
struct Common {
    setup: Arc<Setup>,
    encoder: Encoder,
}

impl Group {
    /// A group without members.
    #[must_use]
    pub fn new() -> Group {
        Group::default()
    }

    /// Has a conversation hear what is sent from here on; one that joins twice hears it twice.
    ///
    /// # Errors
    /// The policy of its sender is [`SlowPeer::Wait`]: all others would wait too.
    pub fn join(&self, sender: Sender) -> Result<(), Error> {
        if sender.policy() == SlowPeer::Wait {
            return Err(Error::caller("a group does not wait for its slowest member")
                .with_advice("make the sender with another policy"));
        }
        let mut state = self.lock();
        state.post();
        if state.members.len() == state.members.capacity() {
            // Else those who have left would be held where many join and nobody sends.
            state.members.retain(|member| !member.is_closed());
        }
        if state.members.is_empty() {
            state.framing = Common::new(sender.setup());
        }
        state.members.push(sender);
        Ok(())
    }

    /// Has a conversation hear no more, by any sender of it. What was sent before still arrives.
    pub fn leave(&self, sender: &Sender) {
        let mut state = self.lock();
        state.post();
        state.members.retain(|member| !member.reaches_same(sender));
    }

    /// How many conversations would hear it if something were sent now; looks at each.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut state = self.lock();
        state.members.retain(|member| !member.is_closed());
        state.members.len()
    }

    /// Whether nobody would hear it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends a message to all members. Nothing here fails: a member whose queue is full fares as
    /// its policy says. A message that a member's framing cannot carry ends that conversation.
    pub fn send(&self, message: impl AsRef<[u8]>) {
        let mut state = self.lock();
        if state.members.is_empty() {
            return;
        }
        let is_first = state.batch.is_empty();
        let bytes = state.gather(message.as_ref());
        if !InService::is_here() || bytes >= limits::QUEUE_MARK_BYTES {
            state.post();
        } else if is_first {
            in_service::post_later(self);
        }
    }

    /// Hands what has been gathered to each member.
    pub(super) fn post(&self) {
        self.lock().post();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("members", &self.lock().members.len()).finish()
    }
}

impl State {
    /// How many bytes have been gathered then.
    fn gather(&mut self, message: &[u8]) -> usize {
        match Arc::get_mut(&mut self.batch) {
            Some(batch) => batch.push(message, self.framing.as_mut()),
            None => unreachable!("a batch is shared when it is posted, and then replaced"),
        }
    }

    fn post(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let State { members, batch, last, .. } = self;
        members.retain(|member| member.post(Post::Batch(Arc::clone(batch))).is_ok());
        std::mem::swap(batch, last);
        match Arc::get_mut(batch) {
            Some(taken) => taken.clear(),
            None => *batch = Arc::default(),
        }
    }
}

impl Common {
    fn new(setup: &Arc<Setup>) -> Option<Common> {
        let encoder = Encoder::settled(setup.protocol.framing(Role::Server)).ok()?;
        Some(Common { setup: Arc::clone(setup), encoder })
    }
}

/// Messages that go to the members of a group together.
#[derive(Default)]
pub(super) struct Batch {
    bodies: Vec<u8>,
    /// Where in the bodies each message ends.
    ends: Vec<usize>,
    /// The messages as they are written, as long as all could be.
    frames: Vec<u8>,
    /// Where the last frame begins.
    last: usize,
    /// Whose conversations write them so; nobody's when one could not be written.
    framed_for: Option<Arc<Setup>>,
}

impl Batch {
    /// How many bytes it has then. An empty message takes memory too.
    fn push(&mut self, message: &[u8], framing: Option<&mut Common>) -> usize {
        if let Some(Common { setup, encoder }) = framing
            && (self.is_empty() || self.framed_for.is_some())
        {
            self.last = self.frames.len();
            let framed = encoder.encode(message, &mut self.frames);
            // An encoder that has something to remember now is of no use to anybody else.
            if framed.is_ok() && encoder.is_settled() {
                self.framed_for.get_or_insert_with(|| Arc::clone(setup));
            } else {
                self.framed_for = None;
            }
        }
        self.bodies.extend_from_slice(message);
        self.ends.push(self.bodies.len());
        self.bodies.len() + self.ends.len() * size_of::<usize>()
    }

    /// As it was at first, but for memory; what was large is no reason to be large for ever.
    fn clear(&mut self) {
        let Batch { bodies, ends, frames, last, framed_for } = self;
        for bytes in [bodies, frames] {
            bytes.clear();
            bytes.shrink_to(2 * limits::QUEUE_MARK_BYTES);
        }
        ends.clear();
        (*last, *framed_for) = (0, None);
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Of all messages together.
    pub(super) fn bytes(&self) -> usize {
        self.bodies.len()
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(from, &to)| &self.bodies[from..to])
    }

    /// The frames, and where the last one begins, as a conversation of this server writes them
    /// when nothing but its protocol decides how.
    pub(super) fn framed(&self, setup: &Arc<Setup>) -> Option<(&[u8], usize)> {
        let is_theirs = |framed_for| Arc::ptr_eq(framed_for, setup);
        let is_framed = self.framed_for.as_ref().is_some_and(is_theirs);
        is_framed.then_some((&self.frames, self.last))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages of {} bytes", self.len(), self.bytes())
    }
}
