//! The dispatcher *processes*: a process for each conversation, forked off when it is accepted or
//! out of a pool that waits for one.
//!
//! ```text
//!   front ──lifeline──> master ──lifeline──> child, child, child ..
//!  (start)             accepts,             each drives one conversation by turns,
//!                      reaps                and counts on the board
//! ```
//!
//! The *master* is the process that serves, or that [`Server::start`](super::Server::start) forks
//! off. It has one thread. It owns the listeners and the door, so limits hold for all processes
//! together, and it moves no bytes of conversations. A child closes whatever is not of its own
//! conversation.
//!
//! Each level holds one end of a pipe of which the level below watches the other: when that ends,
//! whoever held it wants an end or has died, and everything below answers what has come and ends.
//!
//! **Invariant:** a process is forked off one that has a single thread. Every child is reaped, and
//! nobody else's. The master keeps the connection of a conversation until its process has been
//! reaped: one that died before its end is reset, so that it does not look like an end.

mod board;
mod child;
mod children;
mod front;
mod pool;

pub(super) use board::{Board, Mine, Slot};
pub(super) use front::{Front, start};

use super::accept::Accept;
use super::acceptor::{Acceptor, Entrant, Hands};
use super::bench::{Bench, Setup};
use super::handover::Handover;
use super::shared::Shared;
use super::succession::Succession;
use crate::sys::{self, Backend, ForkError, Readiness, SystemBackend};
use crate::transport::Transport;
use crate::{Error, Listener, Stopper, deadline, limits};
use children::Children;
use pool::Pool;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many processes a server may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Conversations at a time, of those that were accepted.
    pub(super) conversations_max: usize,
    /// Children that wait for a conversation; 0: each is forked off for its own.
    pub(super) pool: usize,
}

impl Sizes {
    /// Adopted streams have processes of their own, beside those of the pool.
    fn slots(self) -> usize {
        self.pool.saturating_add(self.conversations_max)
    }

    pub(super) fn board(self) -> Result<Board, Error> {
        Board::new(self.slots())
    }
}

/// What asks the master to stop, by its key.
const ASKED: u64 = 0;
const FRONT: u64 = 1;
const STOPPER: u64 = 2;
/// From here on the children.
const CHILDREN: u64 = 4;

/// The processes of a server, as what an acceptor hands connections to.
pub(super) struct Processes<'a, F> {
    work: &'a F,
    setup: &'a Arc<Setup>,
    board: Board,
    backend: SystemBackend,
    children: Children,
    pool: Pool,
    /// Its other end is with every child. Closed, it has them end.
    lifeline: Option<OwnedFd>,
    childs_lifeline: Stopper,
    /// What has the master stop: the board's, its own lifeline, the user's.
    stoppers: [Option<Stopper>; 3],
    found: Vec<Readiness>,
}

/// Serves in this process and those that it forks off, until the server stops or shuts and the last
/// conversation is over. `work` serves one to its end.
///
/// # Errors
/// This process has other threads. A listener is at its end, or the system has no descriptor or no
/// process for the pool; what is open is then brought to its end first.
pub(super) fn run<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    listeners: Vec<Arc<Listener>>,
    setup: &Arc<Setup>,
    shared: &Arc<Shared>,
    stoppers: [Option<Stopper>; 2],
    sizes: Sizes,
    (succession, handover): (Succession, Option<Handover>),
    work: &F,
) -> Result<(), Error> {
    let Some(board) = shared.board() else {
        return Err(Error::caller("a server of processes has no memory to share"));
    };
    // Before anybody is let in for whom there would be no process.
    sys::may_fork().map_err(explain)?;
    board.tell(Mine::Process, u64::from(std::process::id()));
    shared.door.tell_on(board);
    let fail = |error| Error::io("cannot start to serve", error);
    let (reads, writes) = std::io::pipe().map_err(fail)?;
    let [front, user] = stoppers;
    let mut processes = Processes {
        work,
        setup,
        board: board.clone(),
        backend: SystemBackend::new().map_err(fail)?,
        children: Children::new(board.slots()),
        pool: Pool::new(sizes.pool, &listeners),
        lifeline: Some(writes.into()),
        childs_lifeline: Stopper::at_the_end_of(reads.into()),
        stoppers: [Some(board.stopper.clone()), front, user],
        found: Vec::new(),
    };
    for (key, stopper) in (ASKED..).zip(&processes.stoppers) {
        if let Some(stopper) = stopper {
            processes.backend.watch_descriptor(stopper.as_fd(), key, false).map_err(fail)?;
        }
    }
    let listeners = listeners.into_iter().map(|listener| listener as Arc<dyn Accept>).collect();
    let mut acceptor = Acceptor::new(processes, shared, listeners, None, handover)?;
    let ran = succession.begin(shared).and_then(|()| acceptor.run());
    acceptor.listeners.clear();
    acceptor.handover = None;
    ran.and(finish(&mut acceptor))
}

/// Has all children end, and waits for them.
fn finish<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
) -> Result<(), Error> {
    acceptor.hands.lifeline = None;
    for transport in acceptor.hands.pool.end() {
        give_up(acceptor.shared, &*transport);
    }
    while !acceptor.hands.children.is_empty() {
        let (drain, now) = (&acceptor.shared.drain, deadline::now());
        if drain
            .by()
            .and_then(|by| by.checked_add(limits::CUT_OFF_GRACE))
            .is_some_and(|by| by <= now)
        {
            acceptor.hands.children.kill_all();
        }
        // Of a time that becomes shorter nobody is told.
        let soon = deadline::after(limits::DRAIN_LOOK_INTERVAL);
        let until = deadline::earlier(acceptor.hands.until(), soon);
        round(acceptor, deadline::remaining(until))?;
    }
    Ok(())
}

/// One look at what is readable, after a wait for it.
fn round<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
    timeout: Option<Duration>,
) -> Result<(), Error> {
    let mut found = std::mem::take(&mut acceptor.hands.found);
    let waited = acceptor.hands.backend.wait(&mut found, timeout);
    waited.map_err(|error| Error::io("cannot wait for processes", error))?;
    for one in &found {
        match one.key {
            key @ (ASKED | FRONT | STOPPER) => {
                match key {
                    ASKED => acceptor.shared.stop(),
                    // Who is gone in the middle of a stop waits for nobody.
                    FRONT if acceptor.shared.is_stopping() => {
                        acceptor.shared.drain(deadline::now(), Duration::ZERO);
                    }
                    _ => acceptor.shared.stop_as_agreed(deadline::now()),
                }
                let hands = &mut acceptor.hands;
                // It stays as it is: watched any longer, it would never let the master wait again.
                if let Some(stopper) =
                    usize::try_from(key).ok().and_then(|k| hands.stoppers[k].take())
                {
                    let unwatched = hands.backend.unwatch_descriptor(stopper.as_fd());
                    unwatched.map_err(|error| Error::io("cannot unwatch a stopper", error))?;
                }
            }
            key => children::look(acceptor, key)?,
        }
    }
    acceptor.hands.found = found;
    children::look_at_the_unwatched(acceptor)?;
    pool::serve_waiting(acceptor)
}

impl<F: Fn(Arc<dyn Transport>, &mut Bench)> Hands for Processes<'_, F> {
    fn hand(acceptor: &mut Acceptor<'_, Self>, entrant: Entrant) -> Result<(), Error> {
        match entrant.listener {
            Some(_) if acceptor.hands.pool.size() > 0 => {
                acceptor.hands.pool.put(entrant);
                pool::serve_waiting(acceptor)
            }
            _ => children::fork_for(acceptor, entrant),
        }
    }

    fn has_room(&self) -> bool {
        self.children.has_room(self.pool.missing(&self.children))
    }

    fn look(acceptor: &mut Acceptor<'_, Self>) -> Result<(), Error> {
        round(acceptor, Some(Duration::ZERO))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.backend.as_fd())
    }

    fn until(&self) -> Option<Instant> {
        deadline::earlier(self.children.until(), self.pool.until(&self.children))
    }
}

/// A connection for which there is no process: its peer is told by a reset.
fn give_up(shared: &Shared, transport: &dyn Transport) {
    // It fails only on a connection that is broken already.
    let _ = transport.reset();
    shared.let_out(transport);
}

/// Why nothing was forked off, in words.
fn explain(error: ForkError) -> Error {
    match error {
        ForkError::Threads(threads) => Error::caller(format!(
            "cannot fork: this process has {threads} threads, and what the others hold would be \
             held in the child for ever"
        ))
        .with_advice(
            "serve, or call start, before other threads are started, or use threads or events",
        ),
        ForkError::Unknown(error) => {
            Error::io("cannot fork: how many threads this process has is not to be known", error)
                .with_advice("use threads or events")
        }
        ForkError::System(error) => Error::io("cannot fork", error),
    }
}
