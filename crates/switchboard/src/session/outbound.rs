//! The sending direction: messages in, bytes out.

use super::Timeouts;
use crate::limits;
use std::io::IoSlice;
use std::time::Instant;
use switchboard_frame::{EncodeError, Encoder, Fields, Framing};

/// The state of the sending direction.
#[derive(Debug)]
pub struct Outbound {
    /// Or why this framing cannot be sent.
    pub(super) encoder: Result<Encoder, EncodeError>,
    /// Framed messages; up to `sent` the transport has them.
    pub(super) out: Vec<u8>,
    sent: usize,
    /// Where the message queued last begins in `out`.
    last: usize,
    messages: u64,
    /// Bytes that the transport has taken in all.
    bytes: u64,
    /// Since when the transport takes nothing.
    stalled_since: Option<Instant>,
}

/// What became of a message whose sending was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// No byte of it had gone: it is taken back.
    TakenBack,
    /// So many of so many bytes had gone: the peer can find no message behind it any more.
    Cut {
        /// Bytes that had gone.
        sent: usize,
        /// Bytes of the frame.
        of: usize,
    },
}

impl Outbound {
    pub(super) fn new(framing: &Framing) -> Outbound {
        Outbound::with_encoder(Encoder::new(framing))
    }

    pub(crate) fn with_encoder(encoder: Result<Encoder, EncodeError>) -> Outbound {
        Outbound {
            encoder,
            out: Vec::new(),
            sent: 0,
            last: 0,
            messages: 0,
            bytes: 0,
            stalled_since: None,
        }
    }

    /// Messages queued so far.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Bytes that the transport has taken so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes queued that the transport has not taken yet.
    #[must_use]
    #[inline]
    pub fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Whether nothing of what was sent matters for what is sent next.
    pub(super) fn is_at_rest(&self) -> bool {
        self.pending() == 0 && self.encoder.as_ref().is_ok_and(Encoder::is_settled)
    }

    /// Copies what is still to be sent out of `from`, where it lay so far.
    pub(super) fn keep(&mut self, from: &[u8]) {
        self.out.extend_from_slice(&from[self.sent..]);
        self.last = self.last.saturating_sub(self.sent);
        self.sent = 0;
    }

    /// Goes on in another stream of the same framing, see [`Rest`](super::Rest).
    pub(super) fn resume(&mut self, messages: u64, bytes: u64) {
        debug_assert_eq!(self.pending(), 0, "{self:?} is not at rest");
        (self.messages, self.bytes) = (messages, bytes);
        self.stalled_since = None;
    }

    /// Switches to another framing from the next message on.
    pub fn set_framing(&mut self, framing: &Framing) {
        self.encoder = Encoder::new(framing);
    }

    pub(crate) fn queue(&mut self, message: &[u8]) -> Result<(), EncodeError> {
        self.append(|encoder, out| encoder.encode(message, out))
    }

    /// Frames a message if that is simple; else [`queue`](Self::queue) is to be called.
    #[inline(always)]
    pub(crate) fn queue_simple(&mut self, message: &[u8]) -> bool {
        let Ok(encoder) = &self.encoder else { return false };
        let start = self.out.len();
        let is_simple = encoder.encode_simple(message, &mut self.out);
        if is_simple {
            self.last = start;
            self.messages += 1;
        }
        is_simple
    }

    /// Begins to send a message that stays where it is: [`Through`].
    ///
    /// # Errors
    /// The framing has to see a message to say what stands before it.
    pub(crate) fn begin_through<'a>(
        &'a mut self,
        message: &'a [u8],
    ) -> Result<Through<'a>, EncodeError> {
        self.queue_head(message.len() as u64)?;
        Ok(Through { outbound: self, rest: message })
    }

    pub(crate) fn queue_with(&mut self, fields: &Fields, body: &[u8]) -> Result<(), EncodeError> {
        self.append(|encoder, out| encoder.encode_with(fields, body, out))
    }

    /// Frames a message of which only the length is known: its bytes come with
    /// [`queue_raw`](Self::queue_raw).
    pub(crate) fn queue_head(&mut self, len: u64) -> Result<(), EncodeError> {
        self.append(|encoder, out| encoder.encode_head(len, out))
    }

    pub(crate) fn queue_tail(&mut self) -> Result<(), EncodeError> {
        let encoder = self.encoder.as_mut().map_err(|error| error.clone())?;
        encoder.encode_tail(&mut self.out)
    }

    pub(crate) fn queue_raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Puts messages behind what is to be sent that have been framed elsewhere, and leave the
    /// encoder as it is. `last` is where among the bytes the last one begins.
    pub(crate) fn queue_framed(&mut self, frames: &[u8], last: usize, messages: usize) {
        self.last = self.out.len() + last;
        self.out.extend_from_slice(frames);
        self.messages += messages as u64;
    }

    #[inline]
    fn append(
        &mut self,
        encode: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let encoder = match &mut self.encoder {
            Ok(encoder) => encoder,
            Err(error) => return Err(error.clone()),
        };
        let start = self.out.len();
        encode(encoder, &mut self.out)?;
        self.last = start;
        self.messages += 1;
        Ok(())
    }

    #[inline]
    pub(crate) fn poll_transmit(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// When sending is to be given up, if at `now` the transport takes nothing. `moved` says that
    /// it had taken something before that.
    pub(crate) fn stall_deadline(
        &mut self,
        timeouts: &Timeouts,
        now: Instant,
        moved: bool,
    ) -> Option<Instant> {
        if moved {
            self.stalled_since = None;
        }
        let since = *self.stalled_since.get_or_insert(now);
        timeouts.stall.and_then(|stall| since.checked_add(stall))
    }

    /// The peer has taken something that the transport had held, or holds nothing any more.
    pub(crate) fn restart_clock(&mut self) {
        self.stalled_since = None;
    }

    /// Since when the transport takes nothing.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    pub(crate) fn handle_sent(&mut self, bytes: usize) {
        self.stalled_since = None;
        self.sent += bytes;
        self.bytes += bytes as u64;
        if self.sent < self.out.len() {
            // What has gone is given up once it outweighs what has not.
            if self.sent > limits::QUEUE_MARK_BYTES && self.sent > self.out.len() / 2 {
                self.out.drain(..self.sent);
                self.last = self.last.saturating_sub(self.sent);
                self.sent = 0;
            }
            return;
        }
        (self.sent, self.last) = (0, 0);
        self.out.clear();
        if self.out.capacity() > 2 * limits::QUEUE_MARK_BYTES {
            // A large message has passed; its memory is not kept for the next small one.
            self.out = Vec::new();
        }
    }

    /// The frame queued last.
    pub(super) fn queued_last(&self) -> &[u8] {
        &self.out[self.last..]
    }

    /// Drops what is pending: the peer takes nothing any more.
    pub(crate) fn discard(&mut self) {
        (self.sent, self.last) = (0, 0);
        self.out.clear();
        self.stalled_since = None;
    }

    /// Gives up sending the message queued last.
    pub(crate) fn take_back(&mut self) -> Unsent {
        self.stalled_since = None;
        if self.sent > self.last {
            return Unsent::Cut { sent: self.sent - self.last, of: self.out.len() - self.last };
        }
        self.out.truncate(self.last);
        self.messages -= 1;
        Unsent::TakenBack
    }
}

/// A message that is offered to the transport from where it lies. Its [end](Self::end) queues what
/// the transport has not taken.
pub(crate) struct Through<'a> {
    outbound: &'a mut Outbound,
    rest: &'a [u8],
}

impl Through<'_> {
    /// What is to be written, in this order.
    pub(crate) fn parts(&self) -> [IoSlice<'_>; 2] {
        [IoSlice::new(self.outbound.poll_transmit()), IoSlice::new(self.rest)]
    }

    /// The transport has taken so many bytes of the parts.
    pub(crate) fn handle_sent(&mut self, bytes: usize) {
        let queued = bytes.min(self.outbound.pending());
        self.rest = &self.rest[bytes - queued..];
        self.outbound.bytes += (bytes - queued) as u64;
        if queued > 0 {
            self.outbound.handle_sent(queued);
        }
    }

    pub(crate) fn end(self) {
        self.outbound.queue_raw(self.rest);
        let ended = self.outbound.queue_tail();
        debug_assert!(ended.is_ok(), "a head was queued, so there is a tail");
    }
}
