//! Reads that wait in one call of the system, and what conversations make of them.

use crate::help::*;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use switchboard::transport::{
    Faults, Faulty, Interest, Interrupt, Tcp, Trace, Unix, Wait, Woken, pair,
};
use switchboard::{Conversation, Listener, SharedConversation, Stopper, Timeouts, deadline};

/// Ends whose sockets this crate has made.
fn own_sockets() -> Vec<(&'static str, Shared, Shared)> {
    ["127.0.0.1:0", "[::1]:0", "unix:@"]
        .into_iter()
        .map(|at| {
            let at_own_name = format!("unix:@{}", unique());
            let (a, b) = over(&listen(if at == "unix:@" { &at_own_name } else { at }));
            (at, a, b)
        })
        .collect()
}

#[test]
fn it_waits_for_bytes_and_for_the_end() {
    for (name, a, b) in own_sockets() {
        let reader = thread::spawn(move || {
            let mut bytes = [0; 8];
            let first = b.read_within(&mut bytes, None).unwrap();
            assert_eq!(&bytes[..first], b"hello");
            let end = b.read_within(&mut bytes, Some(Duration::from_secs(100)));
            assert_eq!(end.unwrap(), 0, "{name}");
        });
        write_all(&*a, b"hello").unwrap();
        a.finish().unwrap();
        reader.join().unwrap();
    }
}

#[test]
fn in_time_without_bytes_it_would_block_and_everything_is_as_it_was() {
    for (name, a, b) in own_sockets() {
        let mut bytes = [0; 8];
        // Too short to be worth a wait, long enough, and once more after a longer one.
        for milliseconds in [0, 1, 40, 80, 40] {
            let read = b.read_within(&mut bytes, Some(Duration::from_millis(milliseconds)));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock, "{name}");
        }
        assert_eq!(b.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock, "{name}");
        write_all(&*a, b"hello").unwrap();
        assert_eq!(b.wait(Interest::READ, &Wait::FOREVER).unwrap(), Woken::Ready(Interest::READ));
        assert_eq!(b.read_within(&mut bytes, Some(Duration::from_secs(1))).unwrap(), 5, "{name}");
    }
}

#[test]
fn a_socket_of_yours_is_never_waited_in_and_others_have_no_such_call() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = Tcp::from(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let (a, _b) = pair().unwrap();
    let a: Shared = Arc::new(a);
    let others: [(&str, Shared); 4] = [
        ("tcp", Arc::new(tcp)),
        ("unix", Arc::new(Unix::from(UnixStream::pair().unwrap().0))),
        ("trace", Arc::new(Trace::new(Arc::clone(&a), |_| ()))),
        ("faulty", Arc::new(Faulty::new(a, Faults::new(1)))),
    ];
    for (name, transport) in others {
        let read = transport.read_within(&mut [0; 8], Some(Duration::from_secs(1)));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Unsupported, "{name}");
    }
}

#[test]
fn a_reset_of_this_side_wakes_a_thread_that_reads() {
    for (name, _a, b) in own_sockets() {
        let reader = {
            let b = Arc::clone(&b);
            thread::spawn(move || b.read_within(&mut [0; 8], None))
        };
        b.reset().unwrap();
        let read = reader.join().unwrap();
        assert!(read.as_ref().is_ok_and(|&count| count == 0) || read.is_err(), "{name}: {read:?}");
    }
}

/// Two conversations with each other over a socket whose reads wait.
fn two(at: &str) -> (Conversation, Conversation) {
    let listener = Listener::listen(at).unwrap();
    let client = Conversation::connect(&listener.endpoints()[0].to_string(), "u32be").unwrap();
    (client, listener.accept_conversation(&"u32be".parse().unwrap()).unwrap())
}

#[test]
fn a_deadline_is_never_early_and_loses_nothing() {
    let (mut client, mut server) = two("127.0.0.1:0");
    // With and without a stopper, which is looked for in between; in any order of lengths.
    for with_stopper in [false, true] {
        if with_stopper {
            server.stopper().unwrap();
        }
        for milliseconds in [200, 10, 33, 70, 130] {
            let time = Duration::from_millis(milliseconds);
            server.set_timeouts(Timeouts::all(time));
            let begin = deadline::now();
            assert!(server.recv().unwrap_err().is_timeout());
            assert!(begin.elapsed() >= time, "{time:?}: after {:?}", begin.elapsed());
        }
        client.send(b"late").unwrap();
        server.set_timeouts(Timeouts::default());
        assert_eq!(&*server.recv().unwrap().unwrap(), b"late");
    }
}

#[test]
fn a_stop_ends_a_read_that_waits() {
    let (mut client, mut server) = two("127.0.0.1:0");
    let stopper = Stopper::new().unwrap();
    server.set_stopper(&stopper);
    let (told, received) = std::sync::mpsc::channel();
    let echo = thread::spawn(move || {
        loop {
            match server.recv() {
                Ok(Some(message)) => {
                    let copy = message.to_vec();
                    server.send(&copy).unwrap();
                    told.send(copy.len()).unwrap();
                }
                other => break other.map(|_| ()),
            }
        }
    });
    // The first wait looks at everything, the next ones read.
    for _ in 0..10 {
        client.request(b"hello").unwrap();
    }
    assert_eq!(received.iter().take(10).sum::<usize>(), 50);
    stopper.stop();
    assert!(echo.join().unwrap().unwrap_err().is_stopped());
}

#[test]
fn a_hook_is_asked_by_who_has_read() {
    let (mut client, mut server) = two("127.0.0.1:0");
    let ends = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ends);
    server.set_on_interrupt(move || match asked.load(Ordering::Relaxed) {
        true => Interrupt::End,
        false => Interrupt::Continue,
    });
    // The first wait looks at everything, the next ones read.
    for _ in 0..10 {
        client.send(b"hello").unwrap();
        assert_eq!(&*server.recv().unwrap().unwrap(), b"hello");
    }
    ends.store(true, Ordering::Relaxed);
    assert!(server.recv().unwrap_err().is_stopped());
    let shared = SharedConversation::new(server);
    assert!(shared.receive().unwrap_err().is_stopped());
    client.send(b"kept").unwrap();
    assert!(shared.receive().unwrap());
}

#[test]
fn what_had_come_before_a_stop_is_given_before_it_is_told() {
    let (mut client, mut server) = two("127.0.0.1:0");
    client.send(b"one").unwrap();
    assert_eq!(&*server.recv().unwrap().unwrap(), b"one");
    // Now the last read has left nothing, so the next call begins with a wait.
    let stopper = server.stopper().unwrap();
    client.send_many(["two", "three"]).unwrap();
    server.transport().wait(Interest::READ, &Wait::FOREVER).unwrap();
    stopper.stop();
    assert_eq!(&*server.recv().unwrap().unwrap(), b"two");
    assert_eq!(&*server.recv().unwrap().unwrap(), b"three");
    assert!(server.recv().unwrap_err().is_stopped());
}
