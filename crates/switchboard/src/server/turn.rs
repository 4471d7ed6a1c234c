//! One turn of a conversation: what can be done without waiting, and then what it waits for.
//!
//! ```text
//!   mail ─┐
//!   read ─┴─> messages ──> the service ──> replies gathered ──> one write ──> what next
//! ```
//!
//! Every dispatcher drives conversations by these turns, so they all behave alike: they differ in
//! how a turn comes about. A turn reads at most once and writes once, however many messages lie
//! between the two.
//!
//! **Invariant:** everything received whole is given to the service before an ending is told. What
//! is queued to a peer that does not take it is bounded: nothing is read from it meanwhile.

mod clocks;
mod drain;
mod failing;
mod mail;
mod opening;
mod short;

pub(super) use short::Short;

use super::bench::{Bench, Next};
use super::in_service::InService;
use super::inbox::Token;
use super::line::{Line, Phase};
use super::stats::Count;
use super::{Reply, Service};
use crate::session::{Event, Session};
use crate::transport::Interest;
use crate::{Ending, Error, host, limits};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) struct Turn<'a, S> {
    pub(super) line: &'a mut Line,
    pub(super) session: &'a mut Session,
    pub(super) service: &'a mut S,
    pub(super) bench: &'a mut Bench,
    pub(super) token: Token,
}

impl<S: Service> Turn<'_, S> {
    /// A turn in which anything may be to be done.
    pub(super) fn long(&mut self, ready: Interest) -> Next {
        let mut again = self.run(ready);
        again &= !self.cut_off();
        self.line.due = self.due();
        let (queued, wanted) = (self.queued(), self.wanted());
        self.bench.account(self.line, queued);
        if !again {
            // Else what it waits for is only put off, and watching goes on as it was.
            self.line.wanted = wanted;
        }
        match self.line.phase {
            Phase::Over => Next::Over,
            _ if again => Next::Again,
            _ => Next::Wait,
        }
    }

    /// Whether it could go on at once.
    fn run(&mut self, ready: Interest) -> bool {
        if self.line.flags.opening && !self.open() {
            return false;
        }
        if self.line.flags.holds && ready.write {
            // Something goes, so it is no stall.
            self.session.outbound.restart_clock();
        }
        if self.line.phase == Phase::Lingering {
            self.linger(ready);
            return false;
        }
        if self.session.outbound.pending() > 0 {
            self.write();
        }
        let late = self.line.due.is_some_and(|due| due <= self.bench.now);
        // A clock that has run out while bytes lay there unread has not run out.
        let stopping = self.bench.shared.is_stopping();
        let comes = ready.read || self.line.transport.holds_input();
        let looked = (comes || late || stopping) && self.wants_bytes();
        if looked {
            let bytes = self.read();
            if stopping {
                self.drained(bytes);
            }
        }
        let worked = {
            let _in_service = InService::enter();
            catch_unwind(AssertUnwindSafe(|| self.work()))
        };
        if worked.is_err() {
            self.panicked();
        }
        self.write();
        self.flush();
        let holds = self.line.flags.holds;
        if self.line.flags.owes && self.queued() == 0 && self.line.held() == 0 && !holds {
            // From here on it is the peer's turn to say something: no clock of it ran till now.
            self.line.flags.owes = false;
            self.line.heard = self.bench.now;
            self.session.inbound.restart_clock();
        }
        self.put_off_silence();
        if late {
            self.expire(looked);
        }
        self.settle();
        let flags = &self.line.flags;
        flags.backlog && self.wants_messages()
            || flags.mail && !flags.full
            || self.drains()
            || self.wants_bytes() && self.line.transport.holds_input()
    }

    /// Everything in which the service has a part.
    fn work(&mut self) {
        if !self.line.flags.opened && !self.line.flags.unopened {
            self.line.flags.opened = true;
            if let Some(tick) = self.bench.setup.limits.tick {
                self.line.extras().ticks_at = self.bench.now.checked_add(tick);
            }
            self.call(S::opened);
        }
        if self.line.flags.mail {
            self.take_mail();
        }
        self.clocks();
        self.deliver();
        self.stop();
    }

    /// Calls the service, and ends the conversation if it says so.
    fn call(&mut self, call: impl FnOnce(&mut S, &mut Reply<'_>) -> Result<(), Error>) {
        let sending = self.session.sending();
        let mut reply = Reply::new(sending, self.line, self.bench, self.token, 0);
        let called = call(self.service, &mut reply);
        // It may have taken its time.
        self.bench.tell_time();
        if let Err(error) = called {
            self.fail(error);
        }
    }

    /// Whether bytes are wanted: else the transport is not even looked at.
    pub(super) fn wants_bytes(&self) -> bool {
        self.wants_messages()
            && !self.line.flags.backlog
            && !self.session.inbound.at_end()
            && !self.line.is_broken()
    }

    /// What it waits for on its transport.
    pub(super) fn wanted(&self) -> Interest {
        let lingers = self.line.phase == Phase::Lingering && self.line.lingers_bytes() > 0;
        let read = self.wants_bytes() || lingers;
        let write = self.session.outbound.pending() > 0;
        self.line.transport.interest(Interest { read, write })
    }

    fn wants_messages(&self) -> bool {
        let flags = &self.line.flags;
        self.line.phase == Phase::Open
            && !flags.paused
            && !flags.full
            && self.line.held() < self.bench.setup.limits.later_max
    }

    /// Reads once. How many bytes: none is the end, or that there are none yet.
    fn read(&mut self) -> usize {
        let need = self.session.inbound.needed();
        let within = self.bench.read_within.take();
        loop {
            let inbound = &mut self.session.inbound;
            let buffers = &mut self.bench.buffers;
            let read = inbound.read_from(&*self.line.transport, need, buffers, within);
            if within.is_some() {
                self.bench.tell_time();
            }
            match read {
                Err(error) if within.is_some() && self.bench.patience.failed(&error) => return 0,
                Ok(bytes) => {
                    self.bench.counters.add(Count::BytesReceived, bytes as u64);
                    return bytes;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    self.session.inbound.handle_cut();
                    return 0;
                }
                Err(error) => {
                    let number = self.session.inbound.messages() + 1;
                    let error = self.line.io("cannot receive from", error).at_message(number);
                    let partial = self.session.inbound.partial();
                    self.line.extras().broken = Some(error.with_partial(partial));
                    return 0;
                }
            }
        }
    }

    /// Gives the service the messages that are there, within the bounds of a turn.
    fn deliver(&mut self) {
        let before = self.session.inbound.messages();
        self.deliver_some();
        if self.session.inbound.messages() > before {
            self.has_heard();
        }
    }

    /// Messages have been given.
    fn has_heard(&mut self) {
        // The service may have taken its time, and its peer has not been silent meanwhile.
        self.line.heard = self.bench.tell_time();
        self.line.flags.owes = true;
    }

    fn deliver_some(&mut self) {
        let mark = self.bench.setup.mark;
        let mut left = self.bench.setup.limits.messages_per_turn;
        let mut is_told = false;
        while self.wants_messages() && left > 0 {
            left -= self.run_of_messages(is_told, left, 0);
            is_told = false;
            if self.session.outbound.pending() >= mark {
                self.write();
            }
            if !self.wants_messages() || left == 0 {
                break;
            }
            match self.session.poll() {
                Ok(Event::Message) => is_told = true,
                Ok(Event::Discarded(_)) => self.bench.counters.add(Count::MessagesDiscarded, 1),
                Ok(Event::Need(_)) => {
                    if self.session.inbound.go_on(&mut self.bench.buffers) {
                        continue;
                    }
                    return self.all_given();
                }
                Ok(Event::Finished) => {
                    self.line.flags.backlog = false;
                    if !self.line.flags.told_finished {
                        self.line.flags.told_finished = true;
                        self.call(S::finished);
                    }
                    return;
                }
                Err(error) => {
                    let number = self.session.inbound.messages() + 1;
                    let mut error = Error::frame(error, self.line.transport.name(), number);
                    if error.is_truncated()
                        && let Some(reset) = self.reset_by_writing()
                    {
                        error = reset.at_message(number);
                    }
                    let error = self.session.inbound.shown(error);
                    self.line.flags.backlog = false;
                    self.line.close(error.ending().unwrap_or(Ending::BadPrefix), Some(error));
                    return;
                }
            }
        }
        // Nobody has looked whether there is more; what only brought mail is no reason to look.
        self.line.flags.backlog = self.session.may_be_ready() || self.bench.buffers.has_more();
    }

    /// A broken stream is told once: the write that was told so left an end for the reads. A broken
    /// pipe is another thing; it says nothing of the other direction.
    #[cold]
    fn reset_by_writing(&self) -> Option<Error> {
        let deaf = self.line.extras.as_ref()?.deaf.clone()?;
        let is_broken_pipe = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
        (!deaf.io_error().is_some_and(is_broken_pipe)).then_some(deaf)
    }

    /// Gives the messages that lie one behind the other, `most` at most, until so much is queued
    /// that it is to be written, or something else is to be done than to give the next. How many.
    /// So many bytes as there is `room` for can be sent without another look.
    fn run_of_messages(&mut self, is_told: bool, most: usize, room: usize) -> usize {
        // A runtime is not asked for nothing: it may take its time.
        match host::is_set() && (is_told || self.session.has_run()) {
            true => host::messages(|| self.give(is_told, most, room)),
            false => self.give(is_told, most, room),
        }
    }

    /// One function, and not inlined: so what a service does in it is, for there is one call of it.
    #[inline(never)]
    fn give(&mut self, is_told: bool, most: usize, room: usize) -> usize {
        let (mut run, sending) = self.session.run(is_told);
        let mut reply = Reply::new(sending, self.line, self.bench, self.token, room);
        let (mut given, mut failed) = (0, Ok(()));
        while given < most {
            let Some(message) = run.next() else { break };
            given += 1;
            failed = self.service.message(message, &mut reply);
            if failed.is_err() || !reply.goes_on() {
                break;
            }
        }
        drop(run);
        if let Err(error) = failed {
            self.fail(error);
        }
        if given > 0 && self.line.extras.is_some() {
            self.note_full();
        }
        given
    }

    /// No whole message is left.
    fn all_given(&mut self) {
        self.line.flags.backlog = false;
        let broken = self.line.extras.as_ref().and_then(|extras| extras.broken.clone());
        if let Some(error) = broken {
            // Nobody is there to be answered any more.
            self.line.drop_held();
            self.line.close(error.ending().unwrap_or(Ending::Reset), Some(error));
        }
    }

    /// Bytes queued to this peer.
    pub(super) fn queued(&self) -> usize {
        self.session.outbound.pending() + self.line.held_bytes()
    }

    fn note_full(&mut self) {
        let (queued, limits) = (self.queued(), &self.bench.setup.limits);
        if queued >= limits.queue_high_bytes || queued > 0 && self.bench.is_over_queued() {
            self.line.flags.full = true;
        } else if queued <= limits.queue_low_bytes {
            self.line.flags.full = false;
        }
    }

    /// Writes what is queued, as far as the transport takes it. A write that takes less than all
    /// says as much as the next one would.
    pub(super) fn write(&mut self) {
        while self.session.outbound.pending() > 0 {
            let bytes = self.session.poll_transmit();
            let wanted = bytes.len();
            match self.line.transport.write(bytes) {
                Ok(sent) => {
                    self.session.handle_sent(sent);
                    self.line.said = self.bench.now;
                    self.bench.counters.add(Count::BytesSent, sent as u64);
                    if sent < wanted {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.deafened("cannot send to", error),
            }
        }
        if self.line.flags.full || self.session.outbound.pending() > 0 {
            self.note_full();
        }
    }

    /// Has the transport hand on what it has taken.
    pub(super) fn flush(&mut self) {
        match self.line.transport.flush() {
            Ok(all) => {
                if all && self.line.flags.holds {
                    self.session.outbound.restart_clock();
                }
                self.line.flags.holds = !all;
            }
            // The next turn goes on with it.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.deafened("cannot send to", error),
        }
    }

    #[cold]
    fn deafened(&mut self, what: &str, error: io::Error) {
        self.line.deafened(what, error);
        self.session.outbound.discard();
    }

    /// Moves on to the next phase once everything is delivered.
    fn settle(&mut self) {
        let owes_nothing = self.queued() == 0 && self.line.held() == 0 && !self.line.has_messages();
        if self.line.phase == Phase::Over || !owes_nothing {
            return;
        }
        let closing = self.line.phase == Phase::Closing;
        let ends = closing || self.line.flags.finishing;
        if ends && !self.line.flags.half_closed && !self.line.ends_by_reset() {
            self.line.flags.half_closed = true;
            match self.line.transport.finish() {
                Ok(()) => self.flush(),
                Err(error) => self.deafened("cannot finish sending to", error),
            }
        }
        if !closing || self.line.flags.holds {
            return;
        }
        let now = self.bench.now;
        let at_end = self.session.inbound.at_end();
        let alone = self.line.is_broken() || self.line.is_deaf();
        let waits = self.line.transport.facts().half_close && !at_end || self.line.ends_by_reset();
        if alone || !waits {
            self.line.phase = Phase::Over;
            return;
        }
        self.line.phase = Phase::Lingering;
        let linger = self.bench.setup.limits.linger;
        let extras = self.line.extras();
        extras.lingers_until = now.checked_add(linger);
        extras.lingers_bytes = if at_end { 0 } else { limits::LINGER_BYTES_MAX };
        self.look_whether_delivered();
    }

    /// Reads and throws away until the peer's end, within the limits.
    fn linger(&mut self, ready: Interest) {
        let until = self.line.extras().lingers_until;
        if until.is_some_and(|until| until <= self.bench.now) {
            self.line.phase = Phase::Over;
            return;
        }
        self.look_whether_delivered();
        let may_read = ready.read || self.line.transport.holds_input();
        if self.line.phase == Phase::Over || !may_read || self.line.lingers_bytes() == 0 {
            return;
        }
        let read = self.line.transport.read(self.session.receive_space(1));
        let extras = self.line.extras();
        match read {
            Ok(bytes) if bytes > 0 => {
                extras.lingers_bytes = extras.lingers_bytes.saturating_sub(bytes);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Its own end is no reason to have it miss how this one came.
            Ok(_) if self.line.ends_by_reset() => self.line.extras().lingers_bytes = 0,
            Ok(_) | Err(_) => self.line.phase = Phase::Over,
        }
    }
}
