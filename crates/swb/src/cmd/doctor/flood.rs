//! Requests one behind the other while nothing is read, and then their replies.
//!
//! It holds one batch of requests, whatever it sends.

use std::fmt;
use std::fs;
use std::time::Duration;

use switchboard::deadline;

use super::exchange::{Request, Requests};
use super::link::{Close, Heard, Link, Went};
use super::patient::Patient;
use super::probe::{Asked, Finding};
use crate::units;

/// The bodies of an echo; the first that the server answers is used.
const BODIES_BYTES: [usize; 3] = [4000, 400, 40];
/// Requests are written in batches of at least so many bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// What the receive buffer is set to, so that little is on the way.
const WINDOW_BYTES: usize = 16 * 1024;
/// The send buffer, so that less is in the kernel's hands.
const SEND_BYTES: usize = 256 * 1024;
/// What both of these come to, when the system makes the most of them.
const OWN_BUFFERS_BYTES: u64 = 1 << 20;
/// While something is still to be written, replies are waited for so long at a time.
const TURN: Duration = Duration::from_millis(5);
/// Replies read before a pause, and the pause.
const PACE: usize = 16;
const PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Flood<'a> {
    pub(super) link: Link,
    requests: Requests<'a>,
    /// The same ones, behind: those whose replies are still to come.
    awaited: Requests<'a>,
    /// What is like all of them.
    like: Request,
    kernel: Kernel,
    /// Of an echo: how large the bodies are.
    body_bytes: Option<usize>,
    /// Of the last batch, what was not taken.
    rest: Vec<u8>,
    /// How many were begun.
    begun: usize,
    /// How many bytes were taken.
    taken: u64,
}

/// How a flood came to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Everything was taken.
    Taken,
    /// The server takes no more for now.
    Stuck,
    /// The server has ended the conversation.
    Ended(Close),
}

impl<'a> Flood<'a> {
    /// A conversation with a small window, in which one exchange has been.
    pub(super) fn open(patient: &'a Patient) -> Result<Flood<'a>, Finding> {
        let sizes = BODIES_BYTES.iter().copied().map(Some).chain([None]);
        let mut refused = None;
        for body_bytes in sizes {
            let (mut requests, mut awaited) = (patient.requests()?, patient.requests()?);
            let Ok(like) = next(&mut requests, body_bytes) else { continue };
            next(&mut awaited, body_bytes)?;
            let mut link = patient.link()?;
            link.narrow(WINDOW_BYTES, SEND_BYTES);
            if let Err(finding) = link.exchange(&like) {
                refused = Some(finding);
                continue;
            }
            return Ok(Flood {
                kernel: Kernel::of(&link),
                link,
                requests,
                awaited,
                like,
                body_bytes,
                rest: Vec::new(),
                begun: 0,
                taken: 0,
            });
        }
        Err(refused.unwrap_or_else(|| Finding::skipped("no request can be framed")))
    }

    /// Sends until so many bytes of replies are due, or the server takes nothing for so long.
    pub(super) fn send(&mut self, bytes: u64, patience: Duration) -> Result<Stopped, Finding> {
        let until = self.begun + usize::try_from(bytes / self.reply_bytes()).unwrap_or(0);
        let mut stopped = Stopped::Taken;
        while stopped == Stopped::Taken && (self.begun < until || !self.rest.is_empty()) {
            self.fill(until)?;
            stopped = self.write(patience)?;
        }
        self.link.note(format!("{self}, no reply read"));
        Ok(stopped)
    }

    /// Frames the next batch.
    fn fill(&mut self, until: usize) -> Asked {
        while self.rest.len() < BATCH_BYTES && self.begun < until {
            let request = next(&mut self.requests, self.body_bytes)?;
            self.rest.extend_from_slice(&request.bytes);
            self.begun += 1;
        }
        Ok(())
    }

    fn write(&mut self, patience: Duration) -> Result<Stopped, Finding> {
        let (went, stopped) = match self.link.send_quietly(&self.rest, patience)? {
            Went::All => (self.rest.len(), Stopped::Taken),
            Went::Stuck(at) => (at, Stopped::Stuck),
            Went::Refused(at, close) => (at, Stopped::Ended(close)),
        };
        self.rest.drain(..went);
        self.taken += went as u64;
        Ok(stopped)
    }

    /// Reads every reply, without haste, while what is left of the requests is written; ends the
    /// input behind that, where it is to.
    pub(super) fn drain(&mut self, ends: bool) -> Asked {
        let patience = self.link.patience();
        let (mut has_ended, mut moved) = (!ends, deadline::now());
        let mut heard = 0;
        while heard < self.begun {
            if !self.rest.is_empty() && self.write(Duration::ZERO)? != Stopped::Stuck {
                moved = deadline::now();
            }
            if self.rest.is_empty() && !has_ended {
                self.link.finish();
                has_ended = true;
            }
            let is_writing = !self.rest.is_empty();
            let came = self.link.hear_within(if is_writing { TURN } else { patience })?;
            let is_early = deadline::now().saturating_duration_since(moved) < patience;
            match came {
                Heard::Message(reply) if self.answers(&reply)? => heard += 1,
                Heard::Silence(..) if is_writing && is_early => continue,
                came => {
                    let finding = self.link.failed(came);
                    let (number, all) = (heard + 1, self.begun);
                    return Err(finding.and(&format!("that was reply {number} of {all}")));
                }
            }
            moved = deadline::now();
            if heard.is_multiple_of(PACE) {
                self.link.pause(PAUSE)?;
            }
        }
        Ok(())
    }

    /// Whether this is the reply to the next one.
    fn answers(&mut self, reply: &[u8]) -> Result<bool, Finding> {
        Ok(next(&mut self.awaited, self.body_bytes)?.is_answered_by(reply))
    }

    /// How many bytes of replies the server has to hold by itself, at the least: what it was sent
    /// and the system cannot hold, in either direction.
    pub(super) fn held_bytes(&self) -> u64 {
        let handled = self.taken.saturating_sub(self.kernel.requests_bytes);
        let replies = handled / self.like.bytes.len().max(1) as u64 * self.reply_bytes();
        replies.saturating_sub(self.kernel.replies_bytes)
    }

    /// So many bytes of replies are due when the server holds so many by itself, for sure.
    pub(super) fn due_bytes(&self, held_bytes: u64) -> u64 {
        let Kernel { requests_bytes, replies_bytes } = self.kernel;
        let unread = requests_bytes / self.like.bytes.len().max(1) as u64 + 1;
        unread * self.reply_bytes() + replies_bytes + held_bytes
    }

    /// Bytes of a reply, at the least.
    fn reply_bytes(&self) -> u64 {
        self.like.reply.as_ref().map_or(1, |reply| reply.len().max(1) as u64)
    }
}

/// What the two systems may hold of what is on the way.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    requests_bytes: u64,
    replies_bytes: u64,
}

impl Kernel {
    /// As this system is set; the other one is taken to be no more generous, or to be as it is
    /// delivered.
    fn of(link: &Link) -> Kernel {
        let most = |name: &str, at_least: u64| {
            let text = fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap_or_default();
            let last = text.split_whitespace().last().and_then(|number| number.parse().ok());
            last.unwrap_or(0).max(at_least)
        };
        let own = OWN_BUFFERS_BYTES;
        match link.has_resets() {
            true => Kernel {
                requests_bytes: most("ipv4/tcp_rmem", 6 << 20) + own,
                replies_bytes: most("ipv4/tcp_wmem", 4 << 20) + own,
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
