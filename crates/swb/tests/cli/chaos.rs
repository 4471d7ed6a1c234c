//! `swb chaos` between real clients and servers: pieces, times, who is let in, and the log.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Dir, Ran, Running, read_to_end, run, server};

/// A running proxy; the line that says its plan is read already.
pub(crate) fn start(upstream: &str, args: &[&str]) -> Running {
    start_at("127.0.0.1:0", upstream, args)
}

pub(crate) fn start_at(listen: &str, upstream: &str, args: &[&str]) -> Running {
    let mut all = vec!["chaos", listen, upstream, "--seed", "7", "--no-time"];
    all.extend_from_slice(args);
    let mut chaos = Running::start(&all);
    let plan = chaos.line();
    assert!(plan.starts_with(r#"{"type":"plan","seed":7,"faults":["#), "{plan}");
    chaos
}

/// The arguments that say these faults.
pub(crate) fn faults<'a>(faults: &[&'a str]) -> Vec<&'a str> {
    faults.iter().flat_map(|fault| ["--fault", fault]).collect()
}

/// Of each injection of a log what it is about and what was done: `c2s 2 @2: cut`.
pub(crate) fn told(log: &str) -> Vec<String> {
    let tell = |line: &str| {
        let it: serde_json::Value = serde_json::from_str(line).unwrap();
        let message = it["message"].as_u64().map_or("-".to_owned(), |n| n.to_string());
        let (direction, done) = (it["direction"].as_str().unwrap(), it["done"].as_str().unwrap());
        format!("{direction} {message} @{}: {done}", it["offset"])
    };
    log.lines().filter(|line| line.contains(r#""type":"injection""#)).map(tell).collect()
}

/// What a server got of a client that wrote `input` and then its end, and the log.
pub(crate) fn pass(args: &[&str], input: &[u8]) -> (Vec<u8>, Ran) {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap());
    let mut all = vec!["--count", "1"];
    all.extend_from_slice(args);
    let chaos = start(&upstream, &all);
    let mut client = chaos.connect();
    client.write_all(input).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let got = server.join().unwrap();
    // The server has closed: so does the proxy.
    assert_eq!(read_to_end(&client).unwrap(), b"");
    (got, chaos.end())
}

#[test]
fn without_faults_all_passes_and_nothing_is_told() {
    let (upstream, server) = server(|mut stream| {
        let got = read_to_end(&stream).unwrap();
        stream.write_all(b"answer\n").unwrap();
        got
    });
    let chaos = start(&upstream, &["-f", "lines", "--count", "1"]);
    let mut client = chaos.connect();
    client.write_all(b"one\ntwo\nhal").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"answer\n");
    assert_eq!(server.join().unwrap(), b"one\ntwo\nhal");
    let ran = chaos.end();
    assert_eq!((ran.exit, ran.text()), (0, ""));
    assert!(ran.stderr.ends_with("1 conversation: 0 injections\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nseed 7\n"), "{}", ran.stderr);
}

#[test]
fn an_injection_is_a_line_with_all_that_is_known() {
    let args = ["-f", "lines", "--fault", "drop@c2s msg:2"];
    let (got, ran) = pass(&args, b"a\nbcd\ne\n");
    assert_eq!(got, b"a\ne\n");
    let what = r#""type":"injection","conversation":1,"direction":"c2s","fault":"drop@c2s msg:2""#;
    let done = r#""message":2,"offset":2,"done":"left out 4 bytes""#;
    assert_eq!(ran.text(), format!("{{{what},{done}}}\n"));
}

#[test]
fn the_same_seed_and_traffic_give_the_same_lines() {
    let all = [
        "flip(3)@c2s p:0.3",
        "drop@c2s every:7",
        "dup p:0.2",
        "reorder(3, within=1h)@c2s p:0.2",
        "garbage(4)@s2c p:0.3",
        "delay(2ms, jitter=2ms)@s2c p:0.2",
        "half-close@c2s msg:30+1B",
    ];
    let log = |seed: &str| {
        let (upstream, server) = server(|mut stream| {
            let got = read_to_end(&stream).unwrap();
            stream.write_all(&b"reply\n".repeat(20)).unwrap();
            got
        });
        let mut args = vec!["chaos", "127.0.0.1:0", &upstream, "-f", "lines", "--count", "1"];
        args.extend(["--seed", seed]);
        args.extend(faults(&all));
        let chaos = Running::start(&args);
        let mut client = chaos.connect();
        for n in 0..40 {
            client.write_all(format!("message {n}\n").as_bytes()).unwrap();
        }
        client.shutdown(Shutdown::Write).unwrap();
        let replies = read_to_end(&client).unwrap();
        (timeless(chaos.end().text()), server.join().unwrap(), replies)
    };
    let first = log("7");
    assert!(first.0.lines().count() > 20, "{}", first.0);
    assert_eq!(log("7"), first);
    assert_ne!(log("8").0, first.0);
}

/// Without what may differ.
fn timeless(log: &str) -> String {
    let strip = |line: &str| {
        let Some((before, rest)) = line.split_once("\"seconds\":") else { return line.to_owned() };
        format!("{before}{}", rest.split_once(',').unwrap().1)
    };
    log.lines().map(strip).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_seed_that_was_not_given_is_told() {
    let (upstream, _server) = server(drop);
    let mut chaos = Running::start(&["chaos", "127.0.0.1:0", &upstream, "--count", "1"]);
    let plan = chaos.line();
    let seed = plan.strip_prefix(r#"{"type":"plan","seed":"#).unwrap();
    let seed = seed.strip_suffix(r#","faults":[]}"#).unwrap();
    assert!(chaos.told("seed ").ends_with(&format!("seed {seed}\n")));
    let _ = read_to_end(chaos.connect());
    assert_eq!(chaos.end().exit, 0);
}

/// What a server reads at once, first and then, of what a client writes at once.
fn pieces(args: &[&str], input: &'static [u8]) -> (Vec<u8>, Vec<u8>) {
    let (upstream, server) = server(|mut stream| {
        let mut first = vec![0; 64];
        let count = stream.read(&mut first).unwrap();
        first.truncate(count);
        (first, read_to_end(&stream).unwrap())
    });
    let mut all = vec!["--count", "1"];
    all.extend_from_slice(args);
    let chaos = start(&upstream, &all);
    let mut client = chaos.connect();
    client.write_all(input).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let got = server.join().unwrap();
    drop(client);
    chaos.end();
    got
}

#[test]
fn a_server_reads_what_was_cut_in_pieces() {
    // The pause is long, so that a slow machine has read the first piece by then.
    for (args, first) in [
        (["-f", "u16be", "--fault", "split(every=1, gap=400ms)"], &b"\0"[..]),
        (["-f", "u16be", "--fault", "split(at=3, gap=400ms)"], b"\0\x02a"),
        (["-f", "u16be", "--fault", "split(field, gap=400ms)"], b"\0"),
        (["-f", "u16be", "--fault", "glue(1.5, gap=400ms)"], b"\0\x02ab\0\x02"),
        (["-f", "u16be", "--fault", "stall(400ms) msg:1+2B"], b"\0\x02"),
    ] {
        let (got, rest) = pieces(&args, b"\0\x02ab\0\x02cd");
        assert_eq!(got, first, "{args:?}");
        assert_eq!([got, rest].concat(), b"\0\x02ab\0\x02cd");
    }
    let (got, rest) = pieces(&["--fault", "split(every=3, gap=400ms) byte:1"], b"abcdef");
    assert_eq!((&got[..1], [got.clone(), rest].concat()), (&b"a"[..], b"abcdef".to_vec()));
}

#[test]
fn a_server_reads_at_once_what_was_gathered() {
    let (upstream, server) = server(|mut stream| {
        let mut first = vec![0; 64];
        let count = stream.read(&mut first).unwrap();
        first.truncate(count);
        stream.write_all(&first).unwrap();
    });
    let args = ["-f", "lines", "--count", "1", "--fault", "coalesce(n=3, within=1h)@c2s"];
    let chaos = start(&upstream, &args);
    let mut client = chaos.connect();
    for message in ["a\n", "b\n", "c\n"] {
        client.write_all(message.as_bytes()).unwrap();
    }
    assert_eq!(read_to_end(&client).unwrap(), b"a\nb\nc\n");
    server.join().unwrap();
    drop(client);
    assert_eq!(chaos.end().exit, 0);
}

/// How long a client waits for the echo of `input`, through these faults.
fn round(args: &[&str], input: &'static [u8]) -> Duration {
    let (upstream, server) = server(move |mut stream| {
        let mut request = vec![0; input.len()];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(&request).unwrap();
    });
    let mut all = vec!["--count", "1"];
    all.extend_from_slice(args);
    let chaos = start(&upstream, &all);
    let began = Instant::now();
    let mut client = chaos.connect();
    client.write_all(input).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), input);
    let time = began.elapsed();
    server.join().unwrap();
    drop(client);
    assert_eq!(chaos.end().exit, 0);
    time
}

#[test]
fn a_client_waits_for_what_is_late() {
    for (args, millis) in [
        (&["--fault", "delay(150ms)"][..], 300),
        (&["--fault", "delay(150ms)@s2c"], 150),
        (&["-f", "lines", "--fault", "delay(200ms, jitter=50ms)@s2c msg:1"], 150),
        (&["--fault", "drip(20)@c2s"], 250),
        (&["--fault", "rate(800, burst=1)@s2c"], 40),
        (&["--fault", "stall(200ms)@c2s"], 200),
        (&["--fault", "slow-accept(200ms)"], 200),
    ] {
        let time = round(args, b"hello\n");
        assert!(time >= Duration::from_millis(millis), "{args:?}: {time:?}");
    }
}

/// What each of three connections one after the other comes to: `in`, `reset` or `closed`.
fn three(args: &[&str]) -> (String, Ran) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    let mut all = vec!["--count", "3"];
    all.extend_from_slice(args);
    let chaos = start(&upstream, &all);
    let mut open = Vec::new();
    let mut one = || {
        let mut client = chaos.connect();
        let mut answer = [0];
        let what = match client.write_all(b"x").and_then(|()| client.read(&mut answer)) {
            Ok(1) => "in",
            Ok(_) => "closed",
            Err(_) => "reset",
        };
        open.push(client);
        what
    };
    let came = [one(), one(), one()].join(", ");
    drop(open);
    (came, chaos.end())
}

#[test]
fn connections_are_let_in_or_not() {
    for (fault, came, told_of) in [
        ("refuse conn:2", "in, reset, in", "both - @0: reset"),
        ("refuse every:3", "in, in, reset", "both - @0: reset"),
        ("accept-then-close(50ms) first:1", "closed, in, in", "both - @0: closed"),
        ("limit-conns(2)", "in, in, reset", "both - @0: reset: 2 are open"),
    ] {
        let (found, ran) = three(&["--fault", fault]);
        assert_eq!(found, came, "{fault}");
        assert!(told(ran.text()).contains(&told_of.to_owned()), "{fault}: {}", ran.text());
    }
}

#[test]
fn over_unix_sockets_and_tls() {
    let dir = Dir::new("chaos-unix");
    let (listen, upstream) = (dir.path.join("listen"), dir.path.join("upstream"));
    let listener = UnixListener::bind(&upstream).unwrap();
    let server = thread::spawn(move || read_to_end(listener.accept().unwrap().0).unwrap());
    let (listen, upstream) = (listen.display().to_string(), upstream.display().to_string());
    let args = ["-f", "lines", "--count", "1", "--fault", "drop msg:1"];
    let chaos = start_at(&format!("unix:{listen}"), &format!("unix:{upstream}"), &args);
    let mut client = UnixStream::connect(&listen).unwrap();
    client.write_all(b"a\nb\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.join().unwrap(), b"b\n");
    drop(client);
    assert_eq!(chaos.end().exit, 0);

    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let cert = file("cert.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let (upstream, server) = server_of_lines();
    let identity = ["--tls-cert", &cert, "--tls-key", &key];
    let args = [&args[..], &identity].concat();
    let chaos = start_at("tls://127.0.0.1:0", &upstream, &args);
    let send = ["send", &chaos.endpoint, "-f", "lines", "--data", "a", "--data", "b"];
    let ran = run(&[&send[..], &["--tls-ca", &cert]].concat(), b"");
    // Of the replies too the first is missing.
    assert_eq!((ran.exit, ran.text()), (0, "b\n"), "{}", ran.stderr);
    assert_eq!(server.join().unwrap(), b"b\n");
    assert_eq!(chaos.end().exit, 0);
}

/// Answers each request with a line and itself.
fn server_of_lines() -> (String, thread::JoinHandle<Vec<u8>>) {
    server(|mut stream: TcpStream| {
        let got = read_to_end(&stream).unwrap();
        stream.write_all(b"first\n").unwrap();
        stream.write_all(&got).unwrap();
        got
    })
}

#[test]
fn a_signal_waits_for_who_is_there() {
    let (upstream, server) = server(|stream| read_to_end(&stream).unwrap());
    let mut chaos = start(&upstream, &["-f", "lines", "--fault", "dup msg:1"]);
    let mut client = chaos.connect();
    client.write_all(b"a\n").unwrap();
    assert!(chaos.line().contains(r#""done":"2 times in all""#));
    chaos.interrupt_told();
    client.write_all(b"b\n").unwrap();
    drop(client);
    assert_eq!(server.join().unwrap(), b"a\na\nb\n");
    let ran = chaos.end();
    assert_eq!(ran.exit, 130);
    assert!(ran.stderr.ends_with("1 conversation: 1 injection\n"), "{}", ran.stderr);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let chaos = start("127.0.0.1:1", &["--count", "1"]);
    assert_eq!(read_to_end(chaos.connect()).unwrap_or_default(), b"");
    let ran = chaos.end();
    assert!(ran.stderr.contains("swb: conversation 1: "), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("0 injections, 1 without a server\n"), "{}", ran.stderr);
}
