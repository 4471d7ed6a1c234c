//! `swb tap --record` and `swb replay`: what was said is said again, and compared.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Dir, Running, read_to_end, run};

/// A server that answers each line with itself, changed by `change`.
fn server(change: impl Fn(&[u8]) -> Vec<u8> + Send + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, change) = (stream.unwrap(), change.clone());
            thread::spawn(move || {
                let mut line = Vec::new();
                let mut byte = [0];
                while let Ok(1) = stream.read(&mut byte) {
                    line.push(byte[0]);
                    if byte[0] == b'\n' {
                        let _ = stream.write_all(&change(&std::mem::take(&mut line)));
                    }
                }
            });
        }
    });
    address
}

fn echo(line: &[u8]) -> Vec<u8> {
    line.to_vec()
}

/// A recording of two conversations with an echo server, the pauses of which are `pause`.
fn record(dir: &Dir, pause: Duration) -> String {
    let path = dir.path.join("session").display().to_string();
    let args = ["tap", "127.0.0.1:0", &server(echo), "-f", "lines", "--count", "2"];
    let tap = Running::start(&[&args[..], &["--record", &path]].concat());
    for words in [["one\n", "two\n"], ["three\n", "four\n"]] {
        let mut client: TcpStream = tap.connect();
        for word in words {
            client.write_all(word.as_bytes()).unwrap();
            let mut reply = vec![0; word.len()];
            client.read_exact(&mut reply).unwrap();
            // A pause is that nothing comes.
            client.set_read_timeout(Some(pause)).unwrap();
            client.read(&mut [0]).unwrap_err();
            client.set_read_timeout(None).unwrap();
        }
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&client).unwrap(), b"");
    }
    assert_eq!(tap.end().exit, 0);
    path
}

/// A number in a file of this machine.
fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

#[test]
fn packets_can_be_read_by_whoever_reads_pcapng() {
    let dir = Dir::new("pcap");
    let path = dir.path.join("session.pcapng").display().to_string();
    let args = ["tap", "127.0.0.1:0", &server(echo), "-f", "lines", "--count", "1"];
    let tap = Running::start(&[&args[..], &["--pcap", &path]].concat());
    let mut client = tap.connect();
    let ports = [client.local_addr().unwrap().port(), client.peer_addr().unwrap().port()];
    client.write_all(b"hello\n").unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).unwrap(), b"");
    assert_eq!(tap.end().exit, 0);

    let file = std::fs::read(&path).unwrap();
    let (mut at, mut kinds, mut packets) = (0, Vec::new(), Vec::new());
    while at < file.len() {
        let length = word(&file, at + 4);
        assert_eq!(word(&file, at + length - 4), length);
        kinds.push(word(&file, at));
        if kinds.last() == Some(&6) {
            let bytes = word(&file, at + 20);
            packets.push(file[at + 28..at + 28 + bytes].to_vec());
        }
        at += length;
    }
    assert_eq!(kinds[..2], [0x0a0d_0d0a, 1]);
    let shown = |packet: &Vec<u8>| {
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        let number = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let from = ports.iter().position(|own| *own == port(20)).unwrap();
        assert_eq!((port(22), packet.len()), (ports[1 - from], usize::from(port(2))));
        let text = packet[40..].escape_ascii().to_string();
        format!("{from} {:02x} {}/{} {text}", packet[33], number(24), number(28))
    };
    let packets: Vec<String> = packets.iter().map(shown).collect();
    assert_eq!(
        packets,
        [
            "0 02 0/0 ",
            "1 12 0/1 ",
            "0 10 1/1 ",
            "0 18 1/1 hello\\n",
            "1 18 1/7 hello\\n",
            "0 11 7/7 ",
            "1 11 7/8 ",
        ]
    );
}

#[test]
fn what_was_recorded_can_be_read() {
    let dir = Dir::new("record");
    let path = record(&dir, Duration::from_millis(1));
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = text.lines().map(without_time).collect();
    let first = ["1 > 6f6e650a", "1 < 6f6e650a", "1 > 74776f0a", "1 < 74776f0a"];
    assert_eq!(lines[0], "swb recording 1 lines");
    assert_eq!(lines[1..5], first);
    assert_eq!(lines[5..7], ["1 > finished", "1 < finished"]);
    assert_eq!(lines.len(), 13);
    // What is there is not written over.
    let args = ["tap", "127.0.0.1:0", "127.0.0.1:1", "-f", "lines", "--record", &path];
    let ran = run(&args, b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.starts_with(&format!("swb: cannot record to {path}: ")), "{}", ran.stderr);
}

fn without_time(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        [n, arrow @ (">" | "<"), _, what] => format!("{n} {arrow} {what}"),
        _ => line.to_owned(),
    }
}

#[test]
fn the_same_server_answers_the_same() {
    let dir = Dir::new("replay-same");
    let path = record(&dir, Duration::from_millis(100));
    for args in [&["--fast", "--diff"][..], &["--diff"]] {
        let began = Instant::now();
        let ran = run(&[&["replay", &path, &server(echo)], args].concat(), b"");
        assert_eq!((ran.exit, ran.text()), (0, ""), "{}", ran.stderr);
        let told = "2 conversations: 19 bytes answered, as in the recording\n";
        assert_eq!(ran.stderr, told);
        // With the pauses that there were.
        assert!(args.len() == 2 || began.elapsed() >= Duration::from_millis(400));
    }
}

#[test]
fn another_answer_is_shown() {
    let dir = Dir::new("replay-other");
    let path = record(&dir, Duration::from_millis(1));
    let other = server(|line| if line == b"two\n" { b"twa\n".to_vec() } else { line.to_vec() });
    let ran = run(&["replay", &path, &other, "--fast", "--diff"], b"");
    let shown = "conversation 1: answer 2 differs\n  recorded: two\n  now:      twa\n  first at \
                 byte 2 of 3 and 3\n";
    assert_eq!((ran.exit, ran.text()), (1, shown), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(", 1 conversation differs\n"), "{}", ran.stderr);
}

#[test]
fn a_shorter_answer_keeps_nobody_waiting() {
    let dir = Dir::new("replay-short");
    let path = record(&dir, Duration::from_millis(1));
    let short = server(|_| b"x\n".to_vec());
    let ran = run(&["replay", &path, &short, "--fast", "--diff"], b"");
    let shown = "conversation 1: answer 1 differs\n  recorded: one\n  now:      x\n";
    assert!(ran.exit == 1 && ran.text().starts_with(shown), "{} {}", ran.text(), ran.stderr);
}

#[test]
fn a_server_that_answers_nothing_is_given_up() {
    let dir = Dir::new("replay-mute");
    let path = record(&dir, Duration::from_millis(1));
    let mute = server(|_| Vec::new());
    let ran = run(&["replay", &path, &mute, "--fast", "--timeout", "200ms"], b"");
    assert_eq!(ran.exit, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("it does not answer"), "{}", ran.stderr);
    let ran = run(&["replay", &path, &mute, "--fast", "--timeout", "200ms", "--diff"], b"");
    let shown = "conversation 1: answer 1 differs\n  recorded: one\n  now:      nothing more\n";
    assert!(ran.exit == 1 && ran.text().starts_with(shown), "{} {}", ran.text(), ran.stderr);
}

#[test]
fn what_is_no_recording_is_refused() {
    let dir = Dir::new("replay-none");
    let path = dir.path.join("none").display().to_string();
    std::fs::write(&path, "swb recording 1 lines\n1 > x 00\n").unwrap();
    let ran = run(&["replay", &path, "127.0.0.1:1"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.starts_with(&format!("swb: {path}: line 2: ")), "{}", ran.stderr);
}
