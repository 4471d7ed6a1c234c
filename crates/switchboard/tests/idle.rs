//! What a conversation that waits for its next message costs in user memory, counted with 4,000 of
//! them, each of which has exchanged a message. A binary of its own, because the counting allocator
//! is global; one test, because it counts every thread.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use switchboard::{Dispatch, Endpoint, Reply, Server};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const TCP: &str = "127.0.0.1:0";
const CONVERSATIONS: usize = 4_000;
/// Conversations before, and more than a loop keeps buffers.
const OTHERS: usize = 100;
const IDLE_BYTES_MAX: usize = 300;

fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}

/// A bare socket, which takes no memory of its own.
enum Client {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Client {
    fn connect(endpoint: &Endpoint) -> Client {
        match endpoint {
            Endpoint::Abstract(name) => {
                let address = SocketAddr::from_abstract_name(name).unwrap();
                Client::Unix(UnixStream::connect_addr(&address).unwrap())
            }
            Endpoint::Tcp { port, .. } => {
                Client::Tcp(TcpStream::connect(("127.0.0.1", *port)).unwrap())
            }
            other => unreachable!("{other}"),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) {
        match self {
            Client::Tcp(stream) => stream.write_all(bytes).unwrap(),
            Client::Unix(stream) => stream.write_all(bytes).unwrap(),
        }
    }

    fn read_exact(&mut self, bytes: &mut [u8]) {
        match self {
            Client::Tcp(stream) => stream.read_exact(bytes).unwrap(),
            Client::Unix(stream) => stream.read_exact(bytes).unwrap(),
        }
    }
}

/// Bytes that the server holds for each of the conversations, once each has had its message echoed,
/// which it sent in these pieces.
fn bytes_each(framing: &str, at: &str, conversations: usize, pieces: &[&[u8]]) -> usize {
    let server = Server::new(framing).unwrap().listen(at).unwrap();
    let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    let dispatch = Dispatch::events().with_loops(1);
    let running = server.with_dispatch(dispatch).start(echo).unwrap();
    let endpoint = &running.endpoints()[0];
    let message = pieces.concat();
    let mut echoed = vec![0; message.len()];
    let mut exchange = |client: &mut Client, unsent: &[u8]| {
        client.write_all(unsent);
        client.read_exact(&mut echoed);
        assert_eq!(echoed, message);
    };
    let mut first = Client::connect(endpoint);
    let mut fill = |clients: &mut Vec<Client>| {
        while clients.len() < clients.capacity() {
            clients.push(Client::connect(endpoint));
        }
        // Each has been accepted then.
        clients.iter_mut().for_each(|client| exchange(client, &message));
        let (last, earlier) = pieces.split_last().unwrap();
        for piece in earlier {
            clients.iter_mut().for_each(|client| client.write_all(piece));
            // Its answer comes behind the turns of the others, who have then read their piece.
            exchange(&mut first, &message);
        }
        clients.iter_mut().for_each(|client| exchange(client, last));
        // The turn in which the last answer left is over too.
        exchange(&mut first, &message);
    };
    // What the loop itself holds, for whoever comes next, it has before the counting begins.
    let mut others = Vec::with_capacity(OTHERS);
    fill(&mut others);
    let mut clients = Vec::with_capacity(conversations);
    let before = dhat::HeapStats::get().curr_bytes;
    fill(&mut clients);
    let bytes = dhat::HeapStats::get().curr_bytes - before;
    assert_eq!(running.handle().stats().open, (conversations + OTHERS + 1) as u64);
    drop((clients, others));
    running.stop().unwrap();
    bytes.div_ceil(conversations)
}

#[test]
fn an_idle_conversation_is_small() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let descriptors = raise_descriptor_limit();
    if descriptors < 2 * CONVERSATIONS as u64 + 500 {
        println!("skipped: a process may have only {descriptors} descriptors here");
        assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "and nothing may be skipped");
        return;
    }
    let unix = format!("unix:@switchboard-idle-{}", std::process::id());
    // More than a socket takes at once.
    let large = [&[0, 4, 0, 0][..], &[7; 4 << 16][..]].concat();
    for (framing, at, pieces) in [
        ("u32be", TCP, &[&b"\0\0\0\x05hello"[..]][..]),
        ("mqtt", TCP, &[b"\x30\x05hello"]),
        // What was unfinished for a while leaves nothing behind.
        ("u32be", TCP, &[b"\0\0", b"\0\x05hel", b"lo"]),
        ("lines", &unix, &[b"hel", b"lo\n"]),
        // Nor does a reply that the client takes only later.
        ("u32be", &unix, &[&large, b""]),
    ] {
        // So that the system's own memory is not tried.
        let conversations = CONVERSATIONS / if pieces[0].len() > 1000 { 10 } else { 1 };
        let bytes = bytes_each(framing, at, conversations, pieces);
        println!("{framing}: {bytes} bytes for a conversation that is idle");
        assert!(bytes <= IDLE_BYTES_MAX, "{framing}: {bytes} bytes, {IDLE_BYTES_MAX} at most");
    }
}
