//! The backend of systems without `epoll`, over the crate mio: kqueue on the BSDs and macOS, and
//! whatever mio has elsewhere.
//!
//! mio tells edges: what has been told is not told again until something changes. A loop that reads
//! once a turn needs levels, so what was told is registered anew before the next wait, which has
//! the system look whether it is ready still. That costs one more system call an event.
//!
//! **Invariant:** when a wait begins, the system would tell of every descriptor that is watched and
//! ready: it has been registered anew since it was told last.
//!
//! Several loops that watch one listener all wake for one connection, and all but one find none:
//! what `epoll` has against that has no counterpart here.

use super::backend::watch_each;
use super::{Backend, Clock, Readiness};
use crate::deadline;
use crate::transport::{Interest, Transport};
use mio::unix::SourceFd;
use mio::{Events, Poll, Token};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// The most that one wait tells; the rest is told by the next.
const EVENTS_PER_WAIT: usize = 256;

/// The longest single wait that every system takes; a longer one is several.
const WAIT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// A mio of one loop.
pub(crate) struct Mio {
    poll: Poll,
    events: Events,
    /// What is registered. mio's token is the number of the descriptor: a key has 64 bits, and a
    /// token has no more than a pointer.
    watched: HashMap<RawFd, Watched>,
    /// What the last wait told of, to be registered anew.
    told: Vec<RawFd>,
}

struct Watched {
    key: u64,
    interest: mio::Interest,
    /// It is in `told`, and nothing has been registered since.
    is_told: bool,
}

impl Mio {
    pub(crate) fn new() -> io::Result<Mio> {
        Ok(Mio {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_WAIT),
            watched: HashMap::new(),
            told: Vec::new(),
        })
    }

    /// Changes what one descriptor is watched for.
    fn change(
        &mut self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        before: Interest,
        interest: Interest,
    ) -> io::Result<()> {
        if before == interest {
            return Ok(());
        }
        let number = descriptor.as_raw_fd();
        let Some(interest) = asked(interest) else {
            return self.remove(number);
        };
        let (registry, mut source, token) =
            (self.poll.registry(), SourceFd(&number), token(number));
        if before == Interest::NONE {
            registry.register(&mut source, token, interest)?;
        } else {
            registry.reregister(&mut source, token, interest)?;
        }
        self.watched.insert(number, Watched { key, interest, is_told: false });
        Ok(())
    }

    fn remove(&mut self, number: RawFd) -> io::Result<()> {
        if self.watched.remove(&number).is_none() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was not watched"));
        }
        self.poll.registry().deregister(&mut SourceFd(&number))
    }

    /// Makes levels of edges.
    fn register_anew(&mut self) -> io::Result<()> {
        while let Some(number) = self.told.pop() {
            let Some(watched) = self.watched.get_mut(&number).filter(|watched| watched.is_told)
            else {
                continue;
            };
            watched.is_told = false;
            let registry = self.poll.registry();
            let mut source = SourceFd(&number);
            match registry.reregister(&mut source, token(number), watched.interest) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => drop(self.watched.remove(&number)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Puts what the last call found into `found`.
    fn tell(&mut self, found: &mut Vec<Readiness>) {
        for event in &self.events {
            let Ok(number) = RawFd::try_from(event.token().0) else { continue };
            let Some(watched) = self.watched.get_mut(&number) else { continue };
            if !watched.is_told {
                watched.is_told = true;
                self.told.push(number);
            }
            let ready = Interest {
                read: event.is_readable() || event.is_read_closed() || event.is_error(),
                write: event.is_writable() || event.is_write_closed() || event.is_error(),
            };
            found.push(Readiness { key: watched.key, ready });
        }
    }
}

impl AsFd for Mio {
    /// Readable when a wait would find something that was not told before.
    #[expect(unsafe_code, reason = "mio gives no more than the number")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the number is that of the poll, which is open for as long as it is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.poll.as_raw_fd()) }
    }
}

impl Backend for Mio {
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
        _is_shared: bool,
    ) -> io::Result<()> {
        self.change(descriptor, key, Interest::NONE, Interest::READ)
    }

    fn unwatch_descriptor(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        self.remove(descriptor.as_raw_fd())
    }

    fn wait(&mut self, found: &mut Vec<Readiness>, timeout: Option<Duration>) -> io::Result<()> {
        found.clear();
        self.register_anew()?;
        // A point in time past what the clock can say is as good as never.
        let until = timeout.and_then(deadline::after);
        loop {
            let left = deadline::remaining(until).map(|left| left.min(WAIT_MAX));
            match self.poll.poll(&mut self.events, left) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                Err(error) => return Err(error),
            }
            self.tell(found);
            // Systems that count in milliseconds may come back early.
            if !found.is_empty() || deadline::has_passed(until) {
                return Ok(());
            }
            self.register_anew()?;
        }
    }
}

/// What is asked of mio; `None`: nothing.
fn asked(interest: Interest) -> Option<mio::Interest> {
    let read = interest.read.then_some(mio::Interest::READABLE);
    let write = interest.write.then_some(mio::Interest::WRITABLE);
    match (read, write) {
        (Some(read), Some(write)) => Some(read | write),
        (read, write) => read.or(write),
    }
}

/// A descriptor that is open is not negative.
fn token(number: RawFd) -> Token {
    Token(number.unsigned_abs() as usize)
}

/// It was closed while it was watched: the system watches it no longer.
fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::BADF))
}
