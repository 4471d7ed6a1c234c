//! Requests one behind the other while nothing is read, and then their replies.
//!
//! It holds one batch of requests, however many it sends, and neither direction takes for ever.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use switchboard::deadline;

use super::causes::{ONE_READ, of_queued_replies};
use super::exchange::{Request, Requests};
use super::link::{Close, Heard, Link, Went};
use super::patient::Patient;
use super::probe::{Asked, Finding};
use crate::units;

/// The bodies of an echo; the first that the server answers is used.
const BODIES_BYTES: [usize; 3] = [4000, 400, 40];
/// Requests are written in batches of so many bytes, more or less.
const BATCH_BYTES: usize = 64 * 1024;
/// The send buffer, so that less is in the system's hands, and what that makes of it at the most.
const SEND_BYTES: usize = 256 * 1024;
const SEND_BYTES_MAX: u64 = 1 << 20;
/// So many bytes of replies are more than the system holds for a server, as it is delivered.
const DUE_BYTES: u64 = 8 << 20;
/// A server that has taken nothing for so long waits for its replies to be read.
const STUCK: Duration = Duration::from_millis(300);
/// And so often it may go on after that, before it is only slow.
const TRIES_MAX: usize = 8;
/// How long requests are sent, and replies awaited, at the most.
const SEND_MAX: Duration = Duration::from_secs(30);
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// While something is still to be written, replies are waited for so long at a time.
const TURN: Duration = Duration::from_millis(5);
/// Bytes of replies that are read before a pause, and the pause.
const PACE_BYTES: usize = 64 * 1024;
const PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Flood<'a> {
    patient: &'a Patient,
    pub(super) link: Link,
    requests: Requests<'a>,
    /// The same ones, behind: those whose replies are still to come.
    awaited: Requests<'a>,
    /// What is like all of them.
    like: Request,
    /// All of them are the same, byte for byte.
    is_constant: bool,
    /// Of an echo: how large the bodies are.
    body_bytes: Option<usize>,
    kernel: Kernel,
    batch: Batch,
    /// How many were begun.
    begun: usize,
    /// Since when nothing has been read.
    since: Instant,
    /// How many bytes were taken.
    taken: u64,
}

/// Requests that are being written.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    requests: usize,
    /// Bytes of it that were taken.
    taken: usize,
}

/// How a flood came to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Everything was taken.
    Taken,
    /// The server takes no more for now.
    Stuck,
    /// It went on taking them until the time was over.
    Slow,
    /// The server has ended the conversation.
    Ended(Close),
}

impl<'a> Flood<'a> {
    /// A conversation in which one exchange has been.
    pub(super) fn open(patient: &'a Patient) -> Result<Flood<'a>, Finding> {
        let max = patient.max.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        let bodies = BODIES_BYTES.iter().copied().filter(|bytes| *bytes <= max);
        let mut refused = None;
        for body_bytes in bodies.map(Some).chain([None]) {
            let (mut requests, mut awaited) = (patient.requests()?, patient.requests()?);
            let Ok(like) = next(&mut requests, body_bytes) else { continue };
            next(&mut awaited, body_bytes)?;
            let mut link = patient.link()?;
            link.set_send_buffer(SEND_BYTES);
            if let Err(finding) = link.exchange(&like) {
                refused = Some(finding);
                continue;
            }
            let mut others = patient.requests()?;
            next(&mut others, body_bytes)?;
            let other = next(&mut others, body_bytes)?;
            return Ok(Flood {
                patient,
                is_constant: (&other.bytes, &other.reply) == (&like.bytes, &like.reply),
                kernel: Kernel::of(&link),
                batch: Batch::default(),
                begun: 0,
                since: deadline::now(),
                taken: 0,
                link,
                requests,
                awaited,
                like,
                body_bytes,
            });
        }
        Err(refused.unwrap_or_else(|| Finding::skipped("no request can be framed")))
    }

    /// Sends more than the system holds the replies of, unless the server is stuck before.
    pub(super) fn fill_up(&mut self) -> Result<Stopped, Finding> {
        self.send(DUE_BYTES, STUCK)
    }

    /// Sends until so many bytes of replies are due, or the server takes nothing for so long.
    pub(super) fn send(&mut self, bytes: u64, patience: Duration) -> Result<Stopped, Finding> {
        let stopped = self.send_to(self.number_of(bytes), patience)?;
        self.link.note(format!("{self}, no reply read"));
        Ok(stopped)
    }

    /// The same, where one that is late is not taken for one that has stopped: it takes nothing
    /// more, and meanwhile it has served somebody else.
    pub(super) fn send_surely(
        &mut self,
        bytes: u64,
        patience: Duration,
    ) -> Result<Stopped, Finding> {
        let all = self.number_of(bytes);
        let mut stopped = self.send_to(all, patience)?;
        for _ in 0..TRIES_MAX {
            if stopped != Stopped::Stuck {
                break;
            }
            let taken = self.taken;
            // What comes of it is asked of it elsewhere.
            let _ = self.patient.is_alive();
            stopped = self.send_to(all, patience)?;
            if self.taken == taken {
                break;
            }
        }
        self.link.note(format!("{self}, no reply read"));
        Ok(stopped)
    }

    /// How many requests there are once so many bytes of replies are due.
    fn number_of(&self, bytes: u64) -> usize {
        self.begun + usize::try_from(bytes / self.reply_bytes()).unwrap_or(0)
    }

    fn send_to(&mut self, all: usize, patience: Duration) -> Result<Stopped, Finding> {
        let until = deadline::after(SEND_MAX);
        let mut stopped = Stopped::Taken;
        while stopped == Stopped::Taken && (self.begun < all || self.batch.is_under_way()) {
            self.next_batch(all)?;
            stopped = match self.write(patience)? {
                Stopped::Taken if deadline::has_passed(until) => Stopped::Slow,
                stopped => stopped,
            };
        }
        Ok(stopped)
    }

    /// Frames the next batch, when the last one was taken.
    fn next_batch(&mut self, all: usize) -> Asked {
        if self.batch.is_under_way() {
            return Ok(());
        }
        let count = (BATCH_BYTES / self.like.bytes.len().max(1)).clamp(1, all - self.begun);
        if !self.is_constant || count != self.batch.requests {
            self.batch.bytes.clear();
            for _ in 0..count {
                let request = next(&mut self.requests, self.body_bytes)?;
                self.batch.bytes.extend_from_slice(&request.bytes);
            }
        }
        self.batch.requests = count;
        self.batch.taken = 0;
        self.begun += count;
        Ok(())
    }

    /// Goes on with the batch.
    fn write(&mut self, patience: Duration) -> Result<Stopped, Finding> {
        let left = &self.batch.bytes[self.batch.taken..];
        let (went, stopped) = match self.link.send_quietly(left, patience)? {
            Went::All => (left.len(), Stopped::Taken),
            Went::Stuck(at) => (at, Stopped::Stuck),
            Went::Refused(at, close) => (at, Stopped::Ended(close)),
        };
        self.batch.taken += went;
        self.taken += went as u64;
        Ok(stopped)
    }

    /// Reads every reply, without haste, while what is left of the requests is written; ends the
    /// input behind that, where it is to.
    pub(super) fn drain(&mut self, ends: bool) -> Asked {
        let patience = self.link.patience();
        let until = deadline::after(DRAIN_MAX);
        let (mut has_ended, mut moved) = (!ends, deadline::now());
        let (mut heard, mut unpaced_bytes) = (0, 0);
        while heard < self.begun {
            if deadline::has_passed(until) {
                let (all, time) = (self.begun, DRAIN_MAX.as_secs());
                let why = format!("only {heard} of {all} replies within {time} s");
                return Err(Finding::inconclusive(why));
            }
            if self.batch.is_under_way() && self.write(Duration::ZERO)? != Stopped::Stuck {
                moved = deadline::now();
            }
            let is_writing = self.batch.is_under_way();
            if !is_writing && !has_ended {
                self.link.finish();
                has_ended = true;
                // It comes while a reply is still to be written: some give up there.
                self.link.pause(STUCK)?;
            }
            let came = self.link.hear_within(if is_writing { TURN } else { patience })?;
            let is_early = deadline::now().saturating_duration_since(moved) < patience;
            match came {
                Heard::Message(reply) if self.answers(&reply)? => unpaced_bytes += reply.len(),
                Heard::Silence(..) if is_writing && is_early => continue,
                came => return Err(self.missed(came, heard, ends)),
            }
            (heard, moved) = (heard + 1, deadline::now());
            if unpaced_bytes >= PACE_BYTES {
                unpaced_bytes = 0;
                self.link.pause(PAUSE)?;
            }
        }
        Ok(())
    }

    /// What is to be said when this came behind so many replies, and not the next one.
    fn missed(&self, came: Heard, heard: usize, ends: bool) -> Finding {
        let is_end = matches!(came, Heard::End(..));
        if is_end && self.ends_after(heard).unwrap_or(false) {
            return Finding::inconclusive(format!(
                "it ends any conversation after {}",
                units::count(heard as u64, "reply")
            ));
        }
        let took = deadline::now().saturating_duration_since(self.since);
        if let Some(idle) = self.patient.idle.filter(|idle| is_end && took >= *idle) {
            return Finding::inconclusive(format!(
                "it ended the conversation of a client that had read too slowly for --idle {idle:?}"
            ));
        }
        let (number, all) = (heard + 1, self.begun);
        let cause = match &came {
            Heard::Message(reply) if self.like.is_answered_in_part_by(reply) => ONE_READ,
            _ => of_queued_replies(&came),
        };
        let found = self.link.failed(came).and(&format!("that was reply {number} of {all}"));
        // Behind the end of input that is what the probe is about.
        if is_end && ends { found } else { found.because(cause) }
    }

    /// Whether the server ends a conversation behind so many replies, however it goes: one in which
    /// each is read before the next request is sent.
    fn ends_after(&self, replies: usize) -> Result<bool, Finding> {
        let mut other = Flood::open(self.patient)?;
        let until = deadline::after(DRAIN_MAX);
        for number in 0..=replies {
            if deadline::has_passed(until) {
                break;
            }
            if other.exchange().is_err() {
                return Ok(number == replies);
            }
        }
        Ok(false)
    }

    /// One more of them, by itself.
    pub(super) fn exchange(&mut self) -> Asked {
        let request = next(&mut self.requests, self.body_bytes)?;
        self.link.exchange(&request)
    }

    /// Whether this is the reply to the next one.
    fn answers(&mut self, reply: &[u8]) -> Result<bool, Finding> {
        Ok(match self.is_constant {
            true => self.like.is_answered_by(reply),
            false => next(&mut self.awaited, self.body_bytes)?.is_answered_by(reply),
        })
    }

    /// How many bytes of replies the server has held by itself, at the least: those that come now
    /// and that the system cannot have held, nor as requests that it had not read yet.
    pub(super) fn held_bytes(&mut self) -> Result<u64, Finding> {
        let came = self.link.count_bytes(DRAIN_MAX)?;
        Ok(came.saturating_sub(self.due_bytes(0)))
    }

    /// So many bytes of replies are due when the server holds so many by itself, for sure.
    pub(super) fn due_bytes(&self, held_bytes: u64) -> u64 {
        let Kernel { requests_bytes, replies_bytes } = self.kernel;
        let unread = requests_bytes / self.request_bytes() + 1;
        unread * self.reply_bytes() + replies_bytes + held_bytes
    }

    /// So many bytes of replies there are to what was taken.
    pub(super) fn due_to_taken_bytes(&self) -> u64 {
        self.taken / self.request_bytes() * self.reply_bytes()
    }

    fn request_bytes(&self) -> u64 {
        self.like.bytes.len().max(1) as u64
    }

    /// Bytes of a reply, at the least.
    fn reply_bytes(&self) -> u64 {
        self.patient.reply_bytes(&self.like).max(1) as u64
    }
}

impl Batch {
    fn is_under_way(&self) -> bool {
        self.taken < self.bytes.len()
    }
}

/// What the two systems may hold of what is on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    requests_bytes: u64,
    pub(super) replies_bytes: u64,
}

impl Kernel {
    /// As this system is set; the other one is taken to be no more generous, or to be as it is
    /// delivered.
    pub(super) fn of(link: &Link) -> Kernel {
        let most = |name: &str, at_least: u64| {
            let text = fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap_or_default();
            let last = text.split_whitespace().last().and_then(|number| number.parse().ok());
            last.unwrap_or(0).max(at_least)
        };
        match link.has_resets() {
            true => Kernel {
                requests_bytes: most("ipv4/tcp_rmem", 6 << 20) + SEND_BYTES_MAX,
                replies_bytes: most("ipv4/tcp_wmem", 4 << 20) + link.receive_buffer(),
            },
            false => {
                let each = 2 * most("core/wmem_max", 256 << 10);
                Kernel { requests_bytes: each, replies_bytes: each }
            }
        }
    }
}

impl fmt::Display for Flood<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = units::bytes(self.like.bytes.len() as u64);
        write!(f, "{} of requests of {each}", units::rounded(self.taken))
    }
}

fn next(requests: &mut Requests<'_>, body_bytes: Option<usize>) -> Result<Request, Finding> {
    let request = match body_bytes {
        Some(bytes) => requests.sized(bytes),
        None => requests.next(),
    };
    request.map_err(Finding::skipped)
}
