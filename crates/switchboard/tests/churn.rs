//! Very many short conversations one after the other: a request, a reply, goodbye. Neither ports
//! nor descriptors run out, and none of them fails. Alone in its program, since it counts the
//! descriptors of the process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::thread;
use switchboard::frame::Protocol;
use switchboard::{Conversation, Listener, ServeOptions, lost_bytes, serve};

/// More than a machine has ports: Linux gives out 28,232 by default.
const CONVERSATIONS: u64 = 30_000;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// H5: the port of a client is used again.
#[test]
fn many_short_conversations_exhaust_nothing() {
    let listener = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&listener, &Default::default()).unwrap();
    let endpoint = listener.endpoints()[0].to_string();
    let before = descriptors();
    let options = ServeOptions { conversations: Some(CONVERSATIONS), ..ServeOptions::default() };
    let protocol: Protocol = "u32be".parse().unwrap();
    let served = thread::scope(|scope| {
        let server = scope.spawn(|| {
            serve(&listener, &protocol, &options, |conversation| {
                while let Some(message) = conversation.recv_owned()? {
                    conversation.queue(&message)?;
                }
                Ok(())
            })
        });
        for i in 0..CONVERSATIONS {
            let mut client = Conversation::connect(&endpoint, "u32be").unwrap();
            assert_eq!(&*client.request(&i.to_be_bytes()).unwrap(), i.to_be_bytes());
            client.close().unwrap();
        }
        server.join().unwrap().unwrap()
    });
    assert_eq!((served.accepted, served.failed, served.panicked), (CONVERSATIONS, 0, 0));
    assert_eq!(descriptors(), before);
    assert_eq!(lost_bytes(), 0);
}
