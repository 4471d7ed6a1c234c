//! `swb tap --record` and `swb replay`: what was said is said again, and compared.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Dir, Running, read_to_end, reset, run};

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

/// A server that answers only what has waited for a while.
fn late() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        if stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            stream.write_all(b"one\n").unwrap();
        }
        stream.set_read_timeout(None).unwrap();
        let _ = stream.read(&mut [0]);
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

/// The packets of a pcapng of this machine.
fn packets(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut kinds, mut packets) = (0, Vec::new(), Vec::new());
    while at < file.len() {
        let length = word(file, at + 4);
        assert_eq!(word(file, at + length - 4), length);
        kinds.push(word(file, at));
        if kinds.last() == Some(&6) {
            let bytes = word(file, at + 20);
            packets.push(file[at + 28..at + 28 + bytes].to_vec());
        }
        at += length;
    }
    assert_eq!(kinds[..2], [0x0a0d_0d0a, 1]);
    packets
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

    let packets = packets(&std::fs::read(&path).unwrap());
    let shown = |packet: &Vec<u8>| {
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        let number = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let from = ports.iter().position(|own| *own == port(20)).unwrap();
        assert_eq!((port(22), packet.len()), (ports[1 - from], usize::from(port(2))));
        let text = packet[20 + usize::from(packet[32] >> 4) * 4..].escape_ascii().to_string();
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
fn packets_are_decoded_to_the_messages_that_passed() {
    let dir = Dir::new("pcap-decode");
    let path = dir.path.join("session.pcapng").display().to_string();
    let args = ["tap", "127.0.0.1:0", &server(echo), "-f", "lines", "--count", "2", "--json"];
    let tap = Running::start(&[&args[..], &["--pcap", &path]].concat());
    for word in ["one\n", "and another\n"] {
        let mut client = tap.connect();
        client.write_all(word.as_bytes()).unwrap();
        client.read_exact(&mut vec![0; word.len()]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&client).unwrap(), b"");
    }
    let tapped = tap.end();
    let decoded = run(&["decode", "-f", "lines", "--pcap", "--json", &path], b"");
    // But for the times, which are when each was written to its place.
    let timeless = |text: &str| {
        let strip = |line: &str| match line.split_once(",\"time\":\"") {
            Some((before, rest)) => format!("{before}{}", rest.split_once('"').unwrap().1),
            None => line.to_owned(),
        };
        text.lines().map(strip).collect::<Vec<_>>()
    };
    assert_eq!(timeless(decoded.text()), timeless(tapped.text()));
    assert_eq!((decoded.exit, decoded.lines().len()), (0, 8), "{}", decoded.stderr);
    // The same as a card of Ethernet sees it and others write it: pcap, packets of 1460 bytes.
    let mut other = Vec::new();
    other.extend(0xa1b2_c3d4_u32.to_be_bytes());
    other.extend([0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 1]);
    let packets = packets(&std::fs::read(&path).unwrap());
    let with = |packets: &[Vec<u8>]| {
        let mut file = other.clone();
        for packet in packets {
            let length = u32::try_from(packet.len() + 14).unwrap().to_be_bytes();
            file.extend([[0, 0, 0, 7], [0, 0, 0, 9], length, length].concat());
            file.extend([0; 12]);
            file.extend([8, 0]);
            file.extend(packet);
        }
        run(&["decode", "-f", "lines", "--pcap", "--json", "-"], &file)
    };
    let ran = with(&packets);
    assert_eq!(timeless(ran.text()), timeless(tapped.text()));
    assert!(ran.text().contains(r#""time":"1970-01-01T00:00:07.000009Z""#), "{}", ran.text());
    // Out of order and twice.
    let mut shuffled = packets.clone();
    shuffled.swap(3, 5);
    shuffled.insert(5, packets[3].clone());
    assert_eq!(with(&shuffled).lines().len(), 8);
    // What a client said is missing, and its end is not: something is.
    let mut gap = packets.clone();
    gap[4] = [&packets[4][..40], b"tail"].concat();
    gap[4][3] = 44;
    gap[4][27] = 90;
    let ran = with(&gap);
    assert_eq!(ran.exit, 5);
    assert!(ran.stderr.contains("bytes are missing in the capture, of 1 of 2"), "{}", ran.stderr);
    // Cut off in the middle of its last packet.
    let whole = std::fs::read(&path).unwrap();
    let ran = run(&["decode", "-f", "lines", "--pcap"], &whole[..whole.len() - 5]);
    let start = whole.len() - word(&whole, whole.len() - 4);
    let told = format!("swb: stdin: the capture ends in the middle of a packet, at byte {start}\n");
    assert_eq!((ran.exit, ran.stderr, ran.stdout.is_empty()), (5, told, false));
    let ran = run(&["decode", "-f", "lines", "--pcap"], b"no capture");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.starts_with("swb: stdin: it is no capture: "), "{}", ran.stderr);
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
    let text = std::fs::read_to_string(&path).unwrap();
    let mut writes = text.lines().filter(|line| line.contains(" > "));
    let at = |line: &str| Duration::from_micros(line.split(' ').nth(2).unwrap().parse().unwrap());
    let recorded = at(writes.clone().next_back().unwrap()) - at(writes.next().unwrap());
    for args in [&["--fast", "--diff"][..], &["--diff"]] {
        let began = Instant::now();
        let ran = run(&[&["replay", &path, &server(echo)], args].concat(), b"");
        assert_eq!((ran.exit, ran.text()), (0, ""), "{}", ran.stderr);
        let told = "2 conversations: 19 bytes answered, as in the recording\n";
        assert_eq!(ran.stderr, told);
        // With the pauses that there were: as the tap saw them.
        assert!(args.len() == 2 || began.elapsed() >= recorded, "{recorded:?}");
    }
}

#[test]
fn what_a_client_reset_is_no_answer_of_the_server() {
    let dir = Dir::new("replay-reset");
    let path = dir.path.join("session").display().to_string();
    let pcap = dir.path.join("session.pcapng").display().to_string();
    let args = ["tap", "127.0.0.1:0", &server(echo), "-f", "lines", "--count", "1"];
    let tap = Running::start(&[&args[..], &["--record", &path, "--pcap", &pcap]].concat());
    let mut client = tap.connect();
    client.write_all(b"one\n").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    reset(client);
    let tapped = tap.end();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = text.lines().skip(1).map(without_time).collect();
    assert_eq!(lines, ["1 > 6f6e650a", "1 < 6f6e650a", "1 > reset", "1 < over"]);
    let shown = |text: &str| {
        let untimed = |line: &str| line.split_once(['>', '<']).unwrap().1.to_owned();
        text.lines().map(untimed).collect::<Vec<_>>()
    };
    let decoded = run(&["decode", "-f", "lines", "--pcap", &pcap], b"");
    assert_eq!((decoded.exit, shown(decoded.text())), (0, shown(tapped.text())));
    // As it was recorded once; and a client that did not wait for the second answer.
    std::fs::write(&path, text.replace(" over\n", " reset\n")).unwrap();
    for server in [server(echo), server(|line| [line, line].concat())] {
        let ran = run(&["replay", &path, &server, "--fast", "--diff"], b"");
        assert!(ran.stderr.ends_with(", as in the recording\n"), "{}{}", ran.text(), ran.stderr);
    }
    // A client that has had its answer had it before it reset.
    std::fs::write(&path, text).unwrap();
    let ran = run(&["replay", &path, &late(), "--diff"], b"");
    assert_eq!((ran.exit, ran.text()), (0, ""), "{}", ran.stderr);
}

#[test]
fn a_server_that_is_gone_hides_nothing_of_what_was_compared() {
    let dir = Dir::new("replay-gone");
    let path = record(&dir, Duration::from_millis(1));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut some = [0; 64];
        while let Ok(bytes @ 1..) = stream.read(&mut some) {
            stream.write_all(&some[..bytes]).unwrap();
        }
    });
    let ran = run(&["replay", &path, &gone, "--fast", "--diff"], b"");
    assert_eq!(ran.exit, 3, "{}", ran.stderr);
    let told: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(told[0], "1 of 2 conversations: 8 bytes answered, as in the recording");
    assert!(told[1].starts_with("swb: cannot connect to ") && told.len() == 2, "{told:?}");
    let none = run(&["replay", &path, &gone, "--fast", "--diff", "--json"], b"");
    let expected = r#"{"type":"summary","conversations":0,"bytes":0,"differ":0}"#;
    assert_eq!((none.exit, none.lines()), (3, vec![expected]), "{}", none.stderr);
    let told = "0 of 2 conversations: 0 bytes answered, nothing compared\n";
    assert!(none.stderr.starts_with(told), "{}", none.stderr);
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
fn who_is_killed_has_kept_what_passed() {
    let dir = Dir::new("record-killed");
    let path = dir.path.join("session").display().to_string();
    let pcap = dir.path.join("pcap").display().to_string();
    let args = ["tap", "127.0.0.1:0", &server(echo), "-f", "lines", "--pcap", &pcap];
    let mut tap = Running::start(&[&args[..], &["--record", &path]].concat());
    let mut client = tap.connect();
    for word in ["one\n", "two\n"] {
        client.write_all(word.as_bytes()).unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        // What was kept is shown, and is in the file by then.
        assert!(tap.line().contains("> #") && tap.line().contains("< #"));
    }
    tap.child.kill().unwrap();
    tap.child.wait().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = text.lines().skip(1).map(without_time).collect();
    assert_eq!(lines, ["1 > 6f6e650a", "1 < 6f6e650a", "1 > 74776f0a", "1 < 74776f0a"]);
    assert_eq!(packets(&std::fs::read(&pcap).unwrap()).len(), 7);

    let cut = format!("swb: {path}: the recording ends in the middle of conversation 1\n");
    let ran = run(&["replay", &path, &server(echo), "--fast", "--diff"], b"");
    let told = format!("{cut}1 conversation: 8 bytes answered, as in the recording\n");
    assert_eq!((ran.exit, ran.stderr), (0, told));
    // A line that is not all there is left out, and all before it is played.
    std::fs::write(&path, text.trim_end()).unwrap();
    let ran = run(&["replay", &path, &server(echo), "--fast", "--diff"], b"");
    assert_eq!(ran.exit, 5);
    assert!(
        ran.stderr.contains(": the recording ends in the middle of line 5\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn nothing_to_compare_is_not_the_same() {
    let dir = Dir::new("replay-nothing");
    let path = dir.path.join("none").display().to_string();
    let mute = server(|_| Vec::new());
    for text in ["swb recording 1 lines\n", "swb recording 1 lines\n1 > 5 610a\n"] {
        std::fs::write(&path, text).unwrap();
        let ran = run(&["replay", &path, &mute, "--fast", "--diff"], b"");
        assert_eq!(ran.exit, 2, "{}", ran.stderr);
        let told = "swb: nothing to compare: the recording has no answers\n";
        assert!(ran.stderr.ends_with(told), "{}", ran.stderr);
        // Without --diff nothing is compared.
        assert_eq!(run(&["replay", &path, &mute, "--fast"], b"").exit, 0);
    }
}

#[test]
fn programs_are_told_in_json() {
    let dir = Dir::new("replay-json");
    let path = record(&dir, Duration::from_millis(1));
    let other = server(|line| if line == b"two\n" { b"twa\n".to_vec() } else { line.to_vec() });
    let ran = run(&["replay", &path, &other, "--fast", "--diff", "--json"], b"");
    let expected = [
        r#"{"type":"conversation","conversation":1,"answers":3,"bytes":8}"#,
        &[
            r#"{"type":"difference","conversation":1,"answer":2,"#,
            r#""recorded":{"type":"message","hex":"74776f"},"#,
            r#""now":{"type":"message","hex":"747761"}}"#,
        ]
        .concat(),
        r#"{"type":"conversation","conversation":2,"answers":3,"bytes":11}"#,
        r#"{"type":"summary","conversations":2,"bytes":19,"differ":1}"#,
    ];
    assert_eq!((ran.exit, ran.lines()), (1, expected.to_vec()), "{}", ran.stderr);
}

#[test]
fn another_limit_than_that_of_the_framing() {
    let dir = Dir::new("replay-max");
    let path = record(&dir, Duration::from_millis(1));
    let args = ["replay", &path, &server(echo), "--fast", "--diff"];
    let ran = run(&[&args[..], &["--max", "4"]].concat(), b"");
    // Both are cut in the same way, and so they are the same.
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let other = server(|line| [line, line].concat());
    let ran = run(&["replay", &path, &other, "--fast", "--diff", "--max", "4"], b"");
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    let told = "three\\nfour\\n (message 1: oversize: ";
    assert!(ran.text().contains(told), "{}", ran.text());
}

#[test]
fn too_many_at_once_are_refused() {
    let dir = Dir::new("replay-many");
    let path = dir.path.join("many").display().to_string();
    let lines: String = (1..=1025).map(|n| format!("{n} > 5 finished\n")).collect();
    std::fs::write(&path, format!("swb recording 1 lines\n{lines}")).unwrap();
    let ran = run(&["replay", &path, "127.0.0.1:1"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("with their pauses at most 1024: use --fast"), "{}", ran.stderr);
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
