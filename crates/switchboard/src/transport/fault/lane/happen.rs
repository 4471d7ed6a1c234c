//! Faults that happen at a place or at a time, and what they leave behind.

use super::super::change::{garbage, index};
use super::super::occasion::Chooser;
use super::super::plan::Class;
use super::super::queue::Act;
use super::super::record::{Injection, Record};
use super::super::what::{Fault, Kind, Trigger};
use super::{Context, Hush, Input, Lane, Point, Silence};
use std::time::Instant;
use switchboard_frame::Role;

impl Lane {
    pub(super) fn is(&self, what: Hush) -> bool {
        self.silence.is_some_and(|silence| silence.what == what)
    }

    /// Begins with the plan at hand: nothing of it has happened yet.
    pub(super) fn begin_plan(&mut self) {
        let seed = self.identity.seed;
        let chooser = |fault: usize| {
            let salts = [self.identity.conversation, index(self.writer) as u64, fault as u64];
            Chooser::new(seed, &salts)
        };
        self.choosers = (0..self.plan.list.len()).map(chooser).collect();
        self.points.clear();
        let plan = self.plan.clone();
        for (fault, planned) in plan.list.iter().enumerate() {
            let by_message = self.is_framed && planned.fault.picks_messages();
            if planned.class == Class::Point && !by_message {
                self.place(fault);
            }
        }
        if !self.is_framed {
            self.begin_raw();
        }
    }

    /// Without messages: what is done to a span is done from a place on.
    pub(super) fn begin_raw(&mut self) {
        self.in_message = false;
        self.end = None;
        self.start = self.offset;
        self.outlet.clear_effects();
        let plan = self.plan.clone();
        for (fault, planned) in plan.list.iter().enumerate() {
            // What counts messages has none to count any more.
            let counts = |trigger: &Trigger| {
                matches!(
                    trigger,
                    Trigger::Message { .. }
                        | Trigger::First(_)
                        | Trigger::Every(_)
                        | Trigger::Match(_)
                )
            };
            if planned.class == Class::Span && !planned.fault.triggers.iter().any(counts) {
                self.place(fault);
            }
        }
    }

    /// Puts a fault at its place, unless that is past or it is not for this conversation.
    fn place(&mut self, fault: usize) {
        let plan = self.plan.clone();
        let planned = &plan.list[fault];
        let Fault { kind, direction, .. } = &planned.fault;
        if !direction.is_of(self.writer) || !planned.fault.is_for(self.identity.conversation) {
            return;
        }
        let mut point = Point { offset: self.offset, not_before: None, fault };
        for trigger in &planned.fault.triggers {
            match trigger {
                Trigger::Byte(at) if *at < self.offset && planned.class != Class::Span => return,
                Trigger::Byte(at) => point.offset = point.offset.max(*at),
                Trigger::After(time) => {
                    point.not_before = self.identity.started.checked_add(*time);
                }
                _ => {}
            }
        }
        if let Kind::LimitBytes { bytes } = kind {
            point.offset = point.offset.max(*bytes);
        }
        match chance(&planned.fault) {
            // A span begins or does not.
            Some(p) if planned.class == Class::Span => {
                let chosen = self.choosers[fault].random.fraction() < p;
                self.points.extend(chosen.then_some(point));
                return;
            }
            Some(p) => {
                let gap = self.choosers[fault].bytes_before(p);
                point.offset = point.offset.saturating_add(gap);
            }
            None => {}
        }
        self.points.push(point);
    }

    /// What waits for this place, and whose time has come.
    pub(super) fn fire(&mut self, cx: &mut Context<'_>) {
        loop {
            if self.input == Input::Cut {
                return self.points.clear();
            }
            let is_due = |point: &Point| {
                point.offset <= self.offset && point.not_before.is_none_or(|at| at <= cx.now)
            };
            let due = self.points.iter().enumerate().filter(|(_, point)| is_due(point));
            // In the order of the stream, and at one place in that of the plan.
            let first = due.min_by_key(|(_, point)| (point.offset, point.fault));
            let Some((at, point)) = first.map(|(at, point)| (at, *point)) else { return };
            self.points.remove(at);
            self.happen(point, cx);
        }
    }

    fn happen(&mut self, point: Point, cx: &mut Context<'_>) {
        let fault = point.fault;
        let plan = self.plan.clone();
        let planned = &plan.list[fault];
        if !self.is_framed
            && planned.class == Class::Point
            && let Some(p) = chance(&planned.fault)
        {
            let gap = self.choosers[fault].bytes_before(p);
            let offset = point.offset.saturating_add(1).saturating_add(gap);
            self.points.push(Point { offset, ..point });
        }
        let hushes = matches!(planned.fault.kind, Kind::Blackhole | Kind::Deaf | Kind::Dead);
        if hushes && self.silence.is_some() {
            return;
        }
        let done = match planned.fault.kind {
            Kind::Stall { time } => {
                self.outlet.flush(cx.now);
                self.outlet.queue.pause(time);
                format!("pauses for {} ms", time.as_millis())
            }
            Kind::Reset => {
                self.act(Act::Reset, cx);
                "resets both sides".to_owned()
            }
            Kind::Fin | Kind::LimitBytes { .. } => {
                self.act(Act::FinishBoth, cx);
                "ends both directions".to_owned()
            }
            Kind::HalfClose => {
                self.act(Act::Finish, cx);
                "ends this direction".to_owned()
            }
            Kind::Blackhole => self.hush(Hush::Blackhole, cx.now, "drops what comes"),
            Kind::Deaf => {
                self.hold_back(cx);
                self.hush(Hush::Deaf, cx.now, "stops reading")
            }
            Kind::Dead => {
                self.hold_back(cx);
                self.hush(Hush::Dead, cx.now, "acknowledges nothing")
            }
            // It is told with the byte that it is done to.
            Kind::Flip { bits } => return self.flips.push((fault, bits)),
            Kind::Garbage { bytes } => {
                let garbage = garbage(bytes, &mut self.choosers[fault].random);
                self.emit(&garbage, cx);
                format!("{bytes} bytes put in")
            }
            _ => return self.activate(fault, cx),
        };
        self.note(fault, self.offset, done, cx);
    }

    /// Behind what came so far this happens, and nothing comes behind it.
    pub(super) fn act(&mut self, act: Act, cx: &mut Context<'_>) {
        self.release(None, cx);
        self.outlet.flush(cx.now);
        self.outlet.queue.act(act);
        self.cut();
    }

    /// What was read already and is behind this place goes no further.
    fn hold_back(&mut self, cx: &mut Context<'_>) {
        self.outlet.flush(cx.now);
        self.outlet.queue.hold();
    }

    fn hush(&mut self, what: Hush, now: Instant, done: &str) -> String {
        self.silence = Some(Silence { what, since: now, healed: false });
        done.to_owned()
    }

    /// A fault is done to the message that begins, or to all that comes from here on.
    pub(super) fn activate(&mut self, fault: usize, cx: &mut Context<'_>) {
        let plan = self.plan.clone();
        let by_message = self.is_framed;
        if !by_message {
            self.start = self.offset;
        }
        let random = &mut self.choosers[fault].random;
        let done = self.outlet.activate(fault, &plan.list[fault], random, by_message);
        if let Some(done) = done {
            self.note(fault, self.offset, done, cx);
        }
    }

    pub(super) fn note(&self, fault: usize, offset: u64, done: String, cx: &mut Context<'_>) {
        let kind = &self.plan.list[fault].fault.kind;
        let resets = matches!(kind, Kind::Reset | Kind::RstForFin);
        cx.records.push(Record::Injection(Injection {
            writer: Some(self.writer),
            fault: self.plan.list[fault].text.clone(),
            message: self.in_message.then_some(self.message),
            offset,
            done,
            resets: if resets { &[Role::Client, Role::Server] } else { &[] },
            time: cx.now.saturating_duration_since(self.identity.started),
        }));
    }

    /// When a silence ends, and the fault that ends it.
    pub(super) fn heals_at(&self) -> Option<(usize, Instant)> {
        // Without messages what a blackhole has dropped is missing for good.
        let can = |it: &Silence| !it.healed && (self.is_framed || it.what != Hush::Blackhole);
        let silence = self.silence.filter(can)?;
        let (fault, after) = self.plan.heals(self.writer, self.identity.conversation)?;
        Some((fault, silence.since.checked_add(after)?))
    }

    /// Ends a silence. Where bytes were dropped the next message is waited for: a stream has none
    /// missing. Without messages they are missing for good.
    pub(super) fn heal(&mut self) {
        let Some(silence) = &mut self.silence else { return };
        let drops = silence.what == Hush::Blackhole;
        if drops && !self.is_framed {
            return;
        }
        silence.healed = true;
        if !drops || !self.in_message {
            self.silence = None;
        }
        self.outlet.queue.unhold();
    }

    /// Takes the next plan, if there is one and no message is under way.
    pub(super) fn adopt(&mut self, cx: &mut Context<'_>) {
        if self.in_message {
            return;
        }
        let Some(plan) = self.next_plan.take() else { return };
        self.release(None, cx);
        self.outlet.flush(cx.now);
        self.outlet.queue.forget_paces();
        self.flips.clear();
        if let Some(framer) = &mut self.framer {
            let keeps = plan.needs_whole(self.writer);
            if keeps && !framer.keeps() {
                // It has them all.
                self.backlog.clear();
                self.taken = 0;
            } else if framer.keeps() && !keeps {
                self.backlog = framer.copy_of_rest();
                self.taken = 0;
            }
            framer.set_keeps(keeps);
        }
        self.plan = plan;
        self.begin_plan();
        self.fire(cx);
    }

    /// Nothing more comes, and all of it was looked at.
    pub(super) fn conclude(&mut self, cx: &mut Context<'_>) {
        self.release(None, cx);
        self.outlet.flush(cx.now);
        self.input = Input::Over;
        self.in_message = false;
        if self.is(Hush::Blackhole) {
            self.swallowed = Some(cx.now);
            return;
        }
        let plan = self.plan.clone();
        let ends = plan.list.iter().enumerate().filter(|(_, p)| p.class == Class::End);
        for (fault, planned) in ends {
            if !self.picks(fault, None, 0..self.offset.saturating_add(1), cx) {
                continue;
            }
            let (act, done) = match planned.fault.kind {
                Kind::SlowClose { time } => {
                    self.outlet.queue.pause(time);
                    (Some(Act::Finish), format!("the end comes {} ms late", time.as_millis()))
                }
                Kind::RstForFin => (Some(Act::Reset), "a reset for the end".to_owned()),
                _ => (None, "the end is swallowed".to_owned()),
            };
            self.note(fault, self.offset, done, cx);
            match act {
                Some(act) => self.outlet.queue.act(act),
                None => self.swallowed = Some(cx.now),
            }
            return;
        }
        self.outlet.queue.act(Act::Finish);
    }

    /// From `offset` on, which is where the message under way began, there are no messages.
    pub(super) fn unframe(&mut self, why: &str, offset: u64, cx: &mut Context<'_>) {
        if let Some(framer) = self.framer.take()
            && framer.keeps()
        {
            self.set_backlog(framer.rest());
        }
        self.is_framed = false;
        cx.records.push(Record::Unframed {
            writer: self.writer,
            offset,
            why: why.to_owned(),
            time: cx.now.saturating_duration_since(self.identity.started),
        });
        self.begin_raw();
    }
}

/// Its chance, if it happens by chance.
fn chance(fault: &Fault) -> Option<f64> {
    fault.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Chance(p) => Some(*p),
        _ => None,
    })
}
