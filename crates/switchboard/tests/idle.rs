//! What a conversation that waits for its next message costs in user memory, counted with 4,000 of
//! them, each of which has exchanged a message. A binary of its own, because the counting allocator
//! is global; one test, because it counts every thread.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use socket2::SockRef;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use switchboard::server::Handle;
use switchboard::transport::Unix;
use switchboard::{Dispatch, Reply, Server};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CONVERSATIONS: usize = 4_000;
/// Conversations before, and more than a loop keeps buffers.
const OTHERS: usize = 100;
const IDLE_BYTES_MAX: usize = 300 + TABLE_BYTES_MAX;

/// Without epoll the loop itself has a table of what is watched; it grows by doubling.
const TABLE_BYTES_MAX: usize = if cfg!(feature = "portable") { 64 } else { 0 };

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
    /// Connects over TCP, or with a pair of sockets of which the server's takes little at once.
    fn connect(handle: &Handle, is_tcp: bool) -> Client {
        if is_tcp {
            let port = handle.endpoints()[0].port().unwrap();
            return Client::Tcp(TcpStream::connect(("127.0.0.1", port)).unwrap());
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        SockRef::from(&theirs).set_send_buffer_size(1).unwrap();
        handle.adopt(Arc::new(Unix::from(theirs))).unwrap();
        Client::Unix(ours)
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
fn bytes_each(framing: &str, is_tcp: bool, pieces: &[&[u8]]) -> usize {
    let server = Server::new(framing).unwrap().listen("127.0.0.1:0").unwrap();
    let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    let dispatch = Dispatch::events().with_loops(1);
    let running = server.with_dispatch(dispatch).start(echo).unwrap();
    let handle = running.handle();
    let message = pieces.concat();
    let mut echoed = vec![0; message.len()];
    let mut exchange = |client: &mut Client, unsent: &[u8]| {
        client.write_all(unsent);
        client.read_exact(&mut echoed);
        assert_eq!(echoed, message);
    };
    let mut first = Client::connect(handle, is_tcp);
    let mut fill = |clients: &mut Vec<Client>| {
        while clients.len() < clients.capacity() {
            clients.push(Client::connect(handle, is_tcp));
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
    let mut clients = Vec::with_capacity(CONVERSATIONS);
    let before = dhat::HeapStats::get().curr_bytes;
    fill(&mut clients);
    let bytes = dhat::HeapStats::get().curr_bytes - before;
    assert_eq!(running.handle().stats().open, (CONVERSATIONS + OTHERS + 1) as u64);
    drop((clients, others));
    running.stop().unwrap();
    bytes.div_ceil(CONVERSATIONS)
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
    // More than the server's socket takes at once.
    let large = [&[0, 0, 0x1b, 0x58][..], &[7; 7000][..]].concat();
    for (framing, is_tcp, pieces) in [
        ("u32be", true, &[&b"\0\0\0\x05hello"[..]][..]),
        ("mqtt", true, &[b"\x30\x05hello"]),
        // What was unfinished for a while leaves nothing behind.
        ("u32be", true, &[b"\0\0", b"\0\x05hel", b"lo"]),
        // Nor does a reply that the client takes only later.
        ("u32be", false, &[&large, b""]),
    ] {
        let bytes = bytes_each(framing, is_tcp, pieces);
        println!("{framing}: {bytes} bytes for a conversation that is idle");
        assert!(bytes <= IDLE_BYTES_MAX, "{framing}: {bytes} bytes, {IDLE_BYTES_MAX} at most");
    }
}
