//! The transport of a conversation, and how it is waited on.

use crate::session::{Inbound, Outbound, Session, Timeouts};
use crate::transport::{Interest, Interrupt, Patience, Transport, Wait, Woken, open};
use crate::{Error, Stopper, deadline, limits};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Clone)]
pub(super) struct Link {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) timeouts: Timeouts,
    pub(super) stopper: Option<Stopper>,
    /// When a transport that has to open first is given up.
    pub(super) opens_until: Option<Instant>,
    pub(super) on_interrupt: Option<Arc<dyn Fn() -> Interrupt + Send + Sync>>,
    /// The last read took all that there was: another one would be told so, or be too early.
    pub(super) drained: bool,
    pub(super) patience: Patience,
    /// The transport may hold something that it has taken, or have to open.
    holds: bool,
}

/// What a read that does not wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Some,
    End,
    Nothing,
}

impl Link {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Link {
        let opening = transport.opening();
        let opens_until = opening.and_then(|_| deadline::after(limits::OPENING_TIMEOUT));
        let timeouts = Timeouts::default();
        Link {
            transport,
            timeouts,
            stopper: None,
            opens_until,
            on_interrupt: None,
            drained: true,
            patience: Patience::default(),
            holds: true,
        }
    }

    /// Reads once into the session's buffer.
    pub(super) fn read(&mut self, inbound: &mut Inbound, need: usize) -> io::Result<Read> {
        loop {
            let space = inbound.space(need);
            let room = space.len();
            match self.transport.read(space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return self.note(inbound, read, room),
            }
        }
    }

    /// Waits until the deadline and reads, where one call does both; with other things to look at,
    /// it waits for less.
    pub(super) fn read_within(
        &mut self,
        inbound: &mut Inbound,
        need: usize,
        (now, deadline): (Option<Instant>, Option<Instant>),
    ) -> io::Result<Read> {
        if !self.patience.reads() {
            return Ok(Read::Nothing);
        }
        let time = if self.stopper.is_none() && self.on_interrupt.is_none() {
            deadline.zip(now).map(|(at, now)| at.saturating_duration_since(now))
        } else {
            match self.reads_blindly(now.unwrap_or_else(deadline::now), deadline) {
                None => return Ok(Read::Nothing),
                time => time,
            }
        };
        let space = inbound.space(need);
        let room = space.len();
        let read = self.transport.read_within(space, time);
        self.note_wait(inbound, read, room)
    }

    /// For how long a read may wait from `now` on, if at all, that sees nothing else.
    pub(super) fn reads_blindly(&self, now: Instant, due: Option<Instant>) -> Option<Duration> {
        let is_stopped = self.stopper.as_ref().is_some_and(Stopper::is_stopped);
        self.patience.reads_blindly(now, due).filter(|_| !is_stopped)
    }

    /// Tells the session what a read came to.
    fn note(
        &mut self,
        inbound: &mut Inbound,
        read: io::Result<usize>,
        room: usize,
    ) -> io::Result<Read> {
        match read {
            Ok(0) => inbound.handle_end(),
            Ok(bytes) => {
                inbound.handle_received(bytes);
                self.drained = bytes < room && !self.transport.holds_input();
                return Ok(Read::Some);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                return Ok(Read::Nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => inbound.handle_cut(),
            Err(error) => return Err(error),
        }
        Ok(Read::End)
    }

    /// The same of a read that was to wait: that nothing came changes how the next one does.
    pub(super) fn note_wait(
        &mut self,
        inbound: &mut Inbound,
        read: io::Result<usize>,
        room: usize,
    ) -> io::Result<Read> {
        match &read {
            Err(error) if self.patience.failed(error) => Ok(Read::Nothing),
            _ => self.note(inbound, read, room),
        }
    }

    /// Waits until the transport is open.
    pub(super) fn open(&self) -> Result<(), Error> {
        open(&*self.transport, &self.until(self.opens_until))
    }

    pub(super) fn until(&self, deadline: Option<Instant>) -> Wait<'_> {
        Wait {
            deadline,
            stopper: self.stopper.as_ref(),
            on_interrupt: self.on_interrupt.as_deref().map(|hook| hook as _),
        }
    }

    /// Has the transport hand on what it has taken. Whether it holds nothing any more.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        loop {
            match self.transport.flush() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => {
                    self.holds = !matches!(done, Ok(true));
                    return done;
                }
            }
        }
    }

    /// Whether nothing is left to be written or flushed.
    pub(super) fn owes_nothing(&self, outbound: &Outbound) -> bool {
        outbound.pending() == 0 && !self.holds
    }

    /// Writes as much of what is pending as goes without waiting.
    pub(super) fn write(&mut self, outbound: &mut Outbound) -> io::Result<()> {
        while outbound.pending() > 0 {
            self.holds = true;
            match self.transport.write(outbound.poll_transmit()) {
                Ok(bytes) => outbound.handle_sent(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits; `what` is what is being waited for, for the error.
    pub(super) fn wait(
        &self,
        interest: Interest,
        deadline: Option<Instant>,
        what: &str,
    ) -> Result<Interest, Error> {
        let opening = self.transport.opening();
        let until = self.until(match opening {
            Some(_) => deadline::earlier(deadline, self.opens_until),
            None => deadline,
        });
        match self.transport.wait(interest, &until) {
            Ok(Woken::Ready(interest)) => Ok(interest),
            Ok(woken) => Err(match opening.filter(|_| deadline::has_passed(self.opens_until)) {
                Some(opening) if woken == Woken::Deadline => {
                    self.early(woken, &format!("{opening} did not come from"))
                }
                _ => self.early(woken, what),
            }),
            Err(error) => Err(self.error(what, error)),
        }
    }

    /// The error of a wait that ended before its time.
    #[cold]
    pub(super) fn early(&self, woken: Woken, what: &str) -> Error {
        let error = match woken {
            Woken::Ready(_) | Woken::Deadline => Error::timed_out(what),
            Woken::Stopped => Error::stopped(what),
            Woken::Interrupted => Error::interrupted(what),
        };
        error.at_endpoint(self.transport.name())
    }

    /// Whether the transport should have opened by now.
    pub(super) fn is_late(&self) -> bool {
        deadline::has_passed(self.opens_until) && self.transport.opening().is_some()
    }

    pub(super) fn error(&self, what: &str, error: io::Error) -> Error {
        let transport = &self.transport;
        Error::stream(what, error).with_silence(&**transport).at_endpoint(transport.name())
    }

    /// Reads and throws away until the peer's end, within the limits of lingering.
    pub(super) fn linger(&self, session: &mut Session) {
        let deadline = deadline::after(limits::LINGER_TIMEOUT);
        let mut left = limits::LINGER_BYTES_MAX;
        while !session.inbound.at_end() {
            if !self.read_away(&mut left) {
                return;
            }
            // Past the limit only the time is waited out.
            let interest = Interest { read: left > 0, write: false };
            if self.wait(interest, deadline, "waiting for the end of").is_err() {
                return;
            }
        }
    }

    /// The same until the peer's system has all that was written, whether the peer has ended or
    /// not: some do not read before they have said all they want to say.
    pub(super) fn linger_for_delivery(&self, at_end: bool) {
        let deadline = deadline::after(limits::LINGER_TIMEOUT);
        let mut left = if at_end { 0 } else { limits::LINGER_BYTES_MAX };
        let mut look_after = limits::DELIVERY_LOOK_FIRST;
        while self.transport.undelivered() != Some(0) && !deadline::has_passed(deadline) {
            if !self.read_away(&mut left) {
                left = 0;
            }
            let look = deadline::earlier(deadline, deadline::after(look_after));
            let interest = Interest { read: left > 0, write: false };
            match self.wait(interest, look, "waiting for the delivery to") {
                Ok(_) => {}
                Err(error) if error.is_timeout() => {
                    look_after = limits::DELIVERY_LOOK_MAX.min(look_after * 2);
                }
                Err(_) => return,
            }
        }
    }

    /// Reads what is there and throws it away, as long as some is `left` to be. Whether more may
    /// come: else the peer has ended, or the stream is broken.
    fn read_away(&self, left: &mut usize) -> bool {
        let mut bytes = [0; 16 * 1024];
        while *left > 0 {
            match self.transport.read(&mut bytes) {
                Ok(0) => return false,
                Ok(read) => *left = left.saturating_sub(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("transport", &self.transport).finish_non_exhaustive()
    }
}
