//! The messages of one direction, and its bytes where there are none: what is done to each.

use super::super::change::{Change, flip, shuffled};
use super::super::framer::{Found, Whole};
use super::super::occasion::Occasion;
use super::super::outlet::Part;
use super::super::plan::Class;
use super::super::what::{Kind, Trigger};
use super::{Context, Framer, Hush, Input, Lane, Point};
use crate::limits;
use switchboard_frame::{Coupler, ErrorKind, Switch};

/// How bytes of the stream are fed.
#[derive(Clone, Copy)]
struct Feed {
    /// The message ends with them.
    ends: bool,
    /// They are all of it.
    is_whole: bool,
    /// Where they end in the stream; a fault may have made them more, or less.
    until: u64,
}

impl Lane {
    pub(super) fn keeps(&self) -> bool {
        self.framer.as_ref().is_some_and(Framer::keeps)
    }

    /// The next message as a whole. `false`: there is none.
    pub(super) fn take_whole(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(mut framer) = self.framer.take() else { return false };
        let at_end = self.input == Input::Ending;
        let switches = match framer.next(at_end) {
            Found::Wait => {
                self.framer = Some(framer);
                return false;
            }
            Found::Between(bytes) => {
                let bytes = bytes.to_vec();
                self.outlet.clear_effects();
                self.start = self.offset;
                self.feed(&bytes, self.part_of(&bytes, false), cx);
                Vec::new()
            }
            Found::Message(whole) => {
                self.whole_message(&whole, cx);
                let observe = |coupler: &mut Coupler| coupler.observe(self.writer, whole.content);
                cx.coupler.as_mut().map(observe).unwrap_or_default()
            }
            Found::Broken(error) => {
                // What is held passes as it is; at the end it is what was cut off.
                self.set_backlog(framer.rest());
                if error.kind() == ErrorKind::Truncated {
                    self.is_framed = false;
                    self.outlet.clear_effects();
                    self.start = self.offset;
                } else {
                    self.unframe(&error.to_string(), error.offset(), cx);
                }
                return true;
            }
        };
        self.framer = Some(framer);
        self.apply(switches, cx);
        true
    }

    /// The next bytes of those that pass by themselves. `false`: there are none.
    pub(super) fn take_part(&mut self, cx: &mut Context<'_>) -> bool {
        if self.backlog.is_empty() {
            return false;
        }
        if self.is_framed && !self.in_message {
            self.begin(None, cx);
        }
        if self.in_message && self.end.is_none() {
            self.look_for_end(cx);
        }
        let (backlog, taken) = (std::mem::take(&mut self.backlog), self.taken);
        let left = self.end.map(|end| end.saturating_sub(self.offset));
        let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let end = backlog.len().min(taken.saturating_add(left));
        let part = &backlog[taken..end];
        let (before, is_last) = (self.offset, self.end == Some(self.offset + part.len() as u64));
        self.feed(part, self.part_of(part, is_last && self.breaks.is_none()), cx);
        // Fewer, where something on the way stopped it.
        let fed = usize::try_from(self.offset - before).unwrap_or(part.len());
        let (end, is_last) = (taken + fed, is_last && fed == part.len());
        if matches!(self.input, Input::Open | Input::Ending) && end < backlog.len() {
            self.backlog = backlog;
            self.taken = end;
        } else {
            self.taken = 0;
        }
        if is_last && let Some((why, offset)) = self.breaks.take() {
            self.unframe(&why, offset, cx);
        } else if is_last {
            self.end_message();
            for switch in std::mem::take(&mut self.switches) {
                self.switch(&switch, cx);
            }
        }
        true
    }

    /// What is to be looked at next.
    pub(super) fn set_backlog(&mut self, bytes: Vec<u8>) {
        self.backlog = bytes;
        self.taken = 0;
    }

    /// Where the message under way ends, if that can be known by now.
    fn look_for_end(&mut self, cx: &mut Context<'_>) {
        let Some(framer) = &mut self.framer else { return };
        match framer.next(false) {
            Found::Wait | Found::Between(_) => {}
            Found::Message(whole) => {
                self.end = Some(whole.end);
                if let Some(coupler) = cx.coupler {
                    let switches = coupler.observe(self.writer, whole.content);
                    let own = |switch: &Switch| switch.writer == self.writer;
                    let (own, others) = switches.into_iter().partition(own);
                    self.switches = own;
                    cx.switches.extend::<Vec<Switch>>(others);
                }
            }
            Found::Broken(error) => {
                // What is before the wrong byte is of the message still, however it came.
                self.end = Some(error.at().max(self.offset));
                self.breaks = Some((error.to_string(), error.offset()));
            }
        }
    }

    /// Does to this direction what a message has changed, and passes on what it has of the other.
    fn apply(&mut self, switches: Vec<Switch>, cx: &mut Context<'_>) {
        for switch in switches {
            if switch.writer == self.writer {
                self.switch(&switch, cx);
            } else {
                cx.switches.push(switch);
            }
        }
    }

    /// A message begins: which faults are done to all of it, and where in it others wait.
    pub(super) fn begin(&mut self, whole: Option<&Whole<'_>>, cx: &mut Context<'_>) {
        self.in_message = true;
        self.message += 1;
        self.start = self.offset;
        self.end = None;
        self.outlet.clear_effects();
        if self.silence.is_some_and(|silence| silence.healed) {
            self.silence = None;
        }
        if self.is(Hush::Blackhole) {
            return;
        }
        let plan = self.plan.clone();
        for (fault, planned) in plan.list.iter().enumerate() {
            let is_point = planned.class == Class::Point && planned.fault.picks_messages();
            if !is_point && planned.class != Class::Span {
                continue;
            }
            if !self.picks(fault, whole, 0..self.start + 1, cx) {
                continue;
            }
            if is_point {
                let plus = planned.fault.triggers.iter().find_map(|trigger| match trigger {
                    Trigger::Message { plus, .. } => Some(*plus),
                    _ => None,
                });
                let offset = self.start.saturating_add(plus.unwrap_or(0));
                self.points.push(Point { offset, not_before: None, fault });
            } else {
                self.activate(fault, cx);
            }
        }
    }

    pub(super) fn end_message(&mut self) {
        self.in_message = false;
        self.end = None;
        // A place in a message is in no other one.
        let plan = &self.plan;
        self.points.retain(|point| !plan.list[point.fault].fault.picks_messages());
    }

    /// A message that has come whole.
    fn whole_message(&mut self, whole: &Whole<'_>, cx: &mut Context<'_>) {
        self.begin(Some(whole), cx);
        if self.is(Hush::Blackhole) {
            // Nothing of it passes, and what waits for a place in it happens there.
            self.feed(whole.wire, Feed { ends: true, is_whole: true, until: whole.end }, cx);
            return self.end_message();
        }
        let mut change = Change::new(whole);
        self.outlet.set_field_cuts(change.middles());
        let mut reorder = None;
        let plan = self.plan.clone();
        for (fault, planned) in plan.list.iter().enumerate() {
            if planned.class != Class::Message
                || !self.picks(fault, Some(whole), self.start..whole.end, cx)
            {
                continue;
            }
            if matches!(planned.fault.kind, Kind::Reorder { .. }) {
                reorder = reorder.or(Some(fault));
                continue;
            }
            let random = &mut self.choosers[fault].random;
            let done = change.apply(planned, self.writer, whole, random);
            self.note(fault, self.start, done, cx);
        }
        for frame in &change.before {
            self.emit(frame, cx);
        }
        match reorder {
            Some(fault) => self.hold(fault, change, cx),
            None => {
                let feed = Feed { ends: true, is_whole: true, until: whole.end };
                self.feed(&change.bytes, feed, cx);
                for _ in 0..change.copies {
                    self.emit(&change.bytes, cx);
                }
            }
        }
        self.offset = whole.end;
        self.fire(cx);
        self.end_message();
    }

    /// Whether bytes go out at all.
    fn passes(&self) -> bool {
        !self.is(Hush::Blackhole) && matches!(self.input, Input::Open | Input::Ending)
    }

    /// Whole frames that are not of the stream.
    pub(super) fn emit(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        if self.passes() {
            let whole = Some(bytes.len());
            self.outlet.emit(Part { bytes, base: 0, whole, ends: true }, cx.now);
        }
    }

    /// Bytes as they came.
    fn part_of(&self, bytes: &[u8], ends: bool) -> Feed {
        Feed { ends, is_whole: false, until: self.offset + bytes.len() as u64 }
    }

    /// Bytes of the stream, in the order in which they came. What waits for a place among them
    /// happens there.
    fn feed(&mut self, mut bytes: &[u8], feed: Feed, cx: &mut Context<'_>) {
        let whole = feed.is_whole.then_some(bytes.len());
        self.fire(cx);
        // Of what is whole all was looked at.
        while !bytes.is_empty() && (feed.is_whole || !self.is_deaf()) {
            let next = self.points.iter().map(|point| point.offset);
            let next = next.filter(|offset| *offset > self.offset).min();
            let next = next.and_then(|offset| usize::try_from(offset - self.offset).ok());
            let mut count = next.map_or(bytes.len(), |next| next.min(bytes.len()));
            if !self.flips.is_empty() {
                count = 1;
            }
            let (part, rest) = bytes.split_at(count);
            let ends = feed.ends && rest.is_empty();
            let base = usize::try_from(self.offset - self.start).unwrap_or(usize::MAX);
            self.pass(Part { bytes: part, base, whole, ends }, cx);
            self.offset = (self.offset + count as u64).min(feed.until);
            bytes = rest;
            self.fire(cx);
        }
    }

    fn pass(&mut self, part: Part<'_>, cx: &mut Context<'_>) {
        if !self.passes() {
            return;
        }
        if self.flips.is_empty() {
            return self.outlet.emit(part, cx.now);
        }
        let mut bytes = part.bytes.to_vec();
        for (fault, bits) in std::mem::take(&mut self.flips) {
            let done = flip(&mut bytes, bits, &mut self.choosers[fault].random);
            self.note(fault, self.offset, done, cx);
        }
        self.outlet.emit(Part { bytes: &bytes, ..part }, cx.now);
    }

    /// Keeps a message for the window of a reordering.
    fn hold(&mut self, fault: usize, change: Change, cx: &mut Context<'_>) {
        let plan = self.plan.clone();
        let Kind::Reorder { window, within } = plan.list[fault].fault.kind else { return };
        if self.window.messages.is_empty() {
            self.window.fault = fault;
            self.window.until = cx.now.checked_add(within);
        }
        for _ in 0..=change.copies {
            if !change.bytes.is_empty() {
                self.window.messages.push(change.bytes.clone());
            }
        }
        let bytes: usize = self.window.messages.iter().map(Vec::len).sum();
        let count = self.window.messages.len();
        if count as u64 >= window || bytes >= limits::FAULT_HELD_BYTES_MAX {
            let order = shuffled(count, &mut self.choosers[fault].random);
            self.release(Some(order), cx);
        }
    }

    /// Lets the messages of the window go, in another order or as they came.
    pub(super) fn release(&mut self, order: Option<Vec<usize>>, cx: &mut Context<'_>) {
        let window = std::mem::take(&mut self.window);
        if window.messages.is_empty() {
            return;
        }
        let done = match &order {
            Some(order) => {
                let order: Vec<_> = order.iter().map(|at| (at + 1).to_string()).collect();
                format!("of {} in this order: {}", order.len(), order.join(" "))
            }
            None => "in their order: no more came in time".to_owned(),
        };
        self.note(window.fault, self.offset, done, cx);
        for at in order.unwrap_or_else(|| (0..window.messages.len()).collect()) {
            self.emit(&window.messages[at], cx);
        }
    }

    /// Whether the fault picks this message, or this place.
    pub(super) fn picks(
        &mut self,
        fault: usize,
        whole: Option<&Whole<'_>>,
        bytes: std::ops::Range<u64>,
        cx: &Context<'_>,
    ) -> bool {
        let planned = &self.plan.list[fault];
        if !planned.fault.direction.is_of(self.writer) {
            return false;
        }
        let occasion = Occasion {
            conversation: self.identity.conversation,
            elapsed: cx.now.saturating_duration_since(self.identity.started),
            message: (self.message > 0).then_some(self.message),
            content: whole.map(|whole| whole.content),
            bytes,
        };
        self.choosers[fault].picks(planned, &occasion)
    }
}
