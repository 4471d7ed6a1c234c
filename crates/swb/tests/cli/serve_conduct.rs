//! `swb serve` among peers that are not to be trusted: dead ones, greedy ones, and what it may do
//! itself.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

use crate::serve_dispatch::{DISPATCHERS, start, summary};
use crate::support::{Dir, Running, feed, read_to_end, run, swb};

/// A user and a group that are nobody's, by their number.
const NOBODY: u32 = 65_534;

#[test]
fn more_of_one_address_than_may_be_are_closed_and_counted() {
    let mut serves: Vec<Vec<&str>> = DISPATCHERS.map(|dispatch| dispatch.to_vec()).to_vec();
    serves.iter_mut().for_each(|serve| serve.extend(["-f", "lines", "echo"]));
    serves.push(vec!["exec", "cat"]);
    for serve in serves {
        let server = start(&["--max-per-address", "2"], &serve);
        let mut clients = [server.connect(), server.connect()];
        for (client, line) in clients.iter_mut().zip(["one\n", "two\n"]) {
            client.write_all(line.as_bytes()).unwrap();
            let mut answer = String::new();
            BufReader::new(client).read_line(&mut answer).unwrap();
            assert_eq!(answer, line);
        }
        let refused = read_to_end(server.connect());
        assert!(refused.is_err() || refused.is_ok_and(|bytes| bytes.is_empty()), "{serve:?}");
        drop(clients);
        server.interrupt();
        let ran = server.end();
        assert!(summary(&ran.stderr).ends_with("; refused 1"), "{serve:?}: {}", ran.stderr);
    }
}

#[test]
fn a_heartbeat_is_sent_and_the_protocols_own_needs_no_words() {
    for dispatch in DISPATCHERS {
        let server = start(dispatch, &["-f", "lines", "--heartbeat", "20ms=here\\x21", "echo"]);
        let mut lines = BufReader::new(server.connect()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "here!");
        assert_eq!(lines.next().unwrap().unwrap(), "here!");
        drop(lines);
        server.terminate();
        assert_eq!(server.end().exit, 143);
    }
    let ran = run(&["serve", "127.0.0.1:0", "-f", "lines", "--heartbeat", "30s", "echo"], b"");
    let told = "swb: --heartbeat: lines has none that is always the same: write TIME=MESSAGE\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, told));
    let args = ["serve", "127.0.0.1:0", "-f", "lines", "--heartbeat", "30s=a\\nb", "echo"];
    let ran = run(&args, b"");
    let told = "swb: --heartbeat: the framing cannot carry MESSAGE: ";
    assert!(ran.exit == 2 && ran.stderr.starts_with(told), "{}", ran.stderr);
    let ran = run(&["serve", "127.0.0.1:0", "--heartbeat", "30s=a", "exec", "true"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("--heartbeat does not go with exec"), "{}", ran.stderr);
}

#[test]
fn less_time_than_the_system_needs_for_a_dead_peer_is_refused() {
    for verb in [
        &["serve", "127.0.0.1:0", "-f", "lines", "echo"][..],
        &["send", "127.0.0.1:1", "-f", "lines"],
        &["talk", "127.0.0.1:1", "-f", "lines"],
        &["tap", "127.0.0.1:0", "127.0.0.1:1", "-f", "lines"],
    ] {
        let ran = run(&[verb, &["--liveness", "2s"]].concat(), b"");
        assert_eq!(ran.exit, 2, "{verb:?}");
        assert!(ran.stderr.contains("it must be at least 3s"), "{verb:?}: {}", ran.stderr);
    }
}

#[test]
fn who_is_nobody_is_told_before_anything_is_bound() {
    for (user, told) in [
        (&["--user", "no-such-user"][..], "--user: there is no user no-such-user"),
        (&["--user", "4000000000"], "no user has the number 4000000000, so its group is not"),
        (&["--user", "4000000000", "--group", "no-such"], "--group: there is no group no-such"),
        (&["--user", "root"], "--user: root keeps every privilege: name another user"),
    ] {
        for action in [&["-f", "u8", "echo"][..], &["exec", "true"]] {
            let ran = run(&[&["serve", "127.0.0.1:0"], user, action].concat(), b"");
            assert_eq!(ran.exit, 2, "{user:?}");
            assert!(ran.stderr.contains(told), "{}", ran.stderr);
            assert!(!ran.stderr.contains("listening on"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_user_who_may_not_is_told() {
    let mut command = swb(&["serve", "127.0.0.1:0", "--user=4242", "--group=4242", "exec", "true"]);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let ran = feed(command.spawn().unwrap(), b"");
    assert_eq!((ran.exit, ran.text()), (2, ""));
    let told = "swb: --user: cannot take the groups of 4242: operation not permitted: start as \
                root, or leave it out\n";
    assert!(ran.stderr.ends_with(told), "{}", ran.stderr);
}

#[test]
fn the_user_is_left_behind_for_good_and_the_path_is_the_users() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become another user");
        assert!(std::env::var_os("SWITCHBOARD_NO_SKIP").is_none(), "and nothing may be skipped");
        return;
    }
    let (user, group) = ("--user=4242", "--group=4343");
    let server = start(&[user, group], &["-f", "u8", "echo"]);
    let status = format!("/proc/{}/status", server.child.id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("Uid:"), ["4242"; 4]);
    assert_eq!(line("Gid:"), ["4343"; 4]);
    assert_eq!(line("Groups:"), ["4343"]);
    assert_eq!(line("CapEff:"), ["0000000000000000"]);
    assert_eq!(line("CapPrm:"), ["0000000000000000"]);
    server.terminate();
    assert_eq!(server.end().exit, 143);

    let dir = Dir::new("conduct");
    let path = dir.path.join("socket");
    let endpoint = format!("unix:{}", path.display());
    let server = Running::start(&["serve", &endpoint, user, group, "exec", "id", "-u"]);
    let found = std::fs::metadata(&path).unwrap();
    assert_eq!((found.uid(), found.gid()), (4242, 4343));
    let answer = read_to_end(UnixStream::connect(&path).unwrap()).unwrap();
    assert_eq!(answer, b"4242\n");
    server.terminate();
    assert_eq!(server.end().exit, 143);
}

#[test]
fn a_bad_address_of_a_proxy_is_named_before_anything_is_bound() {
    for (address, told) in [
        ("10.0.0.1/8", "it has bits behind its prefix: write 10.0.0.0/8"),
        ("10.0.0.0/8,proxy.example", "'proxy.example' is no address of a proxy: write 192.0.2.7"),
    ] {
        let args = ["serve", "127.0.0.1:0", "-f", "lines", "--proxy-from", address, "echo"];
        let ran = run(&args, b"");
        assert_eq!((ran.exit, ran.text()), (2, ""));
        assert!(ran.stderr.contains("--proxy-from"), "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(!ran.stderr.contains("listening on"), "{}", ran.stderr);
    }
}

#[test]
fn a_program_behind_a_proxy_is_told_the_client_and_one_without_a_header_is_not_started() {
    let who = "echo $PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT; cat";
    // Of several addresses, in one word or in more.
    let options = ["--proxy-from", "192.0.2.1", "--proxy-from", "::1,127.0.0.1"];
    let server = start(&options, &["--max-per-address", "1", "exec", "sh", "-c", who]);
    let header = "PROXY TCP6 2001:db8::7 2001:db8::1 40001 443\r\n";
    let mut client = server.connect();
    client.write_all(format!("{header}{header}").as_bytes()).unwrap();
    let mut lines = BufReader::new(&client).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "TCP 2001:db8::7 40001 2001:db8::1 443");
    assert_eq!(format!("{}\r\n", lines.next().unwrap().unwrap().trim_end()), header, "the stream");
    // Of the same network, and of somebody else.
    let mut second = server.connect();
    second.write_all(header.replace("db8::7", "db8::8").as_bytes()).unwrap();
    assert_eq!(read_to_end(second).unwrap_or_default(), b"");
    let mut wrong = server.connect();
    wrong.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert_eq!(read_to_end(wrong).unwrap_or_default(), b"");
    drop(client);
    server.interrupt();
    let ran = server.end();
    assert!(ran.stderr.contains("the PROXY header failed with tcp://127.0.0.1:"), "{}", ran.stderr);
    assert!(ran.stderr.contains(": it does not begin with one"), "{}", ran.stderr);
    assert!(summary(&ran.stderr).ends_with("; refused 1"), "{}", ran.stderr);
}

#[test]
fn a_conversation_without_its_header_is_told_by_the_proxys_address() {
    for dispatch in DISPATCHERS {
        let options = ["-f", "lines", "--proxy-from", "127.0.0.1", "--count", "1", "echo"];
        let server = start(dispatch, &options);
        let mut client = server.connect();
        let from = client.local_addr().unwrap();
        client.write_all(b"PROXY TCP4 nobody\r\n").unwrap();
        assert_eq!(read_to_end(client).unwrap_or_default(), b"");
        let ran = server.end();
        let told = format!("swb: the PROXY header failed with tcp://{from}: its line has not");
        assert!(ran.stderr.contains(&told), "{}", ran.stderr);
        assert_eq!(summary(&ran.stderr), "1 conversation, 0 messages; bad-prefix 1");
    }
}
