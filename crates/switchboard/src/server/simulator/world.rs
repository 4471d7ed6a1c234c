//! The simulated network: streams with faults, a listener that has its troubles, a clock that goes
//! where it is told.

use super::super::accept::Accept;
use super::random::Random;
use crate::sys::{Backend, Clock, Level, Readiness};
use crate::transport::{Facts, Interest, Transport};
use crate::{Endpoint, Error, limits};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often what goes wrong, in thousandths of the calls.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    pub(super) interrupted: usize,
    pub(super) would_block: usize,
    pub(super) reset: usize,
    pub(super) short: usize,
    pub(super) accept_exhausted: usize,
    pub(super) accept_none: usize,
    pub(super) spurious: usize,
}

impl Rates {
    /// A swarm: each fault is off in half of the runs, and rare or frequent in the others.
    pub(super) fn swarm(random: &mut Random) -> Rates {
        let mut rate = |max: usize| match random.chance(500) {
            true => random.skewed(1, max),
            false => 0,
        };
        Rates {
            interrupted: rate(300),
            would_block: rate(300),
            reset: rate(20),
            short: rate(1000),
            accept_exhausted: rate(300),
            accept_none: rate(200),
            spurious: rate(200),
        }
    }
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) random: Random,
    pub(super) rates: Rates,
    pub(super) streams: Vec<Stream>,
    /// Connections not yet accepted.
    pub(super) backlog: VecDeque<usize>,
    exhausted_at: Option<Instant>,
}

/// One connection, as the system sees it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) to_server: VecDeque<u8>,
    pub(super) to_client: VecDeque<u8>,
    pub(super) capacity: usize,
    pub(super) client_finished: bool,
    /// The client has gone: nothing it is sent can be taken.
    pub(super) client_gone: bool,
    pub(super) server_finished: bool,
    /// The server has dropped its end.
    pub(super) server_gone: bool,
    pub(super) reset: bool,
    /// By the server.
    pub(super) reset_by_server: Option<Broken>,
    written_at: Option<Instant>,
    /// The fault was the network's, not the client's.
    pub(super) injured: bool,
    /// How often the server has read or written, or given a message to the service.
    pub(super) turns: u64,
    /// How often it had when it was last told that there is something to read.
    turns_when_told: Option<u64>,
    rounds_without: u32,
    /// The server wants to be told.
    is_watched: bool,
}

/// What a reset of the server took from the client, how long after the last write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken {
    pub(super) lost: usize,
    pub(super) waited: Option<Duration>,
}

/// The world, for all who live in it.
#[derive(Clone)]
pub(super) struct Shared(pub(super) Arc<Mutex<World>>);

impl Shared {
    pub(super) fn new(random: Random, rates: Rates) -> Shared {
        Shared(Arc::new(Mutex::new(World {
            now: crate::deadline::now(),
            random,
            rates,
            streams: Vec::new(),
            backlog: VecDeque::new(),
            exhausted_at: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        // After a failure it is still told what the world looked like.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the simulated world")
    }
}

impl Stream {
    /// One that holds so many bytes each way.
    pub(super) fn new(capacity: usize) -> Stream {
        Stream { capacity, ..Stream::default() }
    }
}

impl World {
    /// The trouble that a call has before it does anything.
    fn trouble(&mut self, id: usize) -> io::Result<()> {
        if self.streams[id].reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.random.chance(self.rates.reset) {
            let stream = &mut self.streams[id];
            (stream.reset, stream.injured) = (true, true);
            stream.to_server.clear();
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.random.chance(self.rates.interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.random.chance(self.rates.would_block) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    /// How many of so many bytes a call moves.
    fn moved(&mut self, most: usize) -> usize {
        match self.random.chance(self.rates.short) {
            true if most > 1 => self.random.skewed(1, most),
            _ => most,
        }
    }

    /// Nobody who has something to read, and is to be told so, waits for a third turn of the loop:
    /// in the first it may turn out that nothing was left of what had been read before.
    pub(super) fn check_turns(&mut self) {
        for (id, stream) in self.streams.iter_mut().enumerate() {
            let Some(turns) = stream.turns_when_told.take() else { continue };
            let had_its_turn = stream.turns > turns || !stream.is_watched;
            stream.rounds_without = if had_its_turn { 0 } else { stream.rounds_without + 1 };
            assert!(stream.rounds_without < 2, "{id} was ready, and had no turn in two rounds");
        }
    }

    fn ready(&self, id: usize) -> Interest {
        let stream = &self.streams[id];
        Interest {
            read: !stream.to_server.is_empty() || stream.client_finished || stream.reset,
            write: stream.to_client.len() < stream.capacity || stream.reset || stream.client_gone,
        }
    }
}

/// The server's end of a stream.
#[derive(Debug)]
struct End {
    world: Shared,
    id: usize,
}

impl Transport for End {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut world = self.world.lock();
        world.streams[self.id].turns += 1;
        world.trouble(self.id)?;
        let stream = &world.streams[self.id];
        let room: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        assert!(room > 0, "a read without room looks like the end");
        if stream.to_server.is_empty() {
            return if stream.client_finished { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let most = room.min(stream.to_server.len());
        let count = world.moved(most);
        let mut bytes = world.streams[self.id].to_server.drain(..count);
        for buffer in buffers {
            for (place, byte) in buffer.iter_mut().zip(bytes.by_ref()) {
                *place = byte;
            }
        }
        Ok(count)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!bytes.is_empty(), "a write of nothing");
        let mut world = self.world.lock();
        world.streams[self.id].turns += 1;
        world.trouble(self.id)?;
        let stream = &world.streams[self.id];
        assert!(!stream.server_finished, "written after the half-close");
        if stream.client_gone {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let most = bytes.len().min(stream.capacity - stream.to_client.len());
        if most == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = world.moved(most);
        let now = world.now;
        let stream = &mut world.streams[self.id];
        stream.to_client.extend(&bytes[..count]);
        stream.written_at = Some(now);
        Ok(count)
    }

    fn finish(&self) -> io::Result<()> {
        self.world.lock().streams[self.id].server_finished = true;
        Ok(())
    }

    fn reset(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        let now = world.now;
        let stream = &mut world.streams[self.id];
        let waited = stream.written_at.map(|at| now.duration_since(at));
        stream.reset = true;
        stream.reset_by_server = Some(Broken { lost: stream.to_client.len(), waited });
        stream.to_client.clear();
        Ok(())
    }

    fn undelivered(&self) -> Option<usize> {
        Some(self.world.lock().streams[self.id].to_client.len())
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn local(&self) -> Option<Endpoint> {
        None
    }

    fn remote(&self) -> Option<Endpoint> {
        Some(endpoint(self.id))
    }

    fn facts(&self) -> Facts {
        Facts { half_close: true, reset: true, silent_death: true, in_memory: true }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        let stream = &mut world.streams[self.id];
        (stream.server_gone, stream.server_finished) = (true, true);
        if !stream.to_server.is_empty() {
            // What TCP does when a socket is closed with unread input.
            stream.reset = true;
            stream.to_client.clear();
        }
    }
}

/// A client's address is its number.
pub(super) fn endpoint(id: usize) -> Endpoint {
    Endpoint::tcp("10.0.0.1", u16::try_from(id).unwrap())
}

pub(super) fn id_of(endpoint: &Endpoint) -> usize {
    usize::from(endpoint.port().unwrap())
}

#[derive(Debug)]
pub(super) struct SimListener {
    pub(super) world: Shared,
    /// Never raised: the backend knows it by its number.
    pub(super) name: Level,
}

impl Accept for SimListener {
    fn try_accept(&self) -> Result<Option<Arc<dyn Transport>>, Error> {
        let mut world = self.world.lock();
        let now = world.now;
        if let Some(at) = world.exhausted_at.take() {
            assert!(now >= at + limits::ACCEPT_PAUSE, "accept was called again without a pause");
        }
        let rates = world.rates.clone();
        if world.random.chance(rates.accept_exhausted) {
            world.exhausted_at = Some(now);
            let error = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
            return Err(Error::io("cannot accept on the simulated listener", error));
        }
        if world.random.chance(rates.accept_none) {
            return Ok(None);
        }
        let accepted = world.backlog.pop_front();
        Ok(accepted.map(|id| Arc::new(End { world: self.world.clone(), id }) as _))
    }

    fn turn_away(&self) -> Result<bool, Error> {
        Ok(false)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.name.as_fd()]
    }
}

/// Tells what is ready in the simulated network, and moves its clock.
pub(super) struct SimBackend {
    pub(super) world: Shared,
    pub(super) listener: i32,
    /// Whether the loop's inbox is raised.
    pub(super) inbox: Box<dyn Fn() -> bool>,
    pub(super) inbox_key: Option<u64>,
    pub(super) listener_key: Option<u64>,
    pub(super) watched: BTreeMap<usize, (u64, Interest)>,
}

impl Backend for SimBackend {
    fn clock(&self) -> Clock {
        let world = self.world.clone();
        Box::new(move || world.lock().now)
    }

    fn watch(
        &mut self,
        transport: &Arc<dyn Transport>,
        key: u64,
        before: Interest,
        interest: Interest,
    ) -> io::Result<()> {
        let id = id_of(&transport.remote().unwrap());
        let was = self.watched.remove(&id).map_or(Interest::NONE, |(_, interest)| interest);
        assert_eq!(was, before, "the loop has lost count of what it watches");
        if interest != Interest::NONE {
            self.watched.insert(id, (key, interest));
        }
        self.world.lock().streams[id].is_watched = interest.read;
        Ok(())
    }

    fn watch_descriptor(
        &mut self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        _is_shared: bool,
    ) -> io::Result<()> {
        let is_listener = descriptor.as_raw_fd() == self.listener;
        let slot = if is_listener { &mut self.listener_key } else { &mut self.inbox_key };
        assert!(slot.replace(key).is_none(), "watched twice");
        Ok(())
    }

    fn unwatch_descriptor(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        assert_eq!(descriptor.as_raw_fd(), self.listener);
        assert!(self.listener_key.take().is_some(), "not watched");
        Ok(())
    }

    fn wait(&mut self, found: &mut Vec<Readiness>, timeout: Option<Duration>) -> io::Result<()> {
        found.clear();
        let mut world = self.world.lock();
        if (self.inbox)() {
            found.extend(self.inbox_key.map(|key| Readiness { key, ready: Interest::READ }));
        }
        let spurious = world.rates.spurious;
        if !world.backlog.is_empty() || world.random.chance(spurious) {
            found.extend(self.listener_key.map(|key| Readiness { key, ready: Interest::READ }));
        }
        for (&id, &(key, interest)) in &self.watched {
            let ready = world.ready(id);
            let mut ready = Interest {
                read: ready.read && interest.read,
                write: ready.write && interest.write,
            };
            if world.random.chance(spurious) {
                ready = interest;
            }
            if ready != Interest::NONE {
                found.push(Readiness { key, ready });
            }
            let stream = &mut world.streams[id];
            stream.turns_when_told = ready.read.then_some(stream.turns);
        }
        // The order is the system's.
        for last in (1..found.len()).rev() {
            found.swap(last, world.random.below(last + 1));
        }
        if found.is_empty() {
            let most = timeout.unwrap_or(Duration::from_millis(50)).min(Duration::from_millis(50));
            let most = usize::try_from(most.as_micros()).unwrap();
            let passed = world.random.skewed(0, most);
            world.now += Duration::from_micros(passed as u64);
            if timeout.is_some() && world.random.chance(500) {
                world.now += most_of(timeout, passed);
            }
        }
        Ok(())
    }
}

/// The rest of a timeout, of which some has passed, as far as the world is patient.
fn most_of(timeout: Option<Duration>, passed: usize) -> Duration {
    let rest = timeout.unwrap_or_default().saturating_sub(Duration::from_micros(passed as u64));
    rest.min(Duration::from_millis(200))
}
