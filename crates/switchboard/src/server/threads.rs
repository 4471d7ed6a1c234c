//! The dispatcher *threads*: a thread for each conversation, out of a bounded pool.
//!
//! The thread that serves accepts, and hands each connection to a thread of the pool that is free,
//! or to a new one while there are fewer than the limit. At the limit nothing is accepted: the
//! kernel's backlog waits. A thread drives its conversation by the same turns as a loop does, and
//! waits for its transport and its mail between two of them.

use super::Service;
use super::accept::{Accept, Accepted};
use super::bench::{Bench, Next, Setup};
use super::door::Entrance;
use super::inbox::Inbox;
use super::line::Line;
use super::shared::Shared;
use crate::sys::{self, Watch};
use crate::transport::{Interest, Transport, Wait, Woken, wait_beside};
use crate::{Error, Stopper, deadline, limits};
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Hands connections to threads that are free.
pub(super) struct Pool<'a, F> {
    queue: Mutex<Queue>,
    more: Condvar,
    work: F,
    setup: &'a Arc<Setup>,
    shared: &'a Arc<Shared>,
    stack_bytes: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<dyn Transport>>,
    idle: usize,
    /// Nothing more will come.
    is_over: bool,
}

impl<'a, F: Fn(Arc<dyn Transport>, &mut Bench) + Sync> Pool<'a, F> {
    /// `work` serves one conversation to its end, on the bench of its thread.
    pub(super) fn new(
        setup: &'a Arc<Setup>,
        shared: &'a Arc<Shared>,
        stack_bytes: usize,
        work: F,
    ) -> Pool<'a, F> {
        Pool { queue: Mutex::default(), more: Condvar::new(), work, setup, shared, stack_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts until the server stops or shuts, then sees the open conversations to their end.
    pub(super) fn run(
        &self,
        listeners: Vec<Arc<dyn Accept>>,
        stopper: Option<&Stopper>,
    ) -> Result<(), Error> {
        thread::scope(|scope| {
            let hand = |transport| self.hand(scope, transport);
            let mut acceptor = Acceptor::new(self.shared, listeners, stopper)?;
            let accepted = acceptor.run(hand);
            if accepted.is_err() {
                // What is open ends too: who called is to hear of it.
                self.shared.stop();
            }
            self.lock().is_over = true;
            self.more.notify_all();
            accepted.and(acceptor.see_out())
        })
    }

    /// Gives a connection to a thread.
    fn hand<'s>(&'s self, scope: &'s thread::Scope<'s, '_>, transport: Arc<dyn Transport>) {
        let mut queue = self.lock();
        queue.waiting.push_back(transport);
        if queue.idle >= queue.waiting.len() {
            self.more.notify_one();
            return;
        }
        drop(queue);
        let thread = thread::Builder::new().name("switchboard".to_owned());
        let spawned = thread.stack_size(self.stack_bytes).spawn_scoped(scope, || self.thread());
        if let Err(error) = spawned {
            tracing::warn!(%error, "there is no thread for a conversation");
            // One of the threads there are may still come to it; without any it is given up.
            let mut queue = self.lock();
            if let Some(transport) = queue.waiting.pop_back() {
                self.shared.let_out(&*transport);
            }
        }
    }

    fn thread(&self) {
        let Some(first) = self.next(false) else { return };
        let Ok(inbox) = Inbox::new() else {
            tracing::warn!("there is no descriptor for a thread of a conversation");
            self.shared.let_out(&*first);
            return;
        };
        let clock = Box::new(deadline::now);
        let mut bench = Bench::new(self.setup, self.shared, Arc::new(inbox), clock);
        let mut next = Some(first);
        while let Some(transport) = next {
            (self.work)(transport, &mut bench);
            next = self.next(true);
        }
    }

    /// The next connection to serve; `None` when the thread is no longer needed.
    fn next(&self, may_wait: bool) -> Option<Arc<dyn Transport>> {
        let end = deadline::after(limits::THREAD_IDLE_TIMEOUT);
        let mut queue = self.lock();
        loop {
            if let Some(transport) = queue.waiting.pop_front() {
                return Some(transport);
            }
            let left = deadline::remaining(end).unwrap_or(limits::THREAD_IDLE_TIMEOUT);
            if queue.is_over || !may_wait || left.is_zero() {
                return None;
            }
            queue.idle += 1;
            let waited = self.more.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            queue.idle -= 1;
        }
    }
}

/// Accepts for the pool.
struct Acceptor<'a> {
    shared: &'a Arc<Shared>,
    /// Dropped when nobody is let in any more: nobody is to wait in a queue that nobody empties.
    listeners: Vec<Arc<dyn Accept>>,
    stopper: Option<&'a Stopper>,
    inbox: Arc<Inbox>,
}

impl<'a> Acceptor<'a> {
    fn new(
        shared: &'a Arc<Shared>,
        listeners: Vec<Arc<dyn Accept>>,
        stopper: Option<&'a Stopper>,
    ) -> Result<Acceptor<'a>, Error> {
        let inbox = Inbox::new().map_err(|error| Error::io("cannot start to accept", error))?;
        let inbox = Arc::new(inbox);
        shared.enter(&inbox, None);
        Ok(Acceptor { shared, listeners, stopper, inbox })
    }

    fn run(&mut self, hand: impl Fn(Arc<dyn Transport>)) -> Result<(), Error> {
        loop {
            self.inbox.take(&mut Vec::new());
            while let Some(transport) = self.shared.next_adopted() {
                self.begin(transport, false, &hand);
            }
            if self.stopper.is_some_and(Stopper::is_stopped) {
                self.shared.stop_as_agreed(deadline::now());
            }
            if self.shared.is_stopping() {
                return Ok(());
            }
            let until = match self.shared.door.look(deadline::now()) {
                Entrance::Shut if self.shared.door.is_empty() => return Ok(()),
                Entrance::Open => self.accept(&hand)?,
                Entrance::Full => Until::Woken,
                Entrance::Shut => {
                    // A stop is still to be heard.
                    self.listeners.clear();
                    Until::Woken
                }
                Entrance::Paused(until) => Until::At(until),
            };
            self.wait(until)?;
        }
    }

    /// Tells those who do not look at the clock themselves that the time of a drain is over.
    fn see_out(&mut self) -> Result<(), Error> {
        self.listeners.clear();
        let drain = &self.shared.drain;
        while drain.has_stoppers() && !self.shared.door.is_empty() {
            if drain.is_over(deadline::now()) {
                drain.fire();
                break;
            }
            self.wait(drain.by().map_or(Until::Woken, Until::At))?;
            self.inbox.take(&mut Vec::new());
        }
        Ok(())
    }

    /// Accepts what waits. Until when to do so no more.
    fn accept(&self, hand: &impl Fn(Arc<dyn Transport>)) -> Result<Until, Error> {
        for listener in &self.listeners {
            for _ in 0..limits::ACCEPTS_PER_TURN {
                match self.shared.accept(&**listener, deadline::now())? {
                    Accepted::Came(transport) => self.begin(transport, true, hand),
                    Accepted::Nobody => break,
                    Accepted::NotNow(Entrance::Paused(until)) => return Ok(Until::At(until)),
                    Accepted::NotNow(_) => return Ok(Until::Woken),
                }
            }
        }
        Ok(Until::Connected)
    }

    fn begin(
        &self,
        transport: Arc<dyn Transport>,
        accepted: bool,
        hand: impl Fn(Arc<dyn Transport>),
    ) {
        if self.shared.let_in(&*transport, accepted) {
            hand(transport);
        }
    }

    fn wait(&self, until: Until) -> Result<(), Error> {
        let mut watches = vec![Watch::new(self.inbox.as_fd(), true, false)];
        watches.extend(self.stopper.map(|stopper| Watch::new(stopper.as_fd(), true, false)));
        let listeners = self.listeners.iter().flat_map(|listener| listener.descriptors());
        let wait = match until {
            Until::Connected => {
                watches.extend(listeners.map(|fd| Watch::new(fd, true, false)));
                Wait::FOREVER
            }
            Until::Woken => Wait::FOREVER,
            Until::At(at) => Wait::until(at),
        };
        let waited = sys::wait(&mut watches, &wait);
        waited.map(drop).map_err(|error| Error::io("cannot wait for a connection", error))
    }
}

impl Drop for Acceptor<'_> {
    fn drop(&mut self) {
        self.shared.leave(&self.inbox, None);
    }
}

/// How long to accept nothing.
#[derive(Clone, Copy)]
enum Until {
    /// A connection waits.
    Connected,
    /// There is a place again.
    Woken,
    At(Instant),
}

/// Serves one conversation to its end, by turns.
pub(super) fn converse<S: Service>(
    transport: Arc<dyn Transport>,
    make: impl FnOnce() -> S,
    bench: &mut Bench,
    token: u64,
) {
    bench.tell_time();
    let Some(mut service) = bench.make(make, &*transport) else { return };
    let mut line = Line::new(transport, bench.now);
    let mut ready = Interest::NONE;
    let mut tokens = Vec::new();
    loop {
        match bench.turn(&mut line, &mut service, token, ready) {
            Next::Over => break,
            Next::Again => ready = Interest::NONE,
            Next::Wait => match wait(&line, bench) {
                Ok(found) => ready = found,
                Err(error) => {
                    let error = Error::io("cannot wait for", error);
                    let error = error.at_endpoint(line.transport.name());
                    line.close(error.ending().unwrap_or(crate::Ending::Reset), Some(error));
                    break;
                }
            },
        }
        bench.tell_time();
        if bench.inbox.is_raised() {
            bench.inbox.take(&mut tokens);
            // Late mail of the thread's last conversation has another token.
            line.flags.mail |= tokens.contains(&token);
        }
    }
    bench.close(line, service);
}

/// Waits for the transport, the clock or the mail.
fn wait(line: &Line, bench: &Bench) -> std::io::Result<Interest> {
    let transport = &*line.transport;
    let (read, write) = (transport.read_descriptor(), transport.write_descriptor());
    let until = Wait { deadline: line.due, ..Wait::FOREVER };
    let mail = Some(bench.inbox.as_fd());
    Ok(match wait_beside(read, write, line.wanted, mail, &until)? {
        Woken::Ready(ready) => ready,
        Woken::Deadline | Woken::Stopped | Woken::Interrupted => Interest::NONE,
    })
}
