//! What the processes of a server count, in memory that they share.
//!
//! ```text
//!   row 0      what the master counts: who was let in, who crashed
//!   row 1 ..   a slot each: what the conversations of one child after the other have counted,
//!              what this one has queued, how far it has come
//! ```
//!
//! **Invariant:** a number has one writer at a time: a slot's are its child's, and the master's
//! once that is reaped. What a child had counted outlives it, however it ends.

use super::super::drain::{CutOff, NEVER};
use super::super::stats::{Counters, MORE, ROW, Row, Stats, add};
use crate::{Error, Stopper, sys};
use std::sync::atomic::{AtomicU64, Ordering};

/// The columns of a slot's row behind what every dispatcher counts.
const QUEUED: usize = MORE;
const PHASE: usize = MORE + 1;
/// Who was cut off: whether, and what was left of it.
const CUT_OFF: usize = MORE + 2;
const CUT_QUEUED: usize = MORE + 3;
const CUT_PROMISED: usize = MORE + 4;
/// The client it counts as where a proxy has said who that is, as a number; 0 for none.
const CLIENT: usize = MORE + 5;
/// Of the conversation.
const NUMBER: usize = MORE + 6;

/// The columns of the master's row.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) enum Mine {
    Accepted,
    Open,
    Refused,
    AcceptErrors,
    Crashed,
    /// The process that this is, from when it begins to serve.
    Process,
    /// Until when a server that stops may go on.
    DrainsBy,
    /// When the stop of a server that was taken over begins.
    StopsAt,
}

/// How far a child has come with the conversation that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Phase {
    Waiting,
    Begun,
    Over,
}

/// Clones are the same board, in every process that was forked off since it was made.
#[derive(Clone, Debug)]
pub(in crate::server) struct Board {
    table: sys::Table<ROW>,
    mine: Row,
    /// Asks the master to stop, from any process.
    pub(super) stopper: Stopper,
}

impl Board {
    /// # Errors
    /// There is no memory for so many slots, or no descriptor.
    pub(super) fn new(slots: usize) -> Result<Board, Error> {
        let fail = |error| Error::io("cannot share memory with other processes", error);
        let table = sys::Table::new(slots.saturating_add(1)).map_err(fail)?;
        let stopper = Stopper::new().map_err(fail)?;
        let board = Board { mine: table.row(0), table, stopper };
        board.tell(Mine::DrainsBy, NEVER);
        board.tell(Mine::StopsAt, NEVER);
        Ok(board)
    }

    pub(super) fn slots(&self) -> usize {
        self.table.rows() - 1
    }

    pub(super) fn slot(&self, number: usize) -> Slot {
        Slot(self.table.row(number + 1))
    }

    /// Tells all processes what the master has counted.
    pub(in crate::server) fn tell(&self, what: Mine, count: u64) {
        self.mine[what as usize].store(count, Ordering::Release);
    }

    pub(super) fn crashed(&self) {
        add(&self.mine[Mine::Crashed as usize], 1);
    }

    pub(in crate::server) fn drains_by(&self) -> &AtomicU64 {
        &self.mine[Mine::DrainsBy as usize]
    }

    pub(in crate::server) fn stops_at(&self) -> &AtomicU64 {
        &self.mine[Mine::StopsAt as usize]
    }

    /// Whether this process is the master, or there is none yet.
    pub(in crate::server) fn is_master(&self) -> bool {
        let master = self.mine(Mine::Process);
        master == 0 || master == u64::from(std::process::id())
    }

    /// Has whoever serves stop, in whatever process that is.
    pub(in crate::server) fn stop(&self) {
        self.stopper.stop();
    }

    /// Bytes queued in all conversations.
    pub(in crate::server) fn queued(&self) -> u64 {
        (1..self.table.rows()).map(|row| self.table.row(row)[QUEUED].load(Ordering::Relaxed)).sum()
    }

    pub(in crate::server) fn stats(&self) -> Stats {
        let mut stats = Stats {
            accepted: self.mine(Mine::Accepted),
            open: self.mine(Mine::Open),
            refused: self.mine(Mine::Refused),
            accept_errors: self.mine(Mine::AcceptErrors),
            crashed: self.mine(Mine::Crashed),
            queued_bytes: self.queued(),
            ..Stats::default()
        };
        for slot in 0..self.slots() {
            self.slot(slot).counters().add_to(&mut stats);
        }
        stats
    }

    /// Conversations that count as this client.
    pub(in crate::server) fn clients(&self, client: u64) -> usize {
        let rows = 1..self.table.rows();
        rows.filter(|&row| self.table.row(row)[CLIENT].load(Ordering::SeqCst) == client).count()
    }

    fn mine(&self, what: Mine) -> u64 {
        self.mine[what as usize].load(Ordering::Acquire)
    }
}

/// What one child counts.
#[derive(Clone, Debug)]
pub(in crate::server) struct Slot(Row);

impl Slot {
    pub(in crate::server) fn counters(&self) -> Counters {
        Counters::of(self.0.clone())
    }

    /// Bytes queued in its conversation.
    pub(in crate::server) fn queued(&self) -> &AtomicU64 {
        &self.0[QUEUED]
    }

    /// Its conversation was cut off.
    pub(in crate::server) fn note_cut_off(&self, queued_bytes: usize, promised: usize) {
        self.0[CUT_QUEUED].store(queued_bytes as u64, Ordering::Relaxed);
        self.0[CUT_PROMISED].store(promised as u64, Ordering::Relaxed);
        self.0[CUT_OFF].store(1, Ordering::Release);
    }

    /// What was left of a conversation that was cut off.
    pub(super) fn take_cut_off(&self, peer: impl FnOnce() -> String) -> Option<CutOff> {
        let number = |at: usize| {
            let number = self.0[at].load(Ordering::Relaxed);
            usize::try_from(number).unwrap_or(usize::MAX)
        };
        let is_cut = self.0[CUT_OFF].swap(0, Ordering::Acquire) != 0;
        let (queued_bytes, promised) = (number(CUT_QUEUED), number(CUT_PROMISED));
        is_cut.then(|| CutOff { peer: peer(), queued_bytes, promised })
    }

    /// Whom its conversation counts as. In one order for all processes: of several that look at
    /// once at how many there are, none may overlook another.
    pub(in crate::server) fn set_client(&self, client: u64) {
        self.0[CLIENT].store(client, Ordering::SeqCst);
    }

    pub(super) fn number(&self) -> u64 {
        self.0[NUMBER].load(Ordering::Acquire)
    }

    pub(super) fn set_number(&self, number: u64) {
        self.0[NUMBER].store(number, Ordering::Release);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.0[PHASE].load(Ordering::Acquire) {
            0 => Phase::Waiting,
            1 => Phase::Begun,
            _ => Phase::Over,
        }
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.0[PHASE].store(phase as u64, Ordering::Release);
    }
}
