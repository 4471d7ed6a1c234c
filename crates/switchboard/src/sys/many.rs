//! Waiting for any number of descriptors with one `poll`, and the one place that sees `EINTR` from
//! it.

use super::asking::Asking;
use crate::deadline;
use crate::transport::Interest;
use crate::transport::Interrupt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Instant;

/// What the system is asked about one descriptor; errors and hang-ups it tells unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Urgent data.
    pub(crate) urgent: bool,
}

impl From<Interest> for Asked {
    fn from(interest: Interest) -> Asked {
        Asked { read: interest.read, write: interest.write, urgent: false }
    }
}

/// What the system found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) urgent: bool,
    /// An error is waiting to be told, or the descriptor is none.
    pub(crate) error: bool,
    /// The other side is gone, or both directions have ended.
    pub(crate) hang_up: bool,
}

impl Found {
    /// A call of the kinds asked for would move something or tell an end or an error.
    pub(crate) fn answers(self, asked: Asked) -> bool {
        let any = asked.read || asked.write;
        asked.read && self.read || asked.write && self.write || any && (self.error || self.hang_up)
    }
}

/// Descriptors to be polled: each once, whoever asks about it and however often. So their number
/// stays below the process's own limit, past which `poll` refuses.
#[derive(Debug, Default)]
pub(crate) struct Many<'fd> {
    polled: Vec<(BorrowedFd<'fd>, Asked)>,
    found: Vec<Found>,
    places: HashMap<RawFd, usize>,
}

impl<'fd> Many<'fd> {
    /// Asks more about a descriptor. Gives the place of the answer.
    pub(crate) fn ask(&mut self, descriptor: BorrowedFd<'fd>, asked: Asked) -> usize {
        let place = *self.places.entry(descriptor.as_raw_fd()).or_insert(self.polled.len());
        match self.polled.get_mut(place) {
            Some((_, before)) => {
                before.read |= asked.read;
                before.write |= asked.write;
                before.urgent |= asked.urgent;
            }
            None => self.polled.push((descriptor, asked)),
        }
        place
    }

    /// Waits until the system has something to tell or `until` has passed; with one that has passed
    /// already it is a look. `on_interrupt` says whether to go on, where a signal interrupts it and
    /// now and then: `false` when it has ended the wait.
    ///
    /// # Errors
    /// What `poll` says, `EINTR` excepted.
    pub(crate) fn wait(
        &mut self,
        until: Option<Instant>,
        on_interrupt: Option<&dyn Fn() -> Interrupt>,
    ) -> io::Result<bool> {
        let mut polled: Vec<PollFd<'_>> = self
            .polled
            .iter()
            .map(|(fd, asked)| PollFd::from_borrowed_fd(*fd, flags(*asked)))
            .collect();
        let asking = Asking::new(on_interrupt);
        loop {
            if asking.ends_before(until) {
                return Ok(false);
            }
            // A duration past what the kernel's type holds is as good as for ever.
            let left = deadline::remaining(asking.until(until));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut polled, left.as_ref()) {
                Ok(0) if !deadline::has_passed(until) => {}
                Ok(_) => break,
                Err(Errno::INTR) if asking.ends() => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.found = polled.iter().map(|polled| found(polled.revents())).collect();
        Ok(true)
    }

    /// What the last wait found at a place.
    pub(crate) fn found(&self, place: usize) -> Found {
        self.found.get(place).copied().unwrap_or_default()
    }
}

fn flags(asked: Asked) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, asked.read);
    flags.set(PollFlags::OUT, asked.write);
    flags.set(PollFlags::PRI, asked.urgent);
    flags
}

fn found(flags: PollFlags) -> Found {
    Found {
        read: flags.contains(PollFlags::IN),
        write: flags.contains(PollFlags::OUT),
        urgent: flags.contains(PollFlags::PRI),
        error: flags.intersects(PollFlags::ERR | PollFlags::NVAL),
        hang_up: flags.contains(PollFlags::HUP),
    }
}
