//! The turn that nearly all turns are: whole messages have come, the service answers them, and the
//! transport takes it all.
//!
//! It does in a quarter of the time what the long way would do, by asking first and once whether
//! anything else may have to be done. What turns out to be more is gone on with on the long way.

use super::Turn;
use crate::server::Service;
use crate::server::in_service::InService;
use crate::server::line::Phase;
use crate::session::Rest;
use crate::transport::Interest;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How far a conversation came on the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Short {
    /// Nothing has been done.
    Not,
    /// The long way goes on from here; it has been read.
    Begun,
    /// It rests again.
    Done(Rest),
}

impl<S: Service> Turn<'_, S> {
    /// Does what there is to be done, if that is the usual. For a conversation at rest.
    pub(in crate::server) fn short(&mut self, ready: Interest) -> Short {
        if ready == Interest::NONE {
            return self.short_for_mail();
        }
        if ready != Interest::READ || !self.is_plain() {
            return Short::Not;
        }
        if self.read() == 0 {
            return Short::Begun;
        }
        let most = self.bench.setup.limits.messages_per_turn;
        // Nothing is queued, nothing promised, and nothing couples the directions of one at rest.
        let room = self.bench.room();
        let worked = {
            let _in_service = InService::enter();
            catch_unwind(AssertUnwindSafe(|| self.run_of_messages(false, most, room)))
        };
        match worked {
            Ok(0) => return Short::Begun,
            Ok(_) => self.has_heard(),
            Err(_) => {
                self.panicked();
                return Short::Begun;
            }
        }
        self.write();
        self.flush();
        if !self.is_open() || self.line.transport.holds_input() {
            return Short::Begun;
        }
        let Some(rest) = self.session.rest() else { return Short::Begun };
        self.line.flags.owes = false;
        let (heard, idle) = (self.line.heard, self.bench.setup.limits.timeouts.idle);
        self.line.due = idle.and_then(|idle| heard.checked_add(idle));
        self.line.wanted = self.line.transport.interest(Interest::READ);
        Short::Done(rest)
    }

    /// The same for one that only listens: mail has come, and goes out as a whole. What it waits
    /// for, and till when, is what it was.
    fn short_for_mail(&mut self) -> Short {
        if !self.line.flags.mail || !self.only_listens() {
            return Short::Not;
        }
        self.take_mail();
        self.write();
        self.flush();
        if self.line.flags.mail || !self.only_listens() || self.line.transport.holds_input() {
            return Short::Begun;
        }
        self.session.rest().map_or(Short::Begun, Short::Done)
    }

    fn only_listens(&self) -> bool {
        let flags = &self.line.flags;
        let is_usual = flags.opened && !flags.owes && !flags.backlog;
        is_usual
            && self.is_steady()
            && self.line.extras.as_ref().is_none_or(|extras| extras.only_has_mail())
            && !self.has_due()
    }

    /// Whether nothing but messages can be what the turn is about.
    fn is_plain(&self) -> bool {
        self.line.flags.opened
            && !self.line.flags.mail
            && !self.line.flags.backlog
            && self.is_open()
            && !self.has_due()
    }

    /// Whether a clock has run out, or one that is not told in advance may have.
    fn has_due(&self) -> bool {
        self.line.due.is_some_and(|due| due <= self.bench.now)
            || self.bench.setup.limits.heartbeat.is_some()
            || self.bench.shared.is_stopping()
    }

    /// Whether it is as it was when it began.
    fn is_open(&self) -> bool {
        self.line.extras.is_none() && self.is_steady()
    }

    /// Whether it is open both ways, and nothing is held up.
    fn is_steady(&self) -> bool {
        let flags = &self.line.flags;
        self.line.phase == Phase::Open
            && !(flags.opening || flags.holds || flags.paused || flags.full || flags.finishing)
            && !flags.told_finished
    }
}
