//! Sending: whole messages, at once or in batches.

use super::Conversation;
use super::link::Read;
use crate::session::Unsent;
use crate::transport::Interest;
use crate::{Error, deadline, limits};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use switchboard_frame::{EncodeError, Fields};

/// What a wait of who sends is called in an error.
pub(super) const STALLED: &str = "waiting to send to";

/// What is waited for while the peer takes nothing.
pub(super) struct Stall {
    pub(super) interest: Interest,
    /// When it is given up.
    deadline: Option<Instant>,
    /// When it is tried again.
    pub(super) look: Option<Instant>,
    /// The transport holds something that goes on by itself.
    holds: bool,
}

static LOST_BYTES: AtomicU64 = AtomicU64::new(0);

/// How many bytes were still pending when conversations of this process were dropped. Zero in a
/// program that calls [`close`](Conversation::close), [`finish`](Conversation::finish) or
/// [`flush`](Conversation::flush) before it drops.
#[must_use]
pub fn lost_bytes() -> u64 {
    LOST_BYTES.load(Ordering::Relaxed)
}

impl Conversation {
    /// Sends a message: when this returns, the transport has all of it, and all that was queued
    /// before.
    ///
    /// # Errors
    /// - The message cannot be written in this framing: nothing is sent.
    /// - The peer takes nothing for [`Timeouts::stall`](crate::Timeouts::stall): if no byte of the
    ///   message had gone it is taken back, and may be sent again; else the sending direction is
    ///   poisoned, because the peer could find no message behind half of one.
    /// - The stream is broken.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.append(|session| session.queue(message))?;
        self.flush_or_take_back()
    }

    /// Sends a message with values for the named fields of its header.
    ///
    /// # Errors
    /// As [`send`](Self::send); also for a field that is missing, unknown, or does not fit.
    pub fn send_with(&mut self, fields: &Fields, body: &[u8]) -> Result<(), Error> {
        self.append(|session| session.outbound.queue_with(fields, body))?;
        self.flush_or_take_back()
    }

    /// Sends several messages with as few writes as possible.
    ///
    /// # Errors
    /// As [`send`](Self::send). Those before the one at fault are sent.
    pub fn send_many<M: AsRef<[u8]>>(
        &mut self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<(), Error> {
        for message in messages {
            if let Err(error) = self.queue(message.as_ref()) {
                // What is right is sent; what is wrong is told.
                return self.flush().and(Err(error));
            }
        }
        self.flush()
    }

    /// Puts a message behind what is still to be sent, and returns. It goes out with the next
    /// [`flush`](Self::flush), [`send`](Self::send), [`recv`](Self::recv) (before it waits),
    /// [`finish`](Self::finish) or [`close`](Self::close), or when
    /// [`QUEUE_MARK_BYTES`](limits::QUEUE_MARK_BYTES) are waiting: a flush cannot be forgotten.
    ///
    /// # Errors
    /// The message cannot be written in this framing: it is not queued. At the mark, as
    /// [`flush`](Self::flush).
    pub fn queue(&mut self, message: &[u8]) -> Result<(), Error> {
        self.append(|session| session.queue(message))?;
        if self.session.outbound.pending() >= limits::QUEUE_MARK_BYTES {
            return self.flush();
        }
        Ok(())
    }

    /// Delivers what is queued to the transport, waiting while the peer takes nothing.
    ///
    /// # Errors
    /// The peer takes nothing in time: what is pending stays, and `flush` may be called again. The
    /// stream is broken.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.session.outbound.pending() == 0 && matches!(self.link.flush(), Ok(true)) {
            return Ok(());
        }
        self.check_sending()?;
        self.deliver()
    }

    /// Waits until nothing is pending and the transport holds nothing.
    pub(super) fn deliver(&mut self) -> Result<(), Error> {
        let mut moved = false;
        while let Some(stall) = self.deliver_now(moved)? {
            let ready = self.link.wait(stall.interest, stall.look, STALLED);
            moved = self.stalled(&stall, ready)?;
        }
        Ok(())
    }

    /// Writes what goes without waiting; what is to be waited for then. `moved`: the peer took
    /// something before that.
    pub(super) fn deliver_now(&mut self, moved: bool) -> Result<Option<Stall>, Error> {
        let before = self.session.outbound.pending();
        let written = self.link.write(&mut self.session.outbound);
        let pending = self.session.outbound.pending();
        match written.and_then(|()| self.link.flush()) {
            Ok(true) if pending == 0 => {
                self.session.outbound.restart_clock();
                Ok(None)
            }
            Ok(flushed) => Ok(Some(self.stall(moved || pending < before, !flushed))),
            Err(error) => {
                let error = self.cannot_send(error);
                Err(error.at_message(self.session.outbound.messages()))
            }
        }
    }

    /// Sends a message if that needs no waiting. `false`: the peer is slow, nothing was sent, try
    /// again when the transport is ready for writing. Once it answers `true` the message will go
    /// out whole, with the next calls if not at once.
    ///
    /// # Errors
    /// As [`send`](Self::send), without the deadline.
    pub fn try_send(&mut self, message: &[u8]) -> Result<bool, Error> {
        self.check_sending()?;
        if !self.write_now()? {
            return Ok(false);
        }
        self.append(|session| session.queue(message))?;
        self.write_now()?;
        Ok(true)
    }

    /// Writes as much of what is queued as goes without waiting. `true`: nothing is pending.
    ///
    /// # Errors
    /// The stream is broken.
    pub fn try_flush(&mut self) -> Result<bool, Error> {
        if self.session.outbound.pending() > 0 {
            self.check_sending()?;
        }
        self.write_now()
    }

    /// Whether nothing is pending, and the transport holds nothing.
    pub(super) fn write_now(&mut self) -> Result<bool, Error> {
        let written = self.link.write(&mut self.session.outbound);
        match written.and_then(|()| self.link.flush()) {
            Ok(flushed) => Ok(flushed && self.session.outbound.pending() == 0),
            Err(error) => Err(self.cannot_send(error)),
        }
    }

    /// The peer takes nothing more; told again at every later call. A broken stream is told once:
    /// the read ahead that was told so left a broken pipe for the writes.
    #[cold]
    pub(super) fn cannot_send(&mut self, error: io::Error) -> Error {
        let error = match &self.broken {
            Some(broken) if error.kind() == io::ErrorKind::BrokenPipe => broken.clone(),
            _ => self.link.error("cannot send to", error),
        };
        self.send_error = Some(error.clone());
        error
    }

    pub(super) fn append(
        &mut self,
        queue: impl FnOnce(&mut crate::session::Session) -> Result<(), EncodeError>,
    ) -> Result<(), Error> {
        self.check_sending()?;
        queue(&mut self.session).map_err(|error| {
            Error::caller("cannot send to")
                .with_source(error)
                .at_endpoint(self.link.transport.name())
                .at_message(self.session.outbound.messages() + 1)
        })
    }

    pub(super) fn check_sending(&self) -> Result<(), Error> {
        if let Some(error) = &self.send_error {
            return Err(error.clone());
        }
        if self.finished {
            let error = Error::caller("sending is finished, nothing more can be sent to");
            return Err(error.at_endpoint(self.link.transport.name()));
        }
        Ok(())
    }

    fn flush_or_take_back(&mut self) -> Result<(), Error> {
        self.deliver().map_err(|error| self.undelivered(error))
    }

    /// Takes back the message queued last, or says that it has gone by half.
    #[cold]
    pub(super) fn undelivered(&mut self, error: Error) -> Error {
        if self.send_error.is_some() {
            return error;
        }
        match self.session.outbound.take_back() {
            Unsent::TakenBack => error.with_advice("nothing of the message was sent"),
            Unsent::Cut { sent, of } => {
                let advice = format!(
                    "{sent} of its {of} bytes were sent, so nothing can be sent behind it; \
                     close the conversation"
                );
                let error = error.with_advice(advice);
                self.send_error = Some(error.clone());
                error
            }
        }
    }

    /// What is to be waited for until the peer takes more: it may be waiting for us to read before
    /// it goes on, so that is waited for too, within a bound.
    fn stall(&mut self, moved: bool, holds: bool) -> Stall {
        let now = deadline::now();
        let deadline = self.session.outbound.stall_deadline(&self.link.timeouts, now, moved);
        let ahead = self.receives
            && self.receive_error.is_none()
            && self.broken.is_none()
            && !self.session.inbound.at_end()
            && self.session.inbound.unread().len() < limits::READ_AHEAD_BYTES_MAX;
        let interest = if ahead { Interest::BOTH } else { Interest::WRITE };
        let look = deadline::earlier(deadline, now.checked_add(limits::STALL_LOOK_INTERVAL));
        Stall { interest, deadline, look, holds }
    }

    /// The wait is over; whether the peer took something. Reads ahead, if that was waited for.
    pub(super) fn stalled(
        &mut self,
        stall: &Stall,
        ready: Result<Interest, Error>,
    ) -> Result<bool, Error> {
        let ready = match ready {
            // It may take a little without being told to have room.
            Err(error)
                if error.is_timeout() && stall.look != stall.deadline && !self.link.is_late() =>
            {
                return Ok(false);
            }
            ready => ready.map_err(|error| {
                let outbound = &self.session.outbound;
                let error = error.since(outbound.stalled_since(), deadline::now());
                error.at_message(outbound.messages())
            })?,
        };
        if stall.interest.read && ready.read {
            self.read_ahead();
        }
        // What the transport holds goes on by itself as soon as the peer takes something.
        Ok(ready.write && stall.holds)
    }

    /// Reads what is there behind what came before.
    pub(super) fn read_ahead(&mut self) {
        match self.link.read(&mut self.session.inbound, 1) {
            Ok(Read::Some | Read::End | Read::Nothing) => {}
            // Told by the next `recv`, behind what came before it.
            Err(error) => self.broken = Some(self.link.error("cannot receive from", error)),
        }
    }

    pub(super) fn write_once_and_count(&mut self) {
        if self.send_error.is_none() && !self.finished {
            // Dropping never blocks and has no one to tell.
            let _ = self.link.write(&mut self.session.outbound);
        }
        let _ = self.link.flush();
        let lost = self.session.outbound.pending();
        if lost > 0 {
            LOST_BYTES.fetch_add(lost as u64, Ordering::Relaxed);
        }
    }
}
