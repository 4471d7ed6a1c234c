//! The event loop in a simulated world: every call can be interrupted, cut short, put off or reset,
//! and the clock goes where the simulation has it.
//!
//! A run is decided by its seed. `SWITCHBOARD_SEEDS=20000` asks for more runs than the usual, and
//! `SWITCHBOARD_SEED=N` for one alone:
//!
//! ```text
//! SWITCHBOARD_SEED=42 cargo test -p switchboard --lib simulator
//! ```
//!
//! After each round: what the service was given is the beginning of what each client sent, message
//! for message; what each client received decodes to the beginning of the answers to that; what is
//! queued is within bounds; whoever had something to say had a turn. In the end: nobody who behaved
//! lost anything, each was told the ending that was his, those of services that failed by a reset
//! behind their answers, and nothing is left.
//!
//! Some runs end by a drain with a deadline: two slots of the wheel after it nobody is left, and
//! who behaved has all his answers, or is named among those that were cut off.

mod client;
mod random;
mod world;

use super::bench::Setup;
use super::events::Loop;
use super::inbox::Inbox;
use super::sender::{Pending, Sender, SlowPeer};
use super::shared::Shared as Server;
use super::{Heartbeat, Limits, Reply, Service};
use crate::session::{Message, Timeouts};
use crate::sys::Level;
use crate::{Ending, Error};
use client::{Client, End, answers};
use random::Random;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use switchboard_frame::Framing;
use world::{Broken, Rates, Shared, SimBackend, SimListener, Stream};

const FRAMINGS: [&str; 7] = [
    "u32be",
    "lines",
    "netstring",
    "crlf",
    "uleb",
    "len:u16be deliver=body",
    "2* u16be ; x0b body x1c0d",
];

/// Rounds after which a run that is not over never will be.
const ROUNDS_MAX: u64 = 200_000;

/// What the services have seen and owe.
#[derive(Default)]
struct Log {
    conversations: BTreeMap<usize, Seen>,
    promises: Vec<(Pending, Vec<u8>)>,
    senders: Vec<Sender>,
    paused: Vec<Sender>,
}

#[derive(Debug, Default)]
struct Seen {
    messages: Vec<Vec<u8>>,
    finished: bool,
    panicked: bool,
    /// The framing the server has told, and the error.
    closed: Option<(Ending, Option<String>)>,
}

#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Log>>);

impl Logged {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what the messages ask for.
struct Asked {
    log: Logged,
    world: Shared,
    id: Option<usize>,
}

impl Asked {
    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        let id = self.id.expect("opened comes first");
        let mut log = self.log.lock();
        let seen = log.conversations.get_mut(&id).unwrap();
        assert!(seen.closed.is_none() && !seen.panicked, "a service is called after its end");
        look(seen)
    }
}

impl Service for Asked {
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        let id = world::id_of(&reply.remote().unwrap());
        assert!(self.id.replace(id).is_none(), "opened twice");
        let before = self.log.lock().conversations.insert(id, Seen::default());
        assert!(before.is_none(), "two services for one conversation");
        Ok(())
    }

    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.seen(|seen| {
            assert!(!seen.finished, "a message after the end");
            seen.messages.push(message.to_vec());
        });
        self.world.lock().streams[self.id.unwrap_or(0)].turns += 1;
        let (replies, _) = answers(&message);
        match message[0] {
            b'l' => {
                let pending = reply.later();
                self.log.lock().promises.push((pending, replies[0].clone()));
            }
            b'k' => reply.later().skip()?,
            b'z' => drop(reply.later()),
            _ => replies.iter().try_for_each(|answer| reply.send(answer))?,
        }
        match message[0] {
            b's' => self.log.lock().senders.push(reply.sender(SlowPeer::DropNewest)?),
            b'u' => {
                reply.pause();
                self.log.lock().paused.push(reply.sender(SlowPeer::DropNewest)?);
            }
            b'x' => reply.close(),
            b'f' => return Err(Error::caller("as it was asked")),
            b'p' => {
                self.seen(|seen| seen.panicked = true);
                // Without the noise of a hook.
                std::panic::resume_unwind(Box::new("as it was asked"));
            }
            _ => {}
        }
        Ok(())
    }

    fn finished(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.seen(|seen| assert!(!std::mem::replace(&mut seen.finished, true), "finished twice"));
        reply.close();
        Ok(())
    }

    fn tick(&mut self, _: &mut Reply<'_>) -> Result<(), Error> {
        self.seen(|_| ());
        Ok(())
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        self.seen(|seen| seen.closed = Some((ending, error.map(ToString::to_string))));
    }
}

fn limits(random: &mut Random) -> Limits {
    let high = random.skewed(1, 100_000);
    Limits {
        conversations_max: random.skewed(1, 40),
        messages_per_turn: random.skewed(1, 100),
        queue_high_bytes: high,
        queue_low_bytes: random.below(high),
        later_max: random.skewed(1, 20),
        timeouts: Timeouts {
            message: Some(Duration::from_secs(20)),
            rate_min: NonZeroU32::new(1),
            idle: Some(Duration::from_secs(30)),
            stall: Some(Duration::from_secs(40)),
        },
        tick: random.chance(300).then(|| Duration::from_millis(random.skewed(1, 5000) as u64)),
        heartbeat: random.chance(300).then(|| Heartbeat {
            interval: Duration::from_millis(random.skewed(100, 5000) as u64),
            message: b"Heartbeat".to_vec(),
        }),
        ..Limits::default()
    }
}

struct Run {
    world: Shared,
    clients: Vec<Client>,
    log: Logged,
    server: Arc<Server>,
    framing: Framing,
    limits: Limits,
    /// The server is stopped before everyone is done.
    stops_early: bool,
    /// In which round it is stopped at the latest.
    stops_at: u64,
    /// How long the stop may take; and when that is over, once it has begun.
    drains: Option<Duration>,
    drains_by: Option<Instant>,
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let spec = *random.pick(&FRAMINGS);
    let framing: Framing = Framing::parse(spec).unwrap();
    let limits = limits(&mut random);
    let rates = Rates::swarm(&mut random);
    let clients = random.skewed(1, 30);
    let clients = (0..clients).map(|id| Client::new(id, &framing, &mut random)).collect();
    let stops_early = random.chance(150);
    let stops_at = if stops_early { random.skewed(0, 500) as u64 } else { ROUNDS_MAX };
    let drains = (stops_early && random.chance(700)).then(|| {
        let milliseconds = random.skewed(0, 20_000);
        Duration::from_millis(milliseconds as u64)
    });
    let world = Shared::new(random, rates);
    let mut run = Run {
        world,
        clients,
        log: Logged::default(),
        server: Arc::new(Server::new()),
        framing,
        limits,
        stops_early,
        stops_at,
        drains,
        drains_by: None,
    };
    run.go();
}

impl Run {
    fn go(&mut self) {
        {
            let mut world = self.world.lock();
            for _ in &self.clients {
                let capacity = world.random.skewed(500, 200_000);
                world.streams.push(Stream::new(capacity));
            }
        }
        let protocol = switchboard_frame::Protocol::symmetric(self.framing.clone());
        let setup = Arc::new(Setup::new(&protocol, &self.limits));
        self.server.door.set(&self.limits, self.limits.conversations_max, None);
        let listener = SimListener { world: self.world.clone(), name: Level::new().unwrap() };
        let inbox = Arc::new(Inbox::new().unwrap());
        let raised = Arc::clone(&inbox);
        let backend = SimBackend {
            world: self.world.clone(),
            listener: listener.name.as_fd().as_raw_fd(),
            inbox: Box::new(move || raised.is_raised()),
            inbox_key: None,
            listener_key: None,
            watched: BTreeMap::new(),
        };
        let listeners = vec![Arc::new(listener) as Arc<dyn super::accept::Accept>];
        let (log, world) = (self.log.clone(), self.world.clone());
        let make = move || Asked { log: log.clone(), world: world.clone(), id: None };
        let mut the_loop =
            Loop::new(backend, inbox, &setup, &self.server, listeners, None, &make).unwrap();
        the_loop.begin_rounds().unwrap();
        let mut round = 0;
        while !the_loop.is_over() {
            round += 1;
            assert!(round < ROUNDS_MAX, "it goes on for ever: {}", self.tell());
            self.world_goes_on(round);
            the_loop.round().unwrap();
            self.check();
        }
        drop(the_loop);
        self.check_end();
    }

    /// The clients, and whoever else has something to do, do some of it.
    fn world_goes_on(&mut self, round: u64) {
        let mut world = self.world.lock();
        for client in &mut self.clients {
            client.step(&mut world);
        }
        let all_done = self.clients.iter().all(|client| client.is_done(&world));
        let mut random = world.random.clone();
        world.random.next();
        drop(world);
        if all_done || round >= self.stops_at {
            self.stop();
        }
        let mut log = self.log.lock();
        while !log.promises.is_empty() && random.chance(700) {
            // In any order; a conversation that is over wants none.
            let place = random.below(log.promises.len());
            let (pending, answer) = log.promises.swap_remove(place);
            let _ = pending.send(answer);
        }
        if random.chance(200)
            && let Some(sender) = log.senders.get(random.below(log.senders.len().max(1)))
        {
            let _ = sender.send(&b"Push"[..]);
        }
        if random.chance(300) {
            log.paused.drain(..).for_each(|paused| paused.resume());
        }
    }

    fn stop(&mut self) {
        let Some(within) = self.drains else { return self.server.stop() };
        // Again and again, which makes the time no longer.
        let now = self.world.lock().now;
        self.server.drain(now, within);
        self.drains_by.get_or_insert(now + within);
    }

    fn tell(&self) -> String {
        let log = self.log.lock();
        let world = self.world.lock();
        let mut text =
            format!("{:?}\n{:?}\n{:?}\n", self.framing.to_string(), self.limits, world.rates);
        for client in &self.clients {
            let stream = &world.streams[client.id];
            let seen = log.conversations.get(&client.id);
            let given = seen.map(|seen| (seen.messages.len(), seen.finished, &seen.closed));
            text.push_str(&format!(
                "{}: {:?}, {} messages, {} received, saw end {}; to server {}, to client {}, \
                 finished {}/{}, gone {}/{}, reset {}, injured {}; given {given:?}\n",
                client.id,
                client.end,
                client.messages.len(),
                client.received.len(),
                client.saw_end,
                stream.to_server.len(),
                stream.to_client.len(),
                stream.client_finished,
                stream.server_finished,
                stream.client_gone,
                stream.server_gone,
                stream.reset,
                stream.injured,
            ));
        }
        text
    }

    /// What holds after every round.
    fn check(&self) {
        self.world.lock().check_turns();
        let log = self.log.lock();
        for (id, seen) in &log.conversations {
            let sent = &self.clients[*id].messages;
            let count = seen.messages.len();
            assert!(count <= sent.len(), "client {id}: messages that were never sent");
            // What was right in an earlier round still is.
            if let Some(last) = seen.messages.last() {
                assert_eq!(last, &sent[count - 1], "client {id}: message {count}");
            }
        }
        let stats = self.server.stats();
        // Two slots of the wheel, and what the clock of this world jumps by at the most.
        let now = self.world.lock().now;
        let late = self.drains_by.is_some_and(|by| now > by + Duration::from_millis(2 * 16));
        assert!(!late || stats.open == 0, "{} are open after the drain", stats.open);
        // A turn reads 64 KiB at most, and no message asks for more than 40 KB for two bytes.
        let each = self.limits.queue_high_bytes as u64 + (1 << 21) + (1 << 16);
        let bound = each * self.clients.len() as u64;
        assert!(stats.queued_bytes <= bound, "{} bytes are queued", stats.queued_bytes);
        assert!(stats.open <= self.limits.conversations_max as u64);
    }

    fn check_end(&mut self) {
        let stats = self.server.stats();
        assert_eq!((stats.open, stats.queued_bytes), (0, 0), "something is left\n{}", self.tell());
        let served = self.log.lock().conversations.len() as u64;
        assert_eq!((stats.accepted, stats.endings.sum()), (served, served));
        let cut_off = self.server.drain.cut_off();
        assert_eq!(stats.cut_off, cut_off.len() as u64);
        assert!(cut_off.is_empty() || self.drains.is_some());
        for client in 0..self.clients.len() {
            // What still lies in the network is read to the end.
            while !self.clients[client].saw_end && self.clients[client].reads_all() {
                let mut world = self.world.lock();
                if !world.streams[client].server_gone {
                    break;
                }
                self.clients[client].read(&mut world);
            }
            self.check_client(&self.clients[client]);
        }
    }

    fn check_client(&self, client: &Client) {
        let log = self.log.lock();
        let Some(seen) = log.conversations.get(&client.id) else {
            assert!(self.stops_early, "client {} was never served", client.id);
            return;
        };
        let (injured, broken) = {
            let stream = &self.world.lock().streams[client.id];
            (stream.injured, stream.reset_by_server)
        };
        let mut expected = Vec::new();
        let (mut ended_by_service, mut failed) = (false, false);
        for message in &seen.messages {
            let (answers, ends) = answers(message);
            if !ended_by_service {
                expected.extend(answers);
            }
            failed |= ends && !ended_by_service && message[0] != b'x';
            ended_by_service |= ends;
        }
        let mut replies = client.replies(&self.framing);
        replies.retain(|reply| reply != b"Push" && reply != b"Heartbeat");
        let id = client.id;
        let told = || format!("client {id}\n{}", self.tell_locked(&log));
        assert!(replies.len() <= expected.len(), "more answers than questions: {}", told());
        assert_eq!(replies[..], expected[..replies.len()], "{}", told());
        let (ending, _) = match &seen.closed {
            Some((ending, error)) => (*ending, error),
            None => {
                assert!(seen.panicked, "never told its end: {}", told());
                (Ending::Stopped, &None)
            }
        };
        let loses_nothing = broken.map_or(!client.saw_reset, |broken| broken.lost == 0);
        let well_behaved = !injured && client.reads_all() && loses_nothing;
        let cut_off = self.server.drain.cut_off();
        let name = world::endpoint(id).to_string();
        let was_cut_off = cut_off.iter().any(|cut| cut.peer == name);
        if well_behaved && ending != Ending::TimedOut && !was_cut_off {
            assert_eq!(replies.len(), expected.len(), "answers were lost: {}", told());
            assert!(client.saw_end, "{}", told());
        }
        if let Some(Broken { lost, waited }) = broken {
            assert!(failed, "a reset of one that did not fail: {}", told());
            let was_early = lost > 0 && waited.is_some_and(|waited| waited < self.limits.linger);
            let is_there = !injured && client.reads_all();
            assert!(
                !was_early || was_cut_off || !is_there,
                "a reset that could have waited: {}",
                told()
            );
        }
        if failed && !injured && client.reads_all() && client.saw_end {
            assert!(client.saw_reset, "who failed has said a clean end: {}", told());
        }
        if !injured && client.reads_all() && !ended_by_service && !self.stops_early {
            assert_eq!(seen.messages.len(), client.messages.len(), "not all given: {}", told());
            let expected = match client.end {
                End::Finish => Ending::Finished,
                End::Truncate => Ending::Truncated,
                End::Silence => Ending::TimedOut,
                End::Reset | End::Vanish => return,
            };
            assert_eq!(ending, expected, "{}", told());
        }
    }

    fn tell_locked(&self, log: &Log) -> String {
        let seen: Vec<String> =
            log.conversations.iter().map(|(id, seen)| format!("{id}: {:?}", seen.closed)).collect();
        format!("{}\n{:?}\n{}", self.framing, self.limits, seen.join("\n"))
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_goes_wrong_nobody_who_behaves_loses_anything() {
    if let Some(seed) = number("SWITCHBOARD_SEED") {
        return run(seed);
    }
    for seed in 0..number("SWITCHBOARD_SEEDS").unwrap_or(1000) {
        if let Err(cause) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!(
                "seed {seed} failed; again with\n  \
                 SWITCHBOARD_SEED={seed} cargo test -p switchboard --lib simulator"
            );
            std::panic::resume_unwind(cause);
        }
    }
}
