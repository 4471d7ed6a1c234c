//! Children that were started before there is anything for them to do.
//!
//! The master passes an accepted socket to one that is idle, which puts round it whatever the
//! listener puts round sockets; a byte comes back when its conversation is over. One that dies is
//! replaced: at once if it had a conversation, else after
//! [`PROCESS_RESTART_PAUSE`](limits::PROCESS_RESTART_PAUSE), since the next one may die in the same
//! way.

use super::super::acceptor::{Acceptor, Entrant};
use super::super::bench::Bench;
use super::Processes;
use super::children::{self, Children, Job};
use crate::sys::{self, Ended};
use crate::transport::Transport;
use crate::{Error, Listener, deadline, limits};
use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Pool {
    /// How many there are to be.
    size: usize,
    /// Listeners without their sockets, for what they put round a connection.
    pub(super) dressers: Vec<Listener>,
    /// Slots of children without a conversation.
    idle: Vec<usize>,
    /// Accepted, and not begun.
    waiting: VecDeque<Entrant>,
    /// Until when none is started.
    pause: Option<Instant>,
}

impl Pool {
    pub(super) fn new(size: usize, listeners: &[Arc<Listener>]) -> Pool {
        let dressers = match size {
            0 => Vec::new(),
            _ => listeners.iter().map(|listener| listener.without_sockets()).collect(),
        };
        Pool { size, dressers, idle: Vec::new(), waiting: VecDeque::new(), pause: None }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many are to be started.
    pub(super) fn missing(&self, children: &Children) -> usize {
        self.size.saturating_sub(children.pooled())
    }

    pub(super) fn until(&self, children: &Children) -> Option<Instant> {
        self.pause.filter(|_| self.missing(children) > 0)
    }

    pub(super) fn put(&mut self, entrant: Entrant) {
        self.waiting.push_back(entrant);
    }

    /// The child that it was given to died before it took it.
    pub(super) fn put_back(&mut self, job: Job) {
        self.waiting.push_front(job.entrant);
    }

    pub(super) fn is_idle(&mut self, slot: usize) {
        self.idle.push(slot);
    }

    /// The child in this slot has ended.
    pub(super) fn has_lost(&mut self, slot: usize, had_job: bool, ended: Ended) {
        self.idle.retain(|idle| *idle != slot);
        if !had_job && self.size > 0 {
            tracing::warn!(%ended, "a process of the pool died without a conversation");
            self.pause = deadline::after(limits::PROCESS_RESTART_PAUSE);
        }
    }

    /// Nothing is served any more: what was accepted and not begun.
    pub(super) fn end(&mut self) -> Vec<Arc<dyn Transport>> {
        self.size = 0;
        self.waiting.drain(..).map(|entrant| entrant.transport).collect()
    }

    /// In a child: all that is of the master.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}

/// Starts what is missing, and gives what waits to whoever is idle.
///
/// # Errors
/// Nothing can be started, and there is nobody.
pub(super) fn serve_waiting<F: Fn(Arc<dyn Transport>, &mut Bench)>(
    acceptor: &mut Acceptor<'_, Processes<'_, F>>,
) -> Result<(), Error> {
    while acceptor.hands.pool.missing(&acceptor.hands.children) > 0
        && acceptor.hands.pool.pause.is_none_or(|until| until <= deadline::now())
    {
        let started = children::fork_for_pool(acceptor);
        let hands = &mut acceptor.hands;
        match started {
            Ok(()) => hands.pool.pause = None,
            Err(error) if error.is_caller() || hands.children.pooled() == 0 => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a process of the pool is not replaced yet");
                hands.pool.pause = deadline::after(limits::PROCESS_RESTART_PAUSE);
            }
        }
    }
    let hands = &mut acceptor.hands;
    while !hands.pool.waiting.is_empty()
        && let Some(slot) = hands.pool.idle.pop()
    {
        let Some(entrant) = hands.pool.waiting.pop_front() else { break };
        let job = Job::new(entrant, &hands.board.slot(slot));
        let Some(child) = hands.children.child(slot) else { continue };
        let place = job.entrant.listener.and_then(|place| u8::try_from(place).ok());
        let socket = job.entrant.transport.read_descriptor();
        let sent = match (&child.control, socket, place) {
            (Some(control), Some(socket), Some(place)) => {
                sys::passing::send(control.as_fd(), place, socket)
            }
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        };
        match sent {
            Ok(()) => child.job = Some(job),
            Err(_) => {
                // It has died, and is about to be reaped; or will be, since it cannot be told.
                child.kill();
                hands.pool.put_back(job);
            }
        }
    }
    Ok(())
}

/// A child of the pool says that its conversation is over, or is at its end.
pub(super) fn done<F>(acceptor: &mut Acceptor<'_, Processes<'_, F>>, slot: usize) {
    let hands = &mut acceptor.hands;
    let Some(child) = hands.children.child(slot) else { return };
    let Some(control) = &mut child.control else { return };
    match control.read(&mut [0]) {
        Ok(1) => {
            if let Some(job) = child.job.take() {
                hands.pool.is_idle(slot);
                children::is_over(acceptor, slot, &job);
            }
        }
        // It is ending, and reaped when it has: nothing more comes from it.
        _ => {
            let (backend, control) = (&mut hands.backend, control.as_fd());
            let _ = crate::sys::Backend::unwatch_descriptor(backend, control);
        }
    }
}
