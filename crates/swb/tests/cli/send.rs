//! `swb send` and `swb talk`: against servers that answer, differ, break off or are silent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use crate::support::{Dir, Running, read_to_end, reset, run, server, swb};

fn echo(framing: &str) -> Running {
    Running::start(&["serve", "127.0.0.1:0", "echo", "--count", "1", "--frame", framing])
}

#[test]
fn messages_are_sent_and_replies_printed_until_the_end() {
    let (address, server) = server(|mut stream| {
        // Nothing is answered before the half-close.
        let got = read_to_end(&stream).unwrap();
        stream.write_all(b"\x02hi\x03a\nb").unwrap();
        got
    });
    let args = ["send", &address, "-f", "u8", "--data", "one", "--data", "\\x00two", "three"];
    let ran = run(&args, b"");
    assert_eq!(server.join().unwrap(), b"\x03one\x04\x00two\x05three");
    assert_eq!((ran.exit, ran.text(), ran.stderr.as_str()), (0, "hi\na\\nb\n", ""));
}

#[test]
fn hex_and_json_replies() {
    let server = echo("u8");
    let ran = run(&["send", &server.endpoint, "-f", "u8", "--hex", "--data", "00 ff"], b"");
    assert_eq!((ran.exit, ran.text()), (0, "00ff\n"));
    let server = echo("u8");
    let ran = run(&["send", &server.endpoint, "-f", "u8", "--json", "hi"], b"");
    let lines = ran.lines();
    assert!(lines[0].starts_with(r#"{"type":"message","n":1,"time":"2"#), "{lines:?}");
    assert!(lines[0].ends_with(r#","frame_bytes":3,"text":"hi"}"#), "{lines:?}");
    assert_eq!(lines[1..], [r#"{"type":"end","ending":"finished"}"#]);
}

#[test]
fn files_and_stdin_are_payloads() {
    let dir = Dir::new("send-file");
    let path = dir.path.join("payload");
    std::fs::write(&path, b"raw\\n\x00").unwrap();
    let at = format!("@{}", path.display());
    for (payload, stdin) in [(at.as_str(), &b""[..]), ("@-", b"raw\\n\x00")] {
        let server = echo("u8");
        let ran = run(&["send", &server.endpoint, "-f", "u8", "--hex", payload], stdin);
        assert_eq!((ran.exit, ran.text()), (0, "7261775c6e00\n"), "{payload}: {}", ran.stderr);
    }
}

#[test]
fn lines_of_stdin_go_out_as_they_come() {
    let server = echo("netstring");
    let mut child = swb(&["send", &server.endpoint, "-f", "netstring", "-"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for line in ["one\n", "\n", "t\\wo\n"] {
        stdin.write_all(line.as_bytes()).unwrap();
        let mut reply = String::new();
        stdout.read_line(&mut reply).unwrap();
        assert_eq!(reply.replace("\\\\", "\\"), line);
    }
    stdin.write_all(b"the last without LF").unwrap();
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "the last without LF\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn expectations_decide_the_exit() {
    let check = |expect: &[&str], exit: i32, stderr: &str| {
        let server = echo("lines");
        let mut args = vec!["send", &server.endpoint, "--frame", "lines", "--data", "a", "b"];
        for expect in expect {
            args.extend(["--expect", expect]);
        }
        let ran = run(&args, b"");
        assert_eq!((ran.exit, ran.stderr.as_str()), (exit, stderr), "{expect:?}");
        assert_eq!(ran.text(), "a\nb\n", "every reply is printed");
    };
    check(&["a", "b"], 0, "");
    check(&["a", "x"], 1, "swb: reply 2: expected \"x\", got \"b\"\n");
    check(&["a"], 1, "swb: reply 2: not expected: \"b\"\n");
    check(&["a", "b", "c"], 1, "swb: 2 of 3 expected replies came\n");
}

#[test]
fn a_count_sends_and_expects_all_of_it_so_many_times() {
    let server = echo("u32be");
    let args = ["-f", "u32be", "--count", "500", "--data", "a", "--data", "b"];
    let mut all = vec!["send", &server.endpoint, "--expect", "a", "--expect", "b"];
    all.extend(args);
    let ran = run(&all, b"");
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.text(), "a\nb\n".repeat(500));
}

#[test]
fn more_than_both_sides_can_hold_does_not_block() {
    // An echo that answers while we still send: 64 MiB each way, with small buffers between.
    let (address, server) = server(|stream| {
        let copied = std::io::copy(&mut &stream, &mut &stream).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        copied
    });
    let dir = Dir::new("send-large");
    let path = dir.path.join("payload");
    std::fs::write(&path, vec![b'x'; 4 << 20]).unwrap();
    let at = format!("@{}", path.display());
    let args = ["send", &address, "-f", "u32be", "--data", &at, "--count", "16", "--expect", &at];
    let ran = run(&args, b"");
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    assert_eq!(server.join().unwrap(), 16 * (4 + (4 << 20)));
    assert_eq!(ran.stdout.len(), 16 * (1 + (4 << 20)));
}

#[test]
fn fields_build_the_header() {
    let (address, server) = server(|stream| read_to_end(&stream).unwrap());
    let args = ["send", &address, "-f", "type:1 len:u16be", "--field", "type=Q", "hi"];
    assert_eq!(run(&args, b"").exit, 0);
    assert_eq!(server.join().unwrap(), b"Q\x00\x02hi");
}

#[test]
fn each_ending_has_its_exit_code() {
    let cut: [(&[u8], i32, &str); 3] =
        [(b"\x02ok\x05he", 5, "truncated"), (b"\x02ok\x7f", 5, "oversize"), (b"\x02ok", 0, "")];
    for (bytes, exit, kind) in cut {
        let (address, server) = server(move |mut stream| {
            read_to_end(&stream).unwrap();
            stream.write_all(bytes).unwrap();
        });
        let ran = run(&["send", &address, "-f", "u8 max=100", "go"], b"");
        server.join().unwrap();
        assert_eq!((ran.exit, ran.text()), (exit, "ok\n"), "{kind}: {}", ran.stderr);
        assert!(ran.stderr.contains(kind), "{}", ran.stderr);
        if exit == 5 {
            assert!(ran.stderr.contains("message 2"), "{}", ran.stderr);
            assert!(ran.stderr.contains("bytes around it: "), "{}", ran.stderr);
        }
    }
}

#[test]
fn discarded_replies_are_told() {
    let (address, server) = server(|mut stream| {
        read_to_end(&stream).unwrap();
        stream.write_all(b"\x01a\x03big\x01b").unwrap();
    });
    let ran = run(&["send", &address, "-f", "u8 max=2 oversize=discard", "go"], b"");
    server.join().unwrap();
    assert_eq!((ran.exit, ran.text()), (0, "a\nb\n"));
    assert_eq!(ran.stderr, "swb: discarded 1 message over the limit\n");
}

#[test]
fn a_reset_is_exit_6() {
    let (address, server) = server(|mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        reset(stream);
    });
    let ran = run(&["send", &address, "-f", "u8", "go", "--json"], b"");
    server.join().unwrap();
    assert_eq!(ran.exit, 6, "{}", ran.stderr);
    assert_eq!(ran.lines(), [r#"{"type":"end","ending":"reset"}"#]);
}

#[test]
fn silence_is_exit_4() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ran = run(&["send", &address, "-f", "u8", "go", "--timeout", "50ms", "--json"], b"");
    assert_eq!(ran.exit, 4);
    assert!(ran.stderr.starts_with("swb: timed out: "), "{}", ran.stderr);
    assert_eq!(ran.lines(), [r#"{"type":"end","ending":"timed-out"}"#]);
}

#[test]
fn nobody_there_is_exit_3() {
    let dir = Dir::new("send-nobody");
    let endpoint = format!("unix:{}", dir.path.join("nobody").display());
    let ran = run(&["send", &endpoint, "-f", "u8", "go"], b"");
    assert_eq!((ran.exit, ran.text()), (3, ""));
    assert!(ran.stderr.contains(&endpoint), "{}", ran.stderr);
    let ran = run(&["send", "nowhere.invalid:1", "-f", "u8", "go"], b"");
    assert_eq!(ran.exit, 3);
    assert!(ran.stderr.contains("nowhere.invalid"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_sent_is_exit_5_and_what_was_right_is_sent() {
    let (address, first) = server(|stream| read_to_end(&stream).unwrap());
    let ran = run(&["send", &address, "-f", "fixed:2", "--data", "ok", "--data", "long"], b"");
    assert_eq!(first.join().unwrap(), b"ok");
    assert_eq!(ran.exit, 5);
    assert!(ran.stderr.contains("message 2"), "{}", ran.stderr);
    let (address, second) = server(|stream| read_to_end(&stream).unwrap());
    let ran = run(&["send", &address, "-f", "fixed:2", "-"], b"ok\nno!\n");
    assert_eq!(second.join().unwrap(), b"ok");
    assert_eq!(ran.exit, 5);
    assert!(ran.stderr.starts_with("swb: line 2: "), "{}", ran.stderr);
}

#[test]
fn usage_is_exit_2_before_anything_is_connected() {
    for args in [
        &["--data", "-", "--data", "x"][..],
        &["-", "--count", "2"],
        &["--data", "\\q"],
        &["--hex", "0"],
        &["--count", "0", "x"],
        &["@/nowhere/at/all"],
        &["--expect", "\\x0"],
        &["--field", "x", "x"],
    ] {
        let mut all = vec!["send", "127.0.0.1:1", "-f", "u8"];
        all.extend_from_slice(args);
        assert_eq!(run(&all, b"").exit, 2, "{args:?}");
    }
    assert_eq!(run(&["send", "-", "-f", "u8"], b"").exit, 2);
}

#[test]
fn a_program_can_be_the_server() {
    let ran = run(&["send", "exec:cat", "-f", "lines", "hi", "--expect", "hi"], b"");
    assert_eq!((ran.exit, ran.text()), (0, "hi\n"), "{}", ran.stderr);
}

#[test]
fn talk_sends_lines_and_shows_what_comes_with_its_time() {
    let server = echo("u8");
    let ran = run(&["talk", &server.endpoint, "-f", "u8"], b"hi\n\\q\na\\x00\\\\\n");
    let lines = ran.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, end) in lines.iter().zip([" < hi", " < a\\x00\\\\"]) {
        assert!(line.ends_with(end), "{lines:?}");
        assert_eq!(line.split(' ').next().unwrap().len(), 15, "{lines:?}");
    }
    assert_eq!(ran.exit, 0);
    let stderr: Vec<&str> = ran.stderr.lines().collect();
    assert!(stderr[0].starts_with("connected to tcp://127.0.0.1:"), "{}", ran.stderr);
    assert!(stderr[1].starts_with("swb: not sent: column 1: no such escape"), "{}", ran.stderr);
    assert_eq!(stderr[2], "the peer has finished sending");
}

#[test]
fn talk_goes_on_after_a_line_that_cannot_be_sent() {
    let server = echo("fixed:2");
    let ran = run(&["talk", &server.endpoint, "-f", "fixed:2", "--hex"], b"00\n0001\nxx\n0203\n");
    assert!(ran.lines()[0].ends_with(" < 0001"), "{}", ran.text());
    assert!(ran.lines()[1].ends_with(" < 0203"), "{}", ran.text());
    assert_eq!(ran.stderr.matches("swb: not sent: ").count(), 2, "{}", ran.stderr);
    assert_eq!(ran.exit, 0);
}

#[test]
fn talk_shows_fields_and_takes_them() {
    let server = echo("type:1 len:u8");
    let args = ["talk", &server.endpoint, "-f", "type:1 len:u8", "--field", "type=Q"];
    let ran = run(&args, b"hi\n");
    assert!(ran.text().ends_with(" < type='Q' Q\\x02hi\n"), "{}", ran.text());
}

#[test]
fn talk_tells_a_reset() {
    let (address, server) = server(|mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        reset(stream);
    });
    let mut child = swb(&["talk", &address, "-f", "u8"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"hi\n").unwrap();
    server.join().unwrap();
    // The person has typed nothing more, and is told all the same.
    let ran = feed_nothing(child);
    drop(stdin);
    assert_eq!(ran.exit, 6, "{}", ran.stderr);
}

/// Waits for a child whose stdin was taken.
fn feed_nothing(child: std::process::Child) -> crate::support::Ran {
    child.wait_with_output().unwrap().into()
}

#[test]
fn an_interrupt_ends_a_talk() {
    let server = echo("lines");
    let mut child = swb(&["talk", &server.endpoint, "-f", "lines"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    stderr.read_line(&mut told).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let stdin = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(stdin);
}

#[test]
fn a_coupled_protocol_is_followed() {
    // SSLRequest, refused with a bare byte; then the startup message, and an answer.
    let (address, server) = server(|mut stream| {
        stream.read_exact(&mut [0; 8]).unwrap();
        stream.write_all(b"N").unwrap();
        let startup = read_to_end(&stream).unwrap();
        stream.write_all(b"Z\x00\x00\x00\x05I").unwrap();
        startup
    });
    let mut child = swb(&["send", &address, "-f", "postgres", "--hex", "-"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut reply = String::new();
    stdin.write_all(b"0000000804d2162f\n").unwrap();
    stdout.read_line(&mut reply).unwrap();
    stdin.write_all(b"000000090003000000\n").unwrap();
    drop(stdin);
    stdout.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "4e\n5a0000000549\n");
    assert_eq!(server.join().unwrap(), b"\x00\x00\x00\x09\x00\x03\x00\x00\x00");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_encrypted_stream_is_told() {
    let (address, server) = server(|mut stream| {
        stream.read_exact(&mut [0; 8]).unwrap();
        stream.write_all(b"S").unwrap();
        read_to_end(&stream).unwrap();
    });
    let args = ["send", &address, "-f", "postgres", "--hex", "0000000804d2162f"];
    let ran = run(&args, b"");
    server.join().unwrap();
    assert_eq!((ran.exit, ran.text()), (0, "53\n"));
    assert_eq!(ran.stderr, "swb: encrypted from here\n");
}
