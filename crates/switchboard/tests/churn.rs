//! Very many short conversations one after the other: a request, a reply, goodbye, half of them
//! closed by the client and half by the service. Neither ports nor descriptors run out, none of
//! them fails, and nothing is left of them. Alone in its program, since it counts what the process
//! holds; one test, since others would be counted too.

#![expect(clippy::print_stdout, reason = "a count is shown, not only held against its bound")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use switchboard::server::Handle;
use switchboard::{Conversation, Dispatch, Ending, Reply, Server, lost_bytes};

/// More than a machine has ports: Linux gives out 28,232 by default.
const CONVERSATIONS: u64 = 100_000;
const CLIENTS: usize = 2;
/// Each address that is connected to has all ports for itself.
const ADDRESSES: u64 = 100;
const POOL_MAX: usize = 40;
const GROWTH_BYTES_MAX: u64 = 4 * 1024 * 1024;

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// What the process holds: descriptors, threads, bytes in memory.
fn holdings() -> (usize, usize, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    (entries("/proc/self/fd"), entries("/proc/self/task"), kib * 1024)
}

/// One conversation with a bare socket, quicker than the engine's own.
fn converse(number: u64, port: u16) {
    let [.., third, fourth] = (number % ADDRESSES + 1).to_be_bytes();
    let mut stream = TcpStream::connect((Ipv4Addr::new(127, 0, third, fourth), port)).unwrap();
    let server_closes = number.is_multiple_of(2);
    let request = [0, 0, 0, 2, u8::from(server_closes), fourth];
    stream.write_all(&request).unwrap();
    let mut reply = [0; 6];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, request);
    if !server_closes {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    assert_eq!(stream.read(&mut reply).unwrap(), 0);
}

fn some_conversations(port: u16, conversations: u64) {
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let numbers = (0..conversations).skip(client).step_by(CLIENTS);
            scope.spawn(move || numbers.for_each(|number| converse(number, port)));
        }
    });
}

/// Echoes, and closes if the first byte says so.
fn serve(message: &[u8], reply: &mut Reply<'_>) -> Result<(), switchboard::Error> {
    reply.send(message)?;
    if message[0] != 0 {
        reply.close();
    }
    Ok(())
}

/// The last client has gone before the server has seen it.
fn all_over(handle: &Handle) {
    while handle.stats().open > 0 {
        std::thread::yield_now();
    }
}

fn churn(dispatch: Dispatch) {
    let before = holdings();
    let server = Server::new("u32be").unwrap().listen("0.0.0.0:0").unwrap();
    let running = server.with_dispatch(dispatch.clone()).start(|| serve).unwrap();
    let port = running.endpoints()[0].port().unwrap();
    // Threads of the pool, buffers, and what the allocator takes from the system at first.
    some_conversations(port, CONVERSATIONS / 10);
    all_over(running.handle());
    let (descriptors, threads, bytes) = holdings();
    some_conversations(port, CONVERSATIONS);
    all_over(running.handle());
    let after = holdings();
    println!("{dispatch}: {descriptors} descriptors, {threads} threads, {bytes} bytes; {after:?}");
    // A thread of the pool has a descriptor, and there are as many threads as there were ever
    // conversations at a time: a few more than clients, since the server's side ends later. What
    // has just ended, the system may list for a moment.
    let pool = if dispatch == Dispatch::threads() { POOL_MAX } else { 0 };
    let (descriptors_max, threads_max) = (descriptors + pool + 1, threads + pool + CLIENTS);
    assert!(after.0 <= descriptors_max, "{dispatch}: {} descriptors", after.0);
    assert!(after.1 <= threads_max, "{dispatch}: {} threads", after.1);
    let growth = after.2.saturating_sub(bytes);
    assert!(growth <= GROWTH_BYTES_MAX, "{dispatch}: {growth} bytes more than before");

    let stats = running.stop().unwrap();
    let conversations = CONVERSATIONS + CONVERSATIONS / 10;
    assert_eq!((stats.accepted, stats.failed, stats.panicked), (conversations, 0, 0));
    assert_eq!(stats.messages_received, conversations);
    let endings = &stats.endings;
    assert_eq!(endings.count(Ending::Finished), conversations / 2, "{endings}");
    assert_eq!(endings.count(Ending::Stopped), conversations / 2, "{endings}");
    assert_eq!(holdings().0, before.0, "{dispatch}: all descriptors are given back");
}

/// H5: the port of a client of the engine's own is used again.
fn own_clients() {
    let before = entries("/proc/self/fd");
    let server = Server::new("u32be").unwrap().listen("127.0.0.1:0").unwrap();
    let server = server.with_dispatch(Dispatch::events());
    let conversations = 30_000;
    let running = server.with_conversations_in_all(conversations).start(|| serve).unwrap();
    let endpoint = running.endpoints()[0].to_string();
    for number in 0..conversations {
        let mut client = Conversation::connect(&endpoint, "u32be").unwrap();
        assert_eq!(&*client.request(&number.to_be_bytes()).unwrap(), number.to_be_bytes());
        client.close().unwrap();
    }
    let stats = running.join().unwrap();
    assert_eq!((stats.accepted, stats.failed, stats.panicked), (conversations, 0, 0));
    assert_eq!(entries("/proc/self/fd"), before);
    assert_eq!(lost_bytes(), 0);
}

#[test]
fn many_short_conversations_exhaust_nothing() {
    churn(Dispatch::events().with_loops(1));
    churn(Dispatch::threads());
    own_clients();
}
