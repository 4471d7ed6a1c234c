//! One conversation with the server, from below: bytes in pieces, ends and resets, and whatever
//! comes back, told apart.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionread;
use rustix::net::{Shutdown, shutdown, sockopt};
use socket2::SockRef;
use switchboard::transport::{Interest, Transport, Wait, Woken, wait_on};
use switchboard::{Stopper, deadline};
use switchboard_frame::{Decoder, Protocol, Role, Step};

use super::exchange::Request;
use super::patient::Times;
use super::probe::{Asked, Finding};
use super::sent::Sent;
use super::unheard::Unheard;
use crate::payload;
use crate::units;

/// Bytes a read.
const READ_BYTES: usize = 64 * 1024;
/// A pause that no interrupt has to end.
const SHORT: Duration = Duration::from_millis(5);
/// So much of what came is shown.
const SHOWN_BYTES: usize = 48;

pub(super) struct Link {
    transport: Arc<dyn Transport>,
    decoder: Decoder,
    received: Vec<u8>,
    /// So many bytes of it have been given.
    given: usize,
    at_end: Option<Close>,
    sent: Sent,
    times: Times,
    stopper: Stopper,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Message(Vec<u8>),
    /// The server has ended the stream; with so many bytes that are no whole message.
    End(Close, usize),
    /// Nothing, for so long; but for so many bytes that are no whole message.
    Silence(Duration, usize),
    /// Bytes that are not framed as they should be: what is wrong, and how they begin.
    Unframed(String, Vec<u8>),
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    Fin,
    Reset,
}

/// What became of bytes to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    All,
    /// So many; the server has not taken more for as long as one waits.
    Stuck(usize),
    /// So many; the server has ended the stream.
    Refused(usize, Close),
}

impl Link {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        protocol: &Protocol,
        times: Times,
        stopper: Stopper,
    ) -> Link {
        Link {
            transport,
            decoder: Decoder::new(protocol.framing(Role::Server)),
            received: Vec::new(),
            given: 0,
            at_end: None,
            sent: Sent::default(),
            times,
            stopper,
        }
    }

    /// Sends bytes in one piece, as far as the server takes them within the usual patience.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<Went, Finding> {
        self.sent.bytes(bytes);
        self.send_quietly(bytes, self.times.patience)
    }

    /// The same, with nothing said of it in what was sent; `patience` begins anew whenever some are
    /// taken.
    pub(super) fn send_quietly(
        &mut self,
        bytes: &[u8],
        patience: Duration,
    ) -> Result<Went, Finding> {
        let mut at = 0;
        let mut until = deadline::after(patience);
        loop {
            match self.transport.write(&bytes[at..]) {
                Ok(wrote) => {
                    at += wrote;
                    until = deadline::after(patience);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.wait(Interest::WRITE, until)? {
                        return Ok(Went::Stuck(at));
                    }
                }
                Err(error) => return Ok(Went::Refused(at, close_of(&error))),
            }
            if at == bytes.len() {
                return Ok(Went::All);
            }
        }
    }

    /// Sends what every conversation begins with: of what a probe sends it is no part.
    pub(super) fn begin(&mut self, opening: &[u8]) -> Asked {
        if opening.is_empty() {
            return Ok(());
        }
        self.give(opening)?;
        self.sent = Sent::default();
        Ok(())
    }

    /// Sends what a right server takes.
    pub(super) fn give(&mut self, bytes: &[u8]) -> Asked {
        match self.send(bytes)? {
            Went::All => Ok(()),
            Went::Stuck(at) => {
                let patience = self.times.patience;
                Err(self.failed(format_args!(
                    "it took {at} of {}, and no more for {}",
                    units::bytes(bytes.len() as u64),
                    told(patience)
                )))
            }
            Went::Refused(at, close) => {
                let all = units::bytes(bytes.len() as u64);
                Err(self.failed(format_args!("{close} behind {at} of {all}")))
            }
        }
    }

    /// Sends what a right server takes, in pieces, with a pause before each but the first.
    pub(super) fn give_pieces(&mut self, pieces: &[&[u8]]) -> Asked {
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                self.pause(self.times.gap)?;
            }
            self.give(piece)?;
        }
        Ok(())
    }

    /// Lets time pass.
    pub(super) fn pause(&self, time: Duration) -> Asked {
        pause(time, &self.stopper)
    }

    /// Has the system drop what comes, as if it had not arrived.
    ///
    /// # Errors
    /// It is no TCP connection; that is not allowed.
    pub(super) fn deafen(&mut self, unheard: Unheard) -> io::Result<()> {
        let socket = self.transport.read_descriptor().filter(|_| self.has_resets());
        let socket = socket.ok_or(ErrorKind::Unsupported)?;
        SockRef::from(&socket).attach_filter(unheard.filter())?;
        self.sent.word("(no acknowledgements from here on)");
        Ok(())
    }

    /// Undoes that.
    pub(super) fn undeafen(&mut self) {
        if let Some(socket) = self.transport.read_descriptor() {
            let _ = SockRef::from(&socket).detach_filter();
        }
        self.sent.word("(from here on again)");
    }

    /// Half-closes.
    pub(super) fn finish(&mut self) {
        self.sent.word("FIN");
        // One that is broken already is told by the next read, which also gets on with what the
        // transport still holds.
        let _ = self.transport.finish();
        let _ = self.transport.flush();
    }

    /// Half-closes beneath TLS, which says nothing of it.
    pub(super) fn break_off(&mut self) {
        self.sent.word("FIN without close_notify");
        if let Some(socket) = self.transport.write_descriptor() {
            let _ = shutdown(socket, Shutdown::Write);
        }
    }

    /// Resets; where the transport knows no resets, closes.
    pub(super) fn reset(&mut self) {
        self.sent.word(if self.has_resets() { "RST" } else { "close" });
        let _ = self.transport.reset();
    }

    pub(super) fn has_resets(&self) -> bool {
        self.transport.facts().reset
    }

    /// Has the system hold so much, more or less, of what is sent and not taken yet. What it holds
    /// of what comes stays as it is: with a window that has become small TCP at the other end waits
    /// for it to grow (RFC 9293, 3.8.6.2.1), and a right server would look stuck.
    pub(super) fn set_send_buffer(&self, bytes: usize) {
        // A pipe has none, and holds little by itself.
        if let Some(fd) = self.transport.write_descriptor() {
            let _ = sockopt::set_socket_send_buffer_size(fd, bytes);
        }
    }

    /// How much the system holds of what comes and is not read, at the most.
    pub(super) fn receive_buffer(&self) -> u64 {
        let fd = self.transport.read_descriptor();
        let bytes = fd.and_then(|fd| sockopt::socket_recv_buffer_size(fd).ok());
        bytes.map_or(0, |bytes| bytes as u64)
    }

    /// What has come and is no whole message.
    pub(super) fn rest(&self) -> &[u8] {
        &self.received[self.given..]
    }

    /// Whether the end of the stream was seen, of whichever kind.
    pub(super) fn has_ended(&self) -> bool {
        self.at_end.is_some()
    }

    /// How many bytes have come that nobody has read.
    pub(super) fn waiting_bytes(&self) -> u64 {
        let fd = self.transport.read_descriptor();
        fd.and_then(|fd| ioctl_fionread(fd).ok()).unwrap_or(0)
    }

    pub(super) fn patience(&self) -> Duration {
        self.times.patience
    }

    /// Says what was sent by words.
    pub(super) fn note(&mut self, words: String) {
        self.sent.word(words);
    }

    /// Whether anything comes, of which nothing is read yet.
    pub(super) fn begins_to_come(&self) -> Result<bool, Finding> {
        self.wait(Interest::READ, deadline::after(self.times.patience))
    }

    /// What comes next, within the usual patience.
    pub(super) fn hear(&mut self) -> Result<Heard, Finding> {
        self.hear_within(self.times.patience)
    }

    pub(super) fn hear_within(&mut self, patience: Duration) -> Result<Heard, Finding> {
        let until = deadline::after(patience);
        loop {
            let left = &self.received[self.given..];
            match self.decoder.step(left, self.at_end == Some(Close::Fin)) {
                Ok(Step::Frame(frame)) => {
                    let message = left[frame.message].to_vec();
                    self.given += frame.whole.end;
                    return Ok(Heard::Message(message));
                }
                Ok(Step::Skipped(skipped)) => {
                    self.given += skipped.bytes;
                    continue;
                }
                Ok(Step::Need(_) | Step::End) => {}
                // What has begun at the end of a stream is told as what is left of it.
                Err(_) if self.at_end.is_some() => {}
                Err(error) => {
                    let bytes = left[..left.len().min(SHOWN_BYTES)].to_vec();
                    return Ok(Heard::Unframed(error.to_string(), bytes));
                }
            }
            let left_bytes = left.len();
            if let Some(close) = self.at_end {
                return Ok(Heard::End(close, left_bytes));
            }
            if !self.read(until)? {
                return Ok(Heard::Silence(patience, left_bytes));
            }
        }
    }

    /// Reads to the end, whatever comes before it; none when it does not come within the usual
    /// patience.
    pub(super) fn hear_close(&mut self) -> Result<Option<Close>, Finding> {
        let until = deadline::after(self.times.patience);
        while self.at_end.is_none() && !deadline::has_passed(until) {
            if self.read_past(until)? == 0 {
                break;
            }
        }
        Ok(self.at_end)
    }

    /// How many bytes come, whatever they are: until the end, or nothing for the usual patience, or
    /// the time is over.
    pub(super) fn count_bytes(&mut self, time: Duration) -> Result<u64, Finding> {
        let mut count = 0;
        let until = deadline::after(time);
        while !deadline::has_passed(until) {
            match self.read_past(deadline::after(self.times.patience))? {
                0 => break,
                bytes => count += bytes as u64,
            }
        }
        Ok(count)
    }

    /// Reads once and throws away; 0 at the end, and when nothing came in time.
    fn read_past(&mut self, until: Option<Instant>) -> Result<usize, Finding> {
        self.given = self.received.len();
        match self.read(until)? {
            true => Ok(self.received.len()),
            false => Ok(0),
        }
    }

    /// Reads once; `false` when nothing came in time.
    fn read(&mut self, until: Option<Instant>) -> Result<bool, Finding> {
        self.received.drain(..self.given);
        self.given = 0;
        let len = self.received.len();
        self.received.resize(len + READ_BYTES, 0);
        let read = loop {
            match self.transport.read(&mut self.received[len..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = self.transport.flush();
                    match self.wait(Interest::READ, until) {
                        Ok(true) => {}
                        Ok(false) => break Ok(None),
                        Err(finding) => break Err(finding),
                    }
                }
                Ok(0) => {
                    self.at_end = Some(Close::Fin);
                    break Ok(Some(0));
                }
                Ok(bytes) => break Ok(Some(bytes)),
                Err(error) => {
                    self.at_end = Some(close_of(&error));
                    break Ok(Some(0));
                }
            }
        };
        self.received.truncate(len + read.as_ref().map_or(0, |read| read.unwrap_or(0)));
        Ok(read?.is_some())
    }

    /// Whether it came to be ready.
    fn wait(&self, interest: Interest, until: Option<Instant>) -> Result<bool, Finding> {
        let wait = Wait { deadline: until, ..Wait::FOREVER }.or_stopped(&self.stopper);
        match self.transport.wait(interest, &wait) {
            Ok(Woken::Ready(_)) => Ok(true),
            Ok(Woken::Deadline) => Ok(false),
            Ok(Woken::Stopped | Woken::Interrupted) => Err(interrupted()),
            Err(error) => Err(Finding::inconclusive(format!("cannot wait: {error}"))),
        }
    }

    /// The answer to a request comes, and nothing else.
    pub(super) fn hear_answer(&mut self, request: &Request) -> Asked {
        match self.hear()? {
            Heard::Message(reply) if request.is_answered_by(&reply) => Ok(()),
            heard => Err(self.failed(heard)),
        }
    }

    /// A whole exchange.
    pub(super) fn exchange(&mut self, request: &Request) -> Asked {
        self.give(&request.bytes)?;
        self.hear_answer(request)
    }

    pub(super) fn failed(&self, came: impl fmt::Display) -> Finding {
        let (sent, came) = (self.sent.to_string(), came.to_string());
        Finding { sent, ..Finding::failed(came) }
    }
}

/// Lets time pass, unless it is interrupted.
pub(super) fn pause(time: Duration, stopper: &Stopper) -> Asked {
    if time < SHORT && !stopper.is_stopped() {
        // A point in time this near may have passed before anybody waits for it.
        thread::sleep(time);
        return Ok(());
    }
    let wait = Wait { deadline: deadline::after(time), ..Wait::FOREVER };
    match wait_on(None, None, Interest::NONE, &wait.or_stopped(stopper)) {
        Ok(Woken::Stopped | Woken::Interrupted) => Err(interrupted()),
        Ok(Woken::Ready(_) | Woken::Deadline) => Ok(()),
        Err(error) => Err(Finding::inconclusive(format!("cannot wait: {error}"))),
    }
}

pub(super) fn interrupted() -> Finding {
    Finding::skipped("interrupted")
}

fn close_of(error: &io::Error) -> Close {
    match error.kind() {
        // TLS that ends without saying so.
        ErrorKind::UnexpectedEof => Close::Fin,
        _ => Close::Reset,
    }
}

/// A time as it is told: whole milliseconds.
pub(super) fn told(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 10_000 => format!("{ms} ms"),
        _ => format!("{} s", time.as_secs()),
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Close::Fin => "it ended the stream (FIN)",
            Close::Reset => "it reset the connection (RST)",
        })
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = |f: &mut fmt::Formatter<'_>, bytes: usize| match bytes {
            0 => Ok(()),
            1 => f.write_str(", behind 1 byte that is no whole message"),
            bytes => write!(f, ", behind {bytes} bytes that are no whole message"),
        };
        match self {
            Heard::Message(message) if message.is_empty() => f.write_str("an empty message"),
            Heard::Message(message) => {
                let shown = &message[..message.len().min(SHOWN_BYTES)];
                let bytes = units::bytes(message.len() as u64);
                write!(f, "a message of {bytes}: {}", payload::escape(shown))?;
                f.write_str(if shown.len() < message.len() { " .." } else { "" })
            }
            Heard::End(close, bytes) => {
                close.fmt(f)?;
                behind(f, *bytes)
            }
            Heard::Silence(time, 0) => write!(f, "nothing for {}", told(*time)),
            Heard::Silence(time, 1) => {
                write!(f, "1 byte that is no whole message, then nothing for {}", told(*time))
            }
            Heard::Silence(time, bytes) => {
                let time = told(*time);
                write!(f, "{bytes} bytes that are no whole message, then nothing for {time}")
            }
            Heard::Unframed(error, bytes) => {
                write!(f, "bytes that are not framed so: {error}: ")?;
                let mut hex = String::new();
                payload::push_hex(&mut hex, bytes);
                f.write_str(&hex)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_told_in_its_number() {
        let told = |heard: Heard| heard.to_string();
        assert_eq!(told(Heard::Message(b"x".to_vec())), "a message of 1 byte: x");
        assert_eq!(told(Heard::Message(b"xy".to_vec())), "a message of 2 bytes: xy");
        let end = |bytes| told(Heard::End(Close::Fin, bytes));
        assert_eq!(end(0), "it ended the stream (FIN)");
        assert!(end(1).ends_with(", behind 1 byte that is no whole message"));
        assert!(end(2).ends_with(", behind 2 bytes that are no whole message"));
        let silence = |bytes| told(Heard::Silence(Duration::from_secs(1), bytes));
        assert!(silence(1).starts_with("1 byte that is no whole message, then nothing for "));
        assert!(silence(2).starts_with("2 bytes that are no whole message, then nothing for "));
    }
}
