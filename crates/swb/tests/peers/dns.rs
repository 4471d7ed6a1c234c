//! DNS over TCP: `dig` through the tap to dnsmasq, which knows its answers itself.

use std::process::Command;

use crate::harness::{Process, programs, run};
use crate::swb::{Tap, holds};

#[test]
fn dig_asks_dnsmasq_over_tcp() {
    let Some([dnsmasq, dig]) = programs(["dnsmasq", "dig"]) else { return };
    let long = "t".repeat(200);
    let (server, port) = Process::serve("started, version", |port| {
        let mut command = Command::new(&dnsmasq);
        command.args(["--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv"]);
        command.args(["--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces"]);
        command.args([format!("--port={port}"), "--log-queries".into(), "--log-facility=-".into()]);
        command.args(["--address=/one.test/192.0.2.1", "--address=/two.test/192.0.2.2"]);
        // Four strings of 200 bytes: more than a datagram of old would hold.
        command.arg(format!("--txt-record=long.test,{long},{long},{long},{long}"));
        command
    });
    let tap = Tap::start(port, "dns");
    let mut command = Command::new(dig);
    command.args(["+tcp", "+keepopen", "+short", "-p", &tap.port.to_string(), "@127.0.0.1"]);
    command.args(["one.test", "A", "two.test", "A", "long.test", "TXT"]);
    let answers = run(&mut command).ok();
    let lines: Vec<&str> = answers.lines().collect();
    assert_eq!(lines[..2], ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(lines[2].matches(&long).count(), 4);

    let seen = tap.seen();
    seen.assert_whole();
    assert_eq!(seen.count(true, |_| true), 3);
    assert_eq!(seen.count(false, |_| true), 3);
    assert_eq!(seen.count(true, |bytes| holds(bytes, "\x03two\x04test")), 1);
    assert!(seen.messages.iter().all(|m| m.conversation == seen.messages[0].conversation));
    // Every answer carries its question's identifier, which dig chose at random.
    let ids = |client| seen.from(client).map(|bytes| bytes[..2].to_vec()).collect::<Vec<_>>();
    assert_eq!(ids(true), ids(false));
    let log = server.stop();
    let queries = log.stderr.lines().chain(log.stdout.lines());
    assert_eq!(queries.filter(|line| line.contains(": query[")).count(), 3);
}
