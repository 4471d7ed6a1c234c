//! The receiving direction: bytes in, messages out.

use super::{Message, Timeouts};
use crate::Error;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::{Duration, Instant};
use switchboard_frame::{
    Assembler, Decoder, Discarded, ErrorKind, FrameError, Framing, ReceiveBuffer, Step,
};

/// What a poll came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole message: [`Inbound::message`] has it, until the next poll.
    Message,
    /// A message that was too large is being passed over (`oversize=discard`).
    Discarded(Discarded),
    /// At least so many bytes more are needed.
    Need(NonZeroUsize),
    /// The peer ended its stream between two messages.
    Finished,
}

/// The state of the receiving direction.
#[derive(Debug)]
pub struct Inbound {
    pub(super) decoder: Decoder,
    pub(super) buffer: ReceiveBuffer,
    pub(super) assembler: Assembler,
    /// Bytes at the front of the buffer that the message given last lies in.
    pub(super) held: usize,
    pub(super) given: Given,
    /// Bytes that the decoder asked for last; 0 before it has.
    need: usize,
    /// Where the message at hand, or given last, begins in the stream.
    pub(super) message_offset: u64,
    pub(super) messages: u64,
    discarded: u64,
    at_end: bool,
    /// The stream was cut off: it ended without the end that its transport has.
    is_cut: bool,
    /// The decoder has seen all that is here and asked for more: until something comes, or the
    /// framing changes, a poll would say the same again.
    seen: bool,
    /// Of a frame that is being passed on before it is whole: what is still to come of it.
    streaming: Option<Streaming>,
    /// The wait for more of a message already begun.
    pub(super) waiting: Option<Waiting>,
}

/// How long more of a message is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    since: Instant,
    /// How far the stream had come then.
    received_before: u64,
    /// When it was last seen to go on, and how far it had come then.
    moved: Instant,
    received: u64,
}

/// A frame whose bytes are passed on as they come.
#[derive(Clone, Copy, Debug)]
struct Streaming {
    /// Where the frame begins in the stream.
    offset: u64,
    /// Bytes of it passed.
    pos: u64,
    whole: u64,
}

/// Where the message given last is.
#[derive(Debug)]
pub(super) enum Given {
    Nothing,
    /// In the buffer, at these places of what is unread.
    Buffer(Range<usize>),
    /// Joined of several fragments.
    Assembled,
}

impl Inbound {
    pub(super) fn new(framing: &Framing) -> Inbound {
        Inbound::with_decoder(Decoder::new(framing))
    }

    pub(crate) fn with_decoder(decoder: Decoder) -> Inbound {
        Inbound {
            decoder,
            buffer: ReceiveBuffer::new(),
            assembler: Assembler::new(),
            held: 0,
            given: Given::Nothing,
            need: 0,
            message_offset: 0,
            messages: 0,
            discarded: 0,
            at_end: false,
            is_cut: false,
            seen: false,
            streaming: None,
            waiting: None,
        }
    }

    /// Messages given so far.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages passed over so far, because they were too large.
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.discarded
    }

    /// Whether the peer has ended its stream.
    #[must_use]
    pub fn at_end(&self) -> bool {
        self.at_end
    }

    /// Whether a poll may give something although nothing more arrives: a message, an ending, an
    /// error.
    ///
    /// `false` is certain. `true` is certain at the end of the stream; before it, it says that
    /// there are bytes which the decoder has not looked at since they came. They may turn out to be
    /// half a message: the poll that finds that out makes this `false`.
    #[must_use]
    pub fn may_be_ready(&self) -> bool {
        self.at_end || !self.seen && !self.unread().is_empty()
    }

    /// What has arrived of a message that is not whole: its fragments' bodies so far and the bytes
    /// not yet understood.
    #[must_use]
    pub fn partial(&self) -> Vec<u8> {
        let mut partial = self.assembler.collected().to_vec();
        partial.extend_from_slice(&self.buffer.unread()[self.held..]);
        partial
    }

    /// An error of the framing with what there is to show for it.
    #[cold]
    pub(crate) fn shown(&self, error: Error) -> Error {
        let error = match error.is_truncated() {
            true if self.is_cut => error
                .with_partial(self.partial())
                .with_advice("the stream was cut off, without the end that its transport has"),
            true => error.with_partial(self.partial()),
            false => error,
        };
        // A record of TLS with an alert: what a server of TLS says to who does not speak it.
        let error = match self.decoder.offset() == 0 && self.unread().starts_with(&[0x15, 3]) {
            true if !self.is_cut => error.with_advice("the peer speaks TLS: connect with tls://"),
            _ => error,
        };
        error.with_around(self.decoder.offset(), self.unread())
    }

    /// Bytes received that no message was made of yet.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.buffer.unread()[self.held..]
    }

    /// Drops the message given last and switches to another framing from the next byte on. Bytes
    /// already received are framed anew.
    pub fn set_framing(&mut self, framing: &Framing) {
        self.release();
        self.decoder.set_framing(framing);
        self.assembler.reset();
        self.seen = false;
    }

    pub(crate) fn space(&mut self, need: usize) -> &mut [u8] {
        self.release();
        self.buffer.spare_mut(need)
    }

    /// How many bytes the next read is to bring at least, as far as is known.
    pub(crate) fn needed(&self) -> usize {
        if self.has_begun() { self.need.max(1) } else { 1 }
    }

    pub(crate) fn handle_received(&mut self, bytes: usize) {
        self.buffer.filled(bytes);
        self.seen = false;
    }

    /// What was received elsewhere; a message that was given stays.
    pub(crate) fn handle_bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
        self.seen = false;
    }

    pub(crate) fn handle_end(&mut self) {
        self.at_end = true;
    }

    /// The stream was cut off. That ends no message: one that has begun is truncated, and so is
    /// what only the end of the stream completes. Between two messages that say themselves where
    /// they end nothing is missing.
    pub(crate) fn handle_cut(&mut self) {
        self.at_end = true;
        self.is_cut = true;
    }

    /// What a stream that was cut off comes to, once every whole message has been given.
    #[cold]
    fn cut_off(&self) -> Result<Event, FrameError> {
        if !self.has_begun() && !self.decoder.ends_with_stream() {
            return Ok(Event::Finished);
        }
        let offset = match self.assembler.is_open() {
            true => self.message_offset,
            false => self.decoder.offset(),
        };
        let end = self.received();
        Err(FrameError::new(ErrorKind::Truncated, offset, end).with_progress(end - offset, None))
    }

    /// Drops the message given last.
    pub(super) fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.buffer.consume(held);
        if matches!(self.given, Given::Assembled) {
            self.assembler.reset();
        }
        self.given = Given::Nothing;
    }

    #[inline]
    pub(crate) fn poll(&mut self) -> Result<Event, FrameError> {
        self.release();
        loop {
            match self.decoder.step(self.buffer.unread(), self.at_end && !self.is_cut)? {
                Step::Frame(frame) => {
                    self.waiting = None;
                    let offset = self.decoder.offset() - frame.whole.len() as u64;
                    if !frame.more && !self.assembler.is_open() {
                        self.message_offset = offset;
                        self.messages += 1;
                        self.held = frame.whole.end;
                        self.given = Given::Buffer(frame.message);
                        return Ok(Event::Message);
                    }
                    if !self.assembler.is_open() {
                        self.message_offset = offset;
                    }
                    let part = &self.buffer.unread()[frame.message];
                    let _joined = self.assembler.push(part, frame.more);
                    if frame.more {
                        self.buffer.consume(frame.whole.end);
                        continue;
                    }
                    self.messages += 1;
                    self.held = frame.whole.end;
                    self.given = Given::Assembled;
                    return Ok(Event::Message);
                }
                Step::Skipped(skipped) => {
                    self.buffer.consume(skipped.bytes);
                    if let Some(discarded) = skipped.discarded {
                        self.assembler.reset();
                        self.discarded += 1;
                        return Ok(Event::Discarded(discarded));
                    }
                }
                Step::Need(need) => {
                    self.buffer.scanned();
                    self.seen = true;
                    self.need = need.get();
                    if self.is_cut {
                        return self.cut_off();
                    }
                    return Ok(Event::Need(need));
                }
                Step::End => return Ok(Event::Finished),
            }
        }
    }

    /// The message that the last poll told.
    #[must_use]
    #[inline]
    pub fn message(&self) -> Message<'_> {
        let unread = self.buffer.unread();
        let bytes = match &self.given {
            Given::Buffer(range) => &unread[range.clone()],
            Given::Assembled => self.assembler.joined(),
            Given::Nothing => &[],
        };
        let frame = &unread[..self.held];
        let (number, offset) = (self.messages, self.message_offset);
        let frame_bytes = self.decoder.offset() - offset;
        Message { bytes, number, offset, frame_bytes, frame, decoder: &self.decoder }
    }

    /// Whether nothing is here that a poll could look at, the end of the stream included.
    pub(crate) fn is_empty(&self) -> bool {
        self.unread().is_empty() && !self.at_end
    }

    /// Whether more of a message already begun is waited for.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.assembler.is_open() || !self.unread().is_empty() || self.decoder.is_discarding()
    }

    /// Whether nothing of what came matters for what comes next but how much it was. The message
    /// given last is dropped.
    pub(super) fn is_at_rest(&mut self) -> bool {
        self.release();
        self.buffer.is_empty()
            && !self.at_end
            && !self.assembler.is_open()
            && self.streaming.is_none()
            && self.decoder.is_settled()
    }

    /// Goes on in another stream of the same framing, see [`Rest`](super::Rest).
    pub(super) fn resume(&mut self, offset: u64, messages: u64, discarded: u64) {
        debug_assert!(!self.at_end && self.buffer.is_empty(), "{self:?} is not at rest");
        self.decoder.resume_at(offset);
        // No message has been given: where the other stream's last one began says nothing here.
        self.message_offset = offset;
        (self.messages, self.discarded) = (messages, discarded);
        self.message_offset = offset;
        self.waiting = None;
    }

    /// Bytes received in all.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.decoder.offset() + self.unread().len() as u64
    }

    pub(crate) fn poll_deadline(&mut self, timeouts: &Timeouts, now: Instant) -> Option<Instant> {
        if !self.has_begun() {
            self.waiting = None;
            return timeouts.idle.and_then(|idle| now.checked_add(idle));
        }
        let received = self.received();
        let waiting = self.waiting.get_or_insert(Waiting {
            since: now,
            received_before: received,
            moved: now,
            received,
        });
        if received > waiting.received {
            (waiting.moved, waiting.received) = (now, received);
        }
        let Waiting { since, received_before, moved, .. } = *waiting;
        let time = timeouts.message?;
        let Some(rate) = timeouts.rate_min else { return since.checked_add(time) };
        // What came buys time, and none to say nothing in: a peer that sent much may not be silent
        // for longer than any other.
        let bytes = (received - received_before) as f64;
        let bought = Duration::try_from_secs_f64(bytes / f64::from(rate.get())).ok()?;
        let at_rate = since.checked_add(time)?.checked_add(bought)?;
        Some(at_rate.min(moved.checked_add(time)?))
    }

    /// Since when the rest of a message already begun is waited for.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.waiting.map(|waiting| waiting.since)
    }

    /// Begins to pass on the frame at hand before it is whole. Gives where its message lies in it;
    /// `None` when that cannot be said yet, or never of this kind of frame.
    pub(crate) fn stream(&mut self) -> Option<Range<u64>> {
        let offset = self.decoder.offset();
        let taken = self.decoder.take_over(self.buffer.unread())?;
        self.streaming = Some(Streaming { offset, pos: 0, whole: taken.whole });
        self.seen = false;
        self.message_offset = offset;
        self.messages += 1;
        Some(taken.message)
    }

    /// What is there of `message`, the part of the frame being passed on; empty when more has to be
    /// read, `None` when all has been passed.
    ///
    /// # Errors
    /// The stream ended inside the frame.
    pub(crate) fn streamed(&mut self, message: &Range<u64>) -> Result<Option<&[u8]>, FrameError> {
        loop {
            let Some(streaming) = self.streaming else { return Ok(None) };
            let unread = self.buffer.unread().len();
            if streaming.pos == streaming.whole {
                self.streaming = None;
                continue;
            }
            if unread == 0 && self.at_end {
                let Streaming { offset, pos, whole } = streaming;
                let error = FrameError::new(ErrorKind::Truncated, offset, offset + pos);
                return Err(error.with_progress(pos, Some(whole)));
            }
            if streaming.pos < message.start && unread > 0 {
                self.pass_streamed(message.start - streaming.pos);
                continue;
            }
            let there = usize::try_from(streaming.whole - streaming.pos).unwrap_or(usize::MAX);
            return Ok(Some(&self.buffer.unread()[..unread.min(there)]));
        }
    }

    /// Drops at most so many bytes of the frame being passed on.
    pub(crate) fn pass_streamed(&mut self, bytes: u64) {
        let Some(streaming) = &mut self.streaming else { return };
        let there = self.buffer.unread().len();
        let passed = usize::try_from(bytes).unwrap_or(usize::MAX).min(there);
        self.buffer.consume(passed);
        streaming.pos += passed as u64;
    }

    /// After a deadline has been told: the clock of the message at hand begins anew.
    pub fn restart_clock(&mut self) {
        self.waiting = None;
    }

    /// The clock of the message at hand stood still for so long.
    pub(crate) fn put_off(&mut self, time: Duration) {
        if let Some(waiting) = &mut self.waiting {
            waiting.since += time;
            waiting.moved += time;
        }
    }

    /// Takes what is unread, for whoever goes on with the bare stream.
    pub(crate) fn into_unread(mut self) -> Vec<u8> {
        self.release();
        self.buffer.unread().to_vec()
    }
}
