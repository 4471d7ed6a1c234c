//! What a conversation tells [`select`](crate::select()): what it has buffered, and what the system
//! is to be asked.
//!
//! Invariant: whatever a call would give at once is told as ready. A half of a message that the
//! decoder has seen is not, so a loop around `select` sleeps until more of it comes.

use super::{Conversation, ReceivingHalf, SendingHalf};
use crate::select::{List, Source};
use crate::transport::{Interest, Transport};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

impl Conversation {
    /// Whether there is output that a call which receives would write before it waits.
    fn owes_output(&self) -> bool {
        self.send_error.is_none() && self.session.outbound.pending() > 0
    }

    fn has_input(&self) -> bool {
        let transport = &self.link.transport;
        self.receive_error.is_some()
            || self.broken.is_some()
            || self.session.may_be_ready()
            || transport.read_descriptor().is_none()
            || transport.holds_input()
    }

    /// A `send` would say at once that it cannot be, or never waits here.
    fn sends_at_once(&self) -> bool {
        self.send_error.is_some()
            || self.finished
            || self.link.transport.write_descriptor().is_none()
    }
}

/// - As a reader it is ready when [`try_recv`](Conversation::try_recv) has something to tell: a
///   message, an ending, an error; or when it may have: bytes have come. A message that is buffered
///   already counts, half a message does not. Output that is still pending makes it ready too, as
///   soon as the transport takes more: `try_recv` writes it, so that a loop which only receives
///   cannot forget a reply.
/// - As a writer it is ready when [`try_send`](Conversation::try_send) or
///   [`try_flush`](Conversation::try_flush) would write something or tell an error.
/// - Among the errors it is ready when an error has been found that every later call tells again,
///   or when the descriptor has one.
impl Source for Conversation {
    fn is_ready(&self, list: List) -> bool {
        match list {
            List::Readers => {
                self.has_input()
                    || self.owes_output() && self.link.transport.write_descriptor().is_none()
            }
            List::Writers => self.sends_at_once(),
            List::Errors => {
                self.receive_error.is_some() || self.send_error.is_some() || self.broken.is_some()
            }
        }
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        self.link.transport.descriptors(list, watch);
        if list == List::Readers && self.owes_output() {
            self.link.transport.descriptors(List::Writers, watch);
        }
    }
}

/// As a reader and among the errors like the [`Conversation`]; as a writer never ready.
impl Source for ReceivingHalf {
    fn is_ready(&self, list: List) -> bool {
        list != List::Writers && self.conversation.is_ready(list)
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        if list != List::Writers {
            self.conversation.descriptors(list, watch);
        }
    }
}

/// As a writer and among the errors like the [`Conversation`]; as a reader never ready.
impl Source for SendingHalf {
    fn is_ready(&self, list: List) -> bool {
        list != List::Readers && self.conversation.is_ready(list)
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        if list != List::Readers {
            self.conversation.descriptors(list, watch);
        }
    }
}

/// A [`SharedConversation`](super::SharedConversation) among the lists of
/// [`select`](crate::select()); ready when the conversation is.
#[derive(Debug)]
pub struct SharedSource {
    /// For as long as it lives, closing the conversation wakes who waits.
    _watched: Arc<()>,
    transport: Arc<dyn Transport>,
    /// In each list.
    ready: [bool; 3],
    owes_output: bool,
}

impl SharedSource {
    /// `told`: there is a message that nobody has taken yet.
    pub(super) fn of(conversation: &Conversation, told: bool, watched: Arc<()>) -> SharedSource {
        SharedSource {
            _watched: watched,
            transport: Arc::clone(conversation.transport()),
            ready: [List::Readers, List::Writers, List::Errors]
                .map(|list| conversation.is_ready(list) || told && list == List::Readers),
            owes_output: conversation.owes_output(),
        }
    }
}

impl Source for SharedSource {
    fn is_ready(&self, list: List) -> bool {
        self.ready[list as usize]
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        self.transport.descriptors(list, watch);
        if list == List::Readers && self.owes_output {
            self.transport.descriptors(List::Writers, watch);
        }
    }
}
