//! The TLS of one connection, and what it does with the transport beneath, which is given to each
//! call. It takes no lock and never waits.

use super::failure::Failure;
use crate::sys::Level;
use crate::transport::Transport;
use rustls::{Connection, Error as TlsError, IoState};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) struct State {
    pub(super) connection: Connection,
    /// Decrypted bytes that no read has taken yet.
    pub(super) plaintext: usize,
    /// The end of the stream has come, whichever way.
    pub(super) has_ended: bool,
    pub(super) failure: Option<Failed>,
    /// The transport beneath takes nothing any more; what it still gives is read.
    pub(super) deaf: Option<ErrorKind>,
    /// Of what is held some is the stream's, and not only of TLS itself.
    pub(super) owes: bool,
    pub(super) finish: Finish,
    /// Raised when the handshake is over, for a thread that waits while another one does it.
    pub(super) opened: Option<Arc<Level>>,
}

/// What went wrong; whether a call has told it.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) told: bool,
}

/// How far this side has finished.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    No,
    /// To be said when the handshake is over.
    Wanted,
    /// `close_notify` lies behind what is held.
    Said,
    /// The transport beneath has been finished too.
    Done,
}

/// Where decrypted bytes go: into the first buffer, then into the last, which is not empty.
pub(super) struct Room<'a> {
    pub(super) first: &'a mut [u8],
    pub(super) last: &'a mut [u8],
}

/// More than rustls ever holds of a record that has not ended: 16 KiB, 2 KiB that its encryption
/// may add, a header.
const RECORD_BYTES_MAX: usize = 20 * 1024;

/// With less room, rustls reads by itself, 4 KiB at a time.
const ROOM_BYTES_MIN: usize = RECORD_BYTES_MAX + 4 * 1024;

/// Reads or writes of the transport beneath in one call before something else has its turn: a peer
/// that sends records without content is not listened to for ever.
const ROUNDS_MAX: usize = 64;

impl State {
    /// Hands on what is held. Whether nothing is left.
    pub(super) fn push(&mut self, inner: &dyn Transport) -> io::Result<bool> {
        if let Some(kind) = self.deaf {
            let is_owed = self.owes || !self.has_ended;
            return if is_owed { Err(kind.into()) } else { Ok(true) };
        }
        let pushed = self.push_to(inner);
        match &pushed {
            Ok(all) => self.owes &= !all,
            Err(error) => self.deaf = Some(error.kind()),
        }
        if pushed.is_err() && self.has_ended && !self.owes {
            // It said goodbye and went, and all that it does not hear is ours.
            self.finish = Finish::Done;
            return Ok(true);
        }
        pushed
    }

    fn push_to(&mut self, inner: &dyn Transport) -> io::Result<bool> {
        // Nothing is said behind the alert that a failure is told with.
        let is_open = !self.connection.is_handshaking() || self.failure.is_some();
        if self.finish == Finish::Wanted && is_open {
            self.connection.send_close_notify();
            self.finish = Finish::Said;
        }
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Beneath(inner)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.finish == Finish::Said {
            inner.finish()?;
            self.finish = Finish::Done;
        }
        Ok(self.finish != Finish::Wanted)
    }

    /// Reads once from the transport beneath, and decrypts what came.
    pub(super) fn pull(&mut self, inner: &dyn Transport) -> io::Result<()> {
        let was_handshaking = self.connection.is_handshaking();
        self.take_in(inner, &mut Beneath(inner))?;
        if self.has_ended && self.connection.is_handshaking() {
            return Err(self.fail(Failure::ended_early()));
        }
        if was_handshaking && !self.connection.is_handshaking() {
            self.wake();
        }
        // What it answers: the rest of a handshake, new keys. What does not go is held, and that
        // nothing goes any more is told to whoever writes.
        let _ = self.push(inner);
        Ok(())
    }

    /// Reads once from the transport beneath, as much as there is room for, and decrypts it into
    /// that room. How many bytes; none is that no record came to its end, or the end.
    fn pull_into(&mut self, inner: &dyn Transport, room: &mut Room<'_>) -> io::Result<usize> {
        // What is still encrypted lies in the same buffer, so far behind that what is decrypted
        // never reaches it: that is no more than it was, and what rustls holds of a record.
        let mut at = RECORD_BYTES_MAX;
        let end = at + inner.read(&mut room.last[at..])?;
        let mut filled = 0;
        loop {
            let mut encrypted = &room.last[at..end];
            let taken = self.take_in(inner, &mut encrypted);
            at = end - encrypted.len();
            filled += self.give(room, filled, at);
            match taken {
                Err(error) if filled == 0 => return Err(error),
                Err(_) => {
                    self.untell();
                    break;
                }
                Ok(()) => {}
            }
            if at == end || self.has_ended {
                break;
            }
        }
        let _ = self.push(inner);
        Ok(filled)
    }

    /// Has rustls read some of what is encrypted, and decrypts it.
    fn take_in(&mut self, inner: &dyn Transport, from: &mut dyn Read) -> io::Result<()> {
        if self.connection.read_tls(from)? == 0 {
            self.has_ended = true;
        }
        match self.decrypt() {
            Ok(found) => {
                self.plaintext = found.plaintext_bytes_to_read();
                self.has_ended |= found.peer_has_closed();
                Ok(())
            }
            Err(error) => {
                let failure = Failure::of(&error, &self.connection);
                // It is told why, if it still listens; who reads hears it in any case.
                let _ = self.push(inner);
                Err(self.fail(failure))
            }
        }
    }

    /// Gives what is decrypted, behind so many bytes and before `end` of the last buffer.
    pub(super) fn give(&mut self, room: &mut Room<'_>, filled: usize, end: usize) -> usize {
        let mut given = 0;
        loop {
            let place = filled + given;
            let (first, behind) = (room.first.len(), place.saturating_sub(room.first.len()));
            let into = match place < first {
                true => &mut room.first[place..],
                false => &mut room.last[behind..end],
            };
            // That there is no more, and why, is found by whoever gets nothing.
            let Ok(count @ 1..) = self.connection.reader().read(into) else { return given };
            self.plaintext = self.plaintext.saturating_sub(count);
            given += count;
        }
    }

    /// What came, decrypted. After a `close_notify` of this side rustls has no alert left for a bad
    /// record, and with debug assertions it panics: whatever came is no reason for that.
    fn decrypt(&mut self) -> Result<IoState, TlsError> {
        if !matches!(self.finish, Finish::Said | Finish::Done) {
            return self.connection.process_new_packets();
        }
        let decrypt = AssertUnwindSafe(|| self.connection.process_new_packets());
        catch_unwind(decrypt).unwrap_or(Err(TlsError::DecryptError))
    }

    /// Whether it waits for the transport beneath to take something.
    pub(super) fn holds_output(&self) -> bool {
        let has = self.connection.wants_write() || self.finish == Finish::Said;
        has && self.deaf.is_none()
    }

    fn fail(&mut self, failure: Failure) -> io::Error {
        self.wake();
        let error = failure.to_io();
        self.failure = Some(Failed { failure, told: true });
        error
    }

    /// A reset is told once, and who only looked has heard it: the next read is to tell it.
    pub(super) fn note_reset(&mut self, error: &io::Error) {
        if error.kind() == ErrorKind::ConnectionReset {
            self.deaf.get_or_insert(ErrorKind::ConnectionReset);
        }
    }

    /// A failure that was found is to be told by the next call.
    pub(super) fn untell(&mut self) {
        if let Some(failed) = &mut self.failure {
            failed.told = false;
        }
    }

    /// Whoever waits for the handshake to be over is to look again.
    fn wake(&mut self) {
        if let Some(opened) = self.opened.take() {
            opened.raise();
        }
    }

    /// Gets on with the handshake, until it is over or has to wait.
    pub(super) fn open(&mut self, inner: &dyn Transport) -> io::Result<()> {
        for _ in 0..ROUNDS_MAX {
            // A peer that takes nothing more may have said why.
            let pushed = self.push(inner).map(drop);
            if !self.connection.is_handshaking() {
                return pushed;
            }
            match self.pull(inner) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return pushed,
                other => other?,
            }
        }
        Ok(())
    }

    pub(super) fn read(&mut self, inner: &dyn Transport, room: &mut Room<'_>) -> io::Result<usize> {
        let _ = self.push(inner);
        let end = room.last.len();
        for _ in 0..ROUNDS_MAX {
            let is_open = !self.connection.is_handshaking();
            if is_open {
                match self.give(room, 0, end) {
                    0 => {}
                    given => return Ok(given),
                }
                match self.connection.reader().read(&mut room.last[..1]) {
                    Ok(count) => return Ok(count),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                        return Err(match self.deaf {
                            // A reset is told once, and somebody else has heard it: an end is left.
                            Some(ErrorKind::ConnectionReset) => ErrorKind::ConnectionReset.into(),
                            _ => Failure::cut_off().to_io(),
                        });
                    }
                    Err(error) => return Err(error),
                }
            }
            let pulled = match is_open && !self.has_ended && end >= ROOM_BYTES_MIN {
                true => self.pull_into(inner, room),
                false => self.pull(inner).map(|()| 0),
            };
            match pulled {
                Ok(0) => {}
                Err(error) if self.failure.is_none() => return Err(error),
                // What came before it is given first.
                Err(error) => match self.give(room, 0, end) {
                    0 => return Err(error),
                    given => {
                        self.untell();
                        return Ok(given);
                    }
                },
                filled => return filled,
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// After a failure: throws away what still comes, so that the peer is not told by a reset what
    /// it was told by an alert, and says so again at the end.
    pub(super) fn drain(&self, inner: &dyn Transport, failure: &Failure) -> io::Error {
        let mut bytes = [0; 4096];
        for _ in 0..ROUNDS_MAX {
            match inner.read(&mut bytes) {
                Ok(count) if count > 0 => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return error,
                Ok(_) | Err(_) => return failure.to_io(),
            }
        }
        ErrorKind::WouldBlock.into()
    }

    pub(super) fn write(
        &mut self,
        inner: &dyn Transport,
        len: usize,
        write: impl Fn(&mut Connection, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if let Some(Failed { failure, .. }) = &self.failure {
            return Err(failure.to_io());
        }
        if let Err(error) = self.open(inner) {
            // Who reads is still to hear of it.
            self.untell();
            return Err(error);
        }
        if self.connection.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.finish != Finish::No {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if let Some(kind) = self.deaf {
            return Err(kind.into());
        }
        let mut count = 0;
        for _ in 0..ROUNDS_MAX {
            // It takes no more than it may hold, so much may have to go in several parts.
            let taken = write(&mut self.connection, count)?;
            count += taken;
            self.owes |= taken > 0;
            match self.push(inner) {
                Ok(true) if taken > 0 && count < len => {}
                Err(error) if count == taken => return Err(error),
                // The next call tells.
                Ok(_) | Err(_) => break,
            }
        }
        Ok(count)
    }

    pub(super) fn holds_input(&self) -> bool {
        self.plaintext > 0 || self.has_ended || self.failure.as_ref().is_some_and(|it| !it.told)
    }
}

/// The transport beneath, as rustls takes it.
struct Beneath<'a>(&'a dyn Transport);

impl Read for Beneath<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Beneath<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
