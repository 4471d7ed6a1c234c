//! What a conversation that waits for its next message costs in user memory, counted with 4,000 of
//! them, each of which has exchanged a message. A binary of its own, because the counting allocator
//! is global; one test, because it counts every thread.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::TcpStream;
use switchboard::{Dispatch, Reply, Server};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

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

/// Bytes that the server holds for each of the conversations, once each has had its message echoed,
/// which it sent in these pieces.
fn bytes_each(framing: &str, pieces: &[&[u8]]) -> usize {
    let server = Server::new(framing).unwrap().listen("127.0.0.1:0").unwrap();
    let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    let dispatch = Dispatch::events().with_loops(1);
    let running = server.with_dispatch(dispatch).start(echo).unwrap();
    let port = running.endpoints()[0].port().unwrap();
    let message = pieces.concat();
    let mut echoed = vec![0; message.len()];
    let mut exchange = |client: &mut TcpStream, unsent: &[u8]| {
        client.write_all(unsent).unwrap();
        client.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, message);
    };
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut fill = |clients: &mut Vec<TcpStream>| {
        while clients.len() < clients.capacity() {
            clients.push(TcpStream::connect(("127.0.0.1", port)).unwrap());
        }
        // Each has been accepted then.
        clients.iter_mut().for_each(|client| exchange(client, &message));
        let (last, earlier) = pieces.split_last().unwrap();
        for piece in earlier {
            clients.iter_mut().for_each(|client| client.write_all(piece).unwrap());
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
    for (framing, pieces) in [
        ("u32be", &[&b"\0\0\0\x05hello"[..]][..]),
        ("mqtt", &[b"\x30\x05hello"]),
        // What was unfinished for a while leaves nothing behind.
        ("u32be", &[b"\0\0", b"\0\x05hel", b"lo"]),
        ("lines", &[b"hel", b"lo\n"]),
    ] {
        let bytes = bytes_each(framing, pieces);
        println!("{framing}: {bytes} bytes for a conversation that is idle");
        assert!(bytes <= IDLE_BYTES_MAX, "{framing}: {bytes} bytes, {IDLE_BYTES_MAX} at most");
    }
}
