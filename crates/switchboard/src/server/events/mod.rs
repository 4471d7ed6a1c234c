//! The dispatcher *events*: loops that each drive many conversations, over a [`Backend`].
//!
//! ```text
//!   wait ──> accept, mail, turns of what is ready ──> turns of what goes on ──> clocks ──> wait
//! ```
//!
//! A conversation is accepted, read, handled and written by one loop. A loop owns the buffers; a
//! conversation holds only what is unfinished. One that could go on at once (a peer that floods)
//! goes behind all others: each gets one turn a round.
//!
//! **Invariant:** a loop waits without end only when no conversation of it has a clock running or a
//! message that could be given.

mod slab;
mod succession;
mod wheel;

use super::Service;
use super::accept::{Accept, Accepted};
use super::bench::{Bench, Next, Setup};
use super::door::Entrance;
use super::handover::Handover;
use super::inbox::{Inbox, Token};
use super::line::Line;
use super::shared::Shared;
use crate::sys::{Backend, Readiness};
use crate::transport::{Interest, Transport};
use crate::{Error, Stopper, deadline, limits};
use slab::Slab;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;
use wheel::Wheel;

/// The loop's own keys have this bit; no token has.
const OWN: u64 = 1 << 63;
const INBOX: u64 = OWN;
const STOPPER: u64 = OWN | 1;
const SUCCESSOR: u64 = OWN | 2;
/// And from here on the listeners.
const LISTENERS: u64 = OWN | 3;

/// One loop.
pub(super) struct Loop<'a, B, S, F> {
    backend: B,
    bench: Bench,
    make: &'a F,
    /// Dropped when nobody is let in any more: nobody is to wait in a queue that nobody empties.
    listeners: Vec<Arc<dyn Accept>>,
    listening: Listening,
    handover: Option<Handover>,
    /// Until it has stopped.
    stopper: Option<&'a Stopper>,
    lines: Slab<Served<S>>,
    wheel: Wheel,
    /// Conversations that could go on at once, in the order of their turns.
    ready: Vec<Token>,
    /// Buffers of the loop itself.
    found: Vec<Readiness>,
    turns: Vec<Token>,
    expired: Vec<u32>,
    has_stopped: bool,
    /// The deadline that the conversations know of.
    drains_by: Option<Instant>,
}

/// A conversation and its service.
struct Served<S> {
    line: Line,
    service: S,
    /// When the wheel has it looked at.
    looked_at: Option<Instant>,
    /// It could go on at once, and has its turn behind the others.
    is_ready: bool,
    /// What the system has told of it meanwhile.
    found: Interest,
}

/// Whether the listeners are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    On,
    /// Until there is a place, or for ever.
    Off,
    Paused(Instant),
}

impl<'a, B: Backend, S: Service, F: Fn() -> S> Loop<'a, B, S, F> {
    pub(super) fn new(
        mut backend: B,
        inbox: Arc<Inbox>,
        setup: &Arc<Setup>,
        shared: &Arc<Shared>,
        listeners: Vec<Arc<dyn Accept>>,
        stopper: Option<&'a Stopper>,
        make: &'a F,
    ) -> Result<Self, Error> {
        let fail = |error| Error::io("cannot start an event loop", error);
        let bench = Bench::new(setup, shared, inbox, backend.clock());
        backend.watch_descriptor(bench.inbox.as_fd(), INBOX, false).map_err(fail)?;
        if let Some(stopper) = stopper {
            backend.watch_descriptor(stopper.as_fd(), STOPPER, false).map_err(fail)?;
        }
        Ok(Loop {
            backend,
            wheel: Wheel::new(bench.now),
            bench,
            make,
            listeners,
            listening: Listening::Off,
            handover: None,
            stopper,
            lines: Slab::new(),
            ready: Vec::new(),
            found: Vec::new(),
            turns: Vec::new(),
            expired: Vec::new(),
            has_stopped: false,
            drains_by: None,
        })
    }

    /// Serves until the server is stopped and the last conversation is over.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        self.begin_rounds()?;
        while !self.is_over() {
            self.round()?;
        }
        Ok(())
    }

    /// To be called once, before the first round.
    pub(super) fn begin_rounds(&mut self) -> Result<(), Error> {
        self.bench.inbox.looks();
        self.look_around()
    }

    /// Whether there is nothing left to do, and nothing to come.
    pub(super) fn is_over(&self) -> bool {
        let shared = &self.bench.shared;
        let is_shut = || shared.door.look(self.bench.now) == Entrance::Shut;
        self.lines.len() == 0 && (shared.is_stopping() || is_shut())
    }

    /// Waits once, and gives everyone who can do something a turn.
    pub(super) fn round(&mut self) -> Result<(), Error> {
        let timeout = match self.ready.is_empty() && !self.bench.inbox.has_own() {
            true => {
                let due = deadline::earlier(self.wheel.next(), self.due());
                // The time that the last turn told: what has passed since is far less than a slot.
                due.map(|due| due.saturating_duration_since(self.bench.now))
            }
            false => Some(std::time::Duration::ZERO),
        };
        let goes_on = self.ready.len();
        let mut found = std::mem::take(&mut self.found);
        let waited = self.backend.wait(&mut found, timeout);
        waited.map_err(|error| Error::io("cannot wait for events", error))?;
        self.bench.tell_time();
        for one in &found {
            self.found(*one)?;
        }
        self.found = found;
        if self.bench.inbox.has_own() {
            self.bench.inbox.take_own(&mut self.turns);
            self.turns_for_mail();
        }
        self.go_on(goes_on);
        self.expire();
        self.own_clocks()
    }

    /// When the loop itself has something to do.
    fn due(&self) -> Option<Instant> {
        let successor = self.handover.as_ref().and_then(Handover::until);
        let stops = self.bench.shared.stops_at();
        deadline::earlier(self.listening.until(), deadline::earlier(successor, stops))
    }

    /// Does what the loop itself has to do by now.
    fn own_clocks(&mut self) -> Result<(), Error> {
        let now = self.bench.now;
        let is_over = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        if is_over(self.bench.shared.stops_at()) {
            self.bench.shared.stop();
        }
        if is_over(self.handover.as_ref().and_then(Handover::until)) {
            self.step_handover()?;
        }
        if is_over(self.listening.until()) {
            self.listen()?;
        }
        Ok(())
    }

    fn found(&mut self, found: Readiness) -> Result<(), Error> {
        match found.key {
            INBOX => {
                self.bench.inbox.take(&mut self.turns);
                self.turns_for_mail();
                self.look_around()?;
            }
            STOPPER => {
                self.bench.shared.stop_as_agreed(self.bench.now);
                // It stays stopped: watched any longer, it would never let the loop wait again.
                if let Some(stopper) = self.stopper.take() {
                    let unwatched = self.backend.unwatch_descriptor(stopper.as_fd());
                    unwatched.map_err(|error| Error::io("cannot unwatch a stopper", error))?;
                }
            }
            SUCCESSOR => self.step_handover()?,
            key if key >= LISTENERS => {
                let listener = usize::try_from(key - LISTENERS).unwrap_or(usize::MAX);
                self.accept(listener)?;
            }
            token => match self.lines.value(token) {
                Some(served) if served.is_ready => {
                    served.found |= found.ready;
                }
                _ => self.turn(token, found.ready),
            },
        }
        Ok(())
    }

    /// Turns of those who have mail.
    fn turns_for_mail(&mut self) {
        let mut tokens = std::mem::take(&mut self.turns);
        for token in tokens.drain(..) {
            if let Some(served) = self.lines.value(token) {
                served.line.flags.mail = true;
                self.turn(token, Interest::NONE);
            }
        }
        self.turns = tokens;
    }

    /// Looks at what all loops share: a stop, streams to adopt, a place that is free.
    fn look_around(&mut self) -> Result<(), Error> {
        if self.bench.shared.is_stopping() {
            let by = self.bench.shared.drain.by();
            if !self.has_stopped || by != self.drains_by {
                (self.has_stopped, self.drains_by) = (true, by);
                self.shut();
                let tokens: Vec<Token> = self.lines.tokens().collect();
                for token in tokens {
                    self.turn(token, Interest::READ);
                }
            }
            return Ok(());
        }
        while let Some(transport) = self.bench.shared.next_adopted() {
            self.begin(transport, false);
        }
        if self.bench.shared.door.look(self.bench.now) == Entrance::Shut {
            self.shut();
        } else if self.listening == Listening::Off {
            self.listen()?;
        }
        Ok(())
    }

    fn accept(&mut self, listener: usize) -> Result<(), Error> {
        let Some(listener) = self.listeners.get(listener).cloned() else { return Ok(()) };
        for _ in 0..limits::ACCEPTS_PER_TURN {
            if self.listening != Listening::On {
                return Ok(());
            }
            match self.bench.shared.accept(&*listener, self.bench.now)? {
                Accepted::Came(transport) => self.begin(transport, true),
                Accepted::Nobody => return Ok(()),
                Accepted::NotNow(Entrance::Paused(until)) => self.pause(until),
                Accepted::NotNow(Entrance::Shut) => self.shut(),
                Accepted::NotNow(Entrance::Full | Entrance::Open) => self.stop_listening(),
            }
        }
        Ok(())
    }

    fn begin(&mut self, transport: Arc<dyn Transport>, is_accepted: bool) {
        let Some(number) = self.bench.shared.let_in(&*transport, is_accepted) else { return };
        let Some(service) = self.bench.make(self.make, &*transport) else { return };
        let line = Line::new(number, transport, self.bench.now);
        let served =
            Served { line, service, looked_at: None, is_ready: false, found: Interest::NONE };
        let token = self.lines.insert(served);
        self.turn(token, Interest::NONE);
    }

    /// Gives a conversation a turn.
    fn turn(&mut self, token: Token, ready: Interest) {
        let Some(served) = self.lines.value(token) else { return };
        let Served { line, service, .. } = served;
        match self.bench.turn(line, service, token, ready) {
            Next::Over => return self.end(token),
            Next::Again if !served.is_ready => {
                served.is_ready = true;
                self.ready.push(token);
            }
            Next::Again | Next::Wait => {}
        }
        let Served { line, looked_at, .. } = served;
        if line.wanted != line.watched {
            match self.backend.watch(&line.transport, token, line.watched, line.wanted) {
                Ok(()) => line.watched = line.wanted,
                Err(error) => {
                    let name = line.transport.name();
                    let error = Error::io("cannot watch", error).at_endpoint(name);
                    let ending = error.ending().unwrap_or(crate::Ending::Reset);
                    line.close(ending, Some(error));
                    return self.end(token);
                }
            }
        }
        let Some(due) = line.due else { return };
        if looked_at.is_none_or(|at| due < at) {
            *looked_at = Some(self.wheel.enter(slab::index(token), due));
        }
    }

    fn end(&mut self, token: Token) {
        let Some(Served { line, service, .. }) = self.lines.remove(token) else { return };
        if line.watched != Interest::NONE {
            // The descriptor may be shared, so that closing this one of it takes nothing away.
            let _ = self.backend.watch(&line.transport, token, line.watched, Interest::NONE);
        }
        self.bench.close(line, service);
        self.bench.tell_time();
    }

    /// One more turn for each conversation that could go on when the last round ended.
    fn go_on(&mut self, goes_on: usize) {
        let mut turns = std::mem::take(&mut self.turns);
        turns.extend(self.ready.drain(..goes_on));
        for &token in &turns {
            if let Some(served) = self.lines.value(token) {
                served.is_ready = false;
                let found = std::mem::replace(&mut served.found, Interest::NONE);
                self.turn(token, found);
            }
        }
        turns.clear();
        self.turns = turns;
    }

    fn expire(&mut self) {
        let now = self.bench.now;
        let mut expired = std::mem::take(&mut self.expired);
        self.wheel.expire(now, &mut expired);
        for &index in &expired {
            let Some(token) = self.lines.token_at(index) else { continue };
            let Some(served) = self.lines.value(token) else { continue };
            if served.looked_at.is_none_or(|at| at > now) {
                // An entry of an earlier plan, or of whoever had the place before.
                continue;
            }
            served.looked_at = None;
            match served.line.due {
                Some(due) if due <= now => self.turn(token, Interest::NONE),
                Some(due) => served.looked_at = Some(self.wheel.enter(index, due)),
                None => {}
            }
        }
        self.expired = expired;
    }
}

/// Listening.
impl<B: Backend, S, F> Loop<'_, B, S, F> {
    fn listen(&mut self) -> Result<(), Error> {
        match self.bench.shared.door.look(self.bench.now) {
            Entrance::Open => {}
            Entrance::Full => {
                self.listening = Listening::Off;
                return Ok(());
            }
            Entrance::Shut => {
                self.shut();
                return Ok(());
            }
            Entrance::Paused(until) => {
                self.listening = Listening::Paused(until);
                return Ok(());
            }
        }
        for (key, listener) in (LISTENERS..).zip(&self.listeners) {
            for descriptor in listener.descriptors() {
                let watched = self.backend.watch_descriptor(descriptor, key, true);
                watched.map_err(|error| Error::io("cannot watch a listener", error))?;
            }
        }
        self.listening = Listening::On;
        Ok(())
    }

    fn stop_listening(&mut self) {
        if self.listening == Listening::On {
            for listener in &self.listeners {
                for descriptor in listener.descriptors() {
                    // It was watched, and the system can always forget.
                    let _ = self.backend.unwatch_descriptor(descriptor);
                }
            }
        }
        self.listening = Listening::Off;
    }

    /// Nobody is let in any more.
    fn shut(&mut self) {
        self.stop_listening();
        self.listeners.clear();
        self.end_handover();
    }

    fn pause(&mut self, until: Instant) {
        self.stop_listening();
        self.listening = Listening::Paused(until);
    }
}

impl Listening {
    fn until(self) -> Option<Instant> {
        match self {
            Listening::Paused(until) => Some(until),
            Listening::On | Listening::Off => None,
        }
    }
}
