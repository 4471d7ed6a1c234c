//! A conversation under a plan: moves the bytes that the library's engine decides about.
//!
//! Invariant: it decides nothing. What is read, what is written and when, and how it ends, is what
//! the [`Link`] says.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard::limits::LINGER_TIMEOUT;
use switchboard::transport::Interest;
use switchboard::transport::fault::{Link, Over, Turn};
use switchboard::{Transport, deadline};
use switchboard_frame::{Protocol, Role};

use crate::cmd::chaos::dead;
use crate::cmd::chaos::log::Log;
use crate::cmd::chaos::script::{Edition, Editions};
use crate::exit::Failure;
use crate::sides::{Sides, is_passing};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// Client and server, as they are numbered everywhere here.
const ROLES: [Role; 2] = [Role::Client, Role::Server];

pub(super) struct Conversation<'a> {
    pub(super) n: u64,
    pub(super) seed: u64,
    pub(super) protocol: Option<&'a Protocol>,
    pub(super) sides: [&'a dyn Transport; 2],
    pub(super) editions: &'a Editions,
    /// How long a silence may last.
    pub(super) silence_max: Duration,
    /// When all began.
    pub(super) began: Instant,
    pub(super) log: &'a Log,
}

/// Passes bytes on, with faults, until it is over.
///
/// # Errors
/// Nothing can be told any more, or this machine cannot poll.
pub(super) fn relay(conversation: Conversation<'_>) -> Result<(), Failure> {
    let now = deadline::now();
    let edition = conversation.editions.current();
    let Conversation { n, seed, protocol, began, .. } = conversation;
    let link = Link::new(&edition.plan, protocol, seed, n, now)
        .flapping_since(began, now)
        .with_silence_max(conversation.silence_max);
    let [client, server] = conversation.sides;
    let relay = Relay {
        conversation,
        edition,
        link,
        sides: Sides::new(client, server),
        ended: [false, false],
        dead: [false, false],
        buffer: vec![0; READ_BYTES],
    };
    relay.run()
}

struct Relay<'a> {
    conversation: Conversation<'a>,
    edition: Arc<Edition>,
    link: Link,
    sides: Sides<'a>,
    /// Sides from which nothing more can come.
    ended: [bool; 2],
    /// Sides whose packets are dropped.
    dead: [bool; 2],
    buffer: Vec<u8>,
}

impl Relay<'_> {
    fn run(mut self) -> Result<(), Failure> {
        let mut closing = None;
        loop {
            let now = deadline::now();
            self.link.tick(now);
            let blocked = [self.write_on(0, now), self.write_on(1, now)];
            let mut flushed = true;
            for side in self.sides.both {
                // What is broken is found by who reads there.
                flushed &= side.flush().unwrap_or(true);
            }
            self.bury();
            let records = self.link.take_records();
            let know_resets = self.sides.both.map(|side| side.facts().reset);
            self.conversation.log.records(self.conversation.n, &records, know_resets)?;
            self.conversation.log.flush()?;
            let mut until = self.link.deadline(now);
            match self.link.over() {
                Some(Over::Reset) => {
                    self.reset();
                    return Ok(());
                }
                Some(Over::Closed) => {
                    // What a side has taken and still holds is its own; it has a while for that.
                    let latest = *closing.get_or_insert(deadline::after(LINGER_TIMEOUT));
                    if flushed || deadline::has_passed(latest) {
                        return Ok(());
                    }
                    until = latest;
                }
                None => {}
            }
            let wanted = |side: usize| Interest {
                read: !self.ended[side] && self.link.reads(ROLES[side]),
                write: blocked[1 - side],
            };
            let wanted = [wanted(0), wanted(1)];
            let news = self.edition.replaced.as_fd();
            let ready = self.sides.wait(wanted, until, Some(news))?;
            self.renew();
            for (side, ready) in ready.into_iter().enumerate() {
                if ready.gone && self.ended[side] {
                    self.link.gone(ROLES[side]);
                } else if ready.broken {
                    self.broken(side);
                } else if ready.read {
                    self.read(side);
                }
            }
        }
    }

    /// Takes the next plan before anything that came behind it.
    fn renew(&mut self) {
        if self.edition.replaced.is_stopped() {
            self.edition = self.conversation.editions.current();
            let plan = &self.edition.plan;
            self.link.set_plan(plan, self.conversation.began, deadline::now());
        }
    }

    /// Writes what may go of what `ROLES[from]` wrote; whether the other side takes no more now.
    fn write_on(&mut self, from: usize, now: Instant) -> bool {
        let to = self.sides.both[1 - from];
        loop {
            let written = match self.link.turn(ROLES[from], now) {
                Turn::Wait => return false,
                Turn::Finish => {
                    // It fails when that side is gone already, and then reading there tells.
                    let _ = to.finish();
                    continue;
                }
                Turn::Write(bytes) => to.write(bytes),
            };
            match written {
                Ok(count) => self.link.wrote(ROLES[from], count, now),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => self.link.untaken(ROLES[from], now),
            }
        }
    }

    /// Reads once.
    fn read(&mut self, side: usize) {
        match self.sides.both[side].read(&mut self.buffer) {
            Ok(0) => {
                self.ended[side] = true;
                self.link.ended(ROLES[side], deadline::now());
            }
            Ok(count) => {
                self.link.received(ROLES[side], &self.buffer[..count], deadline::now());
            }
            Err(error) if is_passing(&error) => {}
            Err(_) => self.broken(side),
        }
    }

    fn broken(&mut self, side: usize) {
        if !std::mem::replace(&mut self.ended[side], true) {
            self.link.broken(ROLES[side], deadline::now());
        }
    }

    /// Has the packets of a side dropped while the link says so.
    fn bury(&mut self) {
        for (side, role) in ROLES.into_iter().enumerate() {
            let dead = self.link.is_dead(role);
            if dead == self.dead[side] {
                continue;
            }
            self.dead[side] = dead;
            if let Err(error) = dead::set(self.sides.both[side], dead) {
                let n = self.conversation.n;
                let text = format!("swb: conversation {n}: its packets are not dropped: {error}");
                self.conversation.log.printer.talk(&text);
            }
        }
    }

    /// Resets both sides.
    fn reset(&self) {
        for side in self.sides.both {
            // The side that broke has nothing left to reset.
            let _ = side.reset();
        }
    }
}
