//! PostgreSQL: `psql` with its default `sslmode`, `pgbench`, and TLS, where the framing ends.

use std::process::Command;

use crate::harness::{Account, Process, Scratch, programs, run};
use crate::swb::{Tap, holds};

const CLIENT: bool = true;
const SERVER: bool = false;

struct Server {
    process: Process,
    port: u16,
    scratch: Scratch,
}

/// A server with one user, `postgres`, whom it trusts.
fn start(tls: bool) -> Option<Server> {
    let [initdb, postgres, openssl, _] = programs(["initdb", "postgres", "openssl", "psql"])?;
    let scratch = Scratch::new("postgres");
    let account = Account::unprivileged();
    account.owns(scratch.path());
    let data = scratch.path().join("data");
    let mut command = Command::new(initdb);
    command.arg("-D").arg(&data).current_dir(scratch.path());
    command.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-N"]);
    run(account.runs(&mut command)).ok();
    if tls {
        let mut command = Command::new(openssl);
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
        command.args(["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.crt"]);
        run(account.runs(command.current_dir(&data))).ok();
    }
    let (process, port) = Process::serve("ready to accept connections", |port| {
        let mut command = Command::new(&postgres);
        command.arg("-D").arg(&data).arg("-k").arg(scratch.path());
        command.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "fsync=off", "-c", if tls { "ssl=on" } else { "ssl=off" }]);
        account.runs(command.current_dir(scratch.path()));
        command
    });
    Some(Server { process: process.stopped_by("INT"), port, scratch })
}

impl Server {
    /// One of PostgreSQL's programs as a user has it: no setting but where the server is.
    fn client(&self, program: &str, port: u16) -> Command {
        let mut command = Command::new(programs([program]).unwrap()[0].as_path());
        for (key, _) in std::env::vars() {
            if key.starts_with("PG") {
                command.env_remove(key);
            }
        }
        command.env("HOME", self.scratch.path()).env("LC_ALL", "C");
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"]);
        command
    }

    fn psql(&self, port: u16, sql: &str) -> String {
        let mut command = self.client("psql", port);
        run(command.args(["-X", "-A", "-t", "-c", sql, "postgres"])).ok()
    }
}

#[test]
fn psql_asks_for_tls_is_refused_and_goes_on() {
    let Some(server) = start(false) else { return };
    let tap = Tap::start(server.port, "postgres");
    assert_eq!(server.psql(tap.port, "select 'whole' || ' messages'"), "whole messages\n");
    let rows = server.psql(tap.port, "copy (select generate_series(1, 1000)) to stdout");
    assert_eq!(rows.lines().count(), 1000);
    let long = server.psql(tap.port, "select repeat('x', 1000000)");
    assert_eq!(long.trim_end().len(), 1_000_000);

    let seen = tap.seen();
    seen.assert_whole();
    let conversation = seen.messages[0].conversation;
    let first: Vec<_> =
        seen.messages.iter().filter(|m| m.conversation == conversation).take(3).collect();
    // SSLRequest, the server's bare `N`, and only then the startup message.
    assert_eq!(
        (first[0].from_client, &first[0].bytes[..]),
        (true, b"\0\0\0\x08\x04\xd2\x16\x2f".as_slice())
    );
    assert_eq!((first[1].from_client, &first[1].bytes[..]), (false, b"N".as_slice()));
    assert!(first[2].from_client && holds(&first[2].bytes, "user\0postgres\0"));
    let answer = |bytes: &[u8]| bytes[0] == b'D' && holds(bytes, "whole messages");
    assert_eq!(seen.count(SERVER, answer), 1);
    // CopyData, one a row; the header row is psql's own.
    assert_eq!(seen.count(SERVER, |bytes| bytes[0] == b'd'), 1000);
    // A DataRow: type, length, one column of a length and a million bytes.
    let million = |bytes: &[u8]| bytes[0] == b'D' && bytes.len() == 1 + 4 + 2 + 4 + 1_000_000;
    assert_eq!(seen.count(SERVER, million), 1);
    // Each of the three said goodbye.
    assert_eq!(seen.count(CLIENT, |bytes| bytes == b"X\0\0\0\x04"), 3);
    server.process.stop().ok();
}

#[test]
fn pgbench_counts_the_same_transactions() {
    let Some(server) = start(false) else { return };
    run(server.client("pgbench", server.port).args(["-i", "-q", "postgres"])).ok();
    for (mode, kind) in [("simple", b'Q'), ("extended", b'E')] {
        let tap = Tap::start(server.port, "postgres");
        let mut command = server.client("pgbench", tap.port);
        command.args(["-n", "-S", "-c", "4", "-t", "100", "-M", mode, "postgres"]);
        let report = run(&mut command).ok();
        assert!(report.contains("transactions actually processed: 400/400"), "{report}");
        let seen = tap.seen();
        seen.assert_whole();
        // A transaction is one Query, or one Execute; pgbench looks at its tables with a few more.
        let bench = |bytes: &[u8]| {
            bytes[0] == kind && (kind == b'E' || holds(bytes, "SELECT abalance FROM"))
        };
        let looks = seen.count(CLIENT, |bytes| bytes[0] == b'Q' && !bench(bytes));
        assert_eq!(seen.count(CLIENT, bench), 400, "{mode}");
        let answered = seen.count(SERVER, |bytes| bytes.starts_with(b"C\0\0\0\rSELECT 1\0"));
        assert_eq!(answered, 400 + looks, "{mode}");
    }
    server.process.stop().ok();
}

#[test]
fn with_tls_the_tap_says_encrypted_from_here() {
    let Some(server) = start(true) else { return };
    let tap = Tap::start(server.port, "postgres");
    let sql = "select ssl, 'hidden' from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(server.psql(tap.port, sql), "t|hidden\n");
    let seen = tap.seen();
    let framed: Vec<_> = seen.messages.iter().take(2).map(|m| &m.bytes[..]).collect();
    assert_eq!(framed, [b"\0\0\0\x08\x04\xd2\x16\x2f".as_slice(), b"S"]);
    assert!(seen.raw.iter().any(|(_, why)| why == "encrypted from here"), "{:?}", seen.raw);
    assert!(seen.messages.iter().all(|message| !holds(&message.bytes, "hidden")));
    server.process.stop().ok();
}
