//! A runtime of another language around the library: it forks, and it knows of threads.
//!
//! It is set for a process, once, and nothing is forked off one with threads: so this binary brings
//! its own harness and is one test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stdout, reason = "a harness tells what it found")]

use std::cell::Cell;
use std::io::{self, Write};
use switchboard::host::{self, Host};
use switchboard::server::{Dispatch, Reply, Server};
use switchboard::{Conversation, Error};

thread_local! {
    static IS_KNOWN: Cell<bool> = const { Cell::new(false) };
    /// How often this thread has been told of messages, and whether it is among them now.
    static TOLD: Cell<(u32, bool)> = const { Cell::new((0, false)) };
}

fn thread(work: &mut (dyn FnMut() + Send)) {
    IS_KNOWN.set(true);
    work();
}

fn messages(give: &mut dyn FnMut()) {
    TOLD.set((TOLD.get().0 + 1, true));
    give();
    TOLD.set((TOLD.get().0, false));
}

/// How often the runtime has been told of messages.
fn counted(_: &[u8], reply: &mut Reply<'_>) -> Result<(), Error> {
    let (count, is_among_them) = TOLD.get();
    assert!(is_among_them, "the runtime does not know of this message");
    reply.send(count.to_string().as_bytes())
}

/// Says whether the runtime knows the thread it is called in.
fn asked(_: &[u8], reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.send(if IS_KNOWN.get() { b"known" } else { b"unknown" })
}

fn server(dispatch: Dispatch) -> Server {
    Server::new("lines").unwrap().listen("127.0.0.1:0").unwrap().with_dispatch(dispatch)
}

fn main() {
    println!("\nrunning 1 test");
    let fork = || Err(io::Error::other("this runtime does not fork"));
    assert!(host::set(Host { fork, thread, messages }));
    assert!(!host::set(Host { fork, thread, messages }), "once");

    let refused = server(Dispatch::processes()).start(|| asked).unwrap_err();
    assert!(refused.to_string().contains("this runtime does not fork"), "{refused}");

    let running = server(Dispatch::events().with_loops(1)).start(|| asked).unwrap();
    let endpoint = running.endpoints()[0].to_string();
    let mut client = Conversation::connect(&endpoint, "lines").unwrap();
    assert_eq!(&*client.request(b"?").unwrap(), b"known");
    client.close().unwrap();
    running.stop().unwrap();

    // Once for those that come together, and not for half of one.
    let running = server(Dispatch::events().with_loops(1)).start(|| counted).unwrap();
    let endpoint = running.endpoints()[0].to_string();
    let mut client = Conversation::connect(&endpoint, "lines").unwrap();
    client.send_many(["a", "b", "c"]).unwrap();
    for _ in 0..3 {
        assert_eq!(&*client.recv().unwrap().unwrap(), b"1");
    }
    let stream = std::net::TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
    (&stream).write_all(b"half").unwrap();
    assert_eq!(&*client.request(b"d").unwrap(), b"2");
    client.close().unwrap();
    running.stop().unwrap();
    println!("test a_runtime_forks_and_knows_of_threads ... ok\n");
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
