//! Allocations of a server in its steady state, counted: none a message, whatever the dispatcher,
//! the transport, the framing, and wherever reads cut the stream. A binary of its own, because the
//! counting allocator is global; one test, because it counts every thread. So the clients are bare
//! sockets, with buffers made before the counting begins.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::{Arc, Mutex};
use switchboard::server::{Bytes, Group, Sender, SlowPeer};
use switchboard::{Dispatch, Endpoint, Error, Reply, Server};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// What is sent to and fro.
#[derive(Clone, Copy, Debug)]
struct Case {
    framing: &'static str,
    body_bytes: usize,
    endpoint: &'static str,
    in_flight: usize,
    conversations: usize,
    /// Bytes of the next message that come with those in flight: each read ends inside a message.
    cut_bytes: usize,
    /// Every other read ends there, the others between two messages.
    alternates: bool,
}

const CASE: Case = Case {
    framing: "u32be",
    body_bytes: 64,
    endpoint: "127.0.0.1:0",
    in_flight: 1,
    conversations: 1,
    cut_bytes: 0,
    alternates: false,
};

fn frame(framing: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    match framing {
        "u32be" => {
            frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
            frame.extend_from_slice(body);
        }
        "lines" => {
            frame.extend_from_slice(body);
            frame.push(b'\n');
        }
        "netstring" => {
            write!(frame, "{}:", body.len()).unwrap();
            frame.extend_from_slice(body);
            frame.push(b',');
        }
        "mqtt" => {
            frame.extend_from_slice(&[0x30, u8::try_from(body.len()).unwrap()]);
            frame.extend_from_slice(body);
        }
        _ => unreachable!("{framing}"),
    }
    frame
}

fn connect(endpoint: &Endpoint) -> Box<dyn Stream> {
    match endpoint {
        Endpoint::Abstract(name) => {
            let address = SocketAddr::from_abstract_name(name).unwrap();
            Box::new(UnixStream::connect_addr(&address).unwrap())
        }
        Endpoint::Tcp { port, .. } => {
            let stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
            stream.set_nodelay(true).unwrap();
            Box::new(stream)
        }
        other => unreachable!("{other}"),
    }
}

fn dispatchers() -> [Dispatch; 2] {
    [Dispatch::threads(), Dispatch::events().with_loops(1)]
}

/// Allocations of so many rounds, in which each conversation has its messages in flight echoed.
fn allocations(case: Case, dispatch: Dispatch, rounds: usize) -> u64 {
    let server = Server::new(case.framing).unwrap().listen(case.endpoint).unwrap();
    let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    let running = server.with_dispatch(dispatch).start(echo).unwrap();
    let endpoint = &running.endpoints()[0];
    let frame = frame(case.framing, &vec![b'm'; case.body_bytes]);
    let mut clients: Vec<_> = (0..case.conversations).map(|_| connect(endpoint)).collect();
    let sent = frame.repeat(case.in_flight + 1);
    let (cut, bytes) = (case.cut_bytes, frame.len() * case.in_flight);
    // From where in a message to where in a later one each write goes.
    let through = [cut..cut + bytes, 0..0];
    let to_and_fro = [0..cut + bytes, cut..frame.len()];
    let writes = if case.alternates { &to_and_fro[..] } else { &through[..1] };
    let mut received = vec![0; bytes];
    if !case.alternates {
        clients.iter_mut().for_each(|client| client.write_all(&frame[..cut]).unwrap());
    }
    let mut round = || {
        for write in writes {
            for client in &mut clients {
                client.write_all(&sent[write.clone()]).unwrap();
            }
            let echoed = write.end / frame.len() * frame.len();
            for client in &mut clients {
                client.read_exact(&mut received[..echoed]).unwrap();
                assert!(received[..echoed] == sent[..echoed], "{case:?}: another echo");
            }
        }
    };
    (0..30).for_each(|_| round());
    let before = dhat::HeapStats::get().total_blocks;
    (0..rounds).for_each(|_| round());
    let allocations = dhat::HeapStats::get().total_blocks - before;
    drop(clients);
    running.stop().unwrap();
    allocations
}

/// How one message reaches many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Group,
    /// A sender each, and one message that is shared.
    Senders,
}

const SUBSCRIBERS: usize = 20;

/// Allocations of so many rounds, in which one publishes so many messages and each subscriber has
/// them delivered.
fn allocations_of_fan_out(way: Way, dispatch: Dispatch, rounds: usize, in_flight: usize) -> u64 {
    let (group, senders) = (Group::new(), Arc::new(Mutex::new(Vec::<Sender>::new())));
    let server = Server::new("u32be").unwrap().listen(CASE.endpoint).unwrap();
    let serve = move || {
        let (group, senders) = (group.clone(), Arc::clone(&senders));
        move |message: &[u8], reply: &mut Reply<'_>| {
            if message == b"subscribe" {
                let sender = reply.sender(SlowPeer::Disconnect)?;
                senders.lock().unwrap().push(sender.clone());
                group.join(sender)?;
                return reply.send(message);
            }
            if way == Way::Group {
                group.send(message);
            } else {
                let message = Bytes::copy_from_slice(message);
                senders.lock().unwrap().retain(|one| one.send(message.clone()).is_ok());
            }
            Ok::<(), Error>(())
        }
    };
    let running = server.with_dispatch(dispatch).start(serve).unwrap();
    let endpoint = &running.endpoints()[0];
    let subscribe = frame("u32be", b"subscribe");
    let mut subscribed = vec![0; subscribe.len()];
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| connect(endpoint)).collect();
    for subscriber in &mut subscribers {
        subscriber.write_all(&subscribe).unwrap();
        subscriber.read_exact(&mut subscribed).unwrap();
    }
    let mut publisher = connect(endpoint);
    let published = frame("u32be", &[b'm'; 64]).repeat(in_flight);
    let mut received = vec![0; published.len()];
    let mut round = || {
        publisher.write_all(&published).unwrap();
        for subscriber in &mut subscribers {
            subscriber.read_exact(&mut received).unwrap();
            assert!(received == published, "{way:?}: something else was delivered");
        }
    };
    // Every mailbox has had the memory that its queue needs, and every thread its buffers.
    (0..3 * SUBSCRIBERS).for_each(|_| round());
    let before = dhat::HeapStats::get().total_blocks;
    (0..rounds).for_each(|_| round());
    let allocations = dhat::HeapStats::get().total_blocks - before;
    drop((subscribers, publisher));
    running.stop().unwrap();
    allocations
}

fn cases() -> Vec<Case> {
    let name: &str = format!("unix:@switchboard-allocations-{}", std::process::id()).leak();
    let mut cases = Vec::new();
    for endpoint in [CASE.endpoint, name] {
        for framing in ["u32be", "lines", "netstring", "mqtt"] {
            for in_flight in [1, 64] {
                let case = Case { framing, endpoint, in_flight, ..CASE };
                cases.push(case);
                // In the header; in the body; all but the last byte.
                let last = frame(framing, &[b'm'; 64]).len() - 1;
                for cut_bytes in [1, 40, last] {
                    cases.push(Case { cut_bytes, ..case });
                    cases.push(Case { cut_bytes, conversations: 8, ..case });
                    cases.push(Case { cut_bytes, conversations: 8, alternates: true, ..case });
                }
            }
        }
    }
    cases
}

#[test]
fn a_message_served_costs_no_allocation() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut wrong = Vec::new();
    for case in cases() {
        for dispatch in dispatchers() {
            let counted = allocations(case, dispatch.clone(), 50);
            // A thread that is kept waiting waits in another way, and has the memory for that once.
            if counted > 4 * case.conversations as u64 {
                wrong.push(format!("{dispatch}: {counted} allocations in 50 rounds of {case:?}"));
            }
        }
    }
    let first = wrong.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} cases, the first of them:\n{first}", wrong.len());

    for dispatch in dispatchers() {
        for in_flight in [1, 64] {
            let (rounds, messages) = (50, 50 * in_flight as u64);
            let counted = allocations_of_fan_out(Way::Group, dispatch.clone(), rounds, in_flight);
            assert_eq!(counted, 0, "{dispatch}: {messages} messages to a group");
            // The message that is shared is one, and its count of owners another; none is for
            // whom it is delivered to.
            let way = Way::Senders;
            let counted = allocations_of_fan_out(way, dispatch.clone(), rounds, in_flight);
            // A few more, where a box has to grow once.
            assert!(counted <= 2 * messages + 8, "{dispatch}: {counted}, {messages} to senders");
        }
    }

    for cut_bytes in [0, 3, 100_000] {
        for dispatch in dispatchers() {
            let large = Case { body_bytes: 256 * 1024, cut_bytes, ..CASE };
            let counted = allocations(large, dispatch.clone(), 50);
            println!("{dispatch}, cut at {cut_bytes}: {counted} allocations in 50 of 256 KiB");
            assert!(counted <= 8 * 50, "{dispatch}: {counted} allocations in 50 of {large:?}");
        }
    }
}
