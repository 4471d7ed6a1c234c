//! Byte streams: the [`Transport`] trait and what implements it.
//!
//! A transport owns one stream between two sides and knows nothing about messages. Its invariant:
//! reading and writing never wait; [`wait`](Transport::wait) and
//! [`read_within`](Transport::read_within) are the only calls that do, and they always have a way
//! out (a deadline, a [`Stopper`], or the word "for ever" written by the user).
//! There is no buffering here, except in [`pair()`], [`Faulty`] and [`fault::Injected`], whose
//! subject it is.

use crate::{Endpoint, Error, Liveness, Stopper, sys};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

pub mod fault;
mod pair;
mod passed_on;
mod patience;
mod pipe;
mod process;
mod proxied;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod trace;
mod unix;

pub use fault::{Faults, Faulty};
pub use pair::{Pair, pair, pair_with_capacity};
pub(crate) use patience::Patience;
pub use pipe::Pipe;
pub use process::Process;
pub use proxied::Proxied;
pub use tcp::Tcp;
#[cfg(feature = "tls")]
pub(crate) use tls::Failure as TlsFailure;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsClient, TlsServer};
pub use trace::{Trace, TraceEvent};
pub use unix::Unix;
pub(crate) use unix::{abstract_address, endpoint as unix_endpoint};

/// A stream of bytes in both directions.
///
/// All methods take `&self`, so that an `Arc<dyn Transport>` can be used by a thread that reads
/// and a thread that writes at the same time. Two threads that read, or two that write, would cut
/// each other's bytes apart.
///
/// ```
/// use switchboard::transport::{Interest, Transport, Wait, Woken};
/// # use std::io;
/// /// Reads once, waiting until there is something.
/// fn read_some(from: &dyn Transport, into: &mut [u8]) -> io::Result<usize> {
///     loop {
///         match from.read(into) {
///             Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
///                 from.wait(Interest::READ, &Wait::FOREVER)?;
///             }
///             Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
///             done => return done,
///         }
///     }
/// }
/// ```
pub trait Transport: Send + Sync + fmt::Debug {
    /// Reads what is there, without waiting. 0 for a buffer that is not empty is the end of the
    /// stream: the other side has finished writing, and may still read.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is there yet,
    /// [`Interrupted`](io::ErrorKind::Interrupted) when it is to be called again at once;
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the stream was cut off: it ended
    /// without the end that its protocol has. Else the stream is broken (`ConnectionReset`,
    /// `TimedOut` for a peer found dead, ..).
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Like [`read`](Self::read), into several buffers one after the other.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match buffers.iter_mut().find(|buffer| !buffer.is_empty()) {
            Some(first) => self.read(first),
            None => Ok(0),
        }
    }

    /// Reads what is there, or waits for what comes first: in one system call what
    /// [`wait`](Self::wait) and [`read`](Self::read) do in two. It waits for `time` at the most,
    /// and rather for less; `None` is for ever. Only the stream and the time end it, so whoever has
    /// something else to look at gives it no longer than that can be left alone.
    ///
    /// # Errors
    /// As for [`read`](Self::read); `WouldBlock` is that nothing came in time, and
    /// [`Unsupported`](io::ErrorKind::Unsupported) that this transport has no such call. Both leave
    /// everything as it was: wait with [`wait`](Self::wait), then.
    fn read_within(&self, buffer: &mut [u8], time: Option<Duration>) -> io::Result<usize> {
        let _ = (buffer, time);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Writes as much of `bytes` as goes without waiting, and says how much that was.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing went: the peer does not read.
    /// [`Interrupted`](io::ErrorKind::Interrupted) when it is to be called again at once.
    /// `BrokenPipe` or `ConnectionReset` when the peer will not read any more.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Like [`write`](Self::write), from several buffers one after the other.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match buffers.iter().find(|buffer| !buffer.is_empty()) {
            Some(first) => self.write(first),
            None => Ok(0),
        }
    }

    /// Half-closes: what was written is delivered, then the peer reads the end of the stream.
    /// Reading goes on as before. A second call does nothing. Before a transport is
    /// [open](Self::opening) it is noted, and [`flush`](Self::flush) sees to it.
    ///
    /// # Errors
    /// When the stream is broken already.
    fn finish(&self) -> io::Result<()>;

    /// Breaks the stream, throwing away what was not delivered yet. The peer is told with a reset
    /// where the transport has such a thing ([`Facts::reset`]), else with an end.
    ///
    /// # Errors
    /// When the stream is broken already.
    fn reset(&self) -> io::Result<()>;

    /// How many bytes, of all that was written, have not reached the other side's system yet, as
    /// far as this one knows: what a [`reset`](Self::reset) now would throw away. `None` where
    /// nobody knows.
    fn undelivered(&self) -> Option<usize> {
        None
    }

    /// Waits until a read or a write would move something or tell an end or an error, or until
    /// `until` says so. It may come back early: the next read or write tells.
    ///
    /// # Errors
    /// When waiting itself fails, which leaves the stream as it was. A broken stream is not an
    /// error here but readiness.
    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        wait_on(self.read_descriptor(), self.write_descriptor(), interest, until)
    }

    /// What to poll the descriptors for in order to get on with `wanted`. Only a transport with a
    /// protocol of its own answers anything else than what it was asked: it may have to write to
    /// read on, and the reverse. Whoever waits on the descriptors by himself asks anew before each
    /// wait, and then does what he wanted to, whichever descriptor was ready.
    fn interest(&self, wanted: Interest) -> Interest {
        wanted
    }

    /// Gets on with what this transport has to do by itself, without waiting: to hand on bytes that
    /// it has taken and still holds, and to [open](Self::opening). `true` when it holds nothing:
    /// all that was written, and [`finish`](Self::finish), is handed on. Only a transport that
    /// buffers ever says `false`; what it holds is lost when it is dropped.
    ///
    /// # Errors
    /// As for [`write`](Self::write), `WouldBlock` excepted; and when opening fails.
    fn flush(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// What has to be over before the first byte of the stream can come (`the TLS handshake`), as
    /// long as it is not. [`flush`](Self::flush) gets on with it, and so do reads and writes, which
    /// say `WouldBlock` meanwhile. Whoever serves the stream bounds the time for it, see
    /// [`OPENING_TIMEOUT`](crate::limits::OPENING_TIMEOUT).
    fn opening(&self) -> Option<&'static str> {
        None
    }

    /// Whether this transport itself holds bytes that a read would give at once: the descriptor
    /// does not show them, and whoever waits on descriptors would miss them. Only a transport that
    /// buffers has any.
    fn holds_input(&self) -> bool {
        false
    }

    /// Another process, forked off this one, has the stream from here on: over this copy nothing is
    /// said any more, and dropping it closes descriptors of this process and does no more.
    fn disown(&self) {}

    /// What to poll for reading. `None`: always ready.
    fn read_descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// What to poll for writing; often the same as for reading. `None`: always ready.
    fn write_descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// This side's endpoint, when it has one that says something.
    fn local(&self) -> Option<Endpoint>;

    /// The other side's endpoint, when it has one that says something. The client of a Unix socket
    /// has none.
    fn remote(&self) -> Option<Endpoint>;

    /// Who it counts as where so many of one address are served: the other side; nobody, while that
    /// is not known yet, or where a proxy speaks for itself.
    fn client(&self) -> Option<Endpoint> {
        self.remote()
    }

    /// The name of this stream in messages: the other side's endpoint, or else this side's.
    fn name(&self) -> String {
        match self.remote().or_else(|| self.local()) {
            Some(endpoint) => endpoint.to_string(),
            None => "unnamed".to_owned(),
        }
    }

    /// Sets how a peer that has silently gone is noticed. Nothing to do where the system tells by
    /// itself, see [`Facts::silent_death`].
    ///
    /// # Errors
    /// When the system refuses the values.
    fn set_liveness(&self, liveness: &Liveness) -> io::Result<()> {
        let _ = liveness;
        Ok(())
    }

    /// For how long nothing has come from the other side, not so much as an acknowledgement: what
    /// an error about a peer found dead says. `None` where the system does not know.
    fn silence(&self) -> Option<Duration> {
        None
    }

    /// The program at the other end, for an `exec:` transport.
    fn process(&self) -> Option<&Process> {
        None
    }

    /// What was agreed on, once a TLS handshake is over; `None` without TLS.
    fn tls(&self) -> Option<TlsInfo> {
        None
    }

    /// What this kind of transport can do.
    fn facts(&self) -> Facts;
}

/// What a kind of transport can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// [`Transport::finish`] reaches the peer while this side still reads: closing can linger.
    pub half_close: bool,
    /// [`Transport::reset`] reaches the peer as a reset, told apart from an end.
    pub reset: bool,
    /// The peer can be gone without the system noticing: [`Liveness`] matters.
    pub silent_death: bool,
    /// It is in the memory of this process, and a process that is forked off has no part in it.
    pub in_memory: bool,
}

/// What the two sides of a TLS connection have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: &'static str,
    /// The cipher suite, by its name in the registry of IANA.
    pub cipher: &'static str,
    /// The application protocol (ALPN), when both sides named some.
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for (SNI); on the server's side only.
    pub server_name: Option<String>,
    /// The DNS names in the peer's certificate.
    pub peer_names: Vec<String>,
    /// The peer's certificate, as DER. `None` from a client that was not asked for one or had none.
    pub peer_certificate: Option<Vec<u8>>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// That a read would not block.
    pub read: bool,
    /// That a write would not block.
    pub write: bool,
}

/// What either of them says.
impl std::ops::BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        self.read |= other.read;
        self.write |= other.write;
    }
}

impl Interest {
    /// Waiting for neither.
    pub const NONE: Interest = Interest { read: false, write: false };
    /// Waiting to read.
    pub const READ: Interest = Interest { read: true, write: false };
    /// Waiting to write.
    pub const WRITE: Interest = Interest { read: false, write: true };
    /// Waiting for either.
    pub const BOTH: Interest = Interest { read: true, write: true };
}

/// Why a wait came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// A read or a write (or both) will move something, or tell an end or an error.
    Ready(Interest),
    /// The deadline passed first.
    Deadline,
    /// The stopper was stopped.
    Stopped,
    /// The hook for interrupts said to end.
    Interrupted,
}

/// What a hook for interrupts says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Go on waiting.
    Continue,
    /// End the call.
    End,
}

/// How long to wait, and what else ends a wait.
#[derive(Clone, Copy, Default)]
pub struct Wait<'a> {
    /// When to give up; `None` is never.
    pub deadline: Option<Instant>,
    /// Ends the wait from elsewhere.
    pub stopper: Option<&'a Stopper>,
    /// Called when a signal interrupts the wait; without it a signal is never seen. And, because a
    /// signal may have come just before, without one: before a thread's first wait, and then once
    /// in each [`INTERRUPT_LOOK_INTERVAL`](crate::limits::INTERRUPT_LOOK_INTERVAL) that it waits.
    /// So each thread that waits with a hook is woken up some four times a second, and a wait
    /// looks at the clock once more.
    pub on_interrupt: Option<&'a (dyn Fn() -> Interrupt + Send + Sync)>,
}

impl<'a> Wait<'a> {
    /// Nothing but readiness ends it.
    pub const FOREVER: Wait<'static> = Wait { deadline: None, stopper: None, on_interrupt: None };

    /// Ends at `deadline`.
    #[must_use]
    pub fn until(deadline: Instant) -> Wait<'static> {
        Wait { deadline: Some(deadline), ..Wait::FOREVER }
    }

    /// With a stopper.
    #[must_use]
    pub fn or_stopped(self, stopper: &'a Stopper) -> Wait<'a> {
        Wait { stopper: Some(stopper), ..self }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("deadline", &self.deadline)
            .field("stopper", &self.stopper)
            .field("on_interrupt", &self.on_interrupt.is_some())
            .finish()
    }
}

/// Waits until a transport is [open](Transport::opening), for who goes on with it by himself. A
/// [`Conversation`](crate::Conversation) and a server see to it by themselves.
///
/// # Errors
/// Opening failed, or did not come to its end before `until` said so.
pub fn open(transport: &dyn Transport, until: &Wait<'_>) -> Result<(), Error> {
    while let Some(opening) = transport.opening() {
        let failed = |error| {
            let error = Error::stream(format!("{opening} failed with"), error);
            error.with_silence(transport).at_endpoint(transport.name())
        };
        match transport.flush() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            flushed => drop(flushed.map_err(failed)?),
        }
        if transport.opening().is_none() {
            break;
        }
        let early = match transport.wait(Interest::READ, until).map_err(failed)? {
            Woken::Ready(_) => continue,
            Woken::Deadline => Error::timed_out(format!("{opening} did not come from")),
            Woken::Stopped => Error::stopped(format!("waiting for {opening} from")),
            Woken::Interrupted => Error::interrupted(format!("waiting for {opening} from")),
        };
        return Err(early.at_endpoint(transport.name()));
    }
    Ok(())
}

/// Waits on the descriptors of a transport; a direction without one is always ready.
///
/// This is [`Transport::wait`] for a transport of your own.
///
/// # Errors
/// What the system's `poll` says.
pub fn wait_on(
    read: Option<BorrowedFd<'_>>,
    write: Option<BorrowedFd<'_>>,
    interest: Interest,
    until: &Wait<'_>,
) -> io::Result<Woken> {
    wait_beside(read, write, interest, None, until)
}

/// As [`wait_on`], and until something else is readable too: that is told as readiness for
/// nothing.
pub(crate) fn wait_beside(
    read: Option<BorrowedFd<'_>>,
    write: Option<BorrowedFd<'_>>,
    interest: Interest,
    other: Option<BorrowedFd<'_>>,
    until: &Wait<'_>,
) -> io::Result<Woken> {
    let always = Interest {
        read: interest.read && read.is_none(),
        write: interest.write && write.is_none(),
    };
    if always != Interest::NONE {
        let stopped = until.stopper.is_some_and(Stopper::is_stopped);
        return Ok(if stopped { Woken::Stopped } else { Woken::Ready(always) });
    }
    let (read, write) = (read.filter(|_| interest.read), write.filter(|_| interest.write));
    let is_same = read.map(|fd| fd.as_raw_fd()) == write.map(|fd| fd.as_raw_fd());
    let places = [
        other.map(|fd| sys::Watch::new(fd, true, false)),
        read.map(|fd| sys::Watch::new(fd, true, is_same)),
        write.filter(|_| !is_same).map(|fd| sys::Watch::new(fd, false, true)),
    ];
    let mut wanted = places.into_iter().flatten();
    let Some(first) = wanted.next() else {
        return Ok(woken(sys::wait(&mut [], until)?, Interest::NONE));
    };
    let (mut watches, mut used) = ([first; 3], 1);
    for watch in wanted {
        watches[used] = watch;
        used += 1;
    }
    let woke = sys::wait(&mut watches[..used], until)?;
    let found = &watches[usize::from(other.is_some())..used];
    let ready = Interest {
        read: found.iter().any(|watch| watch.readable),
        write: found.iter().any(|watch| watch.writable),
    };
    Ok(woken(woke, ready))
}

fn woken(woke: sys::Woke, ready: Interest) -> Woken {
    match woke {
        sys::Woke::Ready => Woken::Ready(ready),
        sys::Woke::Deadline => Woken::Deadline,
        sys::Woke::Stopped => Woken::Stopped,
        sys::Woke::Interrupted => Woken::Interrupted,
    }
}
