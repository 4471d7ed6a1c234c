//! The children of the master: each in a slot of the board, watched, and reaped.

use super::super::acceptor::{Acceptor, Entrant};
use super::super::bench::Bench;
use super::super::drain::CutOff;
use super::super::stats::Count;
use super::board::{Phase, Slot};
use super::{CHILDREN, Processes, child, explain, give_up, pool};
use crate::sys::{self, Backend, Ended, ForkError};
use crate::transport::Transport;
use crate::{Ending, Error, deadline, limits};
use rustix::process::Pid;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Slots, some of them with a child.
#[derive(Debug)]
pub(super) struct Children {
    slots: Vec<Option<Child>>,
    free: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    /// Readable once it has ended; `None` where the system has no such thing.
    ends: Option<OwnedFd>,
    pub(super) job: Option<Job>,
    /// To one of the pool: connections go out, and a byte comes back for each.
    pub(super) control: Option<UnixStream>,
}

impl Child {
    pub(super) fn kill(&self) {
        sys::kill(self.pid);
    }
}

/// A conversation that a child was given.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entrant: Entrant,
    /// What the slot had counted before.
    endings: u64,
    /// It was killed when the time of a drain was over.
    is_killed: bool,
}

/// What of a child is readable.
const ENDED: u64 = 0;
const DONE: u64 = 1;

impl Children {
    pub(super) fn new(slots: usize) -> Children {
        Children { slots: (0..slots).map(|_| None).collect(), free: (0..slots).rev().collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// Whether there is a slot besides those that are `kept`.
    pub(super) fn has_room(&self, kept: usize) -> bool {
        self.free.len() > kept
    }

    pub(super) fn child(&mut self, slot: usize) -> Option<&mut Child> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// When to ask again of those that the system does not tell of.
    pub(super) fn until(&self) -> Option<Instant> {
        let is_unwatched = |child: &Child| child.ends.is_none();
        match self.slots.iter().flatten().any(is_unwatched) {
            true => deadline::after(limits::CHILD_POLL_INTERVAL),
            false => None,
        }
    }

    /// Of the pool.
    pub(super) fn pooled(&self) -> usize {
        self.slots.iter().flatten().filter(|child| child.control.is_some()).count()
    }

    /// Kills those that are still at a conversation.
    pub(super) fn kill_all(&mut self) {
        for child in self.slots.iter_mut().flatten() {
            if let Some(job) = &mut child.job {
                job.is_killed = true;
                child.kill();
            }
        }
    }

    /// In a child: all that is of the others.
    pub(super) fn forget(&mut self) {
        self.slots.clear();
        self.free.clear();
    }
}

/// Forks a child off for one conversation.
///
/// # Errors
/// This process has other threads.
pub(super) fn fork_for<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
    entrant: Entrant,
) -> Result<(), Error> {
    let Some(slot) = acceptor.hands.children.free.pop() else {
        give_up(acceptor.shared, &*entrant.transport);
        return Ok(());
    };
    let board = acceptor.hands.board.slot(slot);
    let job = Job::new(entrant, &board);
    match sys::fork() {
        Ok(None) => child::one(acceptor, slot, job.entrant.transport),
        Ok(Some(pid)) => {
            if !sys::is_socket(&*job.entrant.transport) {
                // Where a direction ends by closing it, it is the child's to be closed.
                let _ = job.entrant.transport.finish();
            }
            job.entrant.transport.disown();
            enter(acceptor, slot, Child { pid, ends: None, job: Some(job), control: None })
        }
        // It was known at the start how many threads there are: to look again takes a descriptor.
        Err(ForkError::System(error) | ForkError::Unknown(error)) => {
            acceptor.hands.children.free.push(slot);
            let error = Error::io("there is no process for a conversation", error);
            tracing::warn!(%error, "accepting pauses");
            acceptor.shared.door.pause(&error, deadline::now());
            give_up(acceptor.shared, &*job.entrant.transport);
            Ok(())
        }
        Err(error) => {
            acceptor.hands.children.free.push(slot);
            give_up(acceptor.shared, &*job.entrant.transport);
            Err(explain(error))
        }
    }
}

/// Forks a child off that waits for conversations.
///
/// # Errors
/// This process has other threads, or the system has no process or descriptor for it.
pub(super) fn fork_for_pool<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
) -> Result<(), Error> {
    let pair = UnixStream::pair();
    let (ours, theirs) = pair.map_err(|error| Error::io("cannot start a process", error))?;
    let Some(slot) = acceptor.hands.children.free.pop() else { return Ok(()) };
    match sys::fork() {
        Ok(None) => {
            drop(ours);
            child::many(acceptor, slot, &theirs)
        }
        Ok(Some(pid)) => {
            drop(theirs);
            enter(acceptor, slot, Child { pid, ends: None, job: None, control: Some(ours) })?;
            acceptor.hands.pool.is_idle(slot);
            Ok(())
        }
        Err(error) => {
            acceptor.hands.children.free.push(slot);
            Err(explain(error))
        }
    }
}

/// Puts a child into its slot, and watches it.
fn enter<F>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
    slot: usize,
    mut child: Child,
) -> Result<(), Error> {
    let hands = &mut acceptor.hands;
    let fail = |error| Error::io("cannot watch a process", error);
    child.ends = sys::process_descriptor(child.pid.as_raw_nonzero().get().unsigned_abs());
    let ends = child.ends.as_ref().map(AsFd::as_fd);
    let control = child.control.as_ref().map(AsFd::as_fd);
    let watched = [(ends, ENDED), (control, DONE)].into_iter().try_for_each(|(fd, what)| {
        fd.map_or(Ok(()), |fd| hands.backend.watch_descriptor(fd, key(slot, what), false))
    });
    hands.children.slots[slot] = Some(child);
    watched.map_err(fail)
}

fn key(slot: usize, what: u64) -> u64 {
    CHILDREN + slot as u64 * 2 + what
}

/// Something of a child is readable.
///
/// # Errors
/// As for [`fork_for`].
pub(super) fn look<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
    key: u64,
) -> Result<(), Error> {
    let slot = usize::try_from((key - CHILDREN) / 2).unwrap_or(usize::MAX);
    match (key - CHILDREN) % 2 {
        DONE => pool::done(acceptor, slot),
        _ => reap(acceptor, slot),
    }
    Ok(())
}

/// Looks at those that the system does not tell of.
pub(super) fn look_at_the_unwatched<F>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
) -> Result<(), Error> {
    for slot in 0..acceptor.hands.children.slots.len() {
        let child = acceptor.hands.children.child(slot);
        if child.is_some_and(|child| child.ends.is_none()) {
            reap(acceptor, slot);
        }
    }
    Ok(())
}

/// Clears a child away if it has ended.
fn reap<F>(acceptor: &mut Acceptor<'_, Processes<'_, F>>, slot: usize) {
    let hands = &mut acceptor.hands;
    let Some(child) = hands.children.child(slot) else { return };
    let Some(ended) = sys::reap(child.pid) else { return };
    let Some(mut child) = hands.children.slots[slot].take() else { return };
    for fd in [child.ends.as_ref().map(AsFd::as_fd), child.control.as_ref().map(AsFd::as_fd)] {
        // Closing it would not do: other children may have it still.
        let _ = fd.map(|fd| hands.backend.unwatch_descriptor(fd));
    }
    hands.children.free.push(slot);
    let board = hands.board.slot(slot);
    let queued = board.queued().swap(0, Ordering::Relaxed);
    let job = child.job.take();
    if child.control.is_some() {
        hands.pool.has_lost(slot, job.is_some(), ended);
    }
    let Some(job) = job else { return };
    board.set_client(0);
    match board.phase() {
        Phase::Over => is_over(acceptor, slot, &job),
        Phase::Waiting if child.control.is_some() => hands.pool.put_back(job),
        Phase::Waiting | Phase::Begun => died(acceptor, slot, &job, (ended, queued)),
    }
}

/// A conversation came to its end.
pub(super) fn is_over<F>(acceptor: &Acceptor<'_, Processes<'_, F>>, slot: usize, job: &Job) {
    let (shared, slot) = (acceptor.shared, acceptor.hands.board.slot(slot));
    if let Some(cut) = slot.take_cut_off(|| job.entrant.transport.name()) {
        shared.drain.note(cut);
    }
    shared.let_out(&*job.entrant.transport);
}

/// A child died before its conversation was over, with so much queued.
fn died<F>(
    acceptor: &Acceptor<'_, Processes<'_, F>>,
    slot: usize,
    job: &Job,
    (ended, queued): (Ended, u64),
) {
    let (board, peer) = (&acceptor.hands.board, tracing::field::debug(&job.entrant.transport));
    let counters = board.slot(slot).counters();
    if counters.endings() == job.endings {
        counters.ended(Ending::Stopped);
    }
    if job.is_killed {
        tracing::warn!(peer, "a process was killed: the time for its conversation was over");
        counters.add(Count::CutOff, 1);
        let (peer, queued_bytes) = (job.entrant.transport.name(), usize::try_from(queued));
        let queued_bytes = queued_bytes.unwrap_or(usize::MAX);
        acceptor.shared.drain.note(CutOff { peer, queued_bytes, promised: 0 });
    } else {
        tracing::warn!(peer, %ended, "a process died before its conversation was over");
        board.crashed();
    }
    give_up(acceptor.shared, &*job.entrant.transport);
}

impl Job {
    /// For the child in a slot.
    pub(super) fn new(entrant: Entrant, slot: &Slot) -> Job {
        slot.set_phase(Phase::Waiting);
        slot.set_number(entrant.number);
        Job { endings: slot.counters().endings(), entrant, is_killed: false }
    }
}
