//! Serving: one [`Service`] for any number of conversations, under any dispatcher.
//!
//! ```
//! use switchboard::server::{Dispatch, Reply, Server};
//!
//! let server = Server::new("u32be")?
//!     .listen("127.0.0.1:0")?
//!     .with_dispatch(Dispatch::events()); // or Dispatch::threads()
//! let running = server.start(|| |message: &[u8], reply: &mut Reply<'_>| reply.send(message))?;
//!
//! let endpoint = running.endpoints()[0].to_string();
//! let mut client = switchboard::Conversation::connect(&endpoint, "u32be")?;
//! assert_eq!(&*client.request(b"hello")?, b"hello");
//! client.close()?;
//! assert_eq!(running.stop()?.messages_received, 1);
//! # Ok::<(), switchboard::Error>(())
//! ```
//!
//! A [`Server`] owns listeners, a protocol, a dispatcher and [`Limits`]. It makes one service for
//! each conversation and drives them by turns ([`turn`](self)): a dispatcher decides no more than
//! when a turn comes about.
//!
//! **Invariant:** the same service gives the same answers under every dispatcher. An error or a
//! panic in one conversation ends that one and touches no other. A listener does not die of an
//! error of `accept`.

mod accept;
mod acceptor;
mod bench;
mod conversations;
mod dispatch;
mod door;
mod drain;
mod events;
mod group;
mod handover;
mod in_service;
mod inbox;
mod limits;
mod line;
mod notify;
mod per_address;
mod processes;
mod reply;
mod running;
mod sender;
mod service;
mod shared;
#[cfg(test)]
mod simulator;
mod stats;
mod succession;
mod threads;
mod turn;

pub use bytes::Bytes;
pub use dispatch::Dispatch;
pub use drain::CutOff;
pub use group::Group;
pub use limits::{Heartbeat, Limits};
pub use notify::notify;
pub use per_address::PerAddress;
pub use reply::Reply;
pub use running::Running;
pub use sender::{Pending, Sender, SlowPeer};
pub use service::{Outcome, Service};
pub use shared::Handle;
pub use stats::{Endings, Stats};

use crate::conversation::parse_protocol;
use crate::{Conversation, Endpoint, Error, ListenOptions, Listener, Liveness, Stopper, Transport};
use accept::Accept;
use bench::{Bench, Setup};
use dispatch::Kind;
use handover::Handover;
use inbox::Inbox;
use shared::Shared;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use succession::Succession;
use switchboard_frame::Protocol;

/// Where a service is served: listeners, a protocol, a dispatcher, limits. See the
/// [module](self).
///
/// ```
/// use std::time::Duration;
/// use switchboard::server::{Limits, Reply, Server};
/// use switchboard::{Dispatch, ListenOptions, Listener, Stopper, Timeouts};
///
/// let options = ListenOptions::default().with_backlog(1024);
/// let timeouts = Timeouts::all(Duration::from_secs(30));
/// let stopper = Stopper::new().map_err(|error| switchboard::Error::io("cannot stop", error))?;
/// let server = Server::new("lines max=64KiB")?
///     .listen("127.0.0.1:0")? // And, made with options of one's own:
///     .with_listener(Listener::bind(&"127.0.0.1:0".parse().unwrap(), &options)?)
///     .with_dispatch(Dispatch::threads().with_threads_max(32))
///     .with_limits(Limits { timeouts, ..Limits::default() })
///     .with_stopper(&stopper);
/// assert_eq!(server.endpoints().len(), 2);
/// stopper.stop(); // From a signal handler, say.
/// let stats = server.serve(|| |message: &[u8], reply: &mut Reply<'_>| reply.send(message))?;
/// assert_eq!(stats.accepted, 0);
/// # Ok::<(), switchboard::Error>(())
/// ```
///
/// It listens from the moment it is told to, and accepts once it [serves](Self::serve): who
/// connects before that waits in the backlog. Dropped, it listens no longer.
#[derive(Debug)]
pub struct Server {
    protocol: Protocol,
    listeners: Vec<Arc<Listener>>,
    dispatch: Dispatch,
    limits: Limits,
    liveness: Option<Liveness>,
    stopper: Option<Stopper>,
    /// Stopped when the process in front of this one ends.
    lifeline: Option<Stopper>,
    conversations_in_all: Option<u64>,
    succession: Succession,
    shared: Arc<Shared>,
}

impl Server {
    /// A server of a framing or a protocol, as a string: `u32be`, `postgres`, .. It listens nowhere
    /// yet.
    ///
    /// # Errors
    /// The string is no framing.
    pub fn new(framing: &str) -> Result<Server, Error> {
        Ok(Server::of(&parse_protocol(framing)?))
    }

    /// A server of a protocol.
    #[must_use]
    pub fn of(protocol: &Protocol) -> Server {
        Server {
            protocol: protocol.clone(),
            listeners: Vec::new(),
            dispatch: Dispatch::default(),
            limits: Limits::default(),
            liveness: None,
            stopper: None,
            lifeline: None,
            conversations_in_all: None,
            succession: Succession::default(),
            shared: Arc::new(Shared::new()),
        }
    }

    /// Listens on an endpoint, and on those given before, with the default
    /// [`ListenOptions`].
    ///
    /// # Errors
    /// The string is no endpoint; or as [`Listener::bind`]: the address is in use, reserved, or not
    /// of this machine.
    pub fn listen(self, endpoint: &str) -> Result<Server, Error> {
        let fail = |error| Error::caller("cannot listen").with_source(error);
        let endpoint = endpoint.parse::<Endpoint>().map_err(fail)?;
        self.listen_on(&endpoint, &ListenOptions::default())
    }

    /// Accepts from a listener too, made with options of one's own.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Server {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// How conversations are driven; [`Dispatch::threads`] if nothing is said.
    #[must_use]
    pub fn with_dispatch(self, dispatch: Dispatch) -> Server {
        self.shared.set_forks(matches!(dispatch.kind, Kind::Processes { .. }));
        Server { dispatch, ..self }
    }

    /// What bounds the server.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Server {
        Server { limits, ..self }
    }

    /// How a peer that has silently gone is noticed, on every connection that this server accepts:
    /// from listeners given before and after this, whatever their own options say. Without it each
    /// listener has its own.
    ///
    /// What the clocks of [`Limits`] bound is another thing, a peer whose machine still answers.
    #[must_use]
    pub fn with_liveness(self, liveness: Liveness) -> Server {
        Server { liveness: Some(liveness), ..self }
    }

    /// Stops the server as [`Handle::stop`] does, once this stopper has stopped: from a signal
    /// handler, for one.
    #[must_use]
    pub fn with_stopper(self, stopper: &Stopper) -> Server {
        Server { stopper: Some(stopper.clone()), ..self }
    }

    /// How long a stop may take that a [stopper](Self::with_stopper) begins: as
    /// [`Handle::drain`] has it. Without it as long as [`Handle::stop`] says.
    #[must_use]
    pub fn with_drain(self, within: Duration) -> Server {
        self.shared.drain.set_within(within);
        self
    }

    /// Accepts so many conversations in all and no more; serving returns when the last of them is
    /// over.
    #[must_use]
    pub fn with_conversations_in_all(self, conversations: u64) -> Server {
        Server { conversations_in_all: Some(conversations), ..self }
    }

    /// Where it listens, with the port that was chosen for port 0.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.listeners.iter().flat_map(|listener| listener.endpoints()).collect()
    }

    /// Asks the server things, and stops it, while it serves.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared), endpoints: self.endpoints().into() }
    }

    /// Serves in the thread that calls it, until [stopped](Handle::stop) or until
    /// [so many conversations](Self::with_conversations_in_all) are over. Gives what was done.
    ///
    /// `make` makes the service of each conversation, in the thread that drives it: the service
    /// stays there and need not be `Send`; what `make` captures is shared. Should it panic, that
    /// conversation is reset before it begins.
    ///
    /// # Errors
    /// A limit that cannot be, by its name, before anything is served. A listener is broken, or the
    /// system has no descriptor for a loop; what was open is then closed, and this returns when
    /// that is done. What goes wrong in a conversation is told to [`Service::closed`] and counted.
    pub fn serve<S: Service>(mut self, make: impl Fn() -> S + Send + Sync) -> Result<Stats, Error> {
        let token = AtomicU64::new(0);
        let prepared = self.prepare()?;
        match &self.dispatch.kind {
            Kind::Threads { stack_bytes, .. } => {
                prepared.threads(&self, *stack_bytes, |transport, bench| {
                    let token = token.fetch_add(1, Ordering::Relaxed);
                    threads::converse(transport, &make, bench, token);
                })
            }
            Kind::Processes { .. } => prepared.processes(&self, &|transport, bench| {
                let token = token.fetch_add(1, Ordering::Relaxed);
                threads::converse(transport, &make, bench, token);
            }),
            Kind::Events { loops } => prepared.events(&self, *loops, &make),
        }
    }

    /// Serves with a function that is given a blocking [`Conversation`] and waits as it likes. When
    /// it returns `Ok` the conversation is [closed](Conversation::close), so that the peer loses
    /// nothing. After an error or a panic what is pending is delivered too, and then the peer is
    /// told by a reset, as of a [`Service`] that fails. After an error that is an ending of this
    /// very conversation (its deadline, its peer's fault, a stop) it is dropped. A stop ends every
    /// call of it that waits, with the ending `stopped`. Of [`Limits`], those of counts, sizes and
    /// timeouts hold for it; ticks, heartbeats and queues are of services alone.
    ///
    /// ```
    /// use switchboard::Conversation;
    /// use switchboard::server::Server;
    ///
    /// let server = Server::new("lines")?.listen("127.0.0.1:0")?.with_conversations_in_all(1);
    /// let endpoint = server.endpoints()[0].to_string();
    /// let serving = std::thread::spawn(move || {
    ///     server.serve_conversations(|conversation| {
    ///         while let Some(message) = conversation.recv_owned()? {
    ///             conversation.queue(&message)?;
    ///         }
    ///         Ok(())
    ///     })
    /// });
    /// let mut client = Conversation::connect(&endpoint, "lines")?;
    /// assert_eq!(&*client.request(b"echo me")?, b"echo me");
    /// client.close()?;
    /// assert_eq!(serving.join().unwrap()?.accepted, 1);
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Self::serve); and the dispatcher is *events*, whose loops must not be kept
    /// waiting.
    pub fn serve_conversations<H>(mut self, handler: H) -> Result<Stats, Error>
    where
        H: Fn(&mut Conversation) -> Result<(), Error> + Send + Sync,
    {
        self.dispatch.check_waiting()?;
        let prepared = self.prepare()?;
        let stopper = Stopper::new().map_err(|error| Error::io("cannot make a stopper", error))?;
        let last = Stopper::new().map_err(|error| Error::io("cannot make a stopper", error))?;
        let stoppers = conversations::Stoppers { stop: stopper, last };
        let work = |transport: Arc<dyn Transport>, bench: &mut Bench| {
            conversations::converse(transport, &handler, bench, &stoppers);
        };
        match self.dispatch.kind {
            Kind::Threads { stack_bytes, .. } => {
                self.shared.on_stop(&stoppers.stop);
                self.shared.drain.on_deadline(&stoppers.last);
                prepared.threads(&self, stack_bytes, work)
            }
            Kind::Processes { .. } => prepared.processes(&self, &work),
            Kind::Events { .. } => unreachable!("its loops must not be kept waiting"),
        }
    }

    /// How many processes there may be.
    fn sizes(&self) -> processes::Sizes {
        let most = |count: usize| count.min(self.limits.conversations_max);
        match self.dispatch.kind {
            Kind::Processes { processes_max, pool } => processes::Sizes {
                conversations_max: most(processes_max),
                pool: pool.map_or(0, most),
            },
            _ => processes::Sizes { conversations_max: 0, pool: 0 },
        }
    }

    fn prepare(&mut self) -> Result<Prepared, Error> {
        self.limits.check(&self.protocol)?;
        self.dispatch.check()?;
        let open_max = self.dispatch.conversations_max().min(self.limits.conversations_max);
        self.shared.door.set(&self.limits, open_max, self.conversations_in_all);
        self.shared.set_queued_max(self.limits.queued_bytes_in_all_max);
        if let Some(liveness) = self.liveness {
            self.listeners.iter().for_each(|listener| listener.set_liveness(liveness));
        }
        let setup = Arc::new(Setup::new(&self.protocol, &self.limits));
        let succession = std::mem::take(&mut self.succession);
        Ok(Prepared { setup, listeners: std::mem::take(&mut self.listeners), succession })
    }
}

/// What is ready to be driven.
struct Prepared {
    setup: Arc<Setup>,
    listeners: Vec<Arc<Listener>>,
    succession: Succession,
}

/// What a loop is made of, in the thread that serves.
struct LoopPart {
    backend: crate::sys::SystemBackend,
    inbox: Arc<Inbox>,
    listeners: Vec<Arc<dyn Accept>>,
    /// One of them answers a successor.
    handover: Option<Handover>,
}

impl LoopPart {
    fn new(listeners: Vec<Arc<Listener>>) -> Result<LoopPart, Error> {
        let listeners = listeners.into_iter().map(|listener| listener as _).collect();
        let make = || -> std::io::Result<LoopPart> {
            let backend = crate::sys::SystemBackend::new()?;
            let inbox = Arc::new(Inbox::new()?);
            Ok(LoopPart { backend, inbox, listeners, handover: None })
        };
        make().map_err(|error| Error::io("cannot start an event loop", error))
    }
}

impl Prepared {
    fn threads(
        mut self,
        server: &Server,
        stack_bytes: usize,
        work: impl Fn(Arc<dyn Transport>, &mut Bench) + Sync,
    ) -> Result<Stats, Error> {
        let pool = threads::Pool::new(&self.setup, &server.shared, stack_bytes, work);
        let handover = self.succession.handover(&self.listeners);
        let succession = (self.succession, handover);
        let listeners = self.listeners.into_iter().map(|listener| listener as _).collect();
        pool.run(listeners, server.stopper.as_ref(), succession)?;
        Ok(server.shared.stats())
    }

    fn processes(
        mut self,
        server: &Server,
        work: &impl Fn(Arc<dyn Transport>, &mut Bench),
    ) -> Result<Stats, Error> {
        let (shared, sizes) = (&server.shared, server.sizes());
        if shared.board().is_none() {
            shared.set_board(&sizes.board()?);
        }
        let stoppers = [server.lifeline.clone(), server.stopper.clone()];
        let handover = self.succession.handover(&self.listeners);
        let succession = (self.succession, handover);
        processes::run(self.listeners, &self.setup, shared, stoppers, sizes, succession, work)?;
        Ok(shared.stats())
    }

    fn events<S: Service>(
        mut self,
        server: &Server,
        loops: usize,
        make: &(impl Fn() -> S + Send + Sync),
    ) -> Result<Stats, Error> {
        let (setup, shared, stopper) = (Arc::clone(&self.setup), &server.shared, &server.stopper);
        let run = |part: LoopPart| {
            let LoopPart { backend, inbox, listeners, handover } = part;
            let stopper = stopper.as_ref();
            let ran = events::Loop::new(backend, inbox, &setup, shared, listeners, stopper, make)
                .and_then(|mut the_loop| the_loop.answer(handover).and_then(|()| the_loop.run()));
            if ran.is_err() {
                // The other loops end too: who called is to hear of it.
                shared.stop();
            }
            ran
        };
        // All descriptors before anything is accepted: a connection must not take a loop's place.
        let shares = self.shares(loops)?;
        let handover = self.succession.handover(&shares.concat());
        let parts: Result<Vec<_>, Error> = shares.into_iter().map(LoopPart::new).collect();
        let mut parts = parts?;
        let own = LoopPart { handover, ..parts.remove(0) };
        let succession = self.succession;
        let goes = OnceLock::new();
        std::thread::scope(|scope| {
            let (mut others, mut ready) = (Vec::new(), Ok(()));
            for part in parts {
                let thread = std::thread::Builder::new().name("switchboard loop".to_owned());
                let (run, goes) = (&run, &goes);
                let serve = move || if *goes.wait() { run(part) } else { Ok(()) };
                match thread.spawn_scoped(scope, serve) {
                    Ok(thread) => others.push(thread),
                    Err(error) => ready = Err(Error::io("cannot start an event loop", error)),
                }
            }
            // Whoever is taken over hears of it when there is nothing left that could fail.
            let ready = ready.and_then(|()| succession.begin(shared));
            goes.get_or_init(|| ready.is_ok());
            let mut ran = ready.and_then(|()| run(own));
            for other in others {
                let panicked = |_| Err(Error::caller("an event loop has panicked"));
                ran = ran.and(other.join().unwrap_or_else(panicked));
            }
            ran
        })?;
        Ok(server.shared.stats())
    }

    /// The listeners of each loop: the same, or, where they share their port, sockets of its own,
    /// over which the kernel spreads the connections. What was taken over may be more of those than
    /// there are loops; each has its backlog, so somebody accepts from it.
    fn shares(&mut self, loops: usize) -> Result<Vec<Vec<Arc<Listener>>>, Error> {
        let mut shares = vec![Vec::new(); loops];
        let mut left = std::mem::take(&mut self.listeners);
        while !left.is_empty() {
            let first = left.remove(0);
            if !first.shares_port() {
                shares.iter_mut().for_each(|share| share.push(Arc::clone(&first)));
                continue;
            }
            let endpoints = first.endpoints();
            let is_same = |one: &mut Arc<Listener>| one.endpoints() == endpoints;
            let mut same: Vec<_> = left.extract_if(.., is_same).collect();
            while same.len() + 1 < loops {
                same.push(Arc::new(first.another()?));
            }
            let all = std::iter::once(first).chain(same);
            all.enumerate().for_each(|(place, one)| shares[place % loops].push(one));
        }
        Ok(shares)
    }
}
