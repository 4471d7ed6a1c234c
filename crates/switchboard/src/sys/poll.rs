//! Waiting for a descriptor or two, as every call that blocks does; waiting for many is in `many`
//! and `queue`. Nobody outside these three sees `EINTR`.

use super::asking::Asking;
use crate::transport::Wait;
use crate::{Stopper, deadline};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A descriptor, what is waited for on it, and what was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch<'fd> {
    pub(crate) descriptor: BorrowedFd<'fd>,
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Found: a read or an accept moves something or tells the end or the error.
    pub(crate) readable: bool,
    /// Found: a write moves something or tells the error; a connect has an outcome.
    pub(crate) writable: bool,
}

impl<'fd> Watch<'fd> {
    pub(crate) fn new(descriptor: BorrowedFd<'fd>, read: bool, write: bool) -> Watch<'fd> {
        Watch { descriptor, read, write, readable: false, writable: false }
    }
}

/// Why [`wait`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woke {
    Ready,
    Deadline,
    Stopped,
    Interrupted,
}

/// Waits until one of `watches` is ready, the deadline passes, the stopper stops or the hook for
/// interrupts says so. A stopper comes first, then readiness, then the deadline: a deadline that
/// has passed already makes this a look without a wait.
///
/// # Errors
/// What `poll` says, `EINTR` excepted.
pub(crate) fn wait(watches: &mut [Watch<'_>], until: &Wait<'_>) -> io::Result<Woke> {
    let stopper = until.stopper;
    let asking = Asking::new(until.on_interrupt.map(|hook| hook as _));
    loop {
        if stopper.is_some_and(Stopper::is_stopped) {
            return Ok(Woke::Stopped);
        }
        if asking.ends_before(until.deadline) {
            return Ok(Woke::Interrupted);
        }
        let timeout = deadline::remaining(asking.until(until.deadline));
        match poll_once(watches, stopper.map(AsFd::as_fd), timeout) {
            Ok(Polled::Stopped) => {
                // Perhaps by another process, which shares no more than the descriptor.
                stopper.inspect(|stopper| stopper.note());
                return Ok(Woke::Stopped);
            }
            Ok(Polled::Ready) => return Ok(Woke::Ready),
            Ok(Polled::Nothing) if deadline::has_passed(until.deadline) => {
                return Ok(Woke::Deadline);
            }
            Ok(Polled::Nothing) => {}
            Err(Errno::INTR) if asking.ends() => return Ok(Woke::Interrupted),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What one `poll` found.
enum Polled {
    Nothing,
    Ready,
    Stopped,
}

/// One `poll`.
fn poll_once(
    watches: &mut [Watch<'_>],
    stopper: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> Result<Polled, Errno> {
    // A duration past what the kernel's type holds is as good as for ever: 292 billion years.
    let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
    let polls = watches.iter().map(as_poll).chain(stopper.map(stop_poll));
    let count = polls.clone().count();
    // A thread waits between two messages: for so few as it waits for, that allocates nothing.
    if count <= FEW
        && let Some(first) = polls.clone().next()
    {
        let mut array: [PollFd<'_>; FEW] = std::array::from_fn(|_| first.clone());
        for (place, one) in array.iter_mut().zip(polls) {
            *place = one;
        }
        return poll_all(&mut array[..count], watches, timeout);
    }
    let mut polled: Vec<PollFd<'_>> = polls.collect();
    poll_all(&mut polled, watches, timeout)
}

/// Descriptors that are polled out of an array: both directions of a transport, a mailbox, a
/// stopper.
const FEW: usize = 4;

/// `polled` has the watches first, and then the stopper if there is one.
fn poll_all(
    polled: &mut [PollFd<'_>],
    watches: &mut [Watch<'_>],
    timeout: Option<Timespec>,
) -> Result<Polled, Errno> {
    let count = poll(polled, timeout.as_ref())?;
    for (watch, polled) in watches.iter_mut().zip(&*polled) {
        note(watch, polled.revents());
    }
    let stopper = polled.get(watches.len());
    Ok(match stopper {
        Some(stopper) if !stopper.revents().is_empty() => Polled::Stopped,
        _ if count > 0 => Polled::Ready,
        _ => Polled::Nothing,
    })
}

fn as_poll<'fd>(watch: &Watch<'fd>) -> PollFd<'fd> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, watch.read);
    flags.set(PollFlags::OUT, watch.write);
    PollFd::from_borrowed_fd(watch.descriptor, flags)
}

fn stop_poll(stopper: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(stopper, PollFlags::IN)
}

/// An error or a hang-up makes ready whatever was asked for: the next call tells which it is.
fn note(watch: &mut Watch<'_>, found: PollFlags) {
    let broken = found.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
    watch.readable = watch.read && (broken || found.contains(PollFlags::IN));
    watch.writable = watch.write && (broken || found.contains(PollFlags::OUT));
}
