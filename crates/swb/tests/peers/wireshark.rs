//! Captures: what `tap --pcap` writes is opened by Wireshark's `tshark`, and what `tcpdump` has
//! captured is read by `decode --pcap`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::harness::{Process, Scratch, programs, run, skip};
use crate::swb::swb;

/// A server that answers what it got to the end with the same backwards; its port.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut all = Vec::new();
                if stream.read_to_end(&mut all).is_ok() {
                    all.reverse();
                    let _ = stream.write_all(&all);
                }
            });
        }
    });
    port
}

/// So many bytes, of which no two windows are the same.
fn bytes(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..count).map(next).collect()
}

/// `swb tap` that captures; where it listens.
fn tap(listen: &str, count: usize, file: &Path) -> (Process, String) {
    let mut command = swb();
    command.args(["tap", listen, &format!("127.0.0.1:{}", server()), "--frame", "raw", "--json"]);
    command.arg("--pcap").arg(file).args(["--count", &count.to_string()]);
    let mut process = Process::start(&mut command);
    let line = process.line_with("listening on ").expect("swb tap ended before it listened");
    let endpoint = line.trim_end().trim_start_matches("listening on ");
    let endpoint = endpoint.trim_start_matches("tcp://").trim_start_matches("unix:").to_owned();
    (process, endpoint)
}

/// Says all of it, and then the end, and hears the answer.
fn converse<S: Read + Write>(mut stream: S, said: &[u8], finish: impl Fn(&S)) {
    stream.write_all(said).unwrap();
    finish(&stream);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert!(heard.iter().rev().eq(said), "{} bytes came back of {}", heard.len(), said.len());
}

fn over_tcp(endpoint: &str, said: &[u8]) {
    let end = |stream: &TcpStream| stream.shutdown(Shutdown::Write).unwrap();
    converse(TcpStream::connect(endpoint).unwrap(), said, end);
}

/// What tshark makes of a capture.
struct Tshark {
    program: PathBuf,
    file: PathBuf,
}

impl Tshark {
    fn says(&self, statistics: &[String]) -> String {
        let mut command = Command::new(&self.program);
        let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
        command.args(["-q", "-r"]).arg(&self.file).args(checks);
        command.args(statistics.iter().flat_map(|it| ["-z", it]));
        run(&mut command).ok()
    }

    /// What it says of the first so many connections.
    fn follow_text(&self, count: usize) -> String {
        let follow = |stream| format!("follow,tcp,raw,{stream}");
        self.says(&(0..count).map(follow).collect::<Vec<_>>())
    }

    /// The bytes of both directions of each.
    fn follow(&self, count: usize) -> Vec<[Vec<u8>; 2]> {
        let mut streams = Vec::new();
        for line in self.follow_text(count).lines() {
            let hex = line.trim_start();
            if line.starts_with("Filter: ") {
                streams.push([Vec::new(), Vec::new()]);
            } else if !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                // What node 1 wrote stands further in.
                let side = usize::from(line.starts_with('\t'));
                let pair = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
                let bytes = hex.as_bytes().chunks(2).map(|it| pair(it).unwrap());
                streams.last_mut().unwrap()[side].extend(bytes);
            }
        }
        streams
    }

    /// That it follows what was said and answered, in any order of the conversations.
    fn assert_followed(&self, said: &[Vec<u8>]) {
        let mut followed = self.follow(said.len());
        let backwards = |said: &Vec<u8>| said.iter().rev().copied().collect();
        let mut expected: Vec<[Vec<u8>; 2]> =
            said.iter().map(|said| [said.clone(), backwards(said)]).collect();
        followed.sort();
        expected.sort();
        assert!(followed == expected, "tshark follows other bytes");
    }

    /// The warnings and errors that its experts have, a line each.
    fn warnings(&self) -> Vec<String> {
        let text = self.says(&["expert,warn".to_owned()]);
        let is_one = |line: &&str| line.contains(" TCP ") || line.contains(" IPv");
        text.lines().filter(is_one).map(|line| line.trim().to_owned()).collect()
    }
}

fn tshark(scratch: &Scratch) -> Option<Tshark> {
    let [program] = programs(["tshark"])?;
    Some(Tshark { program, file: scratch.path().join("tap.pcapng") })
}

#[test]
fn tshark_follows_what_was_tapped() {
    let scratch = Scratch::new("tshark");
    let Some(tshark) = tshark(&scratch) else { return };
    // None, little, and more than a segment holds; all of it half closed before the answer.
    let said: Vec<Vec<u8>> = [0, 1, 65_000, 65_001, 3_000_000].map(|count| bytes(count, 7)).into();
    let (process, endpoint) = tap("127.0.0.1:0", said.len(), &tshark.file);
    said.iter().for_each(|said| over_tcp(&endpoint, said));
    process.finish().ok();
    tshark.assert_followed(&said);
    assert_eq!(tshark.warnings(), Vec::<String>::new());
}

#[test]
fn tshark_keeps_many_conversations_apart() {
    let scratch = Scratch::new("tshark-many");
    let Some(tshark) = tshark(&scratch) else { return };
    let said: Vec<Vec<u8>> = (0..24).map(|n| bytes(10_000 + n as usize * 977, n)).collect();
    let (process, endpoint) = tap("127.0.0.1:0", said.len(), &tshark.file);
    thread::scope(|scope| {
        for said in &said {
            scope.spawn(|| over_tcp(&endpoint, said));
        }
    });
    process.finish().ok();
    tshark.assert_followed(&said);
    assert_eq!(tshark.warnings(), Vec::<String>::new());
}

#[test]
fn tshark_is_shown_addresses_of_each_kind() {
    for listen in ["[::1]:0", "unix:"] {
        let scratch = Scratch::new("tshark-kinds");
        let Some(tshark) = tshark(&scratch) else { return };
        if TcpListener::bind("[::1]:0").is_err() {
            return skip("there is no IPv6 here");
        }
        let said = [bytes(100_000, 3)];
        let is_unix = listen == "unix:";
        let path = format!("unix:{}", scratch.path().join("front").display());
        let (process, endpoint) = tap(if is_unix { &path } else { listen }, 1, &tshark.file);
        if is_unix {
            let end = |stream: &UnixStream| stream.shutdown(Shutdown::Write).unwrap();
            converse(UnixStream::connect(&endpoint).unwrap(), &said[0], end);
        } else {
            over_tcp(&endpoint, &said[0]);
        }
        process.finish().ok();
        tshark.assert_followed(&said);
        assert_eq!(tshark.warnings(), Vec::<String>::new());
        let nodes = tshark.follow_text(1);
        let node = if is_unix { "Node 0: 192.0.2.1:49153\nNode 1: 192.0.2.2:1\n" } else { "::1" };
        assert!(nodes.contains(node), "{listen}");
    }
}

#[test]
fn tshark_sees_a_reset_where_there_was_one() {
    let scratch = Scratch::new("tshark-reset");
    let Some(tshark) = tshark(&scratch) else { return };
    let (process, endpoint) = tap("127.0.0.1:0", 1, &tshark.file);
    let mut client = TcpStream::connect(&endpoint).unwrap();
    client.write_all(b"half a word").unwrap();
    socket2::SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    process.finish().ok();
    assert_eq!(tshark.follow(1)[0][1], b"");
    let warnings = tshark.warnings();
    assert!(!warnings.is_empty(), "a reset is a warning");
    assert!(warnings.iter().all(|it| it.ends_with("Connection reset (RST)")), "{warnings:?}");
}

/// Of each message its direction and bytes in hex; and how often a direction has ended.
fn decoded(file: &Path) -> (Vec<(bool, String)>, usize) {
    let mut command = swb();
    command.args(["decode", "--frame", "u32be", "--pcap", "--json"]).arg(file);
    let (mut messages, mut ends) = (Vec::new(), 0);
    for line in run(&mut command).stdout.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["type"].as_str() {
            Some("message") => {
                let hex = line["hex"].as_str().unwrap().to_owned();
                messages.push((line["direction"] == "client", hex));
            }
            Some("end") => ends += 1,
            _ => {}
        }
    }
    (messages, ends)
}

#[test]
fn what_tcpdump_captured_is_decoded() {
    let Some([tcpdump]) = programs(["tcpdump"]) else { return };
    let scratch = Scratch::new("tcpdump");
    let file = scratch.path().join("lo.pcap");
    let port = server();
    let mut command = Command::new(tcpdump);
    command.args(["-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w"]);
    command.arg(&file).arg(format!("tcp port {port}"));
    let mut capture = Process::start(&mut command).stopped_by("INT");
    if capture.line_with("listening on ").is_none() {
        return skip(&format!("nothing may be captured here: {}", capture.finish().stderr));
    }
    // A message that is one backwards too: its length stands at its end as well.
    let body = bytes(200_000, 9);
    let length = u32::try_from(body.len() + 4).unwrap();
    let said = [&length.to_be_bytes()[..], &body, &length.to_le_bytes()].concat();
    let answer: Vec<u8> = said.iter().rev().copied().collect();
    over_tcp(&format!("127.0.0.1:{port}"), &said);
    // It writes when it likes, and a capture that goes on is read like any other.
    let (mut messages, mut ends) = (Vec::new(), 0);
    for _ in 0..200 {
        (messages, ends) = decoded(&file);
        if ends == 2 {
            break;
        }
    }
    assert_eq!((messages.len(), ends), (2, 2), "{}", capture.stop().stderr);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(messages[0] == (true, hex(&said[4..])), "the client said something else");
    assert!(messages[1] == (false, hex(&answer[4..])), "the server said something else");
}
