//! What `swb serve` says and does when something is out of the ordinary: peers that keep it
//! waiting, signals, a lack of descriptors, an answer that cannot be sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::serve_dispatch::{DISPATCHERS, start, summary};
use crate::support::{Dir, Ran, Running, read_to_end, run, server, swb};

#[test]
fn half_a_message_is_not_waited_for_longer_than_idle() {
    for dispatch in DISPATCHERS {
        let server = start(dispatch, &["-f", "u32be", "--idle", "50ms", "--count", "1", "echo"]);
        let mut client = server.connect();
        client.write_all(b"\0\0").unwrap();
        assert_eq!(read_to_end(&client).unwrap(), b"", "closed");
        drop(client);
        let ran = server.end();
        assert_eq!(summary(&ran.stderr), "1 conversation, 0 messages; timed-out 1");
    }
}

#[test]
fn a_peer_that_takes_nothing_is_not_waited_for_longer_than_idle() {
    let dir = Dir::new("serve-stall");
    let path = dir.path.join("answer");
    // More than the buffers of both sockets hold.
    std::fs::write(&path, vec![b'x'; 24 << 20]).unwrap();
    let answer = format!("@{}", path.display());
    for dispatch in DISPATCHERS {
        let rest = ["-f", "u32be", "--max", "24m", "--idle", "100ms", "--count", "1"];
        let server = start(dispatch, &[&rest[..], &["reply", &answer]].concat());
        let mut client = server.connect();
        client.write_all(b"\0\0\0\0").unwrap();
        let ran = server.end();
        assert_eq!(summary(&ran.stderr), "1 conversation, 1 message; timed-out 1");
        drop(client);
    }
}

#[test]
fn a_sigterm_answers_what_has_come_and_ends_as_an_interrupt_does() {
    for serves in [&["-f", "u8", "echo"][..], &["exec", "cat"]] {
        let mut server = Running::start(&[&["serve", "127.0.0.1:0"], serves].concat());
        let mut client = server.connect();
        client.write_all(b"\x02hi").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&client).unwrap(), b"\x02hi");
        server.terminate();
        server.told("swb: terminated: ");
        let ran = server.end();
        assert_eq!(ran.exit, 143, "{}", ran.stderr);
        assert!(summary(&ran.stderr).starts_with("1 conversation"), "{}", ran.stderr);
    }
}

#[test]
fn a_second_sigterm_aborts() {
    let mut server = Running::start(&["serve", "127.0.0.1:0", "exec", "cat"]);
    let mut client = server.connect();
    // Once this is back, the program runs, and waits for more.
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    server.terminate();
    server.told("swb: terminated: ");
    server.abort(Signal::TERM);
    assert_eq!(server.child.wait().unwrap().code(), Some(143));
    // The program ends with its client, and lets go of stderr.
    drop(client);
    let ran = server.end();
    assert_eq!((ran.exit, ran.stderr.as_str()), (143, ""));
}

#[test]
fn a_dialogue_is_ended_by_a_sigterm_in_its_own_word() {
    let (address, peer) = server(|mut stream| {
        stream.read_exact(&mut [0]).unwrap();
        stream
    });
    let child = swb(&["send", &address, "-f", "lines", "--data", "x"]).spawn().unwrap();
    let stream = peer.join().unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    drop(stream);
    assert_eq!((ran.exit, ran.stderr.as_str()), (143, "swb: terminated\n"));
}

#[test]
fn an_answer_that_the_framing_cannot_carry_is_refused_before_listening() {
    for (framing, text) in [("lines", "a\\nb"), ("fixed:4", "ab"), ("u8", &"x".repeat(256))] {
        let ran = run(&["serve", "127.0.0.1:0", "-f", framing, "reply", text], b"");
        assert_eq!((ran.exit, ran.text()), (2, ""), "{framing}");
        let expected = "swb: reply: the framing cannot carry TEXT: ";
        assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
        assert!(!ran.stderr.contains("listening"), "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_served_is_told_with_what_can() {
    let ran = run(&["serve", "127.0.0.1:0", "bogus", "--frame", "lines"], b"");
    let expected = "swb: cannot serve 'bogus': WHAT is echo, discard, reply or exec\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, expected));
}

#[test]
fn who_is_still_awaited_after_a_signal_is_told() {
    let dir = Dir::new("serve-awaited");
    let path = dir.path.join("answer");
    // More than the buffers of both sockets hold.
    std::fs::write(&path, vec![b'x'; 24 << 20]).unwrap();
    let answer = format!("@{}", path.display());
    let mut server = start(&[], &["-f", "u32be", "--max", "24m", "reply", &answer]);
    let mut client = server.connect();
    client.write_all(b"\0\0\0\0").unwrap();
    client.read_exact(&mut [0]).unwrap();
    server.interrupt_told();
    let told = server.told("waiting for");
    let expected = "swb: waiting for 1 conversation; who is left is cut off after 30s; \
                    once more aborts";
    assert_eq!(summary(&told), expected);
    drop(client);
    assert_eq!(server.end().exit, 130);
}

#[test]
fn programs_that_are_still_awaited_after_a_signal_are_told() {
    let mut server = Running::start(&["serve", "127.0.0.1:0", "exec", "cat"]);
    let mut client = server.connect();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    server.interrupt_told();
    let told = server.told("waiting for 1 ");
    assert_eq!(summary(&told), "swb: waiting for 1 conversation; once more aborts");
    drop(client);
    assert_eq!(server.end().exit, 130);
}

#[test]
fn a_lack_of_descriptors_is_told_once_and_so_is_its_end() {
    for dispatch in [&["--dispatch", "threads"][..], &["--dispatch=events", "--loops=1"]] {
        let mut server = start(dispatch, &["-f", "u8", "echo"]);
        // Once this is back, all that serving itself needs is open.
        let mut client = server.connect();
        client.write_all(b"\x01x").unwrap();
        client.read_exact(&mut [0; 2]).unwrap();
        // Nothing that is open goes away; nothing more can be opened.
        let few = Rlimit { current: Some(3), ..getrlimit(Resource::Nofile) };
        let pid = Some(Pid::from_child(&server.child));
        let before = prlimit(pid, Resource::Nofile, few).unwrap();
        let clients: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
        let told = server.told("descriptors have run out");
        assert!(summary(&told).ends_with("ulimit -n; 1 conversation open)"), "{told}");
        prlimit(pid, Resource::Nofile, before).unwrap();
        let told = server.told("accepting goes on");
        assert!(!told.contains("run out"), "told once: {told}");
        drop((client, clients));
        server.interrupt();
        assert_eq!(server.end().exit, 130);
    }
}

/// A process takes more than the descriptor of its connection. Whichever of them is the last one:
/// who is served goes on, others are served when there are some again, and the end is in order.
#[test]
fn whichever_descriptor_is_the_last_one_processes_go_on() {
    let exchange = |mut client: &TcpStream| {
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client.write_all(b"\x01x").unwrap();
        client.read_exact(&mut [0; 2]).unwrap();
    };
    for descriptors in 40..43 {
        let args = ["serve", "127.0.0.1:0", "echo", "-f", "u8", "--dispatch", "processes"];
        let server = Running::limited(descriptors, &args);
        let client = server.connect();
        exchange(&client);
        let crowd: Vec<TcpStream> = (0..40).map(|_| server.connect()).collect();
        // They are let in one behind the other, and there is room for no more than twelve.
        crowd[..9].iter().for_each(exchange);
        exchange(&client);
        drop(crowd);
        exchange(&server.connect());
        exchange(&client);
        drop(client);
        server.interrupt();
        assert_eq!(server.end().exit, 130, "{descriptors}");
    }
}
