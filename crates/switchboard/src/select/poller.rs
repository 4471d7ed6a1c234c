//! Large sets: [`Poller`].
//!
//! A poller owns its sources. That is what makes it hard to use wrongly: whatever changes in a
//! source (a message is taken out of its buffer, output is queued, it is switched to another
//! socket) changes through [`Poller::get_mut`], so the next wait knows which to look at anew, and
//! nobody has to tell.
//!
//! **Invariant:** before the system is asked, each source that could have changed has been looked
//! at: what it holds is in `held`, what it wants watched is in the kernel's set, and when it
//! becomes ready by itself is in `deadlines`.

use super::entry::{Entry, Events, for_each_asked};
use super::{AnySource, List, Source, cannot_wait, coming, turn};
use crate::sys::{Found, Many, Queue};
use crate::transport::Interest;
use crate::{Error, deadline};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// What a [`Poller`] tells about one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The token that the source was registered with.
    pub token: u64,
    /// As in the readers of [`select`](super::select()).
    pub readable: bool,
    /// As in the writers of [`select`](super::select()).
    pub writable: bool,
    /// An error is waiting to be told (`POLLERR`); a read or a write tells which.
    pub error: bool,
}

/// Waits for many sources: what a wait costs depends on how many are ready, not on how many there
/// are.
///
/// A source is registered once, with a token of yours, and the poller owns it until it is taken
/// out. Its events are told for as long as they are so (level-triggered): what is not dealt with is
/// told again by the next wait. What a conversation has buffered counts, as in
/// [`select`](super::select()).
///
/// On Linux it is epoll. Elsewhere it is one `poll` over all of them at each wait, which
/// [`with_poll`](Self::with_poll) is here too; other systems are untested. Poll does not mind a
/// descriptor under two tokens, and tells all that is ready at once, however much it is.
///
/// ```
/// use switchboard::select::AnySource;
/// use switchboard::transport::Interest;
/// use switchboard::{Conversation, Poller, Received};
///
/// let mut poller = Poller::new()?;
/// let mut peers = Vec::new();
/// for token in 0..10 {
///     let (conversation, peer) = Conversation::pair("lines")?;
///     poller.register(token, conversation, Interest::READ)?;
///     peers.push(peer);
/// }
/// peers[7].send_many(["one", "two"])?;
/// let mut heard = Vec::new();
/// while heard.len() < 2 {
///     for event in poller.wait(None)? {
///         let Some(AnySource::Conversation(from)) = poller.get_mut(event.token) else { continue };
///         // One message a turn, so that nobody waits for a peer that never stops talking. The
///         // second one is in the buffer by now, and the next wait knows it.
///         if let Received::Message(message) = from.try_recv()? {
///             heard.push((event.token, message.to_vec()));
///         }
///     }
/// }
/// assert_eq!(heard, [(7, b"one".to_vec()), (7, b"two".to_vec())]);
/// # Ok::<(), switchboard::Error>(())
/// ```
pub struct Poller<S = AnySource> {
    /// `None`: every wait polls all.
    queue: Option<Queue>,
    entries: HashMap<u64, Entry<S>>,
    /// What is in the kernel's set, by the key of its registration.
    keys: HashMap<u64, u64>,
    next_key: u64,
    /// To be looked at before the next wait.
    touched: Vec<u64>,
    /// Ready whatever the system says, when they were looked at last.
    held: HashSet<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
}

impl Poller {
    /// An empty set of sources of any kind.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> Result<Poller, Error> {
        Poller::of()
    }
}

impl<S: Source> Poller<S> {
    /// An empty set of sources of one type: only conversations, or a type of your own that holds
    /// one beside what you know about the peer.
    ///
    /// ```
    /// use switchboard::transport::Interest;
    /// use switchboard::{Conversation, Poller};
    ///
    /// let mut poller: Poller<Conversation> = Poller::of()?;
    /// let (conversation, _peer) = Conversation::pair("u32be")?;
    /// poller.register(1, conversation, Interest::BOTH)?;
    /// let [event] = poller.wait(None)?[..] else { panic!("one of one") };
    /// assert!(event.writable && !event.readable);
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn of() -> Result<Poller<S>, Error> {
        match Queue::new() {
            Ok(queue) => Ok(Poller::over(Some(queue))),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Poller::with_poll()),
            Err(error) => Err(Error::io("cannot make a poller", error)),
        }
    }

    /// The same without epoll, as on systems that have none: every wait looks at all sources. For
    /// tests, and for kernels that forbid epoll.
    #[must_use]
    pub fn with_poll() -> Poller<S> {
        Poller::over(None)
    }

    fn over(queue: Option<Queue>) -> Poller<S> {
        Poller {
            queue,
            entries: HashMap::new(),
            keys: HashMap::new(),
            next_key: 0,
            touched: Vec::new(),
            held: HashSet::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Takes a source in. Interest in neither direction is a pause: nothing is told of it.
    ///
    /// # Errors
    /// The token is in use; the descriptor is watched under another token already; the system has
    /// no room. The source is dropped then.
    pub fn register(
        &mut self,
        token: u64,
        source: impl Into<S>,
        interest: Interest,
    ) -> Result<(), Error> {
        if self.entries.contains_key(&token) {
            return Err(Error::caller(format!("token {token} is in use"))
                .with_advice("choose another one, or deregister it first"));
        }
        let entry = Entry {
            source: source.into(),
            interest,
            touched: false,
            holds: Interest::NONE,
            deadline: None,
            key: self.new_key(),
            watched: Vec::new(),
            writes_to_read: false,
            reads_to_write: false,
        };
        self.keys.insert(entry.key, token);
        self.entries.insert(token, entry);
        let done = self.look_at(token);
        if done.is_err() {
            self.deregister(token);
        }
        done
    }

    /// Changes what is waited for on a source.
    ///
    /// # Errors
    /// There is no such token; the system has no room.
    pub fn modify(&mut self, token: u64, interest: Interest) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&token) else {
            let error = Error::caller(format!("there is no token {token} in the poller"));
            return Err(error.with_advice("register it first"));
        };
        entry.interest = interest;
        self.look_at(token)
    }

    /// Takes a source out, and gives it back. No event of it is told from then on; events that a
    /// wait has given already are yours to pass over.
    pub fn deregister(&mut self, token: u64) -> Option<S> {
        let entry = self.entries.remove(&token)?;
        self.keys.remove(&entry.key);
        if let Some(at) = entry.deadline {
            self.deadlines.remove(&(at, token));
        }
        if entry.touched {
            self.touched.retain(|touched| *touched != token);
        }
        self.held.remove(&token);
        if let Some(queue) = &self.queue {
            entry.forget(queue, |_| true);
        }
        Some(entry.source)
    }

    /// A source, to look at.
    #[must_use]
    pub fn get(&self, token: u64) -> Option<&S> {
        self.entries.get(&token).map(|entry| &entry.source)
    }

    /// A source, to use: the next wait looks at it anew.
    pub fn get_mut(&mut self, token: u64) -> Option<&mut S> {
        let entry = self.entries.get_mut(&token)?;
        if !entry.touched {
            entry.touched = true;
            self.touched.push(token);
        }
        Some(&mut entry.source)
    }

    /// The tokens there are, in no order.
    pub fn tokens(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    /// How many sources there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Waits until a source is ready or the timeout has passed, and tells which are, each once: at
    /// most [`POLL_EVENTS_MAX`](crate::limits::POLL_EVENTS_MAX) that the system found, and all that
    /// hold something. None: the timeout. `None` waits for ever, and so it does on an empty poller.
    ///
    /// # Errors
    /// The system cannot wait, or cannot watch what a source has become. The sources are as before.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<Event>, Error> {
        let end = timeout.and_then(deadline::after);
        loop {
            while let Some(token) = self.touched.last().copied() {
                self.look_at(token)?;
                self.touched.pop();
                if let Some(entry) = self.entries.get_mut(&token) {
                    entry.touched = false;
                }
            }
            let mut events = Events::default();
            for token in &self.held {
                if let Some(entry) = self.entries.get(token) {
                    events.add(*token, entry.holds, false);
                }
            }
            let until = match events.list.is_empty() {
                true => deadline::earlier(end, self.deadlines.first().map(|(at, _)| *at)),
                false => Some(deadline::now()),
            };
            match self.ask(until, &mut events).map_err(cannot_wait)? {
                Asking::Done => {}
                Asking::Stale => self.start_over()?,
            }
            self.touch_those_whose_time_is_over();
            if !events.list.is_empty() || deadline::has_passed(end) {
                let first = turn(events.list.len());
                events.list.rotate_left(first);
                return Ok(events.list);
            }
        }
    }

    /// Asks the system.
    fn ask(&self, until: Option<Instant>, events: &mut Events) -> io::Result<Asking> {
        let mut asking = Asking::Done;
        let Some(queue) = &self.queue else {
            let mut many = Many::default();
            let mut places = Vec::new();
            for (token, entry) in &self.entries {
                for_each_asked(&entry.source, entry.interest, |descriptor, asked| {
                    places.push((*token, entry, asked, many.ask(descriptor, asked)));
                });
            }
            many.wait(until, None)?;
            for (token, entry, asked, place) in places {
                let found = many.found(place);
                // Several may ask about one descriptor: each hears what it asked.
                let read = asked.read && found.read;
                entry.tell(
                    token,
                    Found { read, write: asked.write && found.write, ..found },
                    events,
                );
            }
            return Ok(asking);
        };
        queue.wait(until, &mut |key, found| {
            let token = self.keys.get(&key);
            match token.and_then(|token| Some((*token, self.entries.get(token)?))) {
                Some((token, entry)) => entry.tell(token, found, events),
                None => asking = Asking::Stale,
            }
        })?;
        Ok(asking)
    }

    /// Looks at what a source holds, and has its descriptors watched.
    fn look_at(&mut self, token: u64) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&token) else { return Ok(()) };
        let (source, interest) = (&entry.source, entry.interest);
        let by_itself = coming(source);
        let mut holds = Interest {
            read: interest.read && source.is_ready(List::Readers),
            write: interest.write && source.is_ready(List::Writers),
        };
        entry.writes_to_read = interest.read && asks(source, List::Readers).write;
        entry.reads_to_write = interest.write && asks(source, List::Writers).read;
        if let Some(queue) = &self.queue {
            let mut numbers = Vec::new();
            for_each_asked(source, interest, |descriptor, _| numbers.push(descriptor.as_raw_fd()));
            if entry.watched.iter().any(|watched| !numbers.contains(watched)) {
                // What was closed is out of the set already. What its source has let go of while
                // someone else keeps it open cannot be taken out, and shows by its old key.
                entry.forget(queue, |number| !numbers.contains(&number));
                entry.watched.retain(|watched| numbers.contains(watched));
                self.keys.remove(&entry.key);
                self.next_key += 1;
                entry.key = self.next_key;
                self.keys.insert(entry.key, token);
            }
            let always = entry.watch(queue).map_err(|refused| match refused {
                Some(error) => Error::io("cannot watch a descriptor", error),
                None => watched_twice(token),
            })?;
            holds |= always;
        }
        self.note(token, holds, by_itself);
        Ok(())
    }

    /// What a source holds, and when it becomes ready by itself.
    fn note(&mut self, token: u64, holds: Interest, by_itself: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&token) else { return };
        entry.holds = holds;
        if holds == Interest::NONE {
            self.held.remove(&token);
        } else {
            self.held.insert(token);
        }
        let over = holds != Interest::NONE || entry.interest == Interest::NONE;
        let at = by_itself.filter(|_| !over);
        if let Some(before) = std::mem::replace(&mut entry.deadline, at) {
            self.deadlines.remove(&(before, token));
        }
        self.deadlines.extend(at.map(|at| (at, token)));
    }

    fn touch_those_whose_time_is_over(&mut self) {
        while let Some((at, token)) = self.deadlines.first().copied() {
            if !deadline::has_passed(Some(at)) {
                return;
            }
            self.deadlines.pop_first();
            if let Some(entry) = self.entries.get_mut(&token) {
                entry.deadline = None;
            }
            self.get_mut(token);
        }
    }

    /// A new set in the kernel, with what is registered now. The old one had a descriptor in it
    /// that its source has let go of while someone else keeps it open: nobody can take it out.
    fn start_over(&mut self) -> Result<(), Error> {
        let queue = Queue::new().map_err(|error| Error::io("cannot make a poller", error))?;
        self.queue = Some(queue);
        let tokens: Vec<u64> = self.tokens().collect();
        for token in tokens {
            if let Some(entry) = self.entries.get_mut(&token) {
                entry.watched.clear();
            }
            self.get_mut(token);
        }
        Ok(())
    }

    fn new_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }
}

/// How asking the system went.
enum Asking {
    Done,
    /// It told of a descriptor that no source has any more.
    Stale,
}

fn watched_twice(token: u64) -> Error {
    Error::caller(format!("the descriptor of token {token} is watched under another token already"))
        .with_advice("register it once, with both interests")
}

impl<S: fmt::Debug> fmt::Debug for Poller<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.entries.iter().map(|(token, entry)| (token, &entry.source));
        f.debug_map().entries(sources).finish()
    }
}

/// What a source asks about in a list, of all its descriptors together.
fn asks(source: &impl Source, list: List) -> Interest {
    let mut all = Interest::NONE;
    source.descriptors(list, &mut |_, asked| {
        all |= asked;
    });
    all
}
