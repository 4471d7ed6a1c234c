//! Waiting for the two sides of a conversation at once: what `tap` and `chaos` stand between.
//!
//! It moves no bytes.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use switchboard::Transport;
use switchboard::deadline;
use switchboard::transport::Interest;

use crate::exit::Failure;

/// Client and server.
pub(crate) struct Sides<'a> {
    pub(crate) both: [&'a dyn Transport; 2],
    /// Sides that were found hung up while nothing was wanted of them.
    hung_up: [bool; 2],
}

/// What a side is ready for.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) read: bool,
    /// It was reset.
    pub(crate) broken: bool,
    /// It neither says nor takes anything more; told once, and only where nothing was wanted of it.
    pub(crate) gone: bool,
}

/// What a poll is asked for and found.
struct Asked {
    side: usize,
    want: PollFlags,
}

impl<'a> Sides<'a> {
    pub(crate) fn new(client: &'a dyn Transport, server: &'a dyn Transport) -> Sides<'a> {
        Sides { both: [client, server], hung_up: [false, false] }
    }

    /// Waits until something that is wanted can be done, a side breaks, the time has come, or
    /// something `beside` them is readable.
    ///
    /// # Errors
    /// This machine cannot poll.
    pub(crate) fn wait(
        &mut self,
        wanted: [Interest; 2],
        until: Option<Instant>,
        beside: Option<BorrowedFd<'_>>,
    ) -> Result<[Ready; 2], Failure> {
        let mut asked: Vec<Asked> = Vec::with_capacity(4);
        let mut polled: Vec<PollFd<'_>> = Vec::with_capacity(5);
        let mut always = false;
        let mut held = [false, false];
        for (side, transport) in self.both.iter().enumerate() {
            held[side] = wanted[side].read && transport.holds_input();
            let Interest { read: reading, write: writing } = transport.interest(wanted[side]);
            let mut ask = |descriptor: Option<BorrowedFd<'_>>, want: PollFlags| match descriptor {
                Some(_) => asked.push(Asked { side, want }),
                None => always |= !want.is_empty(),
            };
            if reading {
                ask(transport.read_descriptor(), PollFlags::IN);
                polled.extend(transport.read_descriptor().map(|fd| entry(fd, PollFlags::IN)));
            }
            if writing {
                ask(transport.write_descriptor(), PollFlags::OUT);
                polled.extend(transport.write_descriptor().map(|fd| entry(fd, PollFlags::OUT)));
            }
            // A side of which nothing is wanted is watched all the same: it may break.
            if !reading && !writing && !self.hung_up[side] {
                ask(transport.read_descriptor(), PollFlags::empty());
                let descriptor = transport.read_descriptor();
                polled.extend(descriptor.map(|fd| entry(fd, PollFlags::empty())));
            }
        }
        polled.extend(beside.map(|fd| entry(fd, PollFlags::IN)));
        // A transport without descriptors is always ready.
        let waits_not = always || held.contains(&true);
        match poll(&mut polled, timeout(waits_not, until).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::usage(format_args!("cannot poll: {error}"))),
        }
        let mut ready = [Ready { read: always, broken: false, gone: false }; 2];
        for (asked, polled) in asked.iter().zip(&polled) {
            let found = polled.revents();
            if asked.want == PollFlags::IN && !found.is_empty() {
                ready[asked.side].read = true;
            }
            if asked.want.is_empty() && !found.is_empty() {
                self.hung_up[asked.side] = true;
                ready[asked.side].gone = true;
                // Only a socket that knows resets says with an error that it was reset.
                ready[asked.side].broken =
                    found.contains(PollFlags::ERR) && self.both[asked.side].facts().reset;
            }
        }
        for ((ready, wanted), held) in ready.iter_mut().zip(wanted).zip(held) {
            ready.read = (ready.read || held) && wanted.read;
        }
        Ok(ready)
    }
}

/// The call moved nothing and is to be made again.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

fn timeout(waits_not: bool, until: Option<Instant>) -> Option<Timespec> {
    if waits_not {
        return Some(Timespec { tv_sec: 0, tv_nsec: 0 });
    }
    let left = deadline::remaining(Some(until?))?;
    // Further off than the clock can say is as good as never.
    Timespec::try_from(left).ok()
}

fn entry(descriptor: BorrowedFd<'_>, want: PollFlags) -> PollFd<'_> {
    PollFd::from_borrowed_fd(descriptor, want)
}
