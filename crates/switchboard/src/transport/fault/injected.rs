//! A transport that faults are done to in process: [`Injected`].
//!
//! It drives the same engine as a proxy does, over one transport instead of two.

use super::link::{Link, Over, Turn};
use super::plan::Plan;
use super::record::Record;
use crate::deadline::{self, earlier};
use crate::transport::passed_on::passed_on;
use crate::transport::{Interest, Transport, Wait, Woken};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use switchboard_frame::{Protocol, Role};

/// Bytes taken at once.
const READ_BYTES: usize = 16 * 1024;

/// Passes a stream on as a [`Plan`] says.
///
/// A read gives what would have come in one piece; a write is taken when it is, and goes out when
/// its time has come: as long as somebody waits, reads, writes or flushes. Who waits elsewhere than
/// in [`wait`](Transport::wait), as a server and [`select`](crate::select()) do, has to do without
/// faults of time. Faults of connections do nothing here, and `dead` reads no more.
///
/// ```
/// use std::sync::Arc;
/// use switchboard::Transport;
/// use switchboard::frame::Role;
/// use switchboard::transport::fault::{Injected, Plan};
/// use switchboard::transport::pair;
///
/// let protocol = "lines".parse()?;
/// let plan = Plan::new(["dup@c2s msg:1".parse()?], Some(&protocol))?;
/// let (ours, theirs) = pair()?;
/// let ours = Injected::new(Arc::new(ours), Role::Client, &plan, Some(&protocol), 7, 1, drop);
/// ours.write(b"hello\n")?;
/// let mut buffer = [0; 32];
/// let count = theirs.read(&mut buffer)?;
/// assert_eq!(&buffer[..count], b"hello\nhello\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Injected {
    inner: Arc<dyn Transport>,
    role: Role,
    state: Mutex<State>,
}

struct State {
    link: Link,
    report: Box<dyn FnMut(Record) + Send>,
    /// The peer's end was read.
    ended: bool,
    /// And has come out of the link.
    told: bool,
    /// Both were reset.
    broken: bool,
}

impl Injected {
    /// This side is the `role` of the conversation with the number `conversation`; `report` is
    /// called for each fault that happens, in the thread that makes it happen.
    pub fn new(
        inner: Arc<dyn Transport>,
        role: Role,
        plan: &Plan,
        protocol: Option<&Protocol>,
        seed: u64,
        conversation: u64,
        report: impl FnMut(Record) + Send + 'static,
    ) -> Injected {
        let link = Link::new(plan, protocol, seed, conversation, deadline::now());
        let report = Box::new(report);
        let state = State { link, report, ended: false, told: false, broken: false };
        Injected { inner, role, state: Mutex::new(state) }
    }

    fn peer(&self) -> Role {
        self.role.other()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what may go by now.
    fn push(&self, state: &mut State) {
        let now = deadline::now();
        state.link.tick(now);
        loop {
            let written = match state.link.turn(self.role, now) {
                Turn::Wait => break,
                Turn::Finish => {
                    // It fails when the peer is gone already, and then reading tells.
                    let _ = self.inner.finish();
                    continue;
                }
                Turn::Write(bytes) => self.inner.write(bytes),
            };
            match written {
                Ok(count) => state.link.wrote(self.role, count, now),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => state.link.untaken(self.role, now),
            }
        }
        self.look(state);
    }

    /// Reads what the peer wrote, as far as it is wanted.
    fn pull(&self, state: &mut State) {
        let mut buffer = [0; READ_BYTES];
        let (peer, now) = (self.peer(), deadline::now());
        while !state.ended && state.link.reads(peer) && !state.link.is_dead(peer) {
            match self.inner.read(&mut buffer) {
                Ok(0) => {
                    state.ended = true;
                    state.link.ended(peer, now);
                }
                Ok(count) => {
                    state.link.received(peer, &buffer[..count], now);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    state.ended = true;
                    state.link.broken(peer, now);
                }
            }
        }
        self.look(state);
    }

    /// Tells what happened, and breaks the stream when that did.
    fn look(&self, state: &mut State) {
        for record in state.link.take_records() {
            (state.report)(record);
        }
        if state.link.over() == Some(Over::Reset) && !state.broken {
            state.broken = true;
            // The peer may be gone already.
            let _ = self.inner.reset();
        }
    }

    /// Whether a read would give something.
    fn is_readable(&self, state: &mut State) -> bool {
        match state.link.turn(self.peer(), deadline::now()) {
            Turn::Write(_) => return true,
            Turn::Finish => state.told = true,
            Turn::Wait => {}
        }
        state.told || state.link.over().is_some()
    }

    /// What the transport itself is to be waited for.
    fn wanted(&self, state: &mut State, read: bool) -> Interest {
        let (peer, link) = (self.peer(), &mut state.link);
        let read = read && !state.ended && link.reads(peer) && !link.is_dead(peer);
        let write = matches!(link.turn(self.role, deadline::now()), Turn::Write(_));
        Interest { read, write }
    }
}

impl Transport for Injected {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.lock();
        self.push(&mut state);
        self.pull(&mut state);
        let now = deadline::now();
        if buffer.is_empty() || state.told {
            return Ok(0);
        }
        let count = match state.link.turn(self.peer(), now) {
            Turn::Write(bytes) => {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                count
            }
            Turn::Finish => {
                state.told = true;
                return Ok(0);
            }
            Turn::Wait => {
                self.look(&mut state);
                return match state.link.over() {
                    Some(Over::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
                    Some(Over::Closed) => Ok(0),
                    None => Err(io::ErrorKind::WouldBlock.into()),
                };
            }
        };
        state.link.wrote(self.peer(), count, now);
        self.look(&mut state);
        Ok(count)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        self.push(&mut state);
        if state.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if !state.link.reads(self.role) {
            return Err(match state.link.over() {
                Some(_) => io::ErrorKind::BrokenPipe.into(),
                None => io::ErrorKind::WouldBlock.into(),
            });
        }
        let count = bytes.len().min(READ_BYTES);
        state.link.received(self.role, &bytes[..count], deadline::now());
        self.push(&mut state);
        Ok(count)
    }

    fn finish(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.link.ended(self.role, deadline::now());
        self.push(&mut state);
        Ok(())
    }

    fn reset(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.broken = true;
        state.link.broken(self.role, deadline::now());
        self.inner.reset()
    }

    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        loop {
            let mut state = self.lock();
            self.push(&mut state);
            if interest.read {
                self.pull(&mut state);
            }
            let ready = Interest {
                read: interest.read && self.is_readable(&mut state),
                write: interest.write
                    && (state.link.reads(self.role) || state.link.over().is_some()),
            };
            if ready != Interest::NONE {
                return Ok(Woken::Ready(ready));
            }
            let now = deadline::now();
            let next = state.link.deadline(now);
            let wanted = self.wanted(&mut state, interest.read);
            drop(state);
            let sooner = Wait { deadline: earlier(until.deadline, next), ..*until };
            match self.inner.wait(wanted, &sooner)? {
                Woken::Deadline if deadline::has_passed(until.deadline) => {
                    return Ok(Woken::Deadline);
                }
                Woken::Deadline | Woken::Ready(_) => {}
                other => return Ok(other),
            }
        }
    }

    fn interest(&self, wanted: Interest) -> Interest {
        let mut state = self.lock();
        let inner = self.wanted(&mut state, wanted.read);
        self.inner.interest(inner)
    }

    fn flush(&self) -> io::Result<bool> {
        let mut state = self.lock();
        self.push(&mut state);
        Ok(self.inner.flush()? && !state.link.holds(self.role))
    }

    fn holds_input(&self) -> bool {
        let mut state = self.lock();
        self.is_readable(&mut state) || self.inner.holds_input()
    }

    passed_on! {
        disown undelivered opening read_descriptor write_descriptor local remote client name
        set_liveness silence process tls facts
    }
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Injected").field(&self.inner).finish()
    }
}
