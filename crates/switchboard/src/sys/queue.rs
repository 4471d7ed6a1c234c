//! The kernel's own set of descriptors: it is told once what to watch, and a wait costs what is
//! ready, not what is watched. epoll on Linux; other systems do without, and so does the feature
//! `portable`: see [`Poller`](crate::Poller).

use super::{Asked, Found};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

#[cfg(all(any(target_os = "linux", target_os = "android"), not(feature = "portable")))]
pub(crate) use epoll::Queue;

/// What became of a request to watch a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    any(not(any(target_os = "linux", target_os = "android")), feature = "portable"),
    expect(dead_code, reason = "without such a set nobody can be told this")
)]
pub(crate) enum Watched {
    Yes,
    /// It cannot be watched because it never waits: a regular file.
    Always,
    /// Somebody else has it in the set already.
    Twice,
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(feature = "portable")))]
mod epoll {
    use super::*;
    use crate::{deadline, limits};
    use rustix::event::{Timespec, epoll};
    use rustix::io::Errno;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;

    /// The longest single wait that every kernel takes, in milliseconds; a longer one is several.
    const WAIT_MILLIS_MAX: u64 = i32::MAX as u64;

    #[derive(Debug)]
    pub(crate) struct Queue {
        descriptor: OwnedFd,
    }

    impl Queue {
        /// # Errors
        /// No descriptor is left; or `Unsupported`, on another system.
        pub(crate) fn new() -> io::Result<Queue> {
            Ok(Queue { descriptor: epoll::create(epoll::CreateFlags::CLOEXEC)? })
        }

        /// Watches a descriptor under `key`. `known`: it has been put in before.
        pub(crate) fn watch(
            &self,
            descriptor: BorrowedFd<'_>,
            key: u64,
            asked: Asked,
            known: bool,
        ) -> io::Result<Watched> {
            let (data, flags) = (epoll::EventData::new_u64(key), flags(asked));
            if known {
                match epoll::modify(&self.descriptor, descriptor, data, flags) {
                    Ok(()) => return Ok(Watched::Yes),
                    // The number is the same and what is behind it is new.
                    Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match epoll::add(&self.descriptor, descriptor, data, flags) {
                Ok(()) => Ok(Watched::Yes),
                Err(Errno::PERM) => Ok(Watched::Always),
                Err(Errno::EXIST) => Ok(Watched::Twice),
                Err(error) => Err(error.into()),
            }
        }

        /// Takes a descriptor out. That it is not in is as good.
        pub(crate) fn forget(&self, descriptor: BorrowedFd<'_>) {
            let _ = epoll::delete(&self.descriptor, descriptor);
        }

        /// Waits until something is ready or `until` has passed; tells each key and what was found.
        pub(crate) fn wait(
            &self,
            until: Option<Instant>,
            tell: &mut dyn FnMut(u64, Found),
        ) -> io::Result<()> {
            let mut space = [MaybeUninit::uninit(); limits::POLL_EVENTS_MAX];
            loop {
                let left = deadline::remaining(until)
                    .map(|left| left.min(std::time::Duration::from_millis(WAIT_MILLIS_MAX)))
                    .and_then(|left| Timespec::try_from(left).ok());
                let events = match epoll::wait(&self.descriptor, &mut space, left.as_ref()) {
                    Ok((events, _)) => events,
                    Err(Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                };
                if events.is_empty() && !deadline::has_passed(until) {
                    continue;
                }
                for event in events {
                    let epoll::Event { flags, data, .. } = *event;
                    tell(data.u64(), found(flags));
                }
                return Ok(());
            }
        }
    }

    fn flags(asked: Asked) -> epoll::EventFlags {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, asked.read);
        flags.set(epoll::EventFlags::OUT, asked.write);
        flags.set(epoll::EventFlags::PRI, asked.urgent);
        flags
    }

    fn found(flags: epoll::EventFlags) -> Found {
        Found {
            read: flags.contains(epoll::EventFlags::IN),
            write: flags.contains(epoll::EventFlags::OUT),
            urgent: flags.contains(epoll::EventFlags::PRI),
            error: flags.contains(epoll::EventFlags::ERR),
            hang_up: flags.contains(epoll::EventFlags::HUP),
        }
    }
}

/// No such set here; never made.
#[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
#[derive(Debug)]
pub(crate) enum Queue {}

#[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
impl Queue {
    pub(crate) fn new() -> io::Result<Queue> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn watch(
        &self,
        _: BorrowedFd<'_>,
        _: u64,
        _: Asked,
        _: bool,
    ) -> io::Result<Watched> {
        match *self {}
    }

    pub(crate) fn forget(&self, _: BorrowedFd<'_>) {
        match *self {}
    }

    pub(crate) fn wait(&self, _: Option<Instant>, _: &mut dyn FnMut(u64, Found)) -> io::Result<()> {
        match *self {}
    }
}
