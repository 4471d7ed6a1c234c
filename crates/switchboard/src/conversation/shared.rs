//! A conversation for several threads at a time: [`SharedConversation`].
//!
//! Where [halves](Conversation::split) belong to a thread each, this one is everybody's, coupled
//! protocols included. It is locked while somebody looks at it or moves bytes, which never waits;
//! whoever waits, for a message or for the peer to take one, does so without the lock.
//!
//! **Invariant:** one thread at a time reads from the transport, and only that one waits for it to
//! be readable: so nobody sleeps beside a message that another thread has read. One thread at a
//! time has something of its own to deliver.

use super::early::Early;
use super::ready::SharedSource;
use super::receive::{Outcome, RECEIVED, Waits};
use super::send::STALLED;
use super::turn::{Taken, Turn, lock};
use super::{Conversation, Received};
use crate::session::{Message, Timeouts};
use crate::transport::{Interest, Transport};
use crate::{Error, deadline, limits, sys};
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

/// A conversation that several threads use at a time; all methods take `&self`.
///
/// Of those that receive one waits for the peer, and the others for it; so with those that send.
/// While they do that a [hook for interrupts](Conversation::set_on_interrupt) is asked now and
/// then, whether a signal came or not.
///
/// A message is received in two steps, of which only the first one waits:
/// [`receive`](Self::receive) until there is one, then [`look`](Self::look) and
/// [`buffered`](Look::buffered). In between another thread may have taken it; then begin anew.
///
/// ```
/// use std::sync::Arc;
/// use switchboard::{Conversation, Received, SharedConversation};
///
/// let (a, mut b) = Conversation::pair("lines")?;
/// let shared = Arc::new(SharedConversation::new(a));
/// let reader = std::thread::spawn({
///     let shared = Arc::clone(&shared);
///     move || -> Result<Vec<u8>, switchboard::Error> {
///         loop {
///             shared.receive()?; // Waits, and keeps nobody from sending.
///             if let Received::Message(message) = shared.look().buffered()? {
///                 return Ok(message.to_vec());
///             }
///         }
///     }
/// });
/// shared.send(b"hello")?;
/// let message = b.recv_owned()?.unwrap();
/// b.send(&message)?;
/// assert_eq!(reader.join().unwrap()?, b"hello");
/// # Ok::<(), switchboard::Error>(())
/// ```
pub struct SharedConversation {
    state: Mutex<State>,
    /// Held by who reads from the transport, or waits to.
    receiving: Turn,
    /// Held by who sends, until it is delivered.
    sending: Turn,
    /// Held by who has sent a request, until the reply is there.
    requesting: Turn,
    /// Where who has the turn to receive reads.
    early: Early,
}

struct State {
    /// `None` once it is closed.
    conversation: Option<Conversation>,
    /// The session has told a message that nobody has taken yet.
    told: bool,
    /// Each source that was made of it holds one: somebody may wait for it in `select`.
    watched: Arc<()>,
}

impl SharedConversation {
    /// Shares a conversation.
    #[must_use]
    pub fn new(conversation: Conversation) -> SharedConversation {
        SharedConversation {
            state: Mutex::new(State {
                conversation: Some(conversation),
                told: false,
                watched: Arc::default(),
            }),
            receiving: Turn::default(),
            sending: Turn::default(),
            requesting: Turn::default(),
            early: Early::default(),
        }
    }

    /// Locks it for a look. Whoever holds the lock never waits for anything but the lock, except
    /// inside of a transport or a hook of one's own.
    pub fn look(&self) -> Look<'_> {
        Look { state: lock(&self.state) }
    }

    /// The same, if no other thread has it at this moment.
    pub fn try_look(&self) -> Option<Look<'_>> {
        match self.state.try_lock() {
            Ok(state) => Some(Look { state }),
            Err(TryLockError::Poisoned(state)) => Some(Look { state: state.into_inner() }),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits until there is a message, or the peer has finished: `false`. What is pending is
    /// written meanwhile.
    ///
    /// # Errors
    /// As [`Conversation::recv`]; or it has been closed.
    pub fn receive(&self) -> Result<bool, Error> {
        let _receiving = self.turn(&self.receiving, |timeouts| timeouts.idle, RECEIVED)?;
        let mut failed = None;
        loop {
            let (link, awaited, early) = {
                let mut look = self.look();
                match look.read(Waits::Elsewhere)? {
                    Outcome::Message => return Ok(true),
                    Outcome::Finished => return Ok(false),
                    Outcome::Pending => {}
                }
                let conversation = look.conversation()?;
                if let Some((error, since)) = failed {
                    return Err(conversation.untimely(error, since));
                }
                let (now, deadline) = conversation.due();
                let awaited = conversation.awaited(now, deadline);
                let early = conversation.reads_early(&awaited);
                let early = early.and_then(|time| Some((time, self.early.begin()?)));
                (conversation.link.clone(), awaited, early)
            };
            if let Some((time, mut bytes)) = early {
                let read = link.transport.read_within(&mut bytes, Some(time));
                let mut look = self.look();
                let reads_on = !look.state.told;
                let has_come = look.conversation()?.take_early(read, &bytes, reads_on)?;
                match has_come {
                    true if self.early.is_over() => return Err(closed()),
                    true => continue,
                    false => {}
                }
            }
            let ready = link.wait(awaited.interest, awaited.deadline, awaited.what);
            let mut look = self.look();
            let link = &mut look.conversation()?.link;
            link.drained = ready.as_ref().is_ok_and(|ready| !ready.read);
            link.patience.looked(awaited.since, deadline::now());
            // What has come till then is given first.
            failed = ready.err().map(|error| (error, awaited.since));
        }
    }

    /// Reads what has come, without waiting, unless another thread is at it; then
    /// [look](Self::look) for it.
    ///
    /// # Errors
    /// As [`Conversation::try_recv`]; or it has been closed.
    pub fn try_receive(&self) -> Result<(), Error> {
        let Some(_receiving) = self.receiving.try_take() else { return Ok(()) };
        self.look().read(Waits::Nowhere).map(drop)
    }

    /// As [`Conversation::send`]. A message of one thread is never inside one of another.
    ///
    /// # Errors
    /// As there; or it has been closed.
    pub fn send(&self, message: &[u8]) -> Result<(), Error> {
        let _sending = self.turn(&self.sending, |timeouts| timeouts.stall, STALLED)?;
        self.look().conversation()?.append(|session| session.queue(message))?;
        self.deliver().map_err(|error| match self.look().conversation() {
            Ok(conversation) => conversation.undelivered(error),
            Err(_) => error,
        })
    }

    /// As [`Conversation::send_many`].
    ///
    /// # Errors
    /// As there; or it has been closed.
    pub fn send_many<M: AsRef<[u8]>>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<(), Error> {
        let _sending = self.turn(&self.sending, |timeouts| timeouts.stall, STALLED)?;
        let mut messages = messages.into_iter().peekable();
        loop {
            let queued = self.look().queue(&mut messages);
            self.deliver()?;
            queued?;
            if messages.peek().is_none() {
                return Ok(());
            }
        }
    }

    /// As [`Conversation::request`]: `take` makes something of the reply. A thread that requests
    /// has the reply to its own: the requests of others wait for their turn, and what is sent
    /// beside them should not be answered, nor what is received be wanted.
    ///
    /// # Errors
    /// As there; or it has been closed.
    pub fn request<T>(
        &self,
        message: &[u8],
        take: impl FnOnce(&Message<'_>) -> T,
    ) -> Result<T, Error> {
        let _requesting = self.turn(&self.requesting, |timeouts| timeouts.idle, RECEIVED)?;
        {
            let mut look = self.look();
            let conversation = look.conversation()?;
            conversation.may_request()?;
            // Another thread may receive the reply as soon as it is queued.
            conversation.owed = true;
        }
        if let Err(error) = self.queue(message) {
            // What cannot be written has no reply.
            self.look().conversation()?.owed = !error.is_caller();
            return Err(error);
        }
        loop {
            let is_over = !self.receive()?;
            let mut look = self.look();
            if is_over {
                return Err(look.conversation()?.no_reply());
            }
            // Who receives without a request may have been quicker.
            if let Received::Message(reply) = look.buffered()? {
                return Ok(take(&reply));
            }
        }
    }

    /// As [`Conversation::queue`]: it goes out with the next call that sends or receives.
    ///
    /// # Errors
    /// As there; or it has been closed.
    pub fn queue(&self, message: &[u8]) -> Result<(), Error> {
        let _sending = self.turn(&self.sending, |timeouts| timeouts.stall, STALLED)?;
        let mut look = self.look();
        let conversation = look.conversation()?;
        conversation.append(|session| session.queue(message))?;
        if conversation.session.outbound.pending() < limits::QUEUE_MARK_BYTES {
            return Ok(());
        }
        drop(look);
        self.deliver()
    }

    /// As [`Conversation::flush`].
    ///
    /// # Errors
    /// As there; or it has been closed.
    pub fn flush(&self) -> Result<(), Error> {
        let _sending = self.turn(&self.sending, |timeouts| timeouts.stall, STALLED)?;
        self.deliver()
    }

    /// As [`Conversation::finish`].
    ///
    /// # Errors
    /// As there; or it has been closed.
    pub fn finish(&self) -> Result<(), Error> {
        let _sending = self.turn(&self.sending, |timeouts| timeouts.stall, STALLED)?;
        self.deliver()?;
        self.look().conversation()?.finish()
    }

    /// As [`Conversation::close`]. Whoever waits in another thread to receive wakes then, and is
    /// told that it is closed; whoever waits for it in [`select`](crate::select()) finds it ready,
    /// and is told so by the next call. What is no socket wakes them when their hook for interrupts
    /// is asked, and without one not at all. A second call does nothing.
    ///
    /// # Errors
    /// As there.
    pub fn close(&self) -> Result<(), Error> {
        let Some(conversation) = self.end() else { return Ok(()) };
        let transport = Arc::clone(conversation.transport());
        let closed = conversation.close();
        let is_watched = Arc::strong_count(&self.look().state.watched) > 1;
        if self.receiving.is_wanted() || is_watched {
            let is_deaf = transport.read_descriptor().is_none_or(sys::socket::deafen);
            if !is_deaf && !transport.facts().reset {
                // There it only lets go of a pipe, of which all has been delivered.
                let _ = transport.reset();
            }
        }
        closed
    }

    /// As [`Conversation::abort`]; whoever waits wakes as behind [`close`](Self::close). It does
    /// nothing once it is closed.
    pub fn abort(&self) {
        if let Some(conversation) = self.end() {
            conversation.abort();
        }
    }

    /// Takes the conversation out; `None` once it is closed. A message that nobody has taken is
    /// lost with it. A thread that is reading is waited for, for less than
    /// [`BLIND_WAIT`](limits::BLIND_WAIT): what it reads comes with the conversation.
    pub fn take(&self) -> Option<Conversation> {
        self.early.end();
        self.end()
    }

    /// For who wants nothing more of it.
    fn end(&self) -> Option<Conversation> {
        self.look().state.conversation.take()
    }

    /// What [`select`](crate::select()) is to be told of it, as of now: while that waits, another
    /// thread may change it. One that is [closed](Self::close) meanwhile is ready.
    ///
    /// # Errors
    /// It has been closed.
    pub fn source(&self) -> Result<SharedSource, Error> {
        let mut look = self.look();
        let (told, watched) = (look.state.told, Arc::clone(&look.state.watched));
        let conversation = look.conversation()?;
        Ok(SharedSource::of(conversation, told, watched))
    }

    /// Shares a conversation for as long as `work` takes, and takes it back then: whoever still has
    /// the shared one finds it closed. Should `work` close it, it stays so.
    pub fn lend<T>(
        conversation: &mut Conversation,
        work: impl FnOnce(&Arc<SharedConversation>) -> T,
    ) -> T {
        let husk = conversation.husk();
        let shared = Arc::new(SharedConversation::new(mem::replace(conversation, husk)));
        let done = work(&shared);
        if let Some(returned) = shared.take() {
            *conversation = returned;
        }
        done
    }

    /// Waits for a turn, for as long as it may wait for what it wants that for.
    fn turn<'a>(
        &self,
        turn: &'a Turn,
        patience: impl FnOnce(&Timeouts) -> Option<Duration>,
        what: &str,
    ) -> Result<Taken<'a>, Error> {
        if let Some(taken) = turn.try_take() {
            return Ok(taken);
        }
        let link = self.look().conversation()?.link.clone();
        let until = link.until(patience(&link.timeouts).and_then(deadline::after));
        turn.take(&until).map_err(|woken| link.early(woken, what))
    }

    /// Waits until nothing is pending.
    fn deliver(&self) -> Result<(), Error> {
        let mut moved = false;
        loop {
            let (link, mut stall) = {
                let mut look = self.look();
                let conversation = look.conversation()?;
                if conversation.session.outbound.pending() > 0 {
                    conversation.check_sending()?;
                }
                match conversation.deliver_now(moved)? {
                    None => return Ok(()),
                    Some(stall) => (conversation.link.clone(), stall),
                }
            };
            // Who receives reads ahead better than this one, and must not find its bytes gone.
            let is_alone = !self.receiving.is_wanted();
            let _receiving = is_alone.then(|| self.receiving.try_take()).flatten();
            if _receiving.is_none() {
                stall.interest = Interest::WRITE;
            }
            let ready = link.wait(stall.interest, stall.look, STALLED);
            let mut look = self.look();
            if look.state.told {
                // A read would drop it.
                stall.interest = Interest::WRITE;
            }
            moved = look.conversation()?.stalled(&stall, ready)?;
        }
    }
}

impl fmt::Debug for SharedConversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedConversation").finish_non_exhaustive()
    }
}

/// A locked look at a [`SharedConversation`].
pub struct Look<'a> {
    state: MutexGuard<'a, State>,
}

impl Look<'_> {
    /// The next message that is buffered; nothing is read.
    ///
    /// # Errors
    /// As [`Conversation::try_recv`]; or it has been closed.
    pub fn buffered(&mut self) -> Result<Received<'_>, Error> {
        let told = mem::take(&mut self.state.told);
        let conversation = self.conversation()?;
        let outcome = if told {
            Outcome::Message
        } else {
            conversation.buffered()?.unwrap_or(Outcome::Pending)
        };
        Ok(match outcome {
            Outcome::Message => Received::Message(conversation.session.message()),
            Outcome::Finished => Received::Finished,
            Outcome::Pending => Received::Pending,
        })
    }

    /// The message that [`buffered`](Self::buffered) gave is given by the next call once more: it
    /// did not fit where it was to go.
    pub fn put_back(&mut self) {
        self.state.told = true;
    }

    /// Gives the messages that are buffered, at most `max`. Says whether more may come: `false`
    /// when the peer has finished and all has been given.
    ///
    /// # Errors
    /// As [`buffered`](Self::buffered), once everything before it has been given.
    pub fn run(&mut self, max: usize, mut give: impl FnMut(&Message<'_>)) -> Result<bool, Error> {
        let mut given = 0;
        while given < max {
            match self.buffered() {
                Ok(Received::Message(_)) => {}
                Ok(Received::Pending) => break,
                Ok(Received::Finished) => return Ok(given > 0),
                Err(_) if given > 0 => break,
                Err(error) => return Err(error),
            }
            given += self.conversation()?.session.give_run(max - given, &mut give);
        }
        Ok(true)
    }

    /// The conversation, for whatever does not receive from it: a message that has been told would
    /// be lost.
    ///
    /// # Errors
    /// It has been closed.
    pub fn conversation(&mut self) -> Result<&mut Conversation, Error> {
        self.state.conversation.as_mut().ok_or_else(closed)
    }

    /// The transport; `None` once it is closed.
    #[must_use]
    pub fn transport(&self) -> Option<&Arc<dyn Transport>> {
        self.state.conversation.as_ref().map(Conversation::transport)
    }

    /// Reads until there is something to tell.
    fn read(&mut self, waits: Waits) -> Result<Outcome, Error> {
        if self.state.told {
            return Ok(Outcome::Message);
        }
        let outcome = self.conversation()?.receive(waits)?;
        self.state.told = matches!(outcome, Outcome::Message);
        Ok(outcome)
    }

    /// Queues messages up to the mark at which they are to be written.
    fn queue<M: AsRef<[u8]>>(
        &mut self,
        messages: &mut impl Iterator<Item = M>,
    ) -> Result<(), Error> {
        let conversation = self.conversation()?;
        while conversation.session.outbound.pending() < limits::QUEUE_MARK_BYTES
            && let Some(message) = messages.next()
        {
            conversation.append(|session| session.queue(message.as_ref()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look")
            .field("conversation", &self.state.conversation)
            .finish_non_exhaustive()
    }
}

#[cold]
fn closed() -> Error {
    Error::caller("the conversation is closed")
}
