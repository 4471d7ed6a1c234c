//! What a loop or a thread has for the conversations it drives: buffers, a session, a clock.

use super::Service;
use super::drain::CutOff;
use super::in_service::InService;
use super::inbox::{Inbox, Post, Token};
use super::limits::Limits;
use super::line::Line;
use super::shared::Shared;
use super::stats::{Count, Counters};
use super::turn::{Short, Turn};
use crate::session::{Buffers, Session, park};
use crate::sys::Clock;
use crate::transport::{Interest, Patience, Transport};
use crate::{Ending, Error, Stopper, limits};
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use switchboard_frame::{Protocol, Role};

/// What is the same for every conversation of a server.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) protocol: Protocol,
    pub(super) limits: Limits,
    /// So many bytes are gathered before they are written.
    pub(super) mark: usize,
    /// So many bytes can be sent to a peer to whom nothing is queued, before another look.
    pub(super) room: usize,
    /// A new session is at rest: the protocol has one stage each way, and no coupling.
    rests_at_start: bool,
}

impl Setup {
    pub(super) fn new(protocol: &Protocol, limits: &Limits) -> Setup {
        let protocol = match limits.message_bytes_max {
            Some(bytes) => protocol.with_max(bytes),
            None => protocol.clone(),
        };
        let rests_at_start = Session::new(&protocol, Role::Server).rest().is_some();
        let mark = limits.queue_high_bytes.min(limits::QUEUE_MARK_BYTES);
        let room = mark.min(limits.queued_bytes_max).min(limits::WRITE_THROUGH_BYTES);
        Setup { protocol, limits: limits.clone(), mark, room, rests_at_start }
    }
}

pub(super) struct Bench {
    pub(super) setup: Arc<Setup>,
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) counters: Counters,
    /// The time at which this turn began, or at which its messages were handled.
    pub(super) now: Instant,
    clock: Clock,
    /// Of the conversation, where it has a thread or a process of its own.
    pub(super) number: u64,
    /// In a process of its own: stopped when the server is to end.
    pub(super) lifeline: Option<Stopper>,
    pub(super) buffers: Buffers,
    /// How long the next read may wait, where the thread has nothing else to do.
    pub(super) read_within: Option<Duration>,
    pub(super) patience: Patience,
    /// For the mail of the conversation at hand; empty between turns.
    pub(super) posts: VecDeque<Post>,
    /// Whether too much is queued in all; looked up once a turn, and only where it matters.
    is_over_queued: Cell<Option<bool>>,
    /// A session at rest that has the buffers, for the next conversation at rest.
    resident: Option<Box<Session>>,
    /// More such, without.
    #[expect(clippy::vec_box, reason = "they go to and from lines, which have them boxed")]
    residents: Vec<Box<Session>>,
}

/// How a turn left its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits for its transport, its clock or its mail.
    Wait,
    /// It could go on at once, but others come first.
    Again,
    Over,
}

impl Bench {
    pub(super) fn new(
        setup: &Arc<Setup>,
        shared: &Arc<Shared>,
        inbox: Arc<Inbox>,
        clock: Clock,
    ) -> Bench {
        let bench = Bench {
            setup: Arc::clone(setup),
            shared: Arc::clone(shared),
            inbox,
            counters: shared.counters(),
            number: 0,
            lifeline: None,
            now: clock(),
            clock,
            buffers: Buffers::default(),
            read_within: None,
            patience: Patience::default(),
            posts: VecDeque::new(),
            is_over_queued: Cell::new(None),
            resident: None,
            residents: Vec::new(),
        };
        shared.enter(&bench.inbox, Some(&bench.counters));
        bench
    }

    /// Looks at the clock.
    pub(super) fn tell_time(&mut self) -> Instant {
        self.now = (self.clock)();
        self.now
    }

    /// Has a conversation do what it can without waiting: read once when `ready` says so, give its
    /// messages to the service, write once.
    pub(super) fn turn<S: Service>(
        &mut self,
        line: &mut Line,
        service: &mut S,
        token: Token,
        ready: Interest,
    ) -> Next {
        self.is_over_queued.set(None);
        let own = line.session.take();
        let rests = own.is_none();
        let mut session = match own {
            Some(session) => self.lend(session),
            None => self.resident(line),
        };
        let (received, sent) = (session.inbound.messages(), session.outbound.messages());
        let mut turn = Turn { line, session: &mut session, service, bench: self, token };
        let short = if rests { turn.short(ready) } else { Short::Not };
        let next = match short {
            Short::Done(rest) => {
                line.rest = rest;
                Next::Wait
            }
            Short::Not => turn.long(ready),
            Short::Begun => turn.long(Interest::NONE),
        };
        self.counters.add(Count::MessagesReceived, session.inbound.messages() - received);
        self.counters.add(Count::MessagesSent, session.outbound.messages() - sent);
        match short {
            Short::Done(_) => self.stay(session),
            Short::Not | Short::Begun => self.put(session, line),
        }
        next
    }

    /// Lends the loop's buffers to a session that a conversation has kept.
    fn lend(&mut self, mut session: Box<Session>) -> Box<Session> {
        if let Some(mut resident) = self.resident.take() {
            resident.give_back(&mut self.buffers);
            park(&mut self.residents, resident);
        }
        session.lend(&mut self.buffers);
        session
    }

    /// A session, with the loop's buffers, for a conversation that has none.
    fn resident(&mut self, line: &Line) -> Box<Session> {
        let protocol = &self.setup.protocol;
        if !line.flags.opened && !self.setup.rests_at_start {
            let session = Box::new(Session::new(protocol, Role::Server));
            return self.lend(session);
        }
        if let Some(mut session) = self.resident.take() {
            session.resume(&line.rest);
            return session;
        }
        let resident = self.residents.pop();
        let mut session =
            resident.unwrap_or_else(|| Box::new(Session::resting(protocol, Role::Server)));
        session.resume(&line.rest);
        session.lend(&mut self.buffers);
        session
    }

    /// Takes a session at rest back, buffers and all: most often the next turn is one for it too.
    fn stay(&mut self, mut session: Box<Session>) {
        if session.has_usual(&self.buffers) {
            self.resident = Some(session);
        } else {
            session.give_back(&mut self.buffers);
            park(&mut self.residents, session);
        }
    }

    /// Takes a session back whose conversation may have more to do with it.
    fn put(&mut self, mut session: Box<Session>, line: &mut Line) {
        let stays = session.has_usual(&self.buffers);
        if !stays {
            // It may find there what was read past the end of its own.
            session.give_back(&mut self.buffers);
        }
        match session.rest() {
            Some(rest) => {
                line.rest = rest;
                // Its peer was slow once; that is no reason to be large for ever.
                line.extras.take_if(|extras| extras.is_blank());
                self.stay(session);
            }
            None => {
                if stays {
                    session.give_back(&mut self.buffers);
                }
                line.session = Some(session);
            }
        }
    }

    /// Whether too much is queued in all conversations together.
    #[inline]
    pub(super) fn is_over_queued(&self) -> bool {
        self.is_over_queued.get().unwrap_or_else(|| {
            let is_over = self.shared.is_over_queued();
            self.is_over_queued.set(Some(is_over));
            is_over
        })
    }

    /// The same, where it can be told at once: what all processes have queued is added up only
    /// where it matters.
    pub(super) fn may_be_over_queued(&self) -> bool {
        self.shared.is_of_child() || self.is_over_queued()
    }

    /// How many bytes can be sent to a peer to whom nothing is queued, before another look.
    pub(super) fn room(&self) -> usize {
        if self.may_be_over_queued() { 0 } else { self.setup.room }
    }

    /// Keeps the server's count of what is queued.
    pub(super) fn account(&self, line: &mut Line, queued: usize) {
        if queued == 0 && line.extras.is_none() {
            return;
        }
        let counted = &mut line.extras().counted;
        if queued > *counted {
            self.shared.queued_more(queued - *counted);
        } else {
            self.shared.queued_less(*counted - queued);
        }
        *counted = queued;
    }

    /// Makes the service of a conversation. One that cannot be made is the end of it.
    pub(super) fn make<S>(&self, make: impl FnOnce() -> S, transport: &dyn Transport) -> Option<S> {
        let _in_service = InService::enter();
        let made = catch_unwind(AssertUnwindSafe(make)).ok();
        if made.is_none() {
            self.counters.add(Count::Panicked, 1);
            let error = Error::caller("a service could not be made: it panicked");
            reset(transport);
            self.ended(transport, Ending::Stopped, Some(&error));
            self.shared.let_out(transport);
        }
        made
    }

    /// The conversation is over: tells the service, and gives up its place.
    pub(super) fn close<S: Service>(&self, mut line: Line, mut service: S) {
        let extras = line.extras.take().map(|extras| *extras).unwrap_or_default();
        if let Some(mailbox) = &extras.mailbox {
            mailbox.close();
        }
        self.shared.queued_less(extras.counted);
        if line.flags.failed {
            reset(&*line.transport);
        }
        let (mut ending, mut error) = extras.ending.unwrap_or((Ending::Stopped, None));
        if error.is_none()
            && let Some(deaf) = extras.deaf
        {
            // It finished well as far as it spoke, and did not take what it was told.
            (ending, error) = (deaf.ending().unwrap_or(Ending::Reset), Some(deaf));
        }
        self.ended(&*line.transport, ending, error.as_ref());
        let poisoned = line.flags.poisoned;
        let (told, unopened) = (line.flags.opened && !poisoned, line.flags.unopened);
        let data = extras.data;
        let _in_service = InService::enter();
        // What the user's values do when they are dropped is the user's code too.
        let closed = catch_unwind(AssertUnwindSafe(move || {
            if unopened {
                service.unopened(ending, error.as_ref());
            } else if told {
                service.closed(ending, error.as_ref());
            }
            drop((service, data));
        }));
        self.counters.add(Count::Panicked, u64::from(closed.is_err() && !poisoned));
        self.leave(&*line.transport, line.flags.counted);
    }

    /// Counts and tells an ending.
    pub(super) fn ended(&self, transport: &dyn Transport, ending: Ending, error: Option<&Error>) {
        self.counters.ended(ending);
        tell(transport, ending, error);
    }

    /// Counts and notes who was cut off; the error to tell.
    pub(super) fn cut_off(&self, cut: CutOff) -> Error {
        self.counters.add(Count::CutOff, 1);
        let error = cut.error();
        self.shared.note_cut_off(cut);
        error
    }

    /// Gives the place of a conversation up, and that of its address if it has been `counted`.
    pub(super) fn leave(&self, transport: &dyn Transport, counted: bool) {
        let client = counted.then(|| transport.client()).flatten();
        self.shared.let_out_as(client.as_ref());
    }

    /// Has one counted of which it was not known whom it counts as, once it is. Whether it may go
    /// on: else there are too many of its address.
    pub(super) fn identify(&self, transport: &dyn Transport, counted: &mut bool) -> bool {
        if *counted {
            return true;
        }
        let Some(client) = transport.client() else { return true };
        *counted = true;
        let may = self.shared.identify(&client, self.setup.limits.conversations_per_address_max);
        self.counters.add(Count::Refused, u64::from(!may));
        may
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shared.leave(&self.inbox, Some(&self.counters));
    }
}

/// Tells the peer of one that failed, where there is something other than an end.
fn reset(transport: &dyn Transport) {
    if transport.facts().reset {
        // One that is broken already has been told.
        let _ = transport.reset();
    }
}

/// Tells whoever traces how a conversation has ended.
fn tell(transport: &dyn Transport, ending: Ending, error: Option<&Error>) {
    let peer = tracing::field::debug(transport);
    match error {
        Some(error) if ending != Ending::Stopped => {
            tracing::info!(peer, %ending, %error, "a conversation has ended");
        }
        Some(error) => tracing::warn!(peer, %ending, %error, "a conversation was ended"),
        None => tracing::debug!(peer, %ending, "a conversation has ended"),
    }
}
