//! What the tests share: every dispatcher, every transport, clients that misbehave.

use crate::SHARES_MEMORY;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use switchboard::frame::{Protocol, Role};
use switchboard::server::{Limits, Running, Server, Stats};
use switchboard::session::{Event, Session};
use switchboard::transport::{Interest, Wait, Woken, pair};
use switchboard::{
    ConnectOptions, Conversation, Dispatch, Ending, Endpoint, Error, Service, Timeouts, Transport,
    deadline,
};

pub(crate) type Stream = Arc<dyn Transport>;

/// Long enough never to pass in a test that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What is between a server and its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Unix,
    Pair,
    #[cfg(feature = "tls")]
    Tls,
    /// TLS over a stream in memory.
    #[cfg(feature = "tls")]
    TlsPair,
}

/// A dispatcher and a transport.
#[derive(Clone)]
pub(crate) struct Case {
    name: &'static str,
    pub(crate) dispatch: Dispatch,
    pub(crate) over: Over,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {:?}", self.name, self.over)
    }
}

/// Every dispatcher over one transport.
pub(crate) fn dispatchers(over: Over) -> Vec<Case> {
    let in_memory = over == Over::Pair;
    #[cfg(feature = "tls")]
    let in_memory = in_memory || over == Over::TlsPair;
    let ways = if in_memory && !SHARES_MEMORY { Vec::new() } else { crate::ways() };
    ways.into_iter().map(|(name, dispatch)| Case { name, dispatch, over }).collect()
}

/// Runs all cases at the same time: for those that have to see a time pass.
pub(crate) fn at_once(cases: Vec<Case>, check: impl Fn(Case) + Sync) {
    if !SHARES_MEMORY {
        // Beside other threads no process is forked off.
        return cases.into_iter().for_each(check);
    }
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// Numbers from 1, each given once, to whatever process asks.
pub(crate) struct Numbers(std::io::PipeReader);

impl Numbers {
    pub(crate) fn new(count: u8) -> Numbers {
        let (reads, mut writes) = std::io::pipe().unwrap();
        io::Write::write_all(&mut writes, &(1..=count).collect::<Vec<u8>>()).unwrap();
        Numbers(reads)
    }

    pub(crate) fn next(&self) -> u8 {
        let mut number = [0];
        io::Read::read_exact(&mut &self.0, &mut number).unwrap();
        number[0]
    }
}

/// Events with a single loop: who holds that up holds up everyone.
pub(crate) fn one_loop(over: Over) -> Case {
    dispatchers(over).remove(1)
}

/// Every dispatcher over every transport.
pub(crate) fn cases() -> Vec<Case> {
    let bare = [Over::Tcp, Over::Unix, Over::Pair];
    #[cfg(feature = "tls")]
    let bare = bare.into_iter().chain([Over::Tls, Over::TlsPair]);
    bare.into_iter().flat_map(dispatchers).collect()
}

/// A number that no other test of this run gets.
pub(crate) fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Case {
    /// Whether a peer can be told by a reset.
    pub(crate) fn has_resets(&self) -> bool {
        self.over != Over::Unix
    }

    /// A server that listens where this case wants it to.
    pub(crate) fn server(&self, framing: &str, limits: &Limits) -> Server {
        let server = Server::new(framing).unwrap().with_dispatch(self.dispatch.clone());
        let server = server.with_limits(limits.clone());
        match self.over {
            Over::Tcp => server.listen("127.0.0.1:0").unwrap(),
            Over::Unix => {
                let name = format!("unix:@swb-server-{}-{}", std::process::id(), unique());
                server.listen(&name).unwrap()
            }
            Over::Pair => server,
            #[cfg(feature = "tls")]
            Over::Tls => server.with_listener(crate::tls::listener()),
            #[cfg(feature = "tls")]
            Over::TlsPair => server,
        }
    }

    pub(crate) fn start<S, F>(&self, framing: &str, limits: &Limits, make: F) -> Served
    where
        S: Service + 'static,
        F: Fn() -> S + Send + Sync + 'static,
    {
        let running = self.server(framing, limits).start(make).unwrap();
        let name = self.to_string();
        Served {
            running,
            framing: framing.parse().unwrap(),
            name,
            #[cfg(feature = "tls")]
            over: self.over,
        }
    }
}

/// A server that runs.
pub(crate) struct Served {
    pub(crate) running: Running,
    framing: Protocol,
    name: String,
    #[cfg(feature = "tls")]
    over: Over,
}

impl Served {
    /// A bare stream to it.
    pub(crate) fn connect(&self) -> Stream {
        self.try_connect().unwrap()
    }

    /// The same; one that fails at once may be told while it is still connecting.
    pub(crate) fn try_connect(&self) -> Result<Stream, Error> {
        let options = ConnectOptions::default();
        #[cfg(feature = "tls")]
        let options = options.with_tls(crate::tls::client());
        match self.running.endpoints().first() {
            Some(endpoint) => endpoint.connect(&options),
            #[cfg(feature = "tls")]
            None if self.over == Over::TlsPair => {
                let (ours, theirs) = crate::tls::pair();
                self.running.handle().adopt(theirs).unwrap();
                Ok(ours)
            }
            None => {
                let (ours, theirs) = pair().unwrap();
                self.running.handle().adopt(Arc::new(theirs)).unwrap();
                Ok(Arc::new(ours))
            }
        }
    }

    /// The same below TLS, if there is any.
    pub(crate) fn try_connect_bare(&self) -> Result<Stream, Error> {
        match self.running.endpoints().first() {
            Some(Endpoint::Tls { host, port }) => {
                Endpoint::tcp(host, *port).connect(&ConnectOptions::default())
            }
            _ => self.try_connect(),
        }
    }

    /// A conversation with it.
    pub(crate) fn client(&self) -> Conversation {
        self.client_of(&self.framing)
    }

    pub(crate) fn client_of(&self, protocol: &Protocol) -> Conversation {
        let stream = self.connect();
        Conversation::with_role(stream, protocol, Role::Client)
            .with_timeouts(Timeouts::all(PATIENCE))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.running.handle().stats()
    }

    /// Waits until what is counted is as expected.
    pub(crate) fn wait_for(&self, what: &str, mut is_so: impl FnMut(&Stats) -> bool) -> Stats {
        wait_until(&format!("{}: {what}", self.name), || {
            let stats = self.stats();
            if is_so(&stats) { Ok(stats) } else { Err(Box::new(stats)) }
        })
    }

    /// Waits until so many conversations have ended like that, and no other has.
    pub(crate) fn ended(&self, ending: Ending, count: u64) -> Stats {
        let stats = self.wait_for(&format!("{count} {ending}"), |stats| {
            stats.endings.sum() == count && stats.open == 0
        });
        assert_eq!(stats.endings.count(ending), count, "{}: {}", self.name, stats.endings);
        stats
    }

    pub(crate) fn stop(self) -> Stats {
        self.running.stop().unwrap()
    }
}

/// Looks again and again until it is so; gives up after [`PATIENCE`].
pub(crate) fn wait_until<T, E: fmt::Debug>(
    what: &str,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let end = deadline::after(PATIENCE);
    loop {
        match look() {
            Ok(found) => return found,
            Err(found) if deadline::has_passed(end) => panic!("{what}: still {found:?}"),
            Err(_) => std::thread::yield_now(),
        }
    }
}

pub(crate) fn soon() -> Wait<'static> {
    Wait { deadline: deadline::after(PATIENCE), ..Wait::FOREVER }
}

pub(crate) fn ready(stream: &dyn Transport, interest: Interest) -> Interest {
    match stream.wait(interest, &soon()).unwrap() {
        Woken::Ready(ready) => ready,
        other => panic!("{other:?} on {stream:?}"),
    }
}

pub(crate) fn write_all(stream: &dyn Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready(stream, Interest::WRITE);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads once; 0 is the end.
pub(crate) fn read_some(stream: &dyn Transport, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready(stream, Interest::READ);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads to the end or a reset, at most `bite` bytes at a time; whether it was a reset.
pub(crate) fn read_out(stream: &dyn Transport, bite: usize) -> (Vec<u8>, bool) {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; bite]);
    loop {
        match read_some(stream, &mut buffer) {
            Ok(0) => return (bytes, false),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if is_reset(&error) => return (bytes, true),
            Err(error) => panic!("{error} behind {} bytes", bytes.len()),
        }
    }
}

pub(crate) fn is_reset(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

/// The messages up to the end or a reset; whether it was a reset.
pub(crate) fn messages_out(client: &mut Conversation) -> (Vec<Vec<u8>>, bool) {
    let mut messages = Vec::new();
    loop {
        match client.recv_owned() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, false),
            Err(error) if error.is_reset() => return (messages, true),
            Err(error) => panic!("{error} behind {} messages", messages.len()),
        }
    }
}

/// Reads to the end, at most `bite` bytes at a time.
pub(crate) fn read_to_end(stream: &dyn Transport, bite: usize) -> io::Result<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; bite]);
    loop {
        match read_some(stream, &mut buffer)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Writes all of it while it reads all that comes, and half-closes; gives what came.
pub(crate) fn exchange(stream: &dyn Transport, pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
    let (mut received, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let mut pieces = pieces.iter().filter(|piece| !piece.is_empty());
    let mut left: &[u8] = pieces.next().copied().unwrap_or_default();
    let mut is_finished = false;
    loop {
        if left.is_empty() && !is_finished {
            stream.finish()?;
            is_finished = true;
        }
        let interest = if is_finished { Interest::READ } else { Interest::BOTH };
        let ready = ready(stream, interest);
        if ready.write && !is_finished {
            match stream.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if is_again(&error) => {}
                Err(error) => return Err(error),
            }
            if left.is_empty() {
                left = pieces.next().copied().unwrap_or_default();
            }
        }
        if ready.read {
            match stream.read(&mut buffer) {
                Ok(0) if is_finished => return Ok(received),
                Ok(0) => return Err(io::Error::other("the server ended first")),
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) if is_again(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Writes until the stream takes nothing more for now, without reading; how much it took.
pub(crate) fn fill(stream: &dyn Transport, bytes: &[u8]) -> usize {
    let mut filled = 0;
    while filled < bytes.len() {
        match stream.write(&bytes[filled..]) {
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    filled
}

/// The bytes that a client writes for these messages.
pub(crate) fn requests<M: AsRef<[u8]>>(framing: &str, messages: &[M]) -> Vec<u8> {
    let mut session = Session::new(&framing.parse().unwrap(), Role::Client);
    for message in messages {
        session.queue(message.as_ref()).unwrap();
    }
    session.poll_transmit().to_vec()
}

/// The messages in what a server wrote.
pub(crate) fn decoded(framing: &str, mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut session = Session::new(&framing.parse().unwrap(), Role::Client);
    let mut messages = Vec::new();
    loop {
        match session.poll().unwrap() {
            Event::Message => messages.push(session.message().to_vec()),
            Event::Need(_) if bytes.is_empty() => session.handle_end(),
            Event::Need(need) => {
                let space = session.receive_space(need.get());
                let (now, later) = bytes.split_at(bytes.len().min(space.len()));
                space[..now.len()].copy_from_slice(now);
                session.handle_received(now.len());
                bytes = later;
            }
            Event::Discarded(_) => panic!("a message was passed over"),
            Event::Finished => return messages,
        }
    }
}

/// Bytes whose order shows.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

/// A value that a test waits for: what services have noted, say.
#[derive(Debug)]
pub(crate) struct Noted<T>(Arc<(Mutex<T>, Condvar)>);

impl<T> Clone for Noted<T> {
    fn clone(&self) -> Noted<T> {
        Noted(Arc::clone(&self.0))
    }
}

impl<T: Default + fmt::Debug> Noted<T> {
    pub(crate) fn new() -> Noted<T> {
        Noted(Arc::default())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.0.lock().unwrap()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits until it is so.
    pub(crate) fn wait(&self, mut is_so: impl FnMut(&T) -> bool) {
        let (guard, waited) = self
            .0
            .1
            .wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, |value| !is_so(value))
            .unwrap();
        assert!(!waited.timed_out(), "still {:?}", *guard);
    }
}

/// Numbers that look random: xorshift64* (Vigna, 2016).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % bound
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

/// Leaves a path that nobody serves. Nobody ever did: whoever is forked off just then, by another
/// test, would have the listener too, and be taken for a server.
pub(crate) fn leave_stale(path: impl AsRef<std::path::Path>) {
    use socket2::{Domain, SockAddr, Socket, Type};
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(path).unwrap()).unwrap();
}
