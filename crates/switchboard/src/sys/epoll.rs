//! The backend of Linux: `epoll`, level-triggered.

use super::backend::watch_each;
use super::{Backend, Clock, Readiness};
use crate::deadline;
use crate::transport::{Interest, Transport};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// The most that one wait tells; the rest is told by the next.
const EVENTS_PER_WAIT: usize = 256;

/// An `epoll` of one loop.
pub(crate) struct Epoll {
    descriptor: OwnedFd,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        let descriptor = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Epoll { descriptor })
    }

    /// Changes what one descriptor is watched for.
    fn change(
        &self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        before: Interest,
        interest: Interest,
    ) -> io::Result<()> {
        let data = epoll::EventData::new_u64(key);
        match (before, interest) {
            (before, interest) if before == interest => {}
            (Interest::NONE, _) => epoll::add(&self.descriptor, descriptor, data, flags(interest))?,
            (_, Interest::NONE) => epoll::delete(&self.descriptor, descriptor)?,
            _ => epoll::modify(&self.descriptor, descriptor, data, flags(interest))?,
        }
        Ok(())
    }
}

impl AsFd for Epoll {
    /// Readable when a wait would find something.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Backend for Epoll {
    fn clock(&self) -> Clock {
        Box::new(deadline::now)
    }

    fn watch(
        &mut self,
        transport: &Arc<dyn Transport>,
        key: u64,
        before: Interest,
        interest: Interest,
    ) -> io::Result<()> {
        watch_each(&**transport, before, interest, |descriptor, before, interest| {
            self.change(descriptor, key, before, interest)
        })
    }

    fn watch_descriptor(
        &mut self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        is_shared: bool,
    ) -> io::Result<()> {
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::EXCLUSIVE, is_shared);
        Ok(epoll::add(&self.descriptor, descriptor, epoll::EventData::new_u64(key), flags)?)
    }

    fn unwatch_descriptor(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.descriptor, descriptor)?)
    }

    fn wait(&mut self, found: &mut Vec<Readiness>, timeout: Option<Duration>) -> io::Result<()> {
        found.clear();
        // A duration past what the kernel's type holds is as good as for ever.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut space = [MaybeUninit::uninit(); EVENTS_PER_WAIT];
        let events = match epoll::wait(&self.descriptor, &mut space, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        found.extend(events.iter().map(|event| {
            let flags = event.flags;
            let hung_up = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
            let ready = Interest {
                read: hung_up || flags.contains(epoll::EventFlags::IN),
                write: hung_up || flags.contains(epoll::EventFlags::OUT),
            };
            Readiness { key: event.data.u64(), ready }
        }));
        Ok(())
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, interest.read);
    flags.set(epoll::EventFlags::OUT, interest.write);
    flags
}
