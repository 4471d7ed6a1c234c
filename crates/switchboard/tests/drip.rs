//! 5,000 peers that drip a byte now and then, forever inside a message, and one that has something
//! to say: how many turns of theirs come before its answer, and what they cost in memory. Counted
//! by the transports and the allocator, so a binary of its own, with one test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use switchboard::transport::{Facts, Transport, Unix};
use switchboard::{Dispatch, Endpoint, Reply, Server};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const DRIPPERS: u64 = 5_000;
/// What a loop is told by one look at what is ready, or accepts in one go: the turn at hand.
const AT_HAND: u64 = 256;
/// Turns of drippers before each request: they go on.
const GOING_ON: u64 = 1_000;
const REQUEST: &[u8] = b"\0\0\0\x01x";
const REQUESTS: usize = 10;
const DRIPPER_BYTES_MAX: u64 = 1536;

/// A stream that counts how often it is read from.
#[derive(Debug)]
struct Counted {
    inner: Unix,
    reads: Arc<AtomicU64>,
}

impl Transport for Counted {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.read(buffer)
    }

    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.read_vectored(buffers)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.inner.write_vectored(buffers)
    }

    fn finish(&self) -> io::Result<()> {
        self.inner.finish()
    }

    fn reset(&self) -> io::Result<()> {
        self.inner.reset()
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inner.read_descriptor()
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inner.write_descriptor()
    }

    fn local(&self) -> Option<Endpoint> {
        None
    }

    fn remote(&self) -> Option<Endpoint> {
        None
    }

    fn facts(&self) -> Facts {
        self.inner.facts()
    }
}

fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}

fn drip(drippers: &[UnixStream]) {
    for mut dripper in drippers {
        dripper.write_all(&[0]).unwrap();
    }
}

/// Waits until the server has read so many times.
fn reads_reach(reads: &AtomicU64, count: u64) {
    while reads.load(Ordering::Relaxed) < count {
        std::thread::yield_now();
    }
}

fn echo(client: &mut TcpStream) {
    let mut echoed = [0; REQUEST.len()];
    client.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, REQUEST);
}

fn request(client: &mut TcpStream) {
    client.write_all(REQUEST).unwrap();
    echo(client);
}

/// How often drippers are read from before somebody's request is given to the service, who writes
/// down the count. It begins when the request lies there, whatever else the machine does.
fn turns_before(client: &mut TcpStream, reads: &AtomicU64, at_service: &AtomicU64) -> u64 {
    // They go on.
    reads_reach(reads, reads.load(Ordering::Relaxed) + GOING_ON);
    client.write_all(REQUEST).unwrap();
    let sent = reads.load(Ordering::Relaxed);
    echo(client);
    at_service.load(Ordering::Relaxed).saturating_sub(sent)
}

#[test]
fn drippers_do_not_keep_others_waiting_and_cost_little() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let descriptors = raise_descriptor_limit();
    if descriptors < 2 * DRIPPERS + 500 {
        println!("skipped: a process may have only {descriptors} descriptors here");
        assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "and nothing may be skipped");
        return;
    }
    let server = Server::new("u32be").unwrap().listen("127.0.0.1:0").unwrap();
    let (reads, at_service) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let make = {
        let (reads, at_service) = (Arc::clone(&reads), Arc::clone(&at_service));
        move || {
            let (reads, at_service) = (Arc::clone(&reads), Arc::clone(&at_service));
            move |message: &[u8], reply: &mut Reply<'_>| {
                at_service.store(reads.load(Ordering::Relaxed), Ordering::Relaxed);
                reply.send(message)
            }
        }
    };
    let dispatch = Dispatch::events().with_loops(1);
    let running = server.with_dispatch(dispatch).start(make).unwrap();
    let port = running.endpoints()[0].port().unwrap();
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut open = connect();
    request(&mut open);

    let mut drippers = Vec::with_capacity(usize::try_from(DRIPPERS).unwrap());
    let before = dhat::HeapStats::get().curr_bytes as u64;
    for _ in 0..DRIPPERS {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let counted = Counted { inner: Unix::from(theirs), reads: Arc::clone(&reads) };
        running.handle().adopt(Arc::new(counted)).unwrap();
        // The length of a message of 16 MB.
        (&ours).write_all(b"\0\xff\xff\xff").unwrap();
        drippers.push(ours);
    }
    reads_reach(&reads, DRIPPERS);
    drip(&drippers);
    reads_reach(&reads, 2 * DRIPPERS);
    request(&mut open);
    let each = (dhat::HeapStats::get().curr_bytes as u64 - before) / DRIPPERS;
    println!("{each} bytes for a conversation that drips");
    assert!(each <= DRIPPER_BYTES_MAX, "{each} bytes, {DRIPPER_BYTES_MAX} at most");

    let is_over = AtomicBool::new(false);
    let (of_open, of_new, in_all) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                drip(&drippers);
            }
        });
        let begin = reads.load(Ordering::Relaxed);
        let of_open = (0..REQUESTS).map(|_| turns_before(&mut open, &reads, &at_service)).max();
        let of_new = (0..REQUESTS).map(|_| turns_before(&mut connect(), &reads, &at_service)).max();
        is_over.store(true, Ordering::Relaxed);
        (of_open.unwrap(), of_new.unwrap(), reads.load(Ordering::Relaxed) - begin)
    });
    println!(
        "{in_all} turns of drippers; {of_open} at most before an answer, {of_new} to a newcomer"
    );
    // Whoever is ready has one turn before anyone has a second: a round for a request, and one more
    // for who has to be let in first, each behind the turns at hand.
    assert!(of_open <= DRIPPERS + AT_HAND, "{of_open} turns before an answer");
    assert!(of_new <= 2 * (DRIPPERS + AT_HAND), "{of_new} turns before an answer to a newcomer");
    drop(drippers);
    let stats = running.stop().unwrap();
    assert_eq!((stats.panicked, stats.open), (0, 0), "{stats:?}");
}
