//! The state of one conversation that is served, between its turns.
//!
//! A conversation that waits for its next message is most of what a server has. So a [`Line`] is
//! small: what only some conversations need is boxed, and a session at rest is a few numbers.

use super::inbox::Mailbox;
use crate::session::{Rest, Session};
use crate::transport::{Interest, Transport};
use crate::{Ending, Error};
use bytes::Bytes;
use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use switchboard_frame::{Fields, Protocol};

pub(super) struct Line {
    /// Among all that were let in, from 1.
    pub(super) number: u64,
    pub(super) transport: Arc<dyn Transport>,
    /// `None` while it is at rest: then `rest` is all there is to it.
    pub(super) session: Option<Box<Session>>,
    pub(super) rest: Rest,
    /// When the last message came, or waiting for one began.
    pub(super) heard: Instant,
    /// When something was last sent.
    pub(super) said: Instant,
    /// When to look again though nothing happens.
    pub(super) due: Option<Instant>,
    pub(super) extras: Option<Box<Extras>>,
    pub(super) phase: Phase,
    pub(super) flags: Flags,
    /// What is to be waited for on the transport.
    pub(super) wanted: Interest,
    /// What the dispatcher has asked the system for.
    pub(super) watched: Interest,
}

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// No more messages are given; what is queued or promised is delivered.
    Closing,
    /// Everything is delivered and the peer told so; its end is waited for. Or the service failed:
    /// then it is waited until a reset takes nothing of that away.
    Lingering,
    Over,
}

/// Small facts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// It has been counted for its address, where those are.
    pub(super) counted: bool,
    /// The transport is not open yet: nothing else is done with it.
    pub(super) opening: bool,
    /// The transport has taken bytes that it has not handed on yet.
    pub(super) holds: bool,
    /// The transport never opened, so that the service is told nothing but that.
    pub(super) unopened: bool,
    /// The service has been told that it began.
    pub(super) opened: bool,
    /// The service has been told that the peer is done sending.
    pub(super) told_finished: bool,
    /// The service wants no more messages for now.
    pub(super) paused: bool,
    /// So much is queued that nothing more is read.
    pub(super) full: bool,
    /// Messages may be buffered that were not given yet.
    pub(super) backlog: bool,
    /// The service is done sending: to be told once everything before it is delivered.
    pub(super) finishing: bool,
    /// It has been told.
    pub(super) half_closed: bool,
    /// A message came, and what it is answered with is not delivered yet.
    pub(super) owes: bool,
    /// A post may be in the mailbox.
    pub(super) mail: bool,
    /// What had come before the server was told to stop has been read.
    pub(super) drained: bool,
    /// The service panicked, and is not called any more.
    pub(super) poisoned: bool,
    /// The service failed, so the end is not to look like a clean one.
    pub(super) failed: bool,
}

/// What only some conversations have.
#[derive(Default)]
pub(super) struct Extras {
    /// What waits behind an answer that was promised.
    pub(super) held: VecDeque<Held>,
    pub(super) held_bytes: usize,
    /// Promises made so far.
    pub(super) promises: u64,
    pub(super) mailbox: Option<Arc<Mailbox>>,
    pub(super) data: Option<Box<dyn Any>>,
    /// Receiving is broken; told behind what came before it.
    pub(super) broken: Option<Error>,
    /// The peer takes nothing any more: what is sent is dropped.
    pub(super) deaf: Option<Error>,
    pub(super) ending: Option<(Ending, Option<Error>)>,
    /// Bytes of this conversation in the server's count of what is queued.
    pub(super) counted: usize,
    pub(super) ticks_at: Option<Instant>,
    /// Since when nothing is read because so much is queued.
    pub(super) full_since: Option<Instant>,
    /// Bytes read since the server was told to stop.
    pub(super) drained_bytes: usize,
    pub(super) lingers_until: Option<Instant>,
    pub(super) lingers_bytes: usize,
    /// When to look whether the peer has everything, and how long after that again.
    pub(super) looks_at: Option<Instant>,
    pub(super) looks_after: Duration,
}

/// One thing in the order in which the service asked for it.
#[derive(Debug)]
pub(super) enum Held {
    /// An answer that is still to come.
    Promise(u64),
    Message(Bytes),
    With(Fields, Vec<u8>),
    Framing(Box<Protocol>),
    /// The promise was broken.
    Broken(Error),
}

impl Line {
    pub(super) fn new(number: u64, transport: Arc<dyn Transport>, now: Instant) -> Line {
        let opening = transport.opening().is_some();
        let counted = transport.client().is_some();
        Line {
            number,
            transport,
            session: None,
            rest: Rest::default(),
            heard: now,
            said: now,
            due: None,
            extras: None,
            phase: Phase::Open,
            flags: Flags { opening, counted, ..Flags::default() },
            wanted: Interest::NONE,
            watched: Interest::NONE,
        }
    }

    pub(super) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    pub(super) fn held(&self) -> usize {
        self.extras.as_ref().map_or(0, |extras| extras.held.len())
    }

    pub(super) fn lingers_bytes(&self) -> usize {
        self.extras.as_ref().map_or(0, |extras| extras.lingers_bytes)
    }

    pub(super) fn looks_at(&self) -> Option<Instant> {
        self.extras.as_ref().and_then(|extras| extras.looks_at)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.extras.as_ref().map_or(0, |extras| extras.held_bytes)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.broken.is_some())
    }

    /// Whether the peer is to be told by a reset that this did not end well.
    pub(super) fn ends_by_reset(&self) -> bool {
        self.flags.failed && self.transport.facts().reset
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.deaf.is_some())
    }

    /// Puts something behind what waits for a promised answer.
    pub(super) fn hold(&mut self, held: Held) {
        let extras = self.extras();
        extras.held_bytes += held.bytes();
        extras.held.push_back(held);
    }

    pub(super) fn drop_held(&mut self) {
        if let Some(extras) = &mut self.extras {
            extras.held.clear();
            extras.held_bytes = 0;
        }
    }

    /// The peer takes nothing any more. What it sent before is still to be received.
    #[cold]
    pub(super) fn deafened(&mut self, what: &str, error: io::Error) {
        let error = self.io(what, error);
        self.extras().deaf.get_or_insert(error);
        self.flags.holds = false;
        self.drop_held();
    }

    /// An error of the transport.
    pub(super) fn io(&self, what: &str, error: io::Error) -> Error {
        let transport = &self.transport;
        Error::stream(what, error).with_silence(&**transport).at_endpoint(transport.name())
    }

    /// This side is done sending, once everything before is delivered.
    pub(super) fn finish(&mut self) {
        self.flags.finishing = true;
        self.shut();
    }

    /// Others can send nothing more to this conversation.
    fn shut(&self) {
        if let Some(mailbox) = self.mailbox() {
            mailbox.close_to_messages();
        }
    }

    fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        self.extras.as_ref().and_then(|extras| extras.mailbox.as_ref())
    }

    /// Whether others have messages for it that it has not taken yet.
    pub(super) fn has_messages(&self) -> bool {
        self.mailbox().is_some_and(|mailbox| mailbox.has_messages())
    }

    /// No more messages are given from here on. The first error is what is told: a conversation
    /// that was closed in good order and then could not be brought to its end did not end well.
    pub(super) fn close(&mut self, ending: Ending, error: Option<Error>) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
            self.shut();
        }
        let told = &mut self.extras().ending;
        let ended_well = told.as_ref().is_none_or(|(_, error)| error.is_none());
        if told.is_none() || ended_well && error.is_some() {
            *told = Some((ending, error));
        }
    }
}

impl Extras {
    /// Whether all that can happen by it is that mail comes.
    pub(super) fn only_has_mail(&self) -> bool {
        self.held.is_empty() && self.deaf.is_none() && self.broken.is_none()
    }

    /// Whether there is nothing in it that a new one would not have.
    pub(super) fn is_blank(&self) -> bool {
        let Extras { held, held_bytes, mailbox, data, broken, deaf, ending, counted, .. } = self;
        let is_settled =
            held.is_empty() && *held_bytes == 0 && *counted == 0 && self.full_since.is_none();
        let is_well = broken.is_none() && deaf.is_none() && ending.is_none();
        // Who has promised something has a mailbox.
        let is_bare = mailbox.is_none() && data.is_none() && self.ticks_at.is_none();
        is_settled && is_well && is_bare && self.drained_bytes == 0 && self.lingers_until.is_none()
    }
}

impl Held {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Held::Message(message) => message.len(),
            Held::With(_, body) => body.len(),
            Held::Promise(_) | Held::Framing(_) | Held::Broken(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_conversation_that_waits_is_small() {
        let bytes = size_of::<Line>();
        assert!(bytes <= 176, "{bytes} bytes of state for a conversation at rest");
    }
}
