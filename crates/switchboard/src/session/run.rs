//! Messages that lie whole one behind the other, given without going back to the session for each.

use super::Message;
use super::inbound::{Given, Inbound, Waiting};
use switchboard_frame::Decoder;

impl Inbound {
    /// The messages that lie whole one behind the other: first the one that the last poll told, if
    /// `is_told`; then, if they are `plain`, those behind it.
    #[inline]
    pub(super) fn run(&mut self, is_told: bool, plain: bool) -> Run<'_> {
        if !is_told {
            self.release();
        }
        let (frame, rest) = self.buffer.unread().split_at(self.held);
        let told = match &self.given {
            _ if !is_told => None,
            Given::Buffer(range) => Some(&frame[range.clone()]),
            Given::Assembled => Some(self.assembler.joined()),
            Given::Nothing => None,
        };
        Run {
            told,
            frame,
            // What has begun in fragments is not for here.
            rest: if plain && !self.assembler.is_open() { rest } else { &[] },
            decoder: &mut self.decoder,
            given: 0,
            given_bytes: 0,
            held: &mut self.held,
            messages: &mut self.messages,
            message_offset: &mut self.message_offset,
            waiting: &mut self.waiting,
        }
    }
}

/// Messages that are given without going back to the session for each. What it gives it counts by
/// itself, and tells the session at its end.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    told: Option<&'a [u8]>,
    frame: &'a [u8],
    rest: &'a [u8],
    decoder: &'a mut Decoder,
    /// Behind the one that was told.
    given: u64,
    given_bytes: usize,
    /// Of the session: what has been given is dropped by its next step.
    held: &'a mut usize,
    messages: &'a mut u64,
    message_offset: &'a mut u64,
    waiting: &'a mut Option<Waiting>,
}

impl Run<'_> {
    /// Whether there is a message behind the one that was told.
    pub(super) fn is_there(&self) -> bool {
        self.decoder.has_whole(self.rest)
    }

    /// The next message; `None` where the session has to look for itself.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Message<'_>> {
        let (bytes, offset) = match self.told.take() {
            Some(told) => (told, *self.message_offset),
            None => {
                let offset = self.decoder.offset();
                let whole = self.decoder.whole(self.rest)?;
                (self.frame, self.rest) = self.rest.split_at(whole.end);
                self.given += 1;
                self.given_bytes += whole.end;
                (&self.frame[whole.message], offset)
            }
        };
        Some(Message {
            bytes,
            number: *self.messages + self.given,
            offset,
            frame_bytes: self.decoder.offset() - offset,
            frame: self.frame,
            decoder: self.decoder,
        })
    }
}

impl Drop for Run<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.given > 0 {
            *self.held += self.given_bytes;
            *self.messages += self.given;
            *self.message_offset = self.decoder.offset() - self.frame.len() as u64;
            *self.waiting = None;
        }
    }
}
