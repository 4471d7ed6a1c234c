//! The dispatcher *threads*: a thread for each conversation, out of a bounded pool.
//!
//! The thread that serves accepts, and hands each connection to a thread of the pool that is free,
//! or to a new one while there are fewer than the limit. At the limit nothing is accepted: the
//! kernel's backlog waits. A thread drives its conversation by the same turns as a loop does, and
//! waits for its transport and its mail between two of them; while there is no mailbox, in the read
//! of the next turn.

use super::Service;
use super::accept::Accept;
use super::acceptor::{Acceptor, Entrant, Hands};
use super::bench::{Bench, Next, Setup};
use super::handover::Handover;
use super::inbox::Inbox;
use super::line::{Line, Phase};
use super::shared::Shared;
use super::succession::Succession;
use crate::transport::{Interest, Patience, Transport, Wait, Woken, wait_beside};
use crate::{Error, Stopper, deadline, limits};
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

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
    waiting: VecDeque<Entrant>,
    idle: usize,
    /// Nothing more will come.
    is_over: bool,
}

/// The pool as what an acceptor hands connections to.
struct Threads<'s, 'e, 'a, F> {
    pool: &'s Pool<'a, F>,
    scope: &'s thread::Scope<'s, 'e>,
}

impl<F: Fn(Arc<dyn Transport>, &mut Bench) + Sync> Hands for Threads<'_, '_, '_, F> {
    fn hand(acceptor: &mut Acceptor<'_, Self>, entrant: Entrant) -> Result<(), Error> {
        acceptor.hands.pool.hand(acceptor.hands.scope, entrant);
        Ok(())
    }
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
        (succession, handover): (Succession, Option<Handover>),
    ) -> Result<(), Error> {
        thread::scope(|scope| {
            let threads = Threads { pool: self, scope };
            let mut acceptor = Acceptor::new(threads, self.shared, listeners, stopper, handover)?;
            succession.begin(self.shared)?;
            let accepted = acceptor.run();
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
    fn hand<'s>(&'s self, scope: &'s thread::Scope<'s, '_>, entrant: Entrant) {
        let mut queue = self.lock();
        queue.waiting.push_back(entrant);
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
            if let Some(entrant) = queue.waiting.pop_back() {
                self.shared.let_out(&*entrant.transport);
            }
        }
    }

    fn thread(&self) {
        let Some(first) = self.next(false) else { return };
        let Ok(inbox) = Inbox::new() else {
            tracing::warn!("there is no descriptor for a thread of a conversation");
            self.shared.let_out(&*first.transport);
            return;
        };
        let clock = Box::new(deadline::now);
        let mut bench = Bench::new(self.setup, self.shared, Arc::new(inbox), clock);
        let mut next = Some(first);
        while let Some(entrant) = next {
            bench.number = entrant.number;
            (self.work)(entrant.transport, &mut bench);
            next = self.next(true);
        }
    }

    /// The next connection to serve; `None` when the thread is no longer needed.
    fn next(&self, may_wait: bool) -> Option<Entrant> {
        let end = deadline::after(limits::THREAD_IDLE_TIMEOUT);
        let mut queue = self.lock();
        loop {
            if let Some(entrant) = queue.waiting.pop_front() {
                return Some(entrant);
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

/// Serves one conversation to its end, by turns.
pub(super) fn converse<S: Service>(
    transport: Arc<dyn Transport>,
    make: impl FnOnce() -> S,
    bench: &mut Bench,
    token: u64,
) {
    bench.tell_time();
    let Some(mut service) = bench.make(make, &*transport) else { return };
    let mut line = Line::new(bench.number, transport, bench.now);
    let mut ready = Interest::NONE;
    let mut tokens = Vec::new();
    bench.patience = Patience::default();
    loop {
        let next = bench.turn(&mut line, &mut service, token, ready);
        bench.read_within = may_read(&line, bench, next);
        match next {
            Next::Over => break,
            Next::Again => {
                bench.tell_time();
                ready = Interest::NONE;
            }
            // The turn waits, and takes the time then.
            Next::Wait if bench.read_within.is_some() => {
                ready = Interest::READ;
                continue;
            }
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
        if bench.inbox.is_raised() {
            bench.inbox.take(&mut tokens);
            // Late mail of the thread's last conversation has another token.
            line.flags.mail |= tokens.contains(&token);
        }
    }
    bench.close(line, service);
}

/// For how long the next turn may wait by reading, if at all: there is no mailbox then, and that
/// the server stops is found in time.
fn may_read(line: &Line, bench: &Bench, next: Next) -> Option<Duration> {
    let waits = next == Next::Wait && line.wanted == Interest::READ && line.phase == Phase::Open;
    let has_mailbox = line.extras.as_ref().is_some_and(|extras| extras.mailbox.is_some());
    if !waits || has_mailbox || line.flags.opening || bench.shared.is_stopping() {
        return None;
    }
    bench.patience.reads_blindly(bench.now, line.due)
}

/// Waits for the transport, the clock or the mail.
fn wait(line: &Line, bench: &mut Bench) -> std::io::Result<Interest> {
    let since = bench.now;
    let found = poll(line, bench);
    let now = bench.tell_time();
    bench.patience.looked(since, now);
    found
}

fn poll(line: &Line, bench: &Bench) -> std::io::Result<Interest> {
    let transport = &*line.transport;
    let (read, write) = (transport.read_descriptor(), transport.write_descriptor());
    let (mut stopper, mut due) = (bench.lifeline.as_ref(), line.due);
    if stopper.is_some() && bench.shared.is_stopping() {
        // It has been heard. That the time for it became shorter is nowhere to be heard.
        stopper = None;
        due = deadline::earlier(due, deadline::after(limits::DRAIN_LOOK_INTERVAL));
    }
    let until = Wait { deadline: due, stopper, ..Wait::FOREVER };
    let mail = Some(bench.inbox.as_fd());
    Ok(match wait_beside(read, write, line.wanted, mail, &until)? {
        Woken::Ready(ready) => ready,
        Woken::Stopped => {
            bench.shared.stop();
            Interest::NONE
        }
        Woken::Deadline | Woken::Interrupted => Interest::NONE,
    })
}
