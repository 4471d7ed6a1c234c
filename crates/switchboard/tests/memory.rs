//! What a message and a connection cost, counted: allocations in the steady state, and bytes held
//! for connections that announce much and send nothing. A binary of its own, because the counting
//! allocator is global; one test, because it counts every thread.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use switchboard::frame::{Fields, Protocol, Role};
use switchboard::transport::{Transport, Unix};
use switchboard::{Conversation, Received};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn protocol(framing: &str) -> Protocol {
    framing.parse().unwrap()
}

fn over(socket: UnixStream, protocol: &Protocol) -> Conversation {
    let transport: Arc<dyn Transport> = Arc::new(Unix::from(socket));
    Conversation::with_role(transport, protocol, Role::Server)
}

fn two(protocol: &Protocol) -> (Conversation, Conversation) {
    let (a, b) = UnixStream::pair().unwrap();
    (over(a, protocol), over(b, protocol))
}

/// Allocations of `rounds` round trips, after some to warm up.
fn allocations(framing: &str, rounds: usize, message: &[u8]) -> u64 {
    let (mut client, mut server) = two(&protocol(framing));
    let mut trip = || {
        client.send(message).unwrap();
        client.queue(message).unwrap();
        client.flush().unwrap();
        for _ in 0..2 {
            let length = server.recv().unwrap().unwrap().len();
            assert_eq!(length, message.len());
        }
    };
    (0..50).for_each(|_| trip());
    let before = dhat::HeapStats::get().total_blocks;
    (0..rounds).for_each(|_| trip());
    dhat::HeapStats::get().total_blocks - before
}

fn allocations_with_fields(rounds: usize) -> u64 {
    let (mut client, mut server) = two(&protocol("type:1 len:uleb4"));
    let fields = Fields::new().bytes("type", b"\x30");
    let mut framed = Vec::new();
    client.send_with(&fields, &[7; 64]).unwrap();
    framed.extend_from_slice(&server.recv().unwrap().unwrap());
    let mut trip = || {
        client.send(&framed).unwrap();
        let message = server.recv().unwrap().unwrap();
        assert_eq!(message.field("len"), Some(switchboard::frame::Field::Integer(64)));
    };
    (0..50).for_each(|_| trip());
    let before = dhat::HeapStats::get().total_blocks;
    (0..rounds).for_each(|_| trip());
    dhat::HeapStats::get().total_blocks - before
}

fn bytes_of_announcers(framing: &str, announcement: &[u8], connections: usize) -> usize {
    let protocol = protocol(framing);
    let mut peers = Vec::with_capacity(connections);
    let mut ours = Vec::with_capacity(connections);
    let before = dhat::HeapStats::get().curr_bytes;
    for _ in 0..connections {
        let (mut peer, socket) = UnixStream::pair().unwrap();
        peer.write_all(announcement).unwrap();
        peers.push(peer);
        let mut conversation = over(socket, &protocol);
        assert!(matches!(conversation.try_recv().unwrap(), Received::Pending));
        // And again: a second look must not make room for what was only announced.
        assert!(matches!(conversation.try_recv().unwrap(), Received::Pending));
        ours.push(conversation);
    }
    (dhat::HeapStats::get().curr_bytes - before) / connections + size_of::<Conversation>()
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).unwrap();
}

#[test]
fn messages_cost_no_allocation_and_announcements_no_memory() {
    let _profiler = dhat::Profiler::builder().testing().build();
    raise_descriptor_limit();
    for framing in
        ["u32be", "lines", "crlf", "fixed:64", "netstring", "u16le", "delim:\";\"|\"..\""]
    {
        assert_eq!(allocations(framing, 200, &[b'm'; 64]), 0, "{framing}");
    }
    let resp = b"*2\r\n$3\r\nGET\r\n*1\r\n$1\r\nk\r\n";
    let typed = b"$\0\0\0\x04four";
    for (framing, message) in [
        ("resp", &resp[..]),
        ("type{\"+\": crlf, \"$\": u32be, *: lines}", typed),
        ("header:Content-Length", b"Content-Length: 2\r\n\r\nok"),
        ("chunked", b"data"),
    ] {
        assert_eq!(allocations(framing, 200, message), 0, "{framing}");
    }
    assert_eq!(allocations("u32be", 50, &[b'm'; 20_000]), 0, "20 kB");
    assert_eq!(allocations_with_fields(200), 0, "whole frames with fields");

    for (framing, announcement) in [
        ("u32be", &b"\x01\0\0\0"[..]),
        ("type:1 len:uleb4", b"\x30\x80\x80\x80\x08"),
        ("netstring", b"16777216:"),
        ("resp", b"$16700000\r\n"),
        ("header:Content-Length", b"Content-Length: 16777216\r\n\r\n"),
    ] {
        let bytes = bytes_of_announcers(framing, announcement, 1000);
        assert!(bytes < 8 * 1024, "{framing}: {bytes} bytes a connection");
        println!("{framing}: {bytes} bytes a connection that announces 16 MiB");
    }
}
