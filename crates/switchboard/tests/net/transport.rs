//! Every transport has the same behaviours.

use crate::help::*;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use switchboard::transport::{
    Faults, Faulty, Interest, Tcp, Trace, TraceEvent, Unix, Wait, Woken, pair, pair_with_capacity,
};
use switchboard::{Endpoint, Liveness, Stopper, Transport, deadline};

/// Two connected ends, by the name of what is between them.
fn every_transport() -> Vec<(&'static str, Shared, Shared)> {
    let mut all = Vec::new();
    let mut add = |name, (a, b): (Shared, Shared)| all.push((name, a, b));
    add("tcp", over(&listen("127.0.0.1:0")));
    add("tcp over ipv6", over(&listen("[::1]:0")));
    let directory = Directory::new();
    add("unix", over(&listen(&format!("unix:{}", directory.join("s").display()))));
    add("abstract", over(&listen(&format!("unix:@{}", unique()))));
    let blocking = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(blocking.local_addr().unwrap()).unwrap();
    let (served, _) = blocking.accept().unwrap();
    add("std tcp, blocking", (Arc::new(Tcp::from(client)), Arc::new(Tcp::from(served))));
    let (a, b) = UnixStream::pair().unwrap();
    b.set_nonblocking(true).unwrap();
    add("std unix, one blocking", (Arc::new(Unix::from(a)), Arc::new(Unix::from(b))));
    add("pair", shared_pair());
    let (a, b) = pair_with_capacity(7).unwrap();
    add("pair of 7 bytes", (Arc::new(a), Arc::new(b)));
    let (a, b) = shared_pair();
    add("trace", (Arc::new(Trace::new(a, |_| ())), Arc::new(Trace::new(b, |_| ()))));
    for (name, faults) in [
        ("one byte a call", Faults::new(1).bytes_per_call(1)),
        ("interrupted at every call", Faults::new(2).interrupts(1000)),
        ("would block at every other call", Faults::new(3).would_blocks(1000)),
        ("all of that", Faults::new(4).bytes_per_call(1).interrupts(1000).would_blocks(1000)),
        ("cut at random", Faults::new(5).cuts().interrupts(300).would_blocks(300)),
        ("glued at random", Faults::new(6).cuts().glue(700)),
    ] {
        let (a, b) = shared_pair();
        add(name, (Arc::new(Faulty::new(a, faults)), Arc::new(Faulty::new(b, faults))));
    }
    all
}

fn shared_pair() -> (Shared, Shared) {
    let (a, b) = pair().unwrap();
    (Arc::new(a), Arc::new(b))
}

/// Bytes whose order shows.
fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

#[test]
fn a_half_close_is_an_end_and_the_reply_still_comes() {
    for (name, a, b) in every_transport() {
        write_all(&*a, b"request").unwrap_or_else(|error| panic!("{name}: {error}"));
        a.finish().unwrap();
        a.finish().unwrap_or_else(|error| panic!("{name}: a second finish: {error}"));
        assert_eq!(read_to_end(&*b).unwrap(), b"request", "{name}");
        assert_eq!(read_to_end(&*b).unwrap(), b"", "{name}: the end stays the end");
        write_all(&*b, b"reply").unwrap_or_else(|error| panic!("{name}: {error}"));
        b.finish().unwrap();
        assert_eq!(read_to_end(&*a).unwrap(), b"reply", "{name}");
        assert!(a.facts().half_close, "{name}");
    }
}

#[test]
fn much_goes_both_ways_at_once_over_two_threads_a_side() {
    for (name, a, b) in every_transport() {
        // More than any buffer holds: each side must read while it writes.
        let bytes = if name.contains("pair") || name == "tcp" { 2_000_000 } else { 20_000 };
        let sent = pattern(bytes);
        std::thread::scope(|scope| {
            for side in [&a, &b] {
                scope.spawn(|| {
                    write_all(&**side, &sent).unwrap();
                    side.finish().unwrap();
                });
                scope.spawn(|| {
                    let received = read_to_end(&**side).unwrap();
                    assert!(received == sent, "{name}: {} of {bytes} bytes", received.len());
                });
            }
        });
    }
}

#[test]
fn vectored_calls_move_the_same_bytes() {
    for (name, a, b) in every_transport() {
        let parts = [&b""[..], b"ab", b"", b"cde"];
        let mut sent = 0;
        while sent < 5 {
            let mut left: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut slices = &mut left[..];
            IoSlice::advance_slices(&mut slices, sent);
            match a.write_vectored(slices) {
                Ok(count) => sent += count,
                Err(error) => assert!(is_again(&error), "{name}: {error}"),
            }
        }
        a.finish().unwrap();
        let mut received: Vec<u8> = Vec::new();
        loop {
            let (mut first, mut second) = ([0; 2], [0; 16]);
            let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            match b.read_vectored(&mut buffers) {
                Ok(0) => break,
                Ok(count) => {
                    received.extend(first.iter().chain(&second).take(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    b.wait(Interest::READ, &soon()).unwrap();
                }
                Err(error) => assert!(is_again(&error), "{name}: {error}"),
            }
        }
        assert_eq!(received, b"abcde", "{name}");
    }
}

#[test]
fn nothing_there_would_block_and_a_deadline_holds() {
    for (name, a, _b) in every_transport() {
        let mut buffer = [0; 8];
        for _ in 0..3 {
            let error = a.read(&mut buffer).unwrap_err();
            assert!(is_again(&error), "{name}: {error}");
        }
        assert_eq!(a.wait(Interest::READ, &now()).unwrap(), Woken::Deadline, "{name}");
        let until = deadline::after(Duration::from_millis(5)).unwrap();
        let woken = a.wait(Interest::READ, &Wait::until(until)).unwrap();
        assert_eq!(woken, Woken::Deadline, "{name}");
        assert!(deadline::now() >= until, "{name}: it came back before its deadline");
    }
}

#[test]
fn both_interests_tell_which_is_ready() {
    for (name, a, b) in every_transport() {
        let woken = a.wait(Interest::BOTH, &soon()).unwrap();
        assert_eq!(woken, Woken::Ready(Interest::WRITE), "{name}");
        write_all(&*b, b"x").unwrap();
        // What is held back to be glued goes out before a wait.
        assert!(matches!(b.wait(Interest::WRITE, &soon()).unwrap(), Woken::Ready(_)), "{name}");
        let woken = a.wait(Interest::READ, &soon()).unwrap();
        assert_eq!(woken, Woken::Ready(Interest::READ), "{name}");
        let woken = a.wait(Interest::BOTH, &soon()).unwrap();
        assert_eq!(woken, Woken::Ready(Interest::BOTH), "{name}");
    }
}

#[test]
fn a_stop_wakes_a_waiting_thread_and_every_later_wait() {
    for (name, a, b) in every_transport() {
        let stopper = Stopper::new().unwrap();
        let (about_to_wait, waiting) = mpsc::channel();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                about_to_wait.send(()).unwrap();
                a.wait(Interest::READ, &Wait::FOREVER.or_stopped(&stopper)).unwrap()
            });
            waiting.recv().unwrap();
            stopper.clone().stop();
            assert_eq!(waiter.join().unwrap(), Woken::Stopped, "{name}");
        });
        // A stop comes before readiness: a peer that never pauses cannot hide it.
        write_all(&*b, b"x").unwrap();
        let woken = a.wait(Interest::BOTH, &soon().or_stopped(&stopper)).unwrap();
        assert_eq!(woken, Woken::Stopped, "{name}");
        assert_eq!(read_exact(&*a, 1), b"x", "{name}: a stop loses nothing");
    }
}

#[test]
fn a_peer_that_does_not_read_makes_writes_block_and_no_byte_is_lost() {
    for (name, a, b) in every_transport() {
        let chunk = pattern(251 * 256);
        let mut sent = 0_usize;
        loop {
            match a.write(&chunk[sent % 251..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if a.wait(Interest::WRITE, &now()).unwrap() == Woken::Deadline {
                        break;
                    }
                }
                Err(error) => assert!(is_again(&error), "{name}: {error}"),
            }
            assert!(sent < 100_000_000, "{name}: somebody buffers without an end");
        }
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_to_end(&*b).unwrap());
            assert_eq!(
                a.wait(Interest::WRITE, &soon()).unwrap(),
                Woken::Ready(Interest::WRITE),
                "{name}: reading makes room"
            );
            a.finish().unwrap();
            assert!(reader.join().unwrap() == pattern(sent), "{name}");
        });
    }
}

#[test]
fn a_reset_is_told_apart_from_an_end() {
    for (name, a, b) in every_transport() {
        write_all(&*a, b"x").unwrap();
        assert_eq!(a.wait(Interest::WRITE, &soon()).unwrap(), Woken::Ready(Interest::WRITE));
        read_exact(&*b, 1);
        a.reset().unwrap_or_else(|error| panic!("{name}: {error}"));
        let outcome = read_to_end(&*b);
        if a.facts().reset {
            let error = outcome.expect_err(name);
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{name}");
            let error = switchboard::Error::io("receiving from", error);
            assert!(error.is_reset(), "{name}: {error}");
        } else {
            assert_eq!(outcome.unwrap(), b"", "{name}");
        }
    }
}

#[test]
fn a_reset_wakes_a_thread_of_this_side() {
    for (name, a, _b) in every_transport() {
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_to_end(&*a));
            a.reset().unwrap();
            match reader.join().unwrap() {
                Ok(bytes) => assert_eq!(bytes, b"", "{name}"),
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
                    ),
                    "{name}: {error}"
                ),
            }
        });
    }
}

#[test]
fn a_peer_that_is_gone_is_an_end_to_the_reader_and_an_error_to_the_writer() {
    for (name, a, b) in every_transport() {
        write_all(&*b, b"bye").unwrap();
        drop(b);
        assert_eq!(read_to_end(&*a).unwrap(), b"bye", "{name}");
        let error = loop {
            if let Err(error) = write_all(&*a, &[0; 100]) {
                break error;
            }
        };
        let error = switchboard::Error::io("sending to", error);
        assert!(error.is_reset(), "{name}: {error}");
        assert_eq!(error.ending(), Some(switchboard::Ending::Reset));
    }
}

#[test]
fn the_stream_can_be_cut_after_any_byte() {
    for limit in [0, 1, 5] {
        let (a, b) = shared_pair();
        write_all(&*a, b"0123456789").unwrap();
        let cut = Faulty::new(b, Faults::new(1).end_after(limit));
        let count = usize::try_from(limit).unwrap();
        assert_eq!(read_to_end(&cut).unwrap(), &b"0123456789"[..count]);

        let (a, b) = shared_pair();
        write_all(&*a, b"0123456789").unwrap();
        let cut = Faulty::new(b, Faults::new(1).reset_after(limit));
        let mut received: Vec<u8> = Vec::new();
        let error = loop {
            let mut buffer = [0; 3];
            match read_some(&cut, &mut buffer) {
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(received, &b"0123456789"[..count]);
        assert_eq!(read_to_end(&*a).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = |seed| {
        let (a, b) = shared_pair();
        let faulty = Faulty::new(a, Faults::new(seed).cuts().interrupts(500).would_blocks(500));
        let calls: Vec<_> =
            (0..100).map(|_| faulty.write(&[0; 50]).map_err(|error| error.kind())).collect();
        drop(b);
        calls
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_trace_tells_what_happened_in_order() {
    let (a, b) = shared_pair();
    let told = Mutex::new(Vec::new());
    let a = Trace::new(a, |event: TraceEvent<'_>| told.lock().unwrap().push(format!("{event:?}")));
    a.write_vectored(&[IoSlice::new(b"h"), IoSlice::new(b"i")]).unwrap();
    write_all(&*b, b"yo").unwrap();
    b.finish().unwrap();
    read_to_end(&a).unwrap();
    a.finish().unwrap();
    a.reset().unwrap();
    a.write(b"x").unwrap_err();
    let told = told.lock().unwrap();
    assert_eq!(told[..5], ["Written([104])", "Read([121, 111])", "End", "Finished", "Reset"]);
    assert!(told[5].starts_with("Failed"), "{}", told[5]);
}

#[test]
fn both_ends_know_their_names() {
    let listener = listen("127.0.0.1:0");
    let (client, served) = over(&listener);
    assert_eq!(client.remote(), Some(listener.endpoints()[0].clone()));
    assert_eq!(served.local(), client.remote());
    assert_eq!(served.remote(), client.local());
    assert_eq!(client.name(), listener.endpoints()[0].to_string());
    let name = unique();
    let (client, served) = over(&listen(&format!("unix:@{name}")));
    assert_eq!(client.remote(), Some(Endpoint::Abstract(name.clone().into_bytes())));
    assert_eq!(served.remote(), None, "the client of a unix socket has no name");
    assert_eq!(served.name(), format!("unix:@{name}"));
}

#[test]
fn liveness_and_nodelay_reach_the_socket() {
    let listener = listen("127.0.0.1:0");
    let stream = TcpStream::connect(("127.0.0.1", listener.endpoints()[0].port().unwrap()));
    let tcp = Tcp::from(stream.unwrap());
    let check = |liveness: Liveness| {
        tcp.set_liveness(&liveness).unwrap();
        let socket = socket2::SockRef::from(&tcp);
        assert_eq!(socket.keepalive().unwrap(), liveness.idle.is_some());
        if let Some(idle) = liveness.idle {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), idle);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), liveness.interval);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), liveness.probes);
        }
        let timeout = socket.tcp_user_timeout().unwrap().filter(|timeout| !timeout.is_zero());
        assert_eq!(timeout, liveness.user_timeout);
        assert!(socket.tcp_nodelay().unwrap());
    };
    check(Liveness::default());
    for seconds in [3, 4, 5, 10, 33, 600] {
        let time = Duration::from_secs(seconds);
        check(Liveness::within(time));
        assert_eq!(Liveness::within(time).detection_time(), Some(time));
    }
    check(Liveness::OFF);
}

/// Cutting a machine off takes privileges, but to the sender a peer whose window stays shut past
/// the user timeout is as dead.
#[test]
fn a_dead_peer_is_told_apart_from_a_deadline() {
    let (client, _served) = over(&listen("127.0.0.1:0"));
    let liveness = Liveness { user_timeout: Some(Duration::from_millis(300)), ..Liveness::OFF };
    client.set_liveness(&liveness).unwrap();
    // The system may take more at any time, and more of it be under way, until the window is shut.
    let error = loop {
        assert_ne!(client.wait(Interest::WRITE, &soon()).unwrap(), Woken::Deadline);
        match client.write(&[0; 65536]) {
            Err(error) if !is_again(&error) => break error,
            _ => {}
        }
    };
    let error = switchboard::Error::io("sending to", error);
    assert!(error.is_peer_dead(), "{error}");
    assert!(!error.is_timeout());
    assert_eq!(error.ending(), Some(switchboard::Ending::PeerDead));
}
