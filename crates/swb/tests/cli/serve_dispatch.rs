//! `swb serve` under each dispatcher, and what bounds it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustix::process::Signal;

use crate::serve::exchange;
use crate::support::{Dir, Running, read_to_end, run};

pub(crate) const DISPATCHERS: [&[&str]; 5] = [
    &["--dispatch", "threads"],
    &["--dispatch", "events"],
    &["--dispatch=events", "--loops=3"],
    &["--dispatch", "processes"],
    &["--dispatch=processes", "--pool=60"],
];

/// A server of messages on a port of its own, under a dispatcher.
pub(crate) fn start(dispatch: &[&str], rest: &[&str]) -> Running {
    Running::start(&[&["serve", "127.0.0.1:0"], dispatch, rest].concat())
}

pub(crate) fn summary(stderr: &str) -> &str {
    stderr.lines().last().unwrap()
}

/// Reads as many bytes as are expected, which must be those.
fn expect(mut client: &TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, expected);
}

#[test]
fn every_dispatcher_answers_the_same() {
    let streams: [(&str, &[u8]); 6] = [
        ("lines", b"one\n\nthree\n"),
        ("lines", b"one\nbroken o"),
        ("u32be", b"\x00\x00\x00\x02hi\x00\x00\x00\x00"),
        ("netstring", b"2:ok,1:xy"),
        ("netstring", b"2:ok,99"),
        ("u8", b""),
    ];
    for action in [&["echo"][..], &["discard"], &["reply", "no"]] {
        for (framing, stream) in streams {
            let seen: Vec<_> = DISPATCHERS
                .iter()
                .map(|dispatch| {
                    let rest = [&["--count", "1", "--frame", framing], action].concat();
                    let server = start(dispatch, &rest);
                    let answer = exchange(&server, stream);
                    let ran = server.end();
                    assert_eq!((ran.exit, ran.text()), (0, ""));
                    let told = ran.stderr.lines().nth(1).unwrap();
                    // What comes before is the port of the client.
                    let told = told.split_once(", message ").map_or(told, |(_, told)| told);
                    (answer, told.to_owned(), summary(&ran.stderr).to_owned())
                })
                .collect();
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{framing}: {seen:?}");
        }
    }
}

#[test]
fn many_conversations_at_once_get_their_own_answers() {
    for dispatch in DISPATCHERS {
        let server = start(dispatch, &["-f", "lines", "--count", "50", "echo"]);
        let clients: Vec<TcpStream> = (0..50).map(|_| server.connect()).collect();
        for round in 0..3 {
            for (n, mut client) in clients.iter().enumerate() {
                client.write_all(format!("{round} of {n}\n").as_bytes()).unwrap();
            }
            for (n, client) in clients.iter().enumerate() {
                expect(client, format!("{round} of {n}\n").as_bytes());
            }
        }
        drop(clients);
        let ran = server.end();
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        assert_eq!(summary(&ran.stderr), "50 conversations, 150 messages");
    }
}

#[test]
fn a_number_or_a_time_that_cannot_be_is_refused_by_the_name_of_its_flag() {
    for (flag, value, why) in [
        ("--max-conversations", "0", "it must be at least 1"),
        ("--max-conversations", "many", "a number is written in digits"),
        ("--loops", "0", "it must be at least 1"),
        ("--pool", "0", "it must be at least 1"),
        ("--idle", "0s", "it must be more than 0"),
        ("--idle", "0", "it must be more than 0"),
        ("--idle", "5", "a unit is missing"),
        ("--count", "0", "it must be at least 1"),
        ("--max", "0", "it must be at least 1"),
        ("--loops", "100000", "it may be at most 1024"),
        ("--dispatch", "fibres", "[possible values: threads, processes, events]"),
    ] {
        let args = ["serve", "127.0.0.1:0", "echo", "--frame", "u8", flag, value];
        let ran = run(&args, b"");
        assert_eq!((ran.exit, ran.text()), (2, ""), "{flag} {value}");
        assert!(ran.stderr.contains(flag) && ran.stderr.contains(why), "{}", ran.stderr);
        assert!(!ran.stderr.contains("listening"), "{}", ran.stderr);
    }
    let args =
        ["serve", "127.0.0.1:0", "echo", "-f", "u8", "--dispatch", "threads", "--loops", "2"];
    let ran = run(&args, b"");
    assert_eq!((ran.exit, ran.text()), (2, ""));
    let expected = "swb: --loops does not go with --dispatch threads, which has no loops";
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
    let ran = run(&["serve", "127.0.0.1:0", "echo", "-f", "u8", "--pool", "2"], b"");
    assert_eq!((ran.exit, ran.text()), (2, ""));
    let expected = "swb: --pool does not go with --dispatch events, which has no processes";
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
}

#[test]
fn stats_tell_while_it_goes_on_and_agree_at_the_end() {
    // Each takes a second, so the two that differ most.
    for dispatch in [DISPATCHERS[0], DISPATCHERS[2], DISPATCHERS[3]] {
        let mut server = start(dispatch, &["-f", "u8", "--stats", "--count", "2", "reply", "yes"]);
        let mut client = server.connect();
        client.write_all(b"\x02hi\x00").unwrap();
        expect(&client, b"\x03yes\x03yes");
        let told = server.told("accepted");
        let line = summary(&told);
        assert!(line.contains(": 1 accepted, 1 open; in 2 messages, 4 bytes ("), "{line}");
        assert!(line.contains("; out 2 messages, 8 bytes ("), "{line}");
        assert!(line.contains("; 0 bytes queued"), "{line}");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&client).unwrap(), b"");
        assert_eq!(exchange(&server, b"\x02h"), b"");
        let ran = server.end();
        let lines: Vec<&str> = ran.stderr.lines().collect();
        let [.., last, sum] = lines[..] else { panic!("{}", ran.stderr) };
        assert!(last.starts_with("in all, "), "{last}");
        assert!(last.contains(": 2 accepted, 0 open; in 2 messages, 6 bytes; "), "{last}");
        assert!(last.contains("; out 2 messages, 8 bytes; "), "{last}");
        assert!(last.ends_with("; ended: finished 1, truncated 1"), "{last}");
        assert_eq!(sum, "2 conversations, 2 messages; truncated 1");
        assert!(!ran.stderr.contains('\x1b'), "no status line without a terminal");
    }
}

#[test]
fn an_interrupt_drains_under_every_dispatcher() {
    let dir = Dir::new("serve-drain");
    let path = dir.path.join("answer");
    // More than the buffers between the two hold.
    let answer: Vec<u8> = (0..8 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    std::fs::write(&path, &answer).unwrap();
    let reply = format!("@{}", path.display());
    for dispatch in DISPATCHERS {
        let mut server = start(dispatch, &["-f", "u32be", "reply", &reply]);
        let mut client = server.connect();
        client.write_all(b"\0\0\0\x01a").unwrap();
        let mut first = [0];
        client.read_exact(&mut first).unwrap();
        client.write_all(b"\0\0\0\x01b\0\0\0\x01c\0\0\0\x0fnot whole").unwrap();
        server.interrupt_told();
        let rest = read_to_end(&client).unwrap();
        let frame = [&(8_u32 << 20).to_be_bytes()[..], &answer].concat();
        let all = [&first[..], &rest].concat();
        assert!(all == frame.repeat(3), "{} of {} bytes", all.len(), 3 * frame.len());
        drop(client);
        let ran = server.end();
        assert_eq!(ran.exit, 130);
        assert_eq!(summary(&ran.stderr), "1 conversation, 3 messages");
    }
}

#[test]
fn a_second_interrupt_aborts() {
    for dispatch in DISPATCHERS {
        let args = ["-f", "u32be", "--max", "64m", "echo"];
        let mut server = start(dispatch, &args);
        let mut client = server.connect();
        // Its echo is more than the buffers hold, and nobody takes it.
        let body = vec![b'x'; 32 << 20];
        client.write_all(&(32_u32 << 20).to_be_bytes()).unwrap();
        client.write_all(&body).unwrap();
        client.read_exact(&mut [0]).unwrap();
        server.interrupt_told();
        server.abort(Signal::INT);
        let ran = server.end();
        assert_eq!(ran.exit, 130);
        // A process that outlives the abort for a moment may tell of its own conversation.
        assert!(!ran.stderr.contains("1 conversation"), "no summary: {}", ran.stderr);
    }
}

#[test]
fn a_message_as_large_as_may_be_comes_back() {
    for dispatch in DISPATCHERS {
        let args = ["-f", "u32be", "--max", "40m", "--count", "1", "echo"];
        let server = start(dispatch, &args);
        let body = vec![b'x'; 40 << 20];
        let frame = [&(40_u32 << 20).to_be_bytes()[..], &body].concat();
        assert!(exchange(&server, &frame) == frame);
        assert_eq!(server.end().exit, 0);
    }
}

#[test]
fn at_the_most_conversations_the_next_one_waits_and_is_served_then() {
    for serves in [
        &["--dispatch", "threads", "-f", "lines", "echo"][..],
        &["--dispatch", "events", "-f", "lines", "echo"],
        &["exec", "cat"],
    ] {
        let server = start(&["--max-conversations", "1", "--count", "2"], serves);
        let (mut first, mut second) = (server.connect(), server.connect());
        second.write_all(b"second\n").unwrap();
        for round in 0..20 {
            first.write_all(format!("{round}\n").as_bytes()).unwrap();
            expect(&first, format!("{round}\n").as_bytes());
        }
        second.set_nonblocking(true).unwrap();
        let waits = second.peek(&mut [0]).unwrap_err();
        assert_eq!(waits.kind(), ErrorKind::WouldBlock, "{serves:?}");
        second.set_nonblocking(false).unwrap();
        drop(first);
        expect(&second, b"second\n");
        drop(second);
        assert_eq!(server.end().exit, 0);
    }
}

#[test]
fn a_silent_conversation_is_closed_under_every_dispatcher() {
    for dispatch in DISPATCHERS {
        let server = start(dispatch, &["-f", "u8", "--idle", "50ms", "--count", "1", "echo"]);
        let client = server.connect();
        assert_eq!(read_to_end(&client).unwrap(), b"", "a clean end");
        drop(client);
        let ran = server.end();
        let told = ran.stderr.lines().nth(1).unwrap();
        assert!(told.starts_with("swb: conversation 1: waiting for a message from "), "{told}");
        assert!(told.contains(", message 1: timed out after "), "{told}");
        assert!(told.ends_with(" ms"), "{told}");
        assert_eq!(summary(&ran.stderr), "1 conversation, 0 messages; timed-out 1");
    }
}

#[test]
fn a_port_in_use_is_exit_3_in_words() {
    let server = start(&["--dispatch", "events"], &["-f", "u8", "echo"]);
    for dispatch in ["threads", "events"] {
        let args = ["serve", &server.endpoint, "--dispatch", dispatch, "-f", "u8", "echo"];
        let ran = run(&args, b"");
        assert_eq!((ran.exit, ran.text()), (3, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("address already in use"), "{}", ran.stderr);
    }
    server.interrupt();
    assert_eq!(server.end().exit, 130);
}

#[test]
fn a_client_that_resets_is_told_and_touches_no_other() {
    for dispatch in DISPATCHERS {
        let server = start(dispatch, &["-f", "u8", "--count", "2", "echo"]);
        let mut client = server.connect();
        client.write_all(b"\x02hi\x09br").unwrap();
        expect(&client, b"\x02hi");
        crate::support::reset(client);
        assert_eq!(exchange(&server, b"\x02ok"), b"\x02ok");
        let ran = server.end();
        assert_eq!(ran.exit, 0);
        assert!(ran.stderr.contains("swb: conversation 1: cannot receive from "), "{}", ran.stderr);
        assert_eq!(summary(&ran.stderr), "2 conversations, 2 messages; reset 1");
    }
}

/// The child of a process that has one.
fn child_of(pid: rustix::process::Pid) -> rustix::process::Pid {
    let raw = pid.as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{raw}/task/{raw}/children")).unwrap();
    let first = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::Pid::from_raw(first).unwrap()
}

#[test]
fn the_death_of_a_process_is_told_when_it_happens() {
    use rustix::process::{Pid, kill_process};
    let args = ["serve", "127.0.0.1:0", "--dispatch", "processes", "-f", "lines", "echo"];
    let mut server = Running::start(&args);
    let mut client = server.connect();
    client.write_all(b"a\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    // In front, the one that accepts, and the one that has the conversation.
    let process = child_of(child_of(Pid::from_child(&server.child)));
    kill_process(process, Signal::KILL).unwrap();
    let error = client.read(&mut [0; 2]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    server.told("swb: 1 conversation ended by the death of the process\n");
    server.terminate();
    let ran = server.end();
    // It may have died before it had counted the message that it had answered.
    assert!(ran.stderr.contains("\n1 conversation, "), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("; crashed 1\n"), "{}", ran.stderr);
}
