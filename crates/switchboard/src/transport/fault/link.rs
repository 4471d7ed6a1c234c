//! Both directions of a conversation under a [`Plan`]: the engine, without input or output.
//!
//! ```text
//! received, ended, broken -> [ lane: messages, faults -> queue ] -> turn, wrote
//! turn, wrote             <- [ queue <- faults, messages: lane ] <- received, ended, broken
//!                                     deadline, tick; records
//! ```
//!
//! Invariant: it reads no clock, makes no call and never waits; time is an argument, and chance is
//! the seed's. Whoever drives it moves bytes and asks nothing of what they mean.

use super::change::index;
use super::lane::{Context, Identity, Lane};
use super::plan::Plan;
use super::queue::{Act, Next, soonest};
use super::record::{Injection, Record};
use super::what::Kind;
use crate::deadline::earlier;
use crate::limits;
use std::fmt;
use std::time::{Duration, Instant};
use switchboard_frame::{Coupler, Protocol, Role, Switch};

/// A conversation that faults are done to.
///
/// ```
/// use switchboard::deadline;
/// use switchboard::frame::Role;
/// use switchboard::transport::fault::{Link, Plan, Turn};
///
/// let protocol = "lines".parse()?;
/// let plan = Plan::new(["drop@c2s msg:2".parse()?], Some(&protocol))?;
/// let now = deadline::now();
/// let mut link = Link::new(&plan, Some(&protocol), 7, 1, now);
/// // In whatever pieces it comes, what is decided is the same.
/// for piece in ["one\ntw", "o\nthree\n"] {
///     link.received(Role::Client, piece.as_bytes(), now);
/// }
/// let mut passed = Vec::new();
/// while let Turn::Write(bytes) = link.turn(Role::Client, now) {
///     passed.extend_from_slice(bytes);
///     let count = bytes.len();
///     link.wrote(Role::Client, count, now);
/// }
/// assert_eq!(passed, b"one\nthree\n");
/// assert_eq!(link.take_records().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Link {
    identity: Identity,
    lanes: [Lane; 2],
    coupler: Option<Coupler>,
    switches: Vec<Switch>,
    records: Vec<Record>,
    over: Option<Over>,
    /// When the end is not waited for any longer, and how it is then.
    closing: Option<(Instant, Over)>,
    /// When the server can be reached no longer, and the fault that says so.
    flap: Option<(Instant, usize)>,
    plan: Plan,
    /// How long a silence may last.
    silence_max: Duration,
    /// One direction has done something to the other, whose turn may have been before.
    again: bool,
}

/// What is to be done next with what one side wrote.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<'a> {
    /// These bytes are to be written to the other side, in one write.
    Write(&'a [u8]),
    /// The other side is to be told the end. Told once.
    Finish,
    /// Nothing now; see [`Link::deadline`].
    Wait,
}

/// How a conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Both sides were told the end, and have ended or had time to.
    Closed,
    /// Both sides are to be reset.
    Reset,
}

impl Link {
    /// The conversation with this number, which begins now. Numbers and the seed decide what chance
    /// does.
    #[must_use]
    pub fn new(
        plan: &Plan,
        protocol: Option<&Protocol>,
        seed: u64,
        conversation: u64,
        now: Instant,
    ) -> Link {
        let identity = Identity { seed, conversation, started: now };
        let protocol = protocol.filter(|_| plan.is_framed);
        let lane = |writer| {
            let framing = protocol.map(|protocol| protocol.framing(writer));
            Lane::new(writer, identity, plan, framing)
        };
        let mut link = Link {
            identity,
            lanes: [lane(Role::Client), lane(Role::Server)],
            coupler: protocol.filter(|protocol| protocol.is_coupled()).map(Protocol::coupler),
            switches: Vec::new(),
            records: Vec::new(),
            over: None,
            closing: None,
            flap: None,
            plan: plan.clone(),
            silence_max: limits::FAULT_SILENCE_MAX,
            again: false,
        };
        link.tick(now);
        link
    }

    /// For a fault that comes and goes: when all of it began.
    #[must_use]
    pub fn flapping_since(mut self, began: Instant, now: Instant) -> Link {
        self.flap = self.plan.down_at(began, now);
        self
    }

    /// For a silence that is given up sooner, or later, than after [`limits::FAULT_SILENCE_MAX`].
    #[must_use]
    pub fn with_silence_max(mut self, time: Duration) -> Link {
        self.silence_max = time;
        self
    }

    /// Another plan, in each direction from the next message on; where there are no messages, at
    /// once. Its faults begin anew; messages and bytes are counted on.
    pub fn set_plan(&mut self, plan: &Plan, began: Instant, now: Instant) {
        self.plan = plan.clone();
        self.flap = self.plan.down_at(began, now);
        for writer in [Role::Client, Role::Server] {
            self.with(writer, now, |lane, cx| lane.set_plan(plan, cx));
        }
    }

    /// Whether what `writer` writes is to be read now. While it is not, its side is looked at for
    /// resets alone.
    #[must_use]
    pub fn reads(&self, writer: Role) -> bool {
        self.over.is_none() && self.lanes[index(writer)].reads()
    }

    /// What `writer` wrote. To be given while [`reads`](Link::reads) says so, and some ten thousand
    /// bytes at a time: all of it is taken.
    pub fn received(&mut self, writer: Role, bytes: &[u8], now: Instant) {
        self.with(writer, now, |lane, cx| lane.received(bytes, cx));
    }

    /// `writer` has ended its direction.
    pub fn ended(&mut self, writer: Role, now: Instant) {
        self.with(writer, now, Lane::ended);
    }

    /// The side of `writer` broke: what it wrote before goes on, then the other side is reset.
    pub fn broken(&mut self, writer: Role, now: Instant) {
        self.with(writer, now, Lane::broke);
        let silent = self.lanes[index(writer)].is_swallowed();
        self.lanes[index(writer.other())].abandon();
        if !silent {
            let until = now.checked_add(limits::LINGER_TIMEOUT).unwrap_or(now);
            self.closing.get_or_insert((until, Over::Reset));
        }
        self.settle(now);
    }

    /// The side of `writer`, which had ended, is gone altogether: nobody is left there whom a
    /// silence keeps from anything.
    pub fn gone(&mut self, writer: Role) {
        if self.over.is_none() && self.lanes[index(writer.other())].silent_since().is_some() {
            self.over = Some(Over::Reset);
        }
    }

    /// The other side takes nothing more of what `writer` wrote.
    pub fn untaken(&mut self, writer: Role, now: Instant) {
        if self.lanes[index(writer.other())].hides_its_writer() {
            // That its bytes find a closed socket would be a word of the other side.
            self.lanes[index(writer)].abandon();
        } else {
            self.lanes[index(writer)].untaken();
        }
        self.settle(now);
    }

    /// What time alone brings. To be called when [`deadline`](Link::deadline) has passed, or before
    /// each turn.
    pub fn tick(&mut self, now: Instant) {
        self.again = false;
        for writer in [Role::Client, Role::Server] {
            self.with(writer, now, Lane::tick);
        }
        if self.over.is_some() {
            return;
        }
        if let Some((_, fault)) = self.flap.filter(|(at, _)| *at <= now) {
            self.records.push(Record::Injection(Injection {
                writer: None,
                fault: self.plan.list[fault].text.clone(),
                message: None,
                offset: 0,
                done: "down: resets both sides".to_owned(),
                resets: &[Role::Client, Role::Server],
                time: now.saturating_duration_since(self.identity.started),
            }));
            self.over = Some(Over::Reset);
        } else if let Some((_, over)) = self.closing.filter(|(at, _)| *at <= now) {
            self.over = Some(over);
        } else if self.silence_ends().is_some_and(|at| at <= now) {
            self.over = Some(Over::Reset);
        }
    }

    /// What is to be done next with what `writer` wrote.
    pub fn turn(&mut self, writer: Role, now: Instant) -> Turn<'_> {
        let at = index(writer);
        let count = loop {
            if self.over.is_some() {
                return Turn::Wait;
            }
            let act = match self.lanes[at].outlet.queue.next(now) {
                Next::Wait(_) => return Turn::Wait,
                Next::Write(count) => break count,
                Next::Act(act) => act,
            };
            self.lanes[at].outlet.queue.acted();
            match act {
                Act::Finish if self.lanes[at].closed => {}
                Act::Finish => {
                    self.lanes[at].closed = true;
                    self.settle(now);
                    return Turn::Finish;
                }
                Act::FinishBoth => {
                    self.with(writer, now, Lane::finish);
                    self.with(writer.other(), now, Lane::finish);
                    self.again = true;
                }
                Act::Reset => self.over = Some(Over::Reset),
            }
        };
        Turn::Write(self.lanes[at].outlet.queue.front(count))
    }

    /// That the first `bytes` of what the last turn said were written.
    pub fn wrote(&mut self, writer: Role, bytes: usize, now: Instant) {
        self.lanes[index(writer)].outlet.queue.wrote(bytes, now);
        self.with(writer, now, Lane::work);
    }

    /// When to call [`tick`](Link::tick) and to take turns again, though nothing else happens.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let mut at = soonest([
            self.flap.map(|(at, _)| at),
            self.closing.map(|(at, _)| at),
            self.silence_ends(),
            self.again.then_some(now),
        ]);
        for lane in &mut self.lanes {
            at = earlier(at, lane.deadline());
            if let Next::Wait(next) = lane.outlet.queue.next(now) {
                at = earlier(at, next);
            }
        }
        at
    }

    /// Whether what the side of `writer` sends is not even to be acknowledged. Who drives sockets
    /// has them drop it; else it is as good as not to be read.
    #[must_use]
    pub fn is_dead(&self, writer: Role) -> bool {
        self.lanes[index(writer)].is_dead()
    }

    /// Whether bytes of `writer` are on their way out.
    #[must_use]
    pub fn holds(&self, writer: Role) -> bool {
        !self.lanes[index(writer)].outlet.queue.is_empty()
    }

    /// Whether and how it is over. What was not handed on by then is dropped.
    #[must_use]
    pub fn over(&self) -> Option<Over> {
        self.over
    }

    /// What happened since this was called last.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    fn with(&mut self, writer: Role, now: Instant, call: impl FnOnce(&mut Lane, &mut Context<'_>)) {
        let (coupler, switches) = (&mut self.coupler, &mut self.switches);
        let mut cx = Context { now, records: &mut self.records, coupler, switches };
        call(&mut self.lanes[index(writer)], &mut cx);
        for switch in std::mem::take(cx.switches) {
            let lane = &mut self.lanes[index(switch.writer)];
            lane.switch(&switch, &mut cx);
            lane.work(&mut cx);
        }
        self.settle(now);
    }

    /// Whether nothing more is to be waited for.
    fn settle(&mut self, now: Instant) {
        let [client, server] = &self.lanes;
        if self.over.is_some() {
            return;
        }
        // To close is to tell the end: whom a silence keeps from it waits for it.
        if !(client.closed && server.closed) {
            return;
        }
        if client.is_over() && server.is_over() {
            self.over = Some(Over::Closed);
        } else if self.silence_ends().is_none() {
            let until = now.checked_add(limits::LINGER_TIMEOUT).unwrap_or(now);
            self.closing.get_or_insert((until, Over::Closed));
        }
    }

    /// When a silence has lasted for as long as it may.
    fn silence_ends(&self) -> Option<Instant> {
        let since = self.lanes.iter().map(Lane::silent_since);
        soonest(since)?.checked_add(self.silence_max)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("identity", &self.identity)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// When the server can be reached no longer, if that comes and goes, and by which fault: now,
    /// while it cannot.
    pub(super) fn down_at(&self, began: Instant, now: Instant) -> Option<(Instant, usize)> {
        let flap =
            self.list.iter().enumerate().find_map(|(fault, planned)| match planned.fault.kind {
                Kind::Flap { up, down } => Some((fault, up, down)),
                _ => None,
            });
        let (fault, up, down) = flap?;
        let turn = up.saturating_add(down).as_nanos().max(1);
        let into = now.saturating_duration_since(began).as_nanos() % turn;
        let left = up.as_nanos().saturating_sub(into);
        let left = Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX));
        Some((now.checked_add(left)?, fault))
    }
}
