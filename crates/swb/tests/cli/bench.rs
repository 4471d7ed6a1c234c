//! `swb bench` in the closed loop: what it sends and counts, over what, and how a run ends.

use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::support::{Dir, Ran, Running, read_to_end, reset, run, swb};

/// Runs it to its end, for so many messages.
pub(crate) fn bench(endpoint: &str, frame: &str, more: &[&str]) -> Ran {
    run(&[&["bench", endpoint, "-f", frame, "--json"], more].concat(), b"")
}

/// The last line of JSON.
pub(crate) fn summary(ran: &Ran) -> Value {
    let last = ran.lines().last().copied().unwrap_or_default();
    let value: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!(value["type"], "summary");
    value
}

/// A server that `serve` runs for each of so many connections: its number, from 0, and the stream.
pub(crate) fn serve<T: Send + 'static>(
    connections: usize,
    serve: impl Fn(usize, TcpStream) -> T + Clone + Send + 'static,
) -> (String, JoinHandle<Vec<T>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let all = move || {
        let streams: Vec<_> = (0..connections).map(|_| listener.accept().unwrap().0).collect();
        // Nobody is to wait in the backlog for a connection that is never accepted.
        drop(listener);
        let serving = streams.into_iter().enumerate().map(|(number, stream)| {
            let serve = serve.clone();
            thread::spawn(move || serve(number, stream))
        });
        let serving: Vec<_> = serving.collect();
        serving.into_iter().map(|thread| thread.join().unwrap()).collect()
    };
    (address, thread::spawn(all))
}

pub(crate) fn stop(server: Running) {
    server.interrupt();
    server.end();
}

/// Reads a message of `u8`: its length, and so many bytes.
pub(crate) fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = vec![0];
    stream.read_exact(&mut message).ok()?;
    message.resize(1 + usize::from(message[0]), 0);
    stream.read_exact(&mut message[1..]).ok()?;
    Some(message)
}

#[test]
fn every_message_comes_back_in_any_framing() {
    let ping = ["--hex", "--data", "c000"];
    let request = ["--data", "*1\\r\\n$4\\r\\nPING\\r\\n"];
    let fields = ["--field", "kind=7", "--size", "9"];
    let cases: [(&str, &[&str]); 9] = [
        ("u32be", &[]),
        ("lines", &["--size", "0"]),
        ("netstring", &["--size", "100k"]),
        ("uleb", &["--depth", "100"]),
        ("fixed:64", &[]),
        ("fixed:64 ; u16be", &[]),
        ("mqtt", &ping),
        ("redis", &request),
        ("kind:1 len:u16le", &fields),
    ];
    for (frame, more) in cases {
        let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", frame]);
        for verify in [&["--verify"][..], &[]] {
            let count = ["-c", "3", "--count", "1000"];
            let ran = bench(&server.endpoint, frame, &[&count, verify, more].concat());
            assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{frame}");
            let summary = summary(&ran);
            assert_eq!(summary["messages_received"], 1000, "{frame}");
            assert_eq!(summary["messages_sent"], 1000, "{frame}");
            assert_eq!(summary["bytes_sent"], summary["bytes_received"], "{frame}");
            assert_eq!(summary["errors"], serde_json::json!({}), "{frame}");
            assert_eq!(summary["latency_ns"]["count"], 1000, "{frame}");
        }
        stop(server);
    }
}

#[test]
fn numbers_and_rates_may_have_units() {
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u8"]);
    let ran = bench(&server.endpoint, "u8", &["-c", "0.01k", "-r", "0.0025M", "--count", "0.1k"]);
    let told = summary(&ran);
    assert_eq!((&told["connections"], &told["rate"]), (&10.into(), &2500.0.into()), "{told}");
    assert_eq!(told["messages_received"], 100);
    stop(server);
    for (args, told) in [
        (["-r", "10K"], "a rate is a number of messages a second: 500, 10k or 1.5M"),
        (["-c", "1.5"], "a number is written in digits, or as 10k or 1.5M"),
    ] {
        let ran = bench("127.0.0.1:1", "u8", &args);
        assert_eq!((ran.exit, ran.stderr.contains(told)), (2, true), "{}", ran.stderr);
    }
}

/// Where only the end of the stream ends a message, each has a connection of its own.
#[test]
fn a_message_that_the_end_of_the_stream_ends_has_its_own_connection() {
    let dir = Dir::new("bench-eof");
    let path = format!("unix:{}", dir.path.join("socket").display());
    for at in ["127.0.0.1:0", &path] {
        let server = Running::start(&["serve", at, "echo", "-f", "eof"]);
        let endpoint = if at == path { &path } else { &server.endpoint };
        for more in [&["--count", "500"][..], &["--count", "50", "--size", "1m"]] {
            for rate in [&[][..], &["-r", "2000"]] {
                let args = [&["-c", "3", "--verify"], more, rate].concat();
                let ran = bench(endpoint, "eof", &args);
                assert_eq!((ran.exit <= 1, ran.stderr.as_str()), (true, ""), "{at} {args:?}");
                let told = summary(&ran);
                assert_eq!(told["messages_received"].to_string(), more[1], "{at} {args:?}");
                assert_eq!(told["connect_ns"]["count"].to_string(), more[1], "{at} {args:?}");
                assert_eq!(told["errors"], serde_json::json!({}), "{at} {args:?}");
                assert_eq!(told["difference"], Value::Null, "{at} {args:?}");
            }
        }
        server.interrupt();
        let told = server.end().stderr;
        assert!(told.contains("1100 conversations, 1100 messages"), "{told}");
    }
    // The next one cannot be made.
    let (address, server) = serve(1, |_, mut stream| {
        read_to_end(&stream).unwrap();
        stream.write_all(b"yes").unwrap();
    });
    let ran = bench(&address, "eof", &["-c", "1"]);
    let told = summary(&ran);
    assert_eq!((ran.exit, &told["errors"]["failed"]), (3, &1.into()), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("swb: cannot connect to "), "{}", ran.stderr);
    server.join().unwrap();
}

#[test]
fn messages_larger_than_any_buffer_come_back() {
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u32be"]);
    for more in [&["--verify"][..], &["--depth", "3"], &[]] {
        let count = ["-c", "2", "--size", "3m", "--count", "20"];
        let ran = bench(&server.endpoint, "u32be", &[&count, more].concat());
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        let summary = summary(&ran);
        assert_eq!(summary["messages_received"], 20);
        assert_eq!(summary["bytes_received"], 20 * ((3 << 20) + 4));
    }
    stop(server);
}

#[test]
fn over_a_unix_socket_a_program_and_tls() {
    let dir = Dir::new("bench-over");
    let path = format!("unix:{}", dir.path.join("socket").display());
    let server = Running::start(&["serve", &path, "echo", "-f", "lines"]);
    let count = ["-c", "20", "--count", "5000", "--depth", "10", "--verify"];
    for endpoint in [path.as_str(), "exec:cat"] {
        let ran = bench(endpoint, "lines", &count);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{endpoint}");
        let summary = summary(&ran);
        assert_eq!(summary["messages_received"], 5000, "{endpoint}");
        assert_eq!(summary["connect_ns"]["count"], 20, "{endpoint}");
    }
    stop(server);

    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let (cert, key) = (dir.path.join("cert.pem"), dir.path.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let identity = ["--tls-cert", &cert, "--tls-key", &key];
    // The certificate is looked at by the name also where a connection is made to the address.
    let cases = [
        ("lines", "127.0.0.1", "64", "10", "5000"),
        ("lines", "localhost", "100k", "10", "200"),
        ("eof", "localhost", "100k", "1", "30"),
    ];
    for (frame, host, size, depth, count) in cases {
        let args = ["serve", "tls://127.0.0.1:0", "echo", "-f", frame];
        let server = Running::start(&[&args[..], &identity].concat());
        let endpoint = server.endpoint.replace("127.0.0.1", host);
        let args = ["-c", "10", "--verify", "--tls-ca", &cert, "--size", size, "--depth", depth];
        let ran = bench(&endpoint, frame, &[&args[..], &["--count", count]].concat());
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{frame} {size}");
        let told = summary(&ran);
        assert_eq!(told["messages_received"].to_string(), count, "{frame} {size}");
        assert_eq!(told["errors"], serde_json::json!({}), "{frame} {size}");
        stop(server);
    }
}

#[test]
fn a_reply_that_differs_is_told_with_its_place() {
    let (address, server) = serve(1, |_, mut stream| {
        for n in 1.. {
            let Some(mut message) = read_message(&mut stream) else { return };
            if n == 3 {
                message[2] ^= 1;
            }
            let _ = stream.write_all(&message);
        }
    });
    let ran = bench(&address, "u8", &["-c", "1", "--count", "5", "--verify"]);
    let told = "connection 1, reply 3: byte 1 is 0x63, and 0x62 was sent";
    assert_eq!((ran.exit, summary(&ran)["difference"].as_str()), (1, Some(told)));
    server.join().unwrap();
}

#[test]
fn replies_in_another_order_are_matched_by_their_number() {
    let swapped = |_, mut stream: TcpStream| {
        let mut before: Option<Vec<u8>> = None;
        while let Some(message) = read_message(&mut stream) {
            // Each second one goes before the one before it.
            match before.take() {
                None => before = Some(message),
                Some(before) => stream.write_all(&[message, before].concat()).unwrap(),
            }
        }
    };
    let frame = "len:u8,rest id:1";
    let count = ["-c", "1", "--count", "1000", "--size", "8", "--verify", "--match", "field:id"];
    let (address, server) = serve(1, swapped);
    let ran = bench(&address, frame, &[&count[..], &["--depth", "16"]].concat());
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    let told = summary(&ran);
    assert_eq!(told["messages_received"], 1000);
    assert_eq!(told["errors"], serde_json::json!({}));
    server.join().unwrap();

    let ran = bench(&address, frame, &[&count[..], &["--depth", "300"]].concat());
    let told = "swb: --depth 300: the field has only 256 numbers to tell replies apart by\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, told));
}

#[test]
fn what_cannot_be_measured_is_refused_before_anybody_is_connected_to() {
    let cases: [(&[&str], i32, &str); 11] = [
        (&["-f", "redis", "--data", "PING"], 2, "that end a line are written \\r\\n in --data"),
        (&["-f", "postgres"], 2, "a request has several"),
        (&["-f", "eof", "--depth", "2"], 2, "only the end of the stream ends a message here"),
        (&["-f", "u8", "-r", "100000001"], 2, "at most 100000000 messages a second"),
        (&["-f", "u8", "-r", "1e300"], 2, "at most 100000000 messages a second"),
        (&["-f", "u8", "--count", "9", "--warm-up", "1s"], 2, "no --warm-up beside it"),
        (&["-f", "raw"], 2, "where a reply ends, and in this one nothing does"),
        (&["-f", "fixed:8"], 2, "the message cannot be sent: "),
        (&["-f", "lines", "--data", "a\\nb"], 2, "the message cannot be sent: "),
        (&["-f", "u8", "--match", "field:id"], 2, "the message cannot be sent: "),
        (&["-f", "u8", "--server-pid", "999999999"], 2, "--server-pid 999999999: "),
    ];
    for (args, exit, told) in cases {
        let ran = run(&[&["bench", "127.0.0.1:1"], args].concat(), b"");
        assert_eq!((ran.exit, ran.text()), (exit, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn how_connections_end_is_counted_and_the_others_go_on() {
    // The first is reset while it owes a reply; the second goes on.
    for (verify, exit) in [(&[][..], 0), (&["--verify"], 1)] {
        let was_reset = Arc::new(Barrier::new(2));
        let (address, server) = serve(2, move |number, mut stream| {
            if number > 0 {
                was_reset.wait();
            }
            for n in 0.. {
                let Some(message) = read_message(&mut stream) else { return };
                if number == 0 && n == 5 {
                    reset(stream);
                    was_reset.wait();
                    return;
                }
                let _ = stream.write_all(&message);
            }
        });
        let ran = bench(&address, "u8", &[&["-c", "2", "--count", "100"], verify].concat());
        let told = summary(&ran);
        assert_eq!((ran.exit, ran.stderr.as_str()), (exit, ""));
        assert_eq!(told["errors"], serde_json::json!({"lost": 1, "reset": 1}));
        assert_eq!(told["messages_received"], 99);
        server.join().unwrap();
    }
}

#[test]
fn with_no_connection_left_the_run_ends_as_the_last_one_did() {
    let cases: [(&[u8], bool, i32, &str); 4] = [
        (b"", true, 6, "reset"),
        (b"\x05ab", false, 5, "truncated"),
        (b"", false, 5, "finished"),
        (b"\x02ab\x02ab", false, 5, "finished"),
    ];
    for (reply, is_reset, exit, kind) in cases {
        let (address, server) = serve(1, move |_, mut stream| {
            read_message(&mut stream).unwrap();
            stream.write_all(reply).unwrap();
            if is_reset {
                return reset(stream);
            }
            stream.shutdown(Shutdown::Write).unwrap();
            read_to_end(stream).unwrap();
        });
        let ran = bench(&address, "u8", &["-c", "1"]);
        assert_eq!(ran.exit, exit, "{kind}: {}", ran.stderr);
        assert_eq!(summary(&ran)["errors"][kind], 1, "{kind}");
        assert!(ran.stderr.starts_with("swb: "), "{kind}: {}", ran.stderr);
        server.join().unwrap();
    }

    // What was whole before a frame that is none has come, and is counted.
    let (address, server) = serve(1, |_, mut stream| {
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"2:ok,2:ok,x").unwrap();
        read_to_end(stream).unwrap_or_default();
    });
    let ran = bench(&address, "netstring", &["-c", "1", "--depth", "3", "--size", "2"]);
    assert_eq!((ran.exit, &summary(&ran)["messages_received"]), (5, &2.into()), "{}", ran.stderr);
    assert!(ran.stderr.contains("message 3: bad-prefix"), "{}", ran.stderr);
    server.join().unwrap();

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(bench(&free, "u8", &[]).exit, 3);
}

#[test]
fn a_server_that_does_not_answer_is_a_timeout() {
    let (address, server) = serve(1, |_, stream| read_to_end(stream).unwrap().len());
    let args = ["-c", "1", "--depth", "3", "--duration", "100ms", "--warm-up", "0s"];
    let ran = bench(&address, "u8", &args);
    assert_eq!((ran.exit, ran.stderr.as_str()), (4, "swb: timed out: no reply came\n"));
    let told = summary(&ran);
    assert_eq!(told["errors"], serde_json::json!({"unanswered": 3}));
    assert_eq!((&told["messages_sent"], &told["messages_received"]), (&3.into(), &0.into()));
    assert_eq!(told["latency_ns"]["count"], 3);
    assert_eq!(server.join().unwrap(), [3 * 65], "each was sent once");
}

#[test]
fn an_interrupt_ends_the_run_and_what_there_is_is_told() {
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u8"]);
    let args = ["bench", &server.endpoint, "-f", "u8", "--json", "--duration", "1h"];
    let mut child = swb(&[&args[..], &["--warm-up", "0s", "-c", "2"]].concat()).spawn().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut second = String::new();
    stdout.read_line(&mut second).unwrap();
    let second: Value = serde_json::from_str(&second).unwrap();
    assert_eq!((&second["type"], &second["second"]), (&"second".into(), &1.into()));
    assert!(second["messages_received"].as_u64().unwrap() > 0);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let rest = String::from_utf8(read_to_end(stdout).unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert!(last["messages_received"].as_u64() >= second["messages_received"].as_u64());
    // Each connection has one request in flight at any time.
    assert_eq!(last["errors"], serde_json::json!({"unanswered": 2}));
    let received = last["messages_received"].as_u64().unwrap();
    assert_eq!(last["latency_ns"]["count"], received + 2);
    stop(server);
}
