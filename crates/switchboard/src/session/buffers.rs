//! Buffers that belong to a loop or a thread, and are lent to the session whose turn it is.
//!
//! ```text
//!  the loop:     [ receive, 64 KiB ]   [ out ]      lent for a turn, and given back
//!  a session:    only what is unfinished: half a message, replies that the peer does not take
//! ```
//!
//! **Invariant:** between two turns a session holds no buffer in which nothing is unfinished.

use super::{Inbound, Outbound, Session};
use crate::limits;
use crate::transport::Transport;
use std::io::{self, IoSliceMut};
use std::mem;
use std::time::Duration;
use switchboard_frame::ReceiveBuffer;

/// What a loop or a thread lends to the sessions it drives, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Empty while it is lent.
    receive: ReceiveBuffer,
    is_lent: bool,
    /// More such, which came back from sessions that had kept one for a large message.
    spare: Vec<ReceiveBuffer>,
    /// Small ones, for what other sessions leave unfinished.
    parked: Vec<ReceiveBuffer>,
    out: Vec<u8>,
    parked_out: Vec<Vec<u8>>,
}

impl Session {
    /// Takes the buffers of a loop for a turn. What is unfinished goes to the front of them, when
    /// that is little; what is much stays where it is.
    pub(crate) fn lend(&mut self, buffers: &mut Buffers) {
        self.inbound.lend(buffers);
        self.outbound.lend(buffers);
    }

    /// Whether it has the buffers it was lent, and they are as they were: another session at rest
    /// may find them in it.
    pub(crate) fn has_usual(&self, buffers: &Buffers) -> bool {
        let usual = limits::QUEUE_MARK_BYTES..=2 * limits::QUEUE_MARK_BYTES;
        buffers.is_lent
            && usual.contains(&self.inbound.buffer.capacity())
            && self.outbound.out.capacity() <= 2 * limits::QUEUE_MARK_BYTES
    }

    /// Gives them back, and keeps what is unfinished. The message given last is dropped.
    pub(crate) fn give_back(&mut self, buffers: &mut Buffers) {
        self.inbound.give_back(buffers);
        self.outbound.give_back(buffers);
    }
}

impl Buffers {
    /// Whether bytes have been read past the end of the buffer that a session had kept.
    pub(crate) fn has_more(&self) -> bool {
        !self.is_lent && !self.receive.is_empty()
    }

    /// A receive buffer that is no longer needed where it was.
    fn take_back(&mut self, mut buffer: ReceiveBuffer) {
        buffer.consume(buffer.unread().len());
        let capacity = buffer.capacity();
        // One large message is no reason to hold its size for ever.
        if capacity == 0 || capacity > 2 * limits::QUEUE_MARK_BYTES {
            return;
        }
        if capacity <= 2 * limits::PARKED_BYTES_MAX {
            park(&mut self.parked, buffer);
        } else if self.receive.capacity() == 0 && !self.is_lent {
            self.receive = buffer;
        } else {
            park(&mut self.spare, buffer);
        }
    }
}

impl Inbound {
    fn lend(&mut self, buffers: &mut Buffers) {
        if self.buffer.unread().len() > limits::PARKED_BYTES_MAX {
            return;
        }
        debug_assert!(buffers.receive.is_empty(), "the buffer has been given back empty");
        let mut lent = mem::take(&mut buffers.receive);
        if lent.capacity() == 0 {
            lent = buffers.spare.pop().unwrap_or_else(ReceiveBuffer::grown);
        }
        lent.extend(self.buffer.unread());
        buffers.is_lent = true;
        let own = mem::replace(&mut self.buffer, lent);
        buffers.take_back(own);
    }

    /// Reads once from the transport. `need` is how many bytes the frame at hand still needs, as
    /// far as is known: into a buffer that the session has kept go so many, and what comes behind
    /// them into the loop's, in the same call. A frame that says no length is read into its own.
    /// With `within` it may wait for so long, see [`Transport::read_within`].
    pub(crate) fn read_from(
        &mut self,
        transport: &dyn Transport,
        need: usize,
        buffers: &mut Buffers,
        within: Option<Duration>,
    ) -> io::Result<usize> {
        let space = self.space(need);
        let read = if within.is_some() {
            let read = transport.read_within(space, within)?;
            self.handle_received(read);
            read
        } else if buffers.is_lent || need == 1 || space.len() < need {
            let read = transport.read(space)?;
            self.handle_received(read);
            read
        } else {
            let own = IoSliceMut::new(&mut space[..need]);
            let read = transport
                .read_vectored(&mut [own, IoSliceMut::new(buffers.receive.spare_mut(1))])?;
            self.handle_received(read.min(need));
            buffers.receive.filled(read.saturating_sub(need));
            read
        };
        if read == 0 {
            self.handle_end();
        }
        Ok(read)
    }

    /// Goes on with what was read past the end of the buffer that the session had kept. Whether
    /// there is something.
    pub(crate) fn go_on(&mut self, buffers: &mut Buffers) -> bool {
        self.release();
        if !buffers.has_more() {
            return false;
        }
        if self.buffer.is_empty() {
            let own = mem::replace(&mut self.buffer, mem::take(&mut buffers.receive));
            buffers.is_lent = true;
            buffers.take_back(own);
        } else {
            // The frame needed more than it had said.
            self.take_over(buffers);
        }
        true
    }

    /// Puts what was read past the end of the session's own buffer behind it again.
    fn take_over(&mut self, buffers: &mut Buffers) {
        self.buffer.extend(buffers.receive.unread());
        buffers.receive.consume(buffers.receive.unread().len());
    }

    fn give_back(&mut self, buffers: &mut Buffers) {
        self.release();
        buffers.is_lent = false;
        if !buffers.receive.is_empty() {
            // Read past the end of a message that has not been taken yet: behind it again.
            self.take_over(buffers);
        }
        let unread = self.buffer.unread().len();
        if unread > limits::PARKED_BYTES_MAX {
            // The buffer goes with its message; the loop takes itself another.
            return;
        }
        let mut rest = ReceiveBuffer::new();
        if unread > 0 {
            rest = buffers.parked.pop().unwrap_or_default();
            rest.extend(self.buffer.unread());
        }
        let lent = mem::replace(&mut self.buffer, rest);
        buffers.take_back(lent);
    }
}

impl Outbound {
    fn lend(&mut self, buffers: &mut Buffers) {
        if self.out.is_empty() {
            self.out = mem::take(&mut buffers.out);
        }
    }

    fn give_back(&mut self, buffers: &mut Buffers) {
        let pending = self.pending();
        if pending > limits::PARKED_BYTES_MAX {
            return;
        }
        let mut lent = mem::take(&mut self.out);
        if pending > 0 {
            self.out = buffers.parked_out.pop().unwrap_or_default();
            self.keep(&lent);
        }
        lent.clear();
        let capacity = lent.capacity();
        if capacity <= 2 * limits::PARKED_BYTES_MAX && buffers.out.capacity() > 0 {
            park(&mut buffers.parked_out, lent);
        } else if capacity > buffers.out.capacity() && capacity <= 4 * limits::QUEUE_MARK_BYTES {
            buffers.out = lent;
        }
    }
}

/// Keeps something for the next conversation that wants one, unless many are kept already.
pub(crate) fn park<B>(parked: &mut Vec<B>, buffer: B) {
    if parked.len() < limits::PARKED_MAX {
        parked.push(buffer);
    }
}
