//! One connection under load: requests out, replies in, each turn one read and one write.
//!
//! Bytes are read into a buffer that all connections share and decoded there; a connection keeps
//! only a reply that has begun. Of a large one nothing is kept where nothing of it is looked at.
//! `again` is how one ends and the next begins.

mod again;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use switchboard::transport::Interest;
use switchboard::{Connecting, Error, Transport};
use switchboard_frame::{Assembler, Decoder, Field, Frame, ReceiveBuffer, Role, Step};

use super::clock::Clock;
use super::connecting::Dialer;
use super::flight::Flight;
use super::limits::{NUMBERS_TOLD_MAX, READ_BYTES, REPLY_BYTES_SHOWN_MAX};
use super::outgoing::Outgoing;
use super::plan::Plan;
use super::schedule::Schedule;
use super::tally::Tally;
use crate::exit::Failure;
use crate::payload;

use again::Began;

/// What all connections share.
pub(super) struct Common<'a> {
    pub(super) plan: &'a Plan,
    pub(super) dialer: &'a Dialer,
    /// The open loop's; none in the closed one.
    pub(super) schedule: Option<Schedule>,
    pub(super) tally: Tally,
    pub(super) buffer: Vec<u8>,
    /// How many may be in flight on a connection.
    pub(super) in_flight_max: u64,
    pub(super) clock: Clock,
    /// When the clock was last looked at.
    pub(super) now: u64,
    /// A conversation that ended could not be followed by another one: the run is over.
    pub(super) gave_up: Option<Error>,
}

impl Common<'_> {
    pub(super) fn look_at_the_clock(&mut self) {
        self.now = self.clock.now();
    }
}

/// How far a connection is.
enum Way {
    Open(Arc<dyn Transport>),
    /// It is being made, since then.
    Making(Box<Connecting>, u64),
    /// It is over, and the next one is made when there is a use for it.
    Used,
}

/// A connection, and each that follows it.
pub(super) struct Link {
    index: usize,
    way: Way,
    decoder: Decoder,
    assembler: Assembler,
    /// A reply that has begun.
    rest: ReceiveBuffer,
    /// How many bytes it wants more, at least.
    need: usize,
    /// How many bytes are still to come of a reply that is not kept, and how many it has.
    passing: u64,
    passing_whole: u64,
    outgoing: Outgoing,
    flight: Flight,
    /// How many are to be sent and have not begun to be.
    pub(super) due: u64,
    answered: u64,
    /// How many have no reply, for their conversation ended.
    ended: u64,
    /// How many conversations in a row have ended without any reply.
    ends_in_vain: u32,
    /// When this conversation began.
    began: Began,
    /// How many replies had a number that no request waited for.
    unknown: u64,
    /// What its descriptors are watched for.
    pub(super) watched: Interest,
    /// Bytes wait for room.
    is_blocked: bool,
    /// Nothing can be sent any more; what there is to be read says why.
    is_shut: bool,
    /// The next connection is to be made, though nothing is due.
    is_wanted: bool,
    /// When the connection for the next request began to be made.
    connecting_since: Option<u64>,
}

impl Link {
    pub(super) fn new(
        index: usize,
        transport: Arc<dyn Transport>,
        plan: &Plan,
    ) -> Result<Link, Failure> {
        Ok(Link {
            index,
            way: Way::Open(transport),
            decoder: Decoder::new(plan.protocol.framing(Role::Server)),
            assembler: Assembler::new(),
            rest: ReceiveBuffer::new(),
            need: 1,
            passing: 0,
            passing_whole: 0,
            outgoing: Outgoing::new(plan)?,
            flight: Flight::new(plan.message.number.is_some()),
            due: 0,
            answered: 0,
            ended: 0,
            ends_in_vain: 0,
            began: Began::default(),
            unknown: 0,
            watched: Interest::NONE,
            is_blocked: false,
            is_shut: false,
            is_wanted: false,
            connecting_since: None,
        })
    }

    /// Requests that have no reply: those in flight, and those that are due.
    pub(super) fn outstanding(&self) -> u64 {
        self.due + self.flight.count()
    }

    /// Whether requests had no reply, none of them.
    pub(super) fn is_silent(&self) -> bool {
        self.answered == 0 && self.unknown == 0 && self.ended + self.outstanding() > 0
    }

    /// Requests that nothing more is awaited for.
    fn settled(&self) -> u64 {
        self.answered + self.ended
    }

    /// What to wait for.
    pub(super) fn wanted(&self) -> Interest {
        match &self.way {
            Way::Open(it) => it.interest(Interest { read: true, write: self.is_blocked }),
            Way::Making(it, _) => it.interest(),
            Way::Used => Interest::NONE,
        }
    }

    /// What to wait on, to read and to write. `None`: there is nothing that could be waited on.
    pub(super) fn descriptors(&self) -> Option<(BorrowedFd<'_>, BorrowedFd<'_>)> {
        match &self.way {
            Way::Open(it) => it.read_descriptor().zip(it.write_descriptor()),
            Way::Making(it, _) => it.descriptor().zip(it.descriptor()),
            Way::Used => None,
        }
    }

    /// One read if there is something to be read, and one write of what is due: in the closed loop
    /// as many as there were replies, out of those that are `left`.
    ///
    /// # Errors
    /// The connection has ended, in whatever way.
    pub(super) fn turn(
        &mut self,
        reads: bool,
        left: &mut u64,
        common: &mut Common<'_>,
    ) -> Result<(), Error> {
        if matches!(self.way, Way::Making(..)) {
            self.go_on_connecting(common)?;
        }
        if reads {
            let settled = self.receive(common)?;
            if common.schedule.is_none() {
                let next = settled.min(*left);
                self.due += next;
                *left -= next;
            }
        }
        self.follow(common)?;
        match self.send(common) {
            // It has ended, cleanly or not, and there may be replies before that.
            Err(error) if common.plan.reconnects && error.is_reset() => {
                self.is_shut = true;
                Ok(())
            }
            sent => sent,
        }
    }

    /// Reads once, and takes the replies: how many requests that has settled.
    fn receive(&mut self, common: &mut Common<'_>) -> Result<u64, Error> {
        let before = self.settled();
        while let Way::Open(transport) = &self.way {
            let in_common = self.rest.is_empty();
            let read = match in_common {
                true => transport.read(&mut common.buffer),
                false => transport.read(self.rest.spare_mut(self.need)),
            };
            let bytes = match read {
                Ok(0) if common.plan.is_one_shot => {
                    self.end_reply(common)?;
                    break;
                }
                Ok(0) => {
                    self.ended(common)?;
                    break;
                }
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.broke(self.broken("cannot receive from", error), common)?;
                    break;
                }
            };
            common.tally.bytes_received += bytes as u64;
            common.look_at_the_clock();
            if in_common {
                let buffer = std::mem::take(&mut common.buffer);
                let taken = self.take(&buffer[..bytes], false, common);
                if let Ok(taken) = taken {
                    self.rest.extend(&buffer[taken..bytes]);
                }
                common.buffer = buffer;
                taken?;
            } else {
                self.rest.filled(bytes);
                let mut rest = std::mem::take(&mut self.rest);
                let taken = self.take(rest.unread(), false, common)?;
                rest.consume(taken);
                rest.scanned();
                self.rest = rest;
            }
            if common.plan.is_one_shot && self.flight.count() == 0 && self.settled() > before {
                self.use_up();
            }
            if !matches!(&self.way, Way::Open(transport) if transport.holds_input()) {
                break;
            }
        }
        Ok(self.settled() - before)
    }

    /// Takes the replies in `bytes`, behind which the stream may be at its end, and says how many
    /// bytes they were.
    fn take(
        &mut self,
        bytes: &[u8],
        at_end: bool,
        common: &mut Common<'_>,
    ) -> Result<usize, Error> {
        let mut at = usize::try_from(self.passing).unwrap_or(usize::MAX).min(bytes.len());
        let mut replies = u64::from(self.passing > 0 && self.passing == at as u64);
        self.passing -= at as u64;
        // The first one of all is shown to the user, who sees then what is being measured.
        let looks = common.plan.looks_at_replies() || common.tally.first_reply.is_none();
        loop {
            let bytes = &bytes[at..];
            match self.decoder.step(bytes, at_end) {
                Ok(Step::Frame(frame)) => {
                    at += frame.whole.end;
                    if looks {
                        self.look(&frame, bytes, common)?;
                    } else {
                        replies += u64::from(!frame.more);
                    }
                }
                Ok(Step::Need(_)) if bytes.is_empty() => break,
                Ok(Step::Need(need)) => {
                    self.need = need.get();
                    if !looks && let Some(taken) = self.decoder.take_over(bytes) {
                        self.passing = taken.whole - bytes.len() as u64;
                        self.passing_whole = taken.whole;
                        at += bytes.len();
                    }
                    break;
                }
                Ok(Step::Skipped(skipped)) => {
                    at += skipped.bytes;
                    if skipped.discarded.is_some() {
                        self.assembler.reset();
                        common.tally.error("discarded", 1);
                        replies += 1;
                    }
                }
                Ok(Step::End) => break,
                Err(error) => {
                    // What was whole before it has come.
                    self.answer_oldest(replies, common);
                    return Err(Error::frame(error, self.name(), self.answered + 1));
                }
            }
        }
        self.answer_oldest(replies, common);
        Ok(at)
    }

    /// Looks at a reply, or a fragment of one.
    fn look(&mut self, frame: &Frame, bytes: &[u8], common: &mut Common<'_>) -> Result<(), Error> {
        let oldest = self.settled();
        let Some(reply) = self.assembler.push(&bytes[frame.message.clone()], frame.more) else {
            return Ok(());
        };
        let (plan, n) = (common.plan, self.answered + 1);
        common.tally.first_reply.get_or_insert_with(|| beginning(reply));
        let number = match &plan.message.number {
            Some(name) => {
                let Some(field) = self.decoder.field(name, bytes) else {
                    let what = format!("a reply without the field '{name}' came from");
                    let error = Error::finished(what).at_endpoint(self.name());
                    return Err(error.at_message(n));
                };
                Some(number_of(field))
            }
            None => None,
        };
        if common.tally.difference.is_none() {
            let index = number.unwrap_or(oldest);
            common.tally.difference = plan
                .expected
                .differs(&plan.message, index, reply)
                .map(|what| format!("connection {}, reply {n}: {what}", self.index + 1));
        }
        match number {
            Some(number) => self.answer(number, common),
            None => self.answer_oldest(1, common),
        }
        Ok(())
    }

    /// So many replies have come, in order.
    fn answer_oldest(&mut self, replies: u64, common: &mut Common<'_>) {
        let mut left = replies;
        while left > 0 {
            let Some((sent, together)) = self.flight.answer_oldest(left) else {
                common.tally.error("unexpected", left);
                return;
            };
            match &common.schedule {
                None => common.tally.answered(sent, common.now, together),
                Some(schedule) => {
                    for index in self.settled()..self.settled() + together {
                        let due = schedule.due(self.index, index);
                        common.tally.answered_due(due, sent, common.now);
                    }
                }
            }
            self.answered += together;
            common.tally.receive(together);
            left -= together;
        }
    }

    /// The reply to the request of this number has come.
    fn answer(&mut self, number: u64, common: &mut Common<'_>) {
        let Some((index, sent)) = self.flight.answer(number, self.outgoing.numbers()) else {
            return self.unknown(number, common);
        };
        match &common.schedule {
            None => common.tally.answered(sent, common.now, 1),
            Some(schedule) => {
                common.tally.answered_due(schedule.due(self.index, index), sent, common.now);
            }
        }
        self.answered += 1;
        common.tally.receive(1);
    }

    /// No request waits for a reply of this number.
    #[cold]
    fn unknown(&mut self, number: u64, common: &mut Common<'_>) {
        self.unknown += 1;
        common.tally.error("unknown-number", 1);
        let reply = self.answered + self.unknown;
        common.tally.unknown_number.get_or_insert_with(|| {
            let numbers = self.outgoing.numbers();
            let awaited = self.flight.unanswered(self.settled());
            let numbers = awaited.iter().map(|index| (index % numbers).to_string());
            let mut awaited: Vec<String> = numbers.take(NUMBERS_TOLD_MAX).collect();
            if awaited.len() < usize::try_from(self.flight.count()).unwrap_or(usize::MAX) {
                awaited.push("..".to_owned());
            }
            let awaited = match awaited.is_empty() {
                true => "none".to_owned(),
                false => awaited.join(", "),
            };
            let connection = self.index + 1;
            format!(
                "connection {connection}, reply {reply}: its number is {number}, and outstanding \
                 were {awaited}"
            )
        });
    }

    /// Sends what is due, as much of it as the connection takes.
    fn send(&mut self, common: &mut Common<'_>) -> Result<(), Error> {
        let room = common.in_flight_max.saturating_sub(self.flight.count());
        let room = room.min(self.flight.room(self.outgoing.numbers()));
        let Way::Open(transport) = &self.way else { return Ok(()) };
        if self.is_shut {
            return Ok(());
        }
        let sent = self.outgoing.send(&**transport, common.plan, self.due.min(room))?;
        self.due -= sent.messages;
        if sent.messages > 0 {
            // Connecting for a request is a part of its time.
            self.flight.send(self.connecting_since.take().unwrap_or(common.now), sent.messages);
        }
        common.tally.sent += sent.messages;
        common.tally.bytes_sent += sent.bytes;
        let ends = common.plan.half_closes && !sent.is_blocked && self.flight.count() > 0;
        let finished = if ends { transport.finish() } else { Ok(()) };
        let flushed = finished.and_then(|()| match transport.flush() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            flushed => flushed,
        });
        let is_flushed = flushed.map_err(|error| self.broken("cannot send to", error))?;
        self.is_blocked = sent.is_blocked || !is_flushed;
        Ok(())
    }

    /// Those that are in flight or due have waited until now and are given up: they count with
    /// that time.
    pub(super) fn give_up(&mut self, common: &mut Common<'_>) {
        match &common.schedule {
            None => {
                while let Some((sent, together)) = self.flight.give_up() {
                    common.tally.answered(sent, common.now, together);
                }
            }
            Some(schedule) => {
                let sent = self.settled() + self.flight.count();
                for index in self.flight.unanswered(self.settled()) {
                    common.tally.answered(schedule.due(self.index, index), common.now, 1);
                }
                let (mut index, end) = (sent, sent + self.due);
                while index < end {
                    let due = schedule.due(self.index, index);
                    let alike = 1 + schedule.within_of_one(common.tally.alike(due, common.now));
                    let alike = alike.min(end - index);
                    common.tally.answered(due, common.now, alike);
                    index += alike;
                }
            }
        }
    }

    fn name(&self) -> String {
        match &self.way {
            Way::Open(transport) => transport.name(),
            Way::Making(..) | Way::Used => "the server".to_owned(),
        }
    }

    fn broken(&self, what: &str, error: io::Error) -> Error {
        Error::stream(what, error).at_endpoint(self.name())
    }
}

/// The buffer that connections share.
pub(super) fn buffer() -> Vec<u8> {
    vec![0; READ_BYTES]
}

/// What is shown of a reply.
fn beginning(reply: &[u8]) -> String {
    let shown = &reply[..reply.len().min(REPLY_BYTES_SHOWN_MAX)];
    payload::escape(shown) + if shown.len() < reply.len() { ".." } else { "" }
}

/// A field as a number, the most significant byte first.
fn number_of(field: Field<'_>) -> u64 {
    match field {
        Field::Integer(number) => number,
        Field::Bytes(bytes) => bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}
