//! One direction of a conversation: what its writer wrote comes in, what the other side is to get
//! goes out.
//!
//! Invariant: every byte that came is looked at once, in its order, and every message is asked of
//! each fault once; so what happens does not depend on how the bytes were cut on their way here.
//! What was read is never given back: a direction that goes no further is not read.

mod happen;
mod messages;

use super::framer::Framer;
use super::occasion::Chooser;
use super::outlet::Outlet;
use super::plan::Plan;
use super::queue::{Act, soonest};
use super::record::Record;
use std::time::Instant;
use switchboard_frame::{Coupler, Framing, Role, Switch};

/// What a lane is shown with every call.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) records: &'a mut Vec<Record>,
    pub(super) coupler: &'a mut Option<Coupler>,
    /// Framings that a message has changed.
    pub(super) switches: &'a mut Vec<Switch>,
}

/// Whose conversation it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) seed: u64,
    pub(super) conversation: u64,
    pub(super) started: Instant,
}

pub(super) struct Lane {
    writer: Role,
    identity: Identity,
    plan: Plan,
    /// Takes the place of `plan` between two messages.
    next_plan: Option<Plan>,
    choosers: Vec<Chooser>,
    /// There are messages.
    is_framed: bool,
    framer: Option<Framer>,
    /// What came and was not looked at, from `taken` on; empty where the framer keeps it.
    backlog: Vec<u8>,
    taken: usize,
    /// Bytes of the stream that were looked at.
    offset: u64,
    /// The message under way, or the last one.
    message: u64,
    in_message: bool,
    /// Where it began, and where it ends, once that is known; without messages, where the faults
    /// that are done to a span began.
    start: u64,
    end: Option<u64>,
    /// It does not end there but breaks: why, and where it began.
    breaks: Option<(String, u64)>,
    /// Framings from the end of that message on.
    switches: Vec<Switch>,
    points: Vec<Point>,
    /// Faults that flip bits of the next byte, and how many.
    flips: Vec<(usize, u64)>,
    window: Window,
    silence: Option<Silence>,
    input: Input,
    pub(super) outlet: Outlet,
    /// The end of this direction will not be told.
    swallowed: Option<Instant>,
    /// The other side was told the end of this direction, or takes nothing more.
    pub(super) closed: bool,
}

/// A fault waits for its place, and perhaps for its time.
#[derive(Clone, Copy)]
struct Point {
    offset: u64,
    not_before: Option<Instant>,
    fault: usize,
}

/// Messages that wait to change their places.
#[derive(Default)]
struct Window {
    fault: usize,
    messages: Vec<Vec<u8>>,
    until: Option<Instant>,
}

/// Nothing passes, and nobody is told.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Silence {
    what: Hush,
    since: Instant,
    /// It ends with the next message.
    healed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hush {
    Blackhole,
    Deaf,
    Dead,
}

/// What is done with what the writer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// It has ended, and was not looked at to its end yet.
    Ending,
    /// It is read and dropped.
    Cut,
    /// There is no more of it.
    Over,
}

impl Lane {
    pub(super) fn new(
        writer: Role,
        identity: Identity,
        plan: &Plan,
        framing: Option<&Framing>,
    ) -> Lane {
        let keeps = plan.needs_whole(writer);
        let mut lane = Lane {
            writer,
            identity,
            plan: plan.clone(),
            next_plan: None,
            choosers: Vec::new(),
            is_framed: framing.is_some(),
            framer: framing.map(|framing| Framer::new(framing, keeps)),
            backlog: Vec::new(),
            taken: 0,
            offset: 0,
            message: 0,
            in_message: false,
            start: 0,
            end: None,
            breaks: None,
            switches: Vec::new(),
            points: Vec::new(),
            flips: Vec::new(),
            window: Window::default(),
            silence: None,
            input: Input::Open,
            outlet: Outlet::default(),
            swallowed: None,
            closed: false,
        };
        lane.begin_plan();
        lane
    }

    /// Whether what its writer writes is to be read now.
    pub(super) fn reads(&self) -> bool {
        match self.input {
            Input::Open => !self.is_deaf() && self.backlog.is_empty() && !self.outlet.is_full(),
            Input::Cut => true,
            Input::Ending | Input::Over => false,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is(Hush::Dead)
    }

    /// Whether the writer has no more to say, as far as it can be heard.
    pub(super) fn is_over(&self) -> bool {
        self.input == Input::Over
    }

    /// Since when what happens on the writer's side is kept from the other one.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        self.swallowed.or(self.silence.map(|silence| silence.since))
    }

    pub(super) fn is_swallowed(&self) -> bool {
        self.swallowed.is_some()
    }

    /// Whether nothing is read, nor looked at of what was.
    pub(super) fn is_deaf(&self) -> bool {
        self.is(Hush::Deaf) || self.is(Hush::Dead)
    }

    /// Whether nothing that the writer does, or that happens to it, is seen on the other side.
    pub(super) fn hides_its_writer(&self) -> bool {
        self.is_swallowed() || self.is(Hush::Blackhole) || self.is(Hush::Dead)
    }

    /// The plan from the next message on.
    pub(super) fn set_plan(&mut self, plan: &Plan, cx: &mut Context<'_>) {
        self.next_plan = Some(plan.clone());
        self.heal();
        self.work(cx);
    }

    /// What the writer wrote.
    pub(super) fn received(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        if self.input != Input::Open {
            return;
        }
        if let Some(framer) = &mut self.framer {
            framer.give(bytes);
        }
        if !self.keeps() {
            self.backlog.extend_from_slice(bytes);
        }
        self.work(cx);
    }

    /// The writer has ended its direction.
    pub(super) fn ended(&mut self, cx: &mut Context<'_>) {
        match self.input {
            Input::Open => {
                self.input = Input::Ending;
                self.work(cx);
            }
            _ => self.input = Input::Over,
        }
    }

    /// The writer's side broke: the other one is told with a reset, behind what came before.
    pub(super) fn broke(&mut self, cx: &mut Context<'_>) {
        if self.hides_its_writer() {
            self.swallowed.get_or_insert(cx.now);
        } else {
            self.release(None, cx);
            self.outlet.flush(cx.now);
            self.outlet.queue.unhold();
            self.outlet.queue.act(Act::Reset);
        }
        self.input = Input::Over;
    }

    /// Its writer is cut off: the rest is read and dropped.
    pub(super) fn cut(&mut self) {
        if matches!(self.input, Input::Open) {
            self.input = Input::Cut;
        } else if self.input == Input::Ending {
            self.input = Input::Over;
        }
        self.backlog.clear();
    }

    /// It ends behind what is under way, and the rest is dropped.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) {
        self.act(Act::Finish, cx);
    }

    /// The other side takes nothing more. The writer is told as the system tells it: its bytes find
    /// a closed socket.
    pub(super) fn untaken(&mut self) {
        self.abandon();
        self.input = Input::Over;
    }

    /// The other side is gone, and the writer is not told: what it writes is read and dropped.
    pub(super) fn abandon(&mut self) {
        self.cut();
        self.outlet.queue.clear();
        self.closed = true;
    }

    /// A message has changed the framing of this direction.
    pub(super) fn switch(&mut self, switch: &Switch, cx: &mut Context<'_>) {
        match (switch.why, &mut self.framer) {
            (None, Some(framer)) => framer.switch(&switch.framing),
            (Some(why), Some(_)) => self.unframe(why, self.offset, cx),
            (_, None) => {}
        }
    }

    /// What time alone brings.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) {
        if let Some((fault, at)) = self.heals_at()
            && at <= cx.now
        {
            let dropping = self.is(Hush::Blackhole) && self.in_message;
            let done = if dropping { "the next message passes" } else { "passes again" };
            self.note(fault, self.offset, done.to_owned(), cx);
            self.heal();
        }
        if self.window.until.is_some_and(|until| until <= cx.now) {
            self.release(None, cx);
        }
        self.outlet.tick(cx.now);
        self.fire(cx);
        self.work(cx);
    }

    /// When there is something to do, what is on its way out aside.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let here = |point: &&Point| point.offset <= self.offset;
        let points = self.points.iter().filter(here).map(|point| point.not_before);
        let others = [self.heals_at().map(|(_, at)| at), self.window.until, self.outlet.deadline()];
        soonest(points.chain(others))
    }

    /// Looks at what came, as far as there is room for it.
    pub(super) fn work(&mut self, cx: &mut Context<'_>) {
        self.fire(cx);
        while matches!(self.input, Input::Open | Input::Ending) {
            self.adopt(cx);
            if self.outlet.is_full() || self.is_deaf() {
                return;
            }
            let went_on = if self.keeps() { self.take_whole(cx) } else { self.take_part(cx) };
            if !went_on {
                break;
            }
        }
        if self.input == Input::Ending {
            self.conclude(cx);
        }
    }
}
