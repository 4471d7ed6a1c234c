//! The load itself: one thread, one loop, all connections.
//!
//! A turn of a connection is one read, the replies in it, and one write of what they let go. The
//! clock is read once a turn, so the messages of a turn share their times.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use switchboard::transport::Interest;
use switchboard::{Ending, Error, Stopper, Transport};

use super::clock::{Clock, nanoseconds};
use super::connecting::Dialer;
use super::cpu;
use super::limits::{GRACE, IN_FLIGHT_MAX, SILENCE_MAX};
use super::link::{self, Common, Link};
use super::plan::{Plan, Rhythm};
use super::ready::Ready;
use super::schedule::Schedule;
use super::tally::{Second, Tally};
use crate::exit::Failure;

/// The token of what ends it from elsewhere.
const STOPPER: u64 = u64::MAX;

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// Connections under load.
pub(super) struct Load<'a> {
    common: Common<'a>,
    links: Vec<Option<Link>>,
    open: usize,
    ready: Ready,
    stopper: &'a Stopper,
    server: Option<&'a cpu::Server>,
    /// Requests that are still to be made due, in the closed loop.
    left: u64,
    /// Requests that are due or in flight.
    outstanding: u64,
    is_measuring: bool,
    next_second: u64,
    /// How many seconds no reply has come in, up to now.
    silent_seconds: u64,
    used: Used,
}

/// What is known once a run is over.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    /// How long was measured.
    pub(super) measured: Duration,
    pub(super) used: Used,
    /// The warm-up was over, and measuring began.
    pub(super) has_begun: bool,
    /// What kept a conversation from being opened again.
    pub(super) gave_up: Option<Error>,
    /// Connections that were still there at the end.
    pub(super) open: usize,
    pub(super) was_interrupted: bool,
    /// No reply came for so long that the run was given up.
    pub(super) was_silent: bool,
}

/// Nanoseconds of a processor, over the time that was measured; while it goes on, at its
/// beginning.
#[derive(Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) own: u64,
    pub(super) server: Option<u64>,
}

impl<'a> Load<'a> {
    /// # Errors
    /// The system cannot watch the connections.
    pub(super) fn new(
        plan: &'a Plan,
        ready: Ready,
        (dialer, transports): (&'a Dialer, Vec<Arc<dyn Transport>>),
        tally: Tally,
        stopper: &'a Stopper,
        server: Option<&'a cpu::Server>,
    ) -> Result<Load<'a>, Failure> {
        ready.watch(stopper, STOPPER, Interest::READ).map_err(cannot_watch)?;
        let schedule = match plan.rhythm {
            Rhythm::Closed { .. } => None,
            Rhythm::Open { rate } => Some(Schedule::new(rate, plan.connections, plan.count)),
        };
        let in_flight_max = match plan.rhythm {
            _ if plan.is_one_shot => 1,
            Rhythm::Open { .. } => IN_FLIGHT_MAX,
            Rhythm::Closed { .. } => u64::MAX,
        };
        let mut links = Vec::with_capacity(transports.len());
        for (index, transport) in transports.into_iter().enumerate() {
            links.push(Some(Link::new(index, transport, plan)?));
        }
        // The first mark is where measuring begins.
        let next_second = if tally.window.start == 0 { SECOND } else { tally.window.start };
        let buffer = link::buffer();
        Ok(Load {
            common: Common {
                plan,
                dialer,
                schedule,
                tally,
                buffer,
                in_flight_max,
                clock: Clock::begin(),
                now: 0,
                gave_up: None,
            },
            open: links.len(),
            links,
            ready,
            stopper,
            server,
            left: plan.count,
            outstanding: 0,
            is_measuring: false,
            next_second,
            silent_seconds: 0,
            used: Used::default(),
        })
    }

    /// Runs it to its end. `each_second` is told of each second that is over.
    ///
    /// # Errors
    /// The system cannot wait, or `each_second` has failed.
    pub(super) fn run(
        mut self,
        each_second: &mut dyn FnMut(&Second) -> Result<(), Failure>,
    ) -> Result<Outcome, Failure> {
        self.common.clock = Clock::begin();
        self.begin()?;
        while !self.is_over() {
            self.ready.wait(self.timeout()).map_err(cannot_watch)?;
            self.common.look_at_the_clock();
            self.note_the_time(each_second)?;
            self.hand_out()?;
            self.turns()?;
        }
        if !self.stopper.is_stopped() {
            // What was due before the end is sent, also when nobody looked in between.
            self.hand_out()?;
        }
        let end = self.common.now.min(self.common.tally.window.end);
        self.end_of_measuring(end, each_second)?;
        self.drain()?;
        Ok(self.outcome(end))
    }

    fn is_over(&self) -> bool {
        let is_done = match &self.common.schedule {
            None => self.left == 0,
            Some(schedule) => schedule.next_at().is_none(),
        };
        self.common.now >= self.common.tally.window.end
            || is_done && self.outstanding == 0
            || self.open == 0
            || self.common.gave_up.is_some()
            || self.is_silent()
            || self.stopper.is_stopped()
    }

    /// Whether a run without another end than its last reply waits for it in vain.
    fn is_silent(&self) -> bool {
        self.common.plan.duration == Duration::MAX && self.silent_seconds >= SILENCE_MAX.as_secs()
    }

    /// Registers the connections, and in the closed loop sends the first requests.
    fn begin(&mut self) -> Result<(), Failure> {
        if self.common.tally.window.start == 0 {
            self.begin_measuring(0);
        }
        for index in 0..self.links.len() {
            if let Some(link) = &mut self.links[index]
                && let Rhythm::Closed { depth } = self.common.plan.rhythm
            {
                let due = depth.min(self.left);
                link.due = due;
                self.left -= due;
                self.outstanding += due;
            }
            self.common.look_at_the_clock();
            self.turn(index, false)?;
        }
        Ok(())
    }

    /// How long nothing happens if nothing comes.
    fn timeout(&self) -> Option<Duration> {
        if self.common.plan.spin {
            return Some(Duration::ZERO);
        }
        let window = &self.common.tally.window;
        let mark = self.next_second.min(window.end);
        let due = self.common.schedule.as_ref().and_then(Schedule::next_at);
        let next = due.map_or(mark, |due| due.min(mark));
        Some(Duration::from_nanos(next.saturating_sub(self.common.now)))
    }

    fn note_the_time(
        &mut self,
        each_second: &mut dyn FnMut(&Second) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let now = self.common.now;
        if now < self.next_second {
            return Ok(());
        }
        if self.is_measuring {
            let second = self.common.tally.second(now);
            self.silent_seconds = if second.received > 0 { 0 } else { self.silent_seconds + 1 };
            each_second(&second)?;
        } else {
            self.begin_measuring(now);
        }
        // A machine that was asleep gets one look, not all it has missed.
        self.next_second = (self.next_second + SECOND).max(now);
        Ok(())
    }

    fn begin_measuring(&mut self, now: u64) {
        self.is_measuring = true;
        self.used = self.look_at_processors();
        self.common.tally.begin(now);
    }

    /// In the open loop: what is due now is sent.
    fn hand_out(&mut self) -> Result<(), Failure> {
        let now = self.common.now;
        let Some(schedule) = &mut self.common.schedule else { return Ok(()) };
        let end = self.common.tally.window.end;
        let numbers = schedule.hand_out(now.min(end.saturating_sub(1)));
        if numbers.is_empty() {
            return Ok(());
        }
        let mut number = numbers.start;
        while number < numbers.end {
            let due = schedule.at(number);
            let alike = 1 + schedule.within(self.common.tally.alike(due, now), 1);
            let alike = alike.min(numbers.end - number);
            self.common.tally.seen_to(due, now, alike);
            number += alike;
        }
        let schedule = *schedule;
        for (index, count) in schedule.shares(numbers) {
            match &mut self.links[index] {
                Some(link) => {
                    link.due += count;
                    self.outstanding += count;
                    self.common.look_at_the_clock();
                    self.turn(index, false)?;
                }
                None => self.common.tally.error("not-sent", count),
            }
        }
        Ok(())
    }

    /// A turn for each connection that something has happened to.
    fn turns(&mut self) -> Result<(), Failure> {
        for at in 0..self.ready.found() {
            let event = self.ready.event(at);
            let Ok(index) = usize::try_from(event.token) else { continue };
            // What is no connection has none of their numbers.
            self.turn(index, event.read)?;
        }
        Ok(())
    }

    /// One read if there is something to be read, and one write of what is due.
    fn turn(&mut self, index: usize, reads: bool) -> Result<(), Failure> {
        let Some(Some(link)) = self.links.get_mut(index) else { return Ok(()) };
        let before = link.outstanding();
        let done = link.turn(reads, &mut self.left, &mut self.common);
        self.outstanding = self.outstanding - before + link.outstanding();
        match done {
            Ok(()) => self.watch(index),
            Err(error) => {
                self.end(index, error);
                Ok(())
            }
        }
    }

    /// Has a connection watched for what it waits for.
    fn watch(&mut self, index: usize) -> Result<(), Failure> {
        let Some(link) = &mut self.links[index] else { return Ok(()) };
        let (wanted, watched) = (link.wanted(), link.watched);
        if wanted == watched {
            return Ok(());
        }
        let is_new = watched == Interest::NONE;
        let token = index as u64;
        let Some((reads, writes)) = link.descriptors() else {
            return Err(Failure::usage("the endpoint cannot be waited for: it is no stream"));
        };
        let same = reads.as_raw_fd() == writes.as_raw_fd();
        let of_reads = Interest { write: same && wanted.write, ..wanted };
        let of_writes = Interest { read: false, ..wanted };
        let watch = |descriptor, interest| match is_new {
            true => self.ready.watch(descriptor, token, interest),
            false => self.ready.change(descriptor, token, interest),
        };
        watch(reads, of_reads).map_err(cannot_watch)?;
        if !same {
            watch(writes, of_writes).map_err(cannot_watch)?;
        }
        link.watched = wanted;
        Ok(())
    }

    /// A connection has ended: that is counted, and the others go on.
    #[cold]
    fn end(&mut self, index: usize, error: Error) {
        let Some(link) = self.links[index].take() else { return };
        self.open -= 1;
        self.outstanding -= link.outstanding();
        self.common.tally.error(error.ending().map_or("failed", Ending::name), 1);
        self.common.tally.error("lost", link.outstanding());
        self.common.tally.silent_connections += u64::from(link.is_silent());
        for descriptor in link.descriptors().map(<[BorrowedFd<'_>; 2]>::from).into_iter().flatten()
        {
            self.ready.forget(descriptor);
        }
        self.common.tally.last_error = Some(error);
    }

    fn end_of_measuring(
        &mut self,
        now: u64,
        each_second: &mut dyn FnMut(&Second) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let before = if self.is_measuring { self.used } else { Used::default() };
        let after = self.look_at_processors();
        self.used = Used {
            own: after.own.saturating_sub(before.own),
            server: after
                .server
                .zip(before.server)
                .map(|(after, before)| after.saturating_sub(before)),
        };
        // A scrap at the end has no rate of its own, unless it is all there is.
        let tally = &mut self.common.tally;
        if self.is_measuring && (tally.seconds.is_empty() || now + SECOND / 2 >= self.next_second) {
            each_second(&tally.second(now))?;
        }
        Ok(())
    }

    /// Waits for the replies that are outstanding, and gives them up in the end.
    fn drain(&mut self) -> Result<(), Failure> {
        let counted = self.common.tally.counts();
        self.left = 0;
        let end = self.common.now + nanoseconds(GRACE);
        while self.outstanding > 0 && self.open > 0 && !self.stopper.is_stopped() {
            let left = end.saturating_sub(self.common.now);
            if left == 0 {
                break;
            }
            self.ready.wait(Some(Duration::from_nanos(left))).map_err(cannot_watch)?;
            self.common.look_at_the_clock();
            self.turns()?;
        }
        self.common.tally.set_counts(counted);
        // A signal ends the waiting, and what is outstanding then has waited in vain as well.
        self.common.look_at_the_clock();
        self.common.tally.error("unanswered", self.outstanding);
        for link in self.links.iter_mut().flatten() {
            self.common.tally.silent_connections += u64::from(link.is_silent());
            link.give_up(&mut self.common);
        }
        self.common.tally.add_up();
        Ok(())
    }

    fn outcome(self, end: u64) -> Outcome {
        let measured = end.saturating_sub(self.common.tally.window.start);
        let was_silent = self.is_silent();
        Outcome {
            tally: self.common.tally,
            gave_up: self.common.gave_up,
            measured: Duration::from_nanos(measured),
            was_silent,
            used: self.used,
            has_begun: self.is_measuring,
            open: self.open,
            was_interrupted: self.stopper.is_stopped(),
        }
    }

    fn look_at_processors(&self) -> Used {
        // A server that is gone has been told by its connections.
        let server = self.server.and_then(|server| server.used().ok());
        Used { own: cpu::own(), server }
    }
}

pub(super) fn cannot_watch(error: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!("cannot watch the connections: {error}"))
}
