//! Very many short conversations one after the other: a request, a reply, goodbye. Neither ports
//! nor descriptors run out, and none of them fails. Alone in its program, since it counts the
//! descriptors of the process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use switchboard::{Conversation, Dispatch, Reply, Server, lost_bytes};

/// More than a machine has ports: Linux gives out 28,232 by default.
const CONVERSATIONS: u64 = 30_000;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// H5: the port of a client is used again.
#[test]
fn many_short_conversations_exhaust_nothing() {
    let before = descriptors();
    let server = Server::new("u32be").unwrap().listen("127.0.0.1:0").unwrap();
    let server = server.with_dispatch(Dispatch::events());
    let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    let running = server.with_conversations_in_all(CONVERSATIONS).start(echo).unwrap();
    let endpoint = running.endpoints()[0].to_string();
    for i in 0..CONVERSATIONS {
        let mut client = Conversation::connect(&endpoint, "u32be").unwrap();
        assert_eq!(&*client.request(&i.to_be_bytes()).unwrap(), i.to_be_bytes());
        client.close().unwrap();
    }
    let stats = running.join().unwrap();
    assert_eq!((stats.accepted, stats.failed, stats.panicked), (CONVERSATIONS, 0, 0));
    assert_eq!(descriptors(), before);
    assert_eq!(lost_bytes(), 0);
}
