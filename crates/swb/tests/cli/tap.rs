//! `swb tap` between real clients and servers on loopback and on Unix sockets.

use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use rustix::process::Signal;

use crate::support::{Dir, Running, read_to_end, reset, run, server, unhex};

/// A running tap.
fn start(listen: &str, upstream: &str, args: &[&str]) -> Running {
    let mut all = vec!["tap", listen, upstream];
    all.extend_from_slice(args);
    Running::start(&all)
}

/// A line of JSON without its time, which is checked to be one.
fn timeless(line: &str) -> String {
    let Some((before, rest)) = line.split_once(",\"time\":\"") else { return line.to_owned() };
    let (time, after) = rest.split_once('"').unwrap();
    assert_eq!((time.len(), &time[10..11], &time[26..]), (27, "T", "Z"), "{line}");
    format!("{before}{after}")
}

#[test]
fn messages_of_both_directions_and_their_endings() {
    let (upstream, server) = server(|mut stream| {
        let request = read_to_end(&stream).unwrap();
        stream.write_all(b"\x00\x00\x00\x03yes\x00\x00\x00\x00").unwrap();
        request
    });
    let tap = start("127.0.0.1:0", &upstream, &["-f", "u32be", "--json", "--count", "1"]);
    let mut client = tap.connect();
    client.write_all(b"\x00\x00\x00\x02hi").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    // The half-close came through: the server answered only after the end of the request.
    assert_eq!(read_to_end(&client).unwrap(), b"\x00\x00\x00\x03yes\x00\x00\x00\x00");
    assert_eq!(server.join().unwrap(), b"\x00\x00\x00\x02hi");
    let ran = tap.end();
    let lines: Vec<String> = ran.lines().iter().map(|line| timeless(line)).collect();
    let message = |n, direction, bytes, len, hex, text| {
        let what = format!(r#""conversation":1,"n":{n},"direction":"{direction}""#);
        let size = format!(r#""frame_bytes":{bytes},"fields":{{"len":{len}}}"#);
        format!(r#"{{"type":"message",{what},{size},"hex":"{hex}","text":"{text}"}}"#)
    };
    let end = |direction, messages, bytes| {
        let what = format!(r#""direction":"{direction}","ending":"finished""#);
        let count = format!(r#""messages":{messages},"bytes":{bytes}"#);
        format!(r#"{{"type":"end","conversation":1,{what},{count}}}"#)
    };
    assert_eq!(
        lines,
        [
            message(1, "client", 6, 2, "6869", "hi"),
            end("client", 1, 6),
            message(1, "server", 7, 3, "796573", "yes"),
            message(2, "server", 4, 0, "", ""),
            end("server", 2, 11),
        ]
    );
    assert_eq!(ran.exit, 0);
    let stderr: Vec<&str> = ran.stderr.lines().collect();
    assert!(stderr[0].starts_with("listening on tcp://127.0.0.1:"), "{}", ran.stderr);
    assert_eq!(
        stderr[1],
        "1 conversation: 1 message (6 bytes) from clients, 2 messages (11 bytes) from servers"
    );
}

#[test]
fn text_has_conversation_direction_number_size_and_fields() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap());
    let framing = "type:1 len:u16be";
    let tap = start("127.0.0.1:0", &upstream, &["-f", framing, "--count", "1"]);
    let mut client = tap.connect();
    client.write_all(b"Q\x00\x02a\n").unwrap();
    drop(client);
    server.join().unwrap();
    let ran = tap.end();
    let lines = ran.lines();
    assert!(lines[0].starts_with("1 "), "{lines:?}");
    let message = " > #1 5 bytes type='Q' len=2: Q\\x00\\x02a\\n";
    assert!(lines[0].ends_with(message), "{lines:?}");
    assert!(lines[1].ends_with(" > end finished: 1 message, 5 bytes"), "{lines:?}");
    assert!(lines[2].ends_with(" < end finished: 0 messages, 0 bytes"), "{lines:?}");
}

#[test]
fn hex_is_a_dump_below_the_line() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap());
    let tap = start("127.0.0.1:0", &upstream, &["--frame", "u8", "--hex", "--count", "1"]);
    tap.connect().write_all(b"\x03a\x00b").unwrap();
    server.join().unwrap();
    let ran = tap.end();
    let gap = " ".repeat(40);
    assert_eq!(ran.lines()[1], format!("    0000  61 00 62{gap}  a.b"));
}

#[test]
fn a_reset_of_the_client_reaches_the_server() {
    let (upstream, server) = server(|mut stream| {
        let mut request = [0; 3];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"\x01!").unwrap();
        read_to_end(&stream).unwrap_err().kind()
    });
    let mut tap = start("127.0.0.1:0", &upstream, &["-f", "u8", "--json", "--count", "1"]);
    let mut client = tap.connect();
    client.write_all(b"\x02hi").unwrap();
    let mut answer = [0; 2];
    client.read_exact(&mut answer).unwrap();
    reset(client);
    assert_eq!(server.join().unwrap(), io::ErrorKind::ConnectionReset);
    for _ in 0..2 {
        assert!(tap.line().contains(r#""type":"message""#));
    }
    // The server ended nothing.
    let over = r#""ending":"reset","by":"client","messages":1,"bytes":2}"#;
    for (direction, expected) in
        [("client", r#""ending":"reset","messages":1,"bytes":3}"#), ("server", over)]
    {
        let line = tap.line();
        let expected = format!(r#""direction":"{direction}",{expected}"#);
        assert!(line.ends_with(&expected), "{line}");
    }
    assert_eq!(tap.end().exit, 0);
}

#[test]
fn a_reset_of_the_server_reaches_the_client() {
    let (upstream, server) = server(|mut stream| {
        let mut request = [0; 3];
        stream.read_exact(&mut request).unwrap();
        reset(stream);
    });
    let tap = start("127.0.0.1:0", &upstream, &["-f", "u8", "--count", "1"]);
    let mut client = tap.connect();
    client.write_all(b"\x02hi").unwrap();
    assert_eq!(read_to_end(&client).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    server.join().unwrap();
    let ran = tap.end();
    let lines = ran.lines();
    assert!(lines[1].ends_with(" < end reset: 0 messages, 0 bytes"), "{lines:?}");
    assert!(lines[2].ends_with(" > over (server reset): 1 message, 3 bytes"), "{lines:?}");
}

#[test]
fn a_broken_framing_is_told_and_the_traffic_goes_on() {
    let (upstream, server) = server(|mut stream| {
        let mut request = vec![0; 17];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"2:ok,").unwrap();
        request.extend(read_to_end(&stream).unwrap());
        request
    });
    let args = ["-f", "netstring", "--json", "--count", "1"];
    let tap = start("127.0.0.1:0", &upstream, &args);
    let mut client = tap.connect();
    client.write_all(b"2:hi,then garbage").unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"2:ok,");
    client.write_all(b", and more").unwrap();
    drop(client);
    assert_eq!(server.join().unwrap(), b"2:hi,then garbage, and more");
    let ran = tap.end();
    let lines = ran.lines();
    assert!(lines[0].contains(r#""n":1,"direction":"client""#), "{lines:?}");
    let raw =
        r#"{"type":"raw","conversation":1,"direction":"client","why":"message 2: bad-prefix: "#;
    assert!(lines[1].starts_with(raw), "{lines:?}");
    assert!(lines[1].ends_with(r#""kind":"bad-prefix","offset":5,"at":5}"#), "{lines:?}");
    assert!(lines[2].contains(r#""n":1,"direction":"server""#), "{lines:?}");
    assert!(lines[3].contains(r#""direction":"client","ending":"finished""#), "{lines:?}");
    assert!(lines[4].contains(r#""direction":"server","ending":"finished""#), "{lines:?}");
    assert_eq!((ran.exit, lines.len()), (0, 5));
}

#[test]
fn raw_bytes_are_shown_as_text_too() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap());
    let tap = start("127.0.0.1:0", &upstream, &["-f", "netstring", "--count", "1"]);
    tap.connect().write_all(b"x\x00").unwrap();
    server.join().unwrap();
    let ran = tap.end();
    assert!(ran.lines()[0].contains(" > raw from here: message 1: bad-prefix: "), "{}", ran.text());
    assert!(ran.lines()[1].ends_with(" > raw 2 bytes: x\\x00"), "{}", ran.text());
}

#[test]
fn an_end_inside_a_message_is_truncated() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap());
    let tap = start("127.0.0.1:0", &upstream, &["-f", "u32be", "--json", "--count", "1"]);
    tap.connect().write_all(b"\x00\x00\x00\x05he").unwrap();
    assert_eq!(server.join().unwrap(), b"\x00\x00\x00\x05he");
    let ran = tap.end();
    let expected =
        r#""ending":"truncated","messages":0,"bytes":6,"offset":0,"at":6,"have":6,"need":9}"#;
    assert!(ran.lines()[0].ends_with(expected), "{}", ran.text());
}

#[test]
fn postgres_without_tls_is_framed_throughout() {
    // SSLRequest, refused with one bare byte; then the startup message, and answers.
    let (ssl, startup) = (unhex("00000008 04d2162f"), unhex("00000009 00030000 00"));
    let (query, ready) = (unhex("51 00000006 3b00"), unhex("5a 00000005 49"));
    let (upstream, server) = server({
        let (ssl, startup, query, ready) =
            (ssl.clone(), startup.clone(), query.clone(), ready.clone());
        move |mut stream| {
            for (expected, answer) in [(&ssl, &b"N"[..]), (&startup, &ready), (&query, &ready)] {
                let mut got = vec![0; expected.len()];
                stream.read_exact(&mut got).unwrap();
                assert_eq!(&got, expected);
                stream.write_all(answer).unwrap();
            }
        }
    });
    let args = ["-f", "postgres", "--json", "--hex", "--count", "1"];
    let tap = start("127.0.0.1:0", &upstream, &args);
    let mut client = tap.connect();
    for (request, answer) in [(&ssl, &b"N"[..]), (&startup, &ready), (&query, &ready)] {
        client.write_all(request).unwrap();
        let mut got = vec![0; answer.len()];
        client.read_exact(&mut got).unwrap();
        assert_eq!(got, answer);
    }
    drop(client);
    server.join().unwrap();
    let ran = tap.end();
    let hex: Vec<&str> = ran
        .lines()
        .iter()
        .filter_map(|line| line.split_once("\"hex\":\"")?.1.strip_suffix("\"}"))
        .collect();
    let expected = [
        "0000000804d2162f",
        "4e",
        "000000090003000000",
        "5a0000000549",
        "51000000063b00",
        "5a0000000549",
    ];
    assert_eq!(hex, expected, "{}", ran.text());
    assert_eq!(ran.text().matches(r#""ending":"finished""#).count(), 2);
}

#[test]
fn postgres_with_tls_is_encrypted_from_there() {
    let (upstream, server) = server(|mut stream| {
        let mut request = [0; 8];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"S").unwrap();
        read_to_end(&stream).unwrap()
    });
    let args = ["-f", "postgres", "--json", "--count", "1"];
    let tap = start("127.0.0.1:0", &upstream, &args);
    let mut client = tap.connect();
    client.write_all(&unhex("00000008 04d2162f")).unwrap();
    client.read_exact(&mut [0]).unwrap();
    client.write_all(b"\x16\x03\x01 a handshake").unwrap();
    drop(client);
    assert_eq!(server.join().unwrap(), b"\x16\x03\x01 a handshake");
    let ran = tap.end();
    for direction in ["client", "server"] {
        let raw = format!(r#""direction":"{direction}","why":"encrypted from here"}}"#);
        assert_eq!(ran.text().matches(&raw).count(), 1, "{}", ran.text());
    }
    assert_eq!(ran.text().matches(r#""type":"message""#).count(), 2, "{}", ran.text());
}

#[test]
fn a_huge_message_is_passed_on_before_it_is_whole() {
    // The server answers the first half: with the message held back, nobody would go on.
    let half = 8 << 20;
    let (upstream, server) = server(move |mut stream| {
        let mut bytes = vec![0; half];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(b"\x00\x00\x00\x01!").unwrap();
        half + read_to_end(&stream).unwrap().len()
    });
    let tap = start("127.0.0.1:0", &upstream, &["-f", "u32be", "--json", "--count", "1"]);
    let mut client = tap.connect();
    let mut message = (16u32 << 20).to_be_bytes().to_vec();
    message.resize(4 + (16 << 20), b'x');
    client.write_all(&message[..half]).unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    let lines = thread::spawn(move || tap.end());
    client.write_all(&message[half..]).unwrap();
    drop(client);
    assert_eq!(server.join().unwrap(), message.len());
    let ran = lines.join().unwrap();
    let whole = ran.lines().iter().any(|line| line.contains(r#""frame_bytes":16777220"#));
    assert!(whole, "the huge message is shown");
}

#[test]
fn a_side_that_does_not_read_stops_the_other() {
    // The client writes until nothing more goes: the tap holds little, the rest is in the kernel.
    let (upstream, server) = server(|stream| stream);
    let tap = start("127.0.0.1:0", &upstream, &["-f", "raw", "--json", "--count", "1"]);
    let client = tap.connect();
    let server = server.join().unwrap();
    let shown = thread::spawn(move || tap.end());
    client.set_nonblocking(true).unwrap();
    let poll = |timeout: i64| {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut polled = [PollFd::new(&client, PollFlags::OUT)];
        let timeout = Timespec { tv_sec: 0, tv_nsec: timeout * 1_000_000 };
        poll(&mut polled, Some(&timeout)).unwrap() > 0
    };
    let mut written = 0;
    while poll(500) {
        match (&client).write(&[b'x'; 65_536]) {
            Ok(count) => written += count,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        assert!(written < 256 << 20, "somebody holds all of it");
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server).unwrap().len(), written);
    drop((server, client));
    let ran = shown.join().unwrap();
    assert!(ran.text().contains(&format!(r#""bytes":{written}"#)), "all of it is counted");
}

#[test]
fn an_unreachable_server_closes_the_client_and_the_tap_goes_on() {
    let dir = Dir::new("tap-unreachable");
    let path = dir.path.join("up");
    let upstream = format!("unix:{}", path.display());
    let tap = start("127.0.0.1:0", &upstream, &["-f", "lines", "--json", "--count", "2"]);
    assert_eq!(read_to_end(tap.connect()).unwrap(), b"");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || read_to_end(listener.accept().unwrap().0).unwrap());
    tap.connect().write_all(b"there\n").unwrap();
    assert_eq!(server.join().unwrap(), b"there\n");
    let ran = tap.end();
    assert!(ran.stderr.contains("swb: conversation 1: cannot connect"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("from servers, 1 without a server\n"), "{}", ran.stderr);
    assert!(ran.lines()[0].contains(r#""conversation":2"#), "{}", ran.text());
    assert_eq!(ran.exit, 0);
}

#[test]
fn unix_sockets_on_both_sides() {
    let dir = Dir::new("tap-unix");
    let (up, down) = (dir.path.join("up"), dir.path.join("down"));
    let listener = UnixListener::bind(&up).unwrap();
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let request = read_to_end(&stream).unwrap();
        stream.write_all(b"back\n").unwrap();
        request
    });
    let (listen, upstream) = (format!("unix:{}", down.display()), format!("unix:{}", up.display()));
    let tap = start(&listen, &upstream, &["-f", "lines", "--json", "--count", "1"]);
    assert_eq!(tap.endpoint, down.to_str().unwrap());
    let mut client = UnixStream::connect(&down).unwrap();
    client.write_all(b"forth\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"back\n");
    assert_eq!(server.join().unwrap(), b"forth\n");
    let ran = tap.end();
    assert_eq!(ran.text().matches(r#""ending":"finished""#).count(), 2, "{}", ran.text());
    assert!(!down.exists(), "the path is removed");
}

#[test]
fn a_program_can_be_the_server() {
    let tap = start("127.0.0.1:0", "exec:cat", &["-f", "lines", "--json", "--count", "1"]);
    let mut client = tap.connect();
    client.write_all(b"echo\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"echo\n");
    let ran = tap.end();
    assert_eq!(ran.text().matches(r#""type":"message""#).count(), 2, "{}", ran.text());
    assert_eq!(ran.text().matches(r#""ending":"finished""#).count(), 2, "{}", ran.text());
}

#[test]
fn an_interrupt_waits_for_the_conversations_and_prints_the_summary() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap());
    let mut tap = start("127.0.0.1:0", &upstream, &["-f", "lines", "--json"]);
    let mut client = tap.connect();
    client.write_all(b"before\n").unwrap();
    assert!(tap.line().contains("before"));
    let told = tap.interrupt_told();
    assert!(
        told.ends_with("waiting for the conversations under way; once more aborts\n"),
        "{told}"
    );
    client.write_all(b"after\n").unwrap();
    assert!(tap.line().contains("after"));
    drop(client);
    server.join().unwrap();
    let ran = tap.end();
    assert_eq!(ran.exit, 130);
    assert_eq!(
        ran.stderr,
        "1 conversation: 2 messages (13 bytes) from clients, 0 messages (0 bytes) from servers\n"
    );
}

#[test]
fn a_second_interrupt_aborts() {
    let (upstream, server) = server(|stream| read_to_end(&stream).map(|_| ()));
    let mut tap = start("127.0.0.1:0", &upstream, &["-f", "lines", "--json"]);
    let mut client = tap.connect();
    client.write_all(b"x\n").unwrap();
    tap.line();
    tap.interrupt_told();
    tap.abort(Signal::INT);
    let ran = tap.end();
    assert_eq!(ran.exit, 130);
    let _ = server.join().unwrap();
    drop(client);
}

#[test]
fn a_closed_stdout_ends_the_tap_quietly() {
    let (upstream, server) = server(|stream| read_to_end(&stream).map(|_| ()));
    let tap = start("127.0.0.1:0", &upstream, &["-f", "lines"]);
    let mut client = tap.connect();
    let Running { mut child, stdout, stderr, .. } = tap;
    drop(stdout);
    client.write_all(b"nobody reads this\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let told: Vec<String> = stderr.lines().map(Result::unwrap).collect();
    assert_eq!(told.len(), 1, "only where it listened: {told:?}");
    let _ = server.join().unwrap();
}

#[test]
fn a_port_in_use_is_exit_3_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = run(&["tap", &address, "127.0.0.1:1", "-f", "lines"], b"");
    assert_eq!((ran.exit, ran.text()), (3, ""));
    assert!(ran.stderr.contains(&address), "{}", ran.stderr);
    let ran = run(&["tap", "127.0.0.1:0", "-", "-f", "lines"], b"");
    assert_eq!(ran.exit, 2);
    let ran = run(&["tap", "nowhere", "127.0.0.1:1", "-f", "lines"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("host:port"), "{}", ran.stderr);
}
