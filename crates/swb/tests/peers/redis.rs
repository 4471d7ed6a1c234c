//! Redis: `redis-cli` and `redis-benchmark` through the tap, counted by the server itself.

use std::process::Command;

use crate::harness::{Process, Scratch, programs, run, run_with};
use crate::swb::{Chaos, Tap};

const CLIENT: bool = true;
const SERVER: bool = false;

struct Server {
    process: Process,
    port: u16,
    _scratch: Scratch,
}

fn start() -> Option<Server> {
    let [server, _] = programs(["redis-server", "redis-cli"])?;
    let scratch = Scratch::new("redis");
    let (process, port) = Process::serve("Ready to accept connections", |port| {
        let mut command = Command::new(&server);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(scratch.path()).current_dir(scratch.path());
        command
    });
    Some(Server { process, port, _scratch: scratch })
}

fn client(program: &str, port: u16) -> Command {
    let mut command = Command::new(programs([program]).unwrap()[0].as_path());
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    command
}

/// How many commands the server says it has carried out.
fn commands(server: &Server) -> usize {
    let stats = run(client("redis-cli", server.port).args(["info", "commandstats"])).ok();
    let calls = stats.lines().filter_map(|line| line.split("calls=").nth(1)?.split(',').next());
    calls.map(|calls| calls.parse::<usize>().unwrap()).sum()
}

#[test]
fn redis_cli_gets_what_it_set() {
    let Some(server) = start() else { return };
    let tap = Tap::start(server.port, "redis");
    // A value that looks like the end of a line, and of a command, twice.
    let value = b"*1\r\n$4\r\nPING\r\n\0\r\n";
    let set = run_with(client("redis-cli", tap.port).args(["-x", "set", "key"]), value).ok();
    assert_eq!(set, "OK\n");
    let length = run(client("redis-cli", tap.port).args(["strlen", "key"])).ok();
    assert_eq!(length.trim_end(), value.len().to_string());
    let script = "return {1, {2, false, {}}, redis.status_reply('yes')}";
    let nested = run(client("redis-cli", tap.port).args(["eval", script, "0"])).ok();
    assert!(nested.contains("yes"), "{nested}");

    let seen = tap.seen();
    seen.assert_whole();
    let mut command = b"*3\r\n$3\r\nset\r\n$3\r\nkey\r\n$17\r\n".to_vec();
    command.extend(value);
    command.extend(b"\r\n");
    assert_eq!(seen.from(CLIENT).next(), Some(&command[..]));
    assert_eq!(seen.from(SERVER).next(), Some(b"+OK\r\n".as_slice()));
    let answer = b"*3\r\n:1\r\n*3\r\n:2\r\n$-1\r\n*0\r\n+yes\r\n";
    assert_eq!(seen.count(SERVER, |bytes| bytes == answer), 1);
    assert_eq!(seen.count(CLIENT, |_| true), 3);
    assert_eq!(seen.count(SERVER, |_| true), 3);
    server.process.stop().ok();
}

#[test]
fn redis_benchmark_counts_the_same_requests() {
    let Some(server) = start() else { return };
    if programs(["redis-benchmark"]).is_none() {
        return;
    }
    let tap = Tap::start(server.port, "redis");
    let before = commands(&server);
    let mut command = client("redis-benchmark", tap.port);
    command.args(["-n", "2048", "-c", "8", "-P", "16", "-t", "set,get,lpush,mset", "--csv"]);
    let report = run(&mut command).ok();
    assert_eq!(report.lines().count(), 5, "a heading and four tests: {report}");
    // The first count is itself a command that the second one sees.
    let counted = commands(&server) - before - 1;

    let seen = tap.seen();
    assert_eq!(seen.raw, []);
    assert_eq!(seen.count(CLIENT, |_| true), counted);
    assert_eq!(seen.count(SERVER, |_| true), counted);
    let sets = |bytes: &[u8]| bytes.starts_with(b"*3\r\n$3\r\nSET\r\n");
    assert_eq!(seen.count(CLIENT, sets), 2048);
    server.process.stop().ok();
}

#[test]
fn what_is_sent_twice_is_done_twice_and_a_lost_answer_is_no_undoing() {
    let Some(server) = start() else { return };
    let faults = ["dup@c2s match:/(?i)incr/", "reset@s2c match:/OK/", "split(every=1, gap=0ms)"];
    let chaos = Chaos::start(server.port, "redis", &faults);
    let ask = |port, words: &[&str]| run(client("redis-cli", port).args(words));
    assert_eq!(ask(chaos.port, &["incr", "count"]).ok().trim_end(), "1");
    assert_eq!(ask(server.port, &["get", "count"]).ok().trim_end(), "2");
    let lost = ask(chaos.port, &["set", "key", "value"]);
    assert!(lost.stdout != "OK\n", "{} {}", lost.stdout, lost.stderr);
    assert_eq!(ask(server.port, &["get", "key"]).ok().trim_end(), "value");
    // Two messages of clients; two of the server, and of the second one nothing was written.
    assert!(chaos.injections() >= 6);
    server.process.stop().ok();
}

#[test]
fn swb_bench_counts_the_same_requests() {
    let Some(server) = start() else { return };
    let before = commands(&server);
    let mut command = Command::new(env!("CARGO_BIN_EXE_swb"));
    let endpoint = format!("127.0.0.1:{}", server.port);
    command.args(["bench", &endpoint, "--frame", "redis", "--data", "*1\\r\\n$4\\r\\nPING\\r\\n"]);
    let report = run(command.args(["-c", "8", "--depth", "16", "--count", "20000"])).ok();
    // The first count is itself a command that the second one sees.
    assert_eq!(commands(&server) - before - 1, 20_000);
    assert!(report.contains("20000 replies in "), "{report}");
    assert!(!report.contains("errors"), "{report}");
    server.process.stop().ok();
}
