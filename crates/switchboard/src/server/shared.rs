//! What the loops and threads of a server share, and what others ask of it: [`Handle`].

use super::accept::{Accept, Accepted};
use super::door::{Door, Entered, Entrance};
use super::drain::{CutOff, Drain};
use super::inbox::Inbox;
use super::notify;
use super::per_address;
use super::processes::{Board, Mine, Slot};
use super::stats::{Counters, Stats};
use crate::transport::Transport;
use crate::{Endpoint, Error, Stopper, deadline};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Shared {
    stopping: AtomicBool,
    tells_of_the_stop: AtomicBool,
    /// Bytes queued in all conversations.
    queued: AtomicU64,
    queued_max: AtomicUsize,
    pub(super) door: Door,
    pub(super) drain: Drain,
    workers: Mutex<Workers>,
    /// Given to [`Handle::adopt`] and not begun yet.
    adopted: Mutex<VecDeque<Arc<dyn Transport>>>,
    /// Stopped together with the server.
    stoppers: Mutex<Vec<Stopper>>,
    /// What is shared with other processes, where there are some.
    board: OnceLock<Board>,
    /// There will be.
    forks: AtomicBool,
    /// This is one of them, which serves a conversation.
    slot: Option<Slot>,
}

#[derive(Debug, Default)]
struct Workers {
    inboxes: Vec<Arc<Inbox>>,
    counters: Vec<Counters>,
    /// What workers that have ended had counted.
    past: Stats,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            stopping: AtomicBool::new(false),
            tells_of_the_stop: AtomicBool::new(false),
            queued: AtomicU64::new(0),
            queued_max: AtomicUsize::new(crate::limits::QUEUED_BYTES_IN_ALL_MAX),
            door: Door::new(),
            drain: Drain::new(deadline::now()),
            workers: Mutex::default(),
            adopted: Mutex::default(),
            stoppers: Mutex::default(),
            board: OnceLock::new(),
            forks: AtomicBool::new(false),
            slot: None,
        }
    }

    /// What a process has that serves conversations of this server, one at a time.
    pub(super) fn of_child(&self, slot: Slot) -> Shared {
        let (board, drain) = (self.board.clone(), self.drain.of_child());
        let child = Shared { slot: Some(slot), board, drain, ..Shared::new() };
        child.set_queued_max(self.queued_max.load(Ordering::Relaxed));
        child
    }

    /// Whether conversations will be served in processes of their own.
    pub(super) fn set_forks(&self, forks: bool) {
        self.forks.store(forks, Ordering::Relaxed);
    }

    /// From here on the server is of several processes.
    pub(super) fn set_board(&self, board: &Board) {
        let _ = self.board.set(board.clone());
        self.drain.share(board);
    }

    /// It is another process that serves: what was adopted is served there.
    pub(super) fn is_served_by(&self, process: u32) {
        if let Some(board) = self.board() {
            board.tell(Mine::Process, u64::from(process));
        }
        self.forget_adopted();
    }

    pub(super) fn board(&self) -> Option<&Board> {
        self.board.get()
    }

    /// Whether this is a process that others of this server have no memory in common with.
    pub(super) fn is_of_child(&self) -> bool {
        self.slot.is_some()
    }

    /// The counters of a loop or a thread that begins.
    pub(super) fn counters(&self) -> Counters {
        self.slot.as_ref().map_or_else(Counters::new, Slot::counters)
    }

    pub(super) fn set_queued_max(&self, bytes: usize) {
        self.queued_max.store(bytes, Ordering::Relaxed);
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A loop or a thread begins.
    pub(super) fn enter(&self, inbox: &Arc<Inbox>, counters: Option<&Counters>) {
        let mut workers = self.workers();
        workers.inboxes.push(Arc::clone(inbox));
        workers.counters.extend(counters.cloned());
    }

    /// It ends; what it counted stays.
    pub(super) fn leave(&self, inbox: &Arc<Inbox>, counters: Option<&Counters>) {
        let mut workers = self.workers();
        workers.inboxes.retain(|one| !Arc::ptr_eq(one, inbox));
        if let Some(counters) = counters {
            workers.counters.retain(|one| !one.is_same(counters));
            counters.add_to(&mut workers.past);
        }
    }

    /// Has every loop and thread look at what they share.
    pub(super) fn wake_all(&self) {
        for inbox in &self.workers().inboxes {
            inbox.wake();
        }
    }

    /// Accepts a connection, if the door is open and one waits.
    ///
    /// # Errors
    /// The listener is at its end.
    pub(super) fn accept(&self, listener: &dyn Accept, now: Instant) -> Result<Accepted, Error> {
        match self.door.entrance(now) {
            Entrance::Open => {}
            not_now => return Ok(Accepted::NotNow(not_now)),
        }
        let accepted = listener.try_accept();
        if let Ok(Some(transport)) = accepted {
            return Ok(Accepted::Came(transport));
        }
        // The place that was kept for it is not needed.
        if self.door.nobody_came() {
            self.wake_all();
        }
        match accepted {
            Err(error) => {
                let until = self.door.failed(listener, error, now)?;
                Ok(Accepted::NotNow(Entrance::Paused(until)))
            }
            Ok(_) => Ok(Accepted::Nobody),
        }
    }

    /// Gives a connection a place, if there is one for it, and its number.
    pub(super) fn let_in(&self, transport: &dyn Transport, is_accepted: bool) -> Option<u64> {
        let Entered::In { number, is_last } = self.door.enter(transport, is_accepted) else {
            return None;
        };
        if is_last {
            // Nobody is to wait for another one.
            self.wake_all();
        }
        tracing::debug!(peer = tracing::field::debug(transport), "a conversation has begun");
        Some(number)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Has one counted whose client was not known before. Whether there may be so many of that
    /// address.
    pub(super) fn identify(&self, client: &Endpoint, max: Option<usize>) -> bool {
        let (Some(slot), Some(board)) = (&self.slot, self.board()) else {
            return self.door.identify(client);
        };
        // The door is the master's, who does not read what a client sends.
        let Some((client, max)) = per_address::number(client).zip(max) else { return true };
        slot.set_client(client);
        board.clients(client) <= max
    }

    /// A conversation of which nothing has been read gives its place up.
    pub(super) fn let_out(&self, transport: &dyn Transport) {
        self.let_out_as(transport.client().as_ref());
    }

    /// One that counted as this client does.
    pub(super) fn let_out_as(&self, client: Option<&Endpoint>) {
        // The last one of a server that stops may be waited for.
        if self.door.leave(client) || self.is_stopping() && self.door.is_empty() {
            self.wake_all();
        }
    }

    pub(super) fn stop(&self) {
        self.begin_to_stop();
    }

    /// Another process accepts from here on: this one goes on with what it has, for a while.
    pub(super) fn taken_over(&self, now: Instant) {
        tracing::info!("another process has taken over");
        self.drain.begin_later(now);
        self.door.shut();
        self.wake_all();
    }

    /// When a server that was taken over is to stop, as long as it does not.
    pub(super) fn stops_at(&self) -> Option<Instant> {
        if self.is_stopping() { None } else { self.drain.begins() }
    }

    /// Has the supervisor told when the server stops.
    pub(super) fn tell_of_the_stop(&self) {
        self.tells_of_the_stop.store(true, Ordering::Release);
    }

    /// As a stopper has it, with the time that the server was given for that.
    pub(super) fn stop_as_agreed(&self, now: Instant) {
        self.drain(now, self.drain.within());
    }

    /// Stops within a time, or within less if that was said before.
    pub(super) fn drain(&self, now: Instant, within: Duration) {
        let is_sooner = self.drain.shorten(now, within);
        if !self.begin_to_stop() && is_sooner {
            self.wake_all();
        }
    }

    /// Whether it had not begun.
    fn begin_to_stop(&self) -> bool {
        if let Some(board) = self.board() {
            // It may be another process that serves.
            board.stop();
        }
        let begins = !self.stopping.swap(true, Ordering::AcqRel);
        if begins {
            // Of one that was taken over the end is not the end of the service.
            if self.tells_of_the_stop.load(Ordering::Acquire) && self.drain.begins().is_none() {
                notify::notify(notify::STOPPING);
            }
            // What came too late to be begun is closed: whoever adopts looks at the flag first.
            self.adopted().clear();
            self.wake_all();
            for stopper in self.stoppers().iter() {
                stopper.stop();
            }
        }
        begins
    }

    /// Notes who was cut off; in a process of its own, where its master finds it.
    pub(super) fn note_cut_off(&self, cut: CutOff) {
        match &self.slot {
            Some(slot) => slot.note_cut_off(cut.queued_bytes, cut.promised),
            None => self.drain.note(cut),
        }
    }

    /// Stops a stopper together with the server.
    pub(super) fn on_stop(&self, stopper: &Stopper) {
        let mut stoppers = self.stoppers();
        stoppers.push(stopper.clone());
        if self.is_stopping() {
            stopper.stop();
        }
    }

    fn stoppers(&self) -> MutexGuard<'_, Vec<Stopper>> {
        self.stoppers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queued_more(&self, bytes: usize) {
        if bytes > 0 {
            self.queued().fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn queued_less(&self, bytes: usize) {
        if bytes > 0 {
            self.queued().fetch_sub(bytes as u64, Ordering::Relaxed);
        }
    }

    fn queued(&self) -> &AtomicU64 {
        self.slot.as_ref().map_or(&self.queued, Slot::queued)
    }

    fn queued_in_all(&self) -> u64 {
        self.board().map_or_else(|| self.queued.load(Ordering::Relaxed), Board::queued)
    }

    pub(super) fn is_over_queued(&self) -> bool {
        self.queued_in_all() > self.queued_max.load(Ordering::Relaxed) as u64
    }

    pub(super) fn next_adopted(&self) -> Option<Arc<dyn Transport>> {
        self.adopted().pop_front()
    }

    fn adopted(&self) -> MutexGuard<'_, VecDeque<Arc<dyn Transport>>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was adopted and not begun, in a process that is not to begin it.
    pub(super) fn forget_adopted(&self) {
        self.adopted().drain(..).for_each(|transport| transport.disown());
    }

    pub(super) fn stats(&self) -> Stats {
        if let Some(board) = self.board() {
            return board.stats();
        }
        let workers = self.workers();
        let mut stats = workers.past.clone();
        // The door first: whoever has left through it was counted before.
        self.door.add_to(&mut stats);
        for counters in &workers.counters {
            counters.add_to(&mut stats);
        }
        stats.queued_bytes = self.queued_in_all();
        stats
    }
}

/// Asks a server things, and stops it, from anywhere; clones are handles of the same server.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
    pub(super) endpoints: Arc<[Endpoint]>,
}

impl Handle {
    /// Stops the server, and returns at once. Nothing more is accepted. Every conversation has one
    /// more turn, in which the whole messages that are there, as many as are one turn's
    /// ([`messages_per_turn`](super::Limits::messages_per_turn)), are given to its service; then it
    /// is closed, with all that is queued or promised delivered. The call that serves returns when
    /// that is done.
    ///
    /// A peer that takes nothing, and an answer that was promised and does not come, are given up
    /// after [`Timeouts::stall`](crate::Timeouts::stall); one that does not end, after
    /// [`Limits::linger`](super::Limits::linger). A method of a service that waits is waited for.
    ///
    /// Not for signal handlers; see [`Server::with_stopper`](super::Server::with_stopper).
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Stops the server as [`stop`](Self::stop) does, and in so much time: whoever is left then,
    /// because it takes nothing, does not end, or waits for an answer that does not come, is cut
    /// off. Such a conversation ends `stopped`, with an error that its service is told;
    /// [`Stats::cut_off`] counts it and [`cut_off`](Self::cut_off) names it. A second call can only
    /// make the time shorter.
    ///
    /// The time is kept to within two slots of a loop's clock (32 ms), or else to within
    /// [`BLIND_WAIT`](crate::limits::BLIND_WAIT). What cannot be cut off is
    /// code: a method of a service, or a handler of
    /// [`serve_conversations`](super::Server::serve_conversations), that waits for something else
    /// than its conversation is waited for; under *processes* it is killed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::server::{Reply, Server};
    ///
    /// let server = Server::new("lines")?.listen("127.0.0.1:0")?;
    /// let running = server.start(|| |message: &[u8], reply: &mut Reply<'_>| reply.send(message))?;
    /// let endpoint = running.endpoints()[0].to_string();
    /// let mut idle = switchboard::Conversation::connect(&endpoint, "lines")?;
    /// idle.request(b"hello")?;
    /// // It is told that this is the end, and does not end: it never looks.
    /// let handle = running.handle().clone();
    /// let stats = running.drain(Duration::from_millis(20))?;
    /// assert_eq!(stats.cut_off, 1);
    /// println!("cut off: {}", handle.cut_off()[0]);
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    pub fn drain(&self, within: Duration) {
        self.shared.drain(deadline::now(), within);
    }

    /// Who was cut off by the deadline of a [`drain`](Self::drain): the first
    /// [`CUT_OFF_MAX`](crate::limits::CUT_OFF_MAX) of them; [`Stats::cut_off`] counts all.
    #[must_use]
    pub fn cut_off(&self) -> Vec<CutOff> {
        self.shared.drain.cut_off()
    }

    /// Whether another process has [taken over](super::Server::take_over), and accepts instead.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        self.shared.drain.begins().is_some()
    }

    /// What the server has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Where it listens, with the port that was chosen for port 0.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Has the server serve a stream that it did not accept: one end of a
    /// [`pair`](crate::transport::pair()), a program, an inherited descriptor. It is let in at the
    /// limits too, and begins once the server serves.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use switchboard::transport::pair;
    /// use switchboard::{Conversation, Reply, Server};
    ///
    /// // A server that listens nowhere: for a test of a service, without a network.
    /// let running = Server::new("lines")?
    ///     .start(|| |message: &[u8], reply: &mut Reply<'_>| reply.send(message))?;
    /// let (ours, theirs) = pair()?;
    /// running.handle().adopt(Arc::new(theirs))?;
    /// let mut client = Conversation::over(Arc::new(ours), &"lines".parse()?);
    /// assert_eq!(&*client.request(b"hello")?, b"hello");
    /// client.close()?;
    /// running.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The server is stopping, or has as many adopted streams waiting as it may have
    /// conversations. Under *processes*: it has been started, and serves in another process; or the
    /// stream is one in memory.
    pub fn adopt(&self, transport: Arc<dyn Transport>) -> Result<(), Error> {
        {
            if self.shared.board().is_some_and(|board| !board.is_master()) {
                let what = "another process serves, and cannot reach a stream of this one";
                let advice = "adopt it before start, or use threads or events";
                return Err(Error::caller(what).with_advice(advice));
            }
            if self.shared.forks.load(Ordering::Relaxed) && transport.facts().in_memory {
                let what = "a stream in memory cannot be served by another process";
                let advice = "adopt a socket, or use threads or events";
                return Err(Error::caller(what).with_advice(advice));
            }
            let mut adopted = self.shared.adopted();
            if self.shared.is_stopping() {
                let what = "the server is stopping, and takes no stream any more";
                return Err(Error::caller(what));
            }
            if adopted.len() >= crate::limits::CONVERSATIONS_MAX {
                return Err(Error::limit("too many adopted streams wait to be served"));
            }
            adopted.push_back(transport);
        }
        // Whichever loop comes first takes it.
        self.shared.wake_all();
        Ok(())
    }
}
