//! `swb bench` in the open loop, and what is asked of a run: objectives, files, the server's CPU.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::bench::{bench, serve, stop, summary};
use crate::support::{Dir, Running, run};

/// How many messages a server has had on a connection, for whoever waits until it had so many.
#[derive(Default)]
struct Count {
    messages: Mutex<u64>,
    more: Condvar,
}

impl Count {
    fn add(&self, messages: u64) {
        *self.messages.lock().unwrap() += messages;
        self.more.notify_all();
    }

    fn reach(&self, messages: u64) {
        let count = self.messages.lock().unwrap();
        drop(self.more.wait_while(count, |count| *count < messages).unwrap());
    }
}

/// Sends everything back, and tells how much it was.
fn echo(mut stream: TcpStream, each: impl Fn(usize)) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut bytes) {
        each(read);
        if stream.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
}

/// The first connection is left alone until the other one has had 1500 messages. With 256 numbers
/// 256 requests are in flight on it by then; those that are due after them are sent when the first
/// are answered, late. That lateness is in the latency, and not in the service time.
#[test]
fn a_server_that_stalls_is_seen_in_the_latency_and_not_in_the_service_time() {
    let count = Arc::new(Count::default());
    let (address, server) = serve(2, move |number, stream| match number {
        0 => {
            count.reach(1500 * 8);
            echo(stream, |_| {});
        }
        _ => echo(stream, |bytes| count.add(bytes as u64)),
    });
    let args = ["-c", "2", "-r", "10000", "--count", "4000", "--size", "6"];
    let numbered = ["--match", "field:id", "--duration", "60s"];
    let ran = bench(&address, "len:u8 id:1", &[&args, &numbered[..]].concat());
    let told = summary(&ran);
    assert_eq!((&told["mode"], &told["messages_received"]), (&"open".into(), &4000.into()));
    let at = |of: &str, percentile: &str| told[of][percentile].as_u64().unwrap();
    // The 400 slowest of 4000 were due on the first connection before the 400th there, which is a
    // tenth of a second and more before it was answered.
    assert!(at("latency_ns", "p90") > 220_000_000 - 1_000_000, "{told}");
    assert!(at("service_ns", "p90") < at("latency_ns", "p90") / 2, "{told}");
    // Those that were in flight have waited in both.
    assert!(at("service_ns", "max") >= at("latency_ns", "p90"), "{told}");
    server.join().unwrap();
}

#[test]
fn messages_are_sent_when_they_are_due() {
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u32be"]);
    let args = ["-c", "3", "-r", "2000", "--count", "200", "--verify"];
    let ran = bench(&server.endpoint, "u32be", &args);
    let told = summary(&ran);
    assert_eq!(told["messages_received"], 200);
    assert_eq!(told["rate"], 2000.0);
    // The last of them is due 99.5 ms after the first.
    assert!(told["seconds"].as_f64().unwrap() >= 0.0995, "{told}");
    for of in ["latency_ns", "service_ns", "lag_ns"] {
        assert_eq!(told[of]["count"], 200, "{of}");
    }
    stop(server);
}

#[test]
fn what_is_due_before_the_measuring_begins_is_sent_and_does_not_count() {
    let count = Arc::new(Count::default());
    let counted = Arc::clone(&count);
    let (address, server) = serve(1, move |_, stream| {
        echo(stream, |bytes| counted.add(bytes as u64));
    });
    let args = ["-c", "1", "-r", "1000", "--warm-up", "100ms", "--duration", "100ms", "--spin"];
    let told = summary(&bench(&address, "u8", &args));
    server.join().unwrap();
    // Those that had no reply when the measuring began count too.
    assert!(told["latency_ns"]["count"].as_u64() >= Some(100), "{told}");
    assert_eq!(told["lag_ns"]["count"], 100);
    assert_eq!(*count.messages.lock().unwrap(), 200 * 65);
}

#[test]
fn a_run_that_lost_a_part_of_its_rate_is_invalid() {
    let (address, server) = serve(2, |number, stream| match number {
        0 => drop(stream),
        _ => echo(stream, |_| {}),
    });
    let ran = bench(&address, "u8", &["-c", "2", "-r", "1000", "--duration", "200ms"]);
    let told = summary(&ran);
    assert_eq!((ran.exit, &told["valid"]), (1, &Value::Bool(false)));
    let why = told["why_invalid"].as_array().unwrap();
    let lost = "1 of 2 connections ended, and their share of the rate was not sent";
    assert!(why.contains(&lost.into()), "{why:?}");
    assert!(told["errors"]["not-sent"].as_u64() > Some(0), "{told}");
    server.join().unwrap();
}

#[test]
fn replies_that_never_come_count_with_the_time_they_were_waited_for() {
    let (address, server) = serve(2, |number, stream| match number {
        0 => echo(stream, |_| {}),
        _ => drop(crate::support::read_to_end(stream)),
    });
    let args = ["-c", "2", "-r", "100", "--duration", "100ms", "--warm-up", "0s"];
    let ran = bench(&address, "u8", &[&args[..], &["--slo", "p25=1h", "--slo", "p99=1s"]].concat());
    let told = summary(&ran);
    assert_eq!(told["errors"], serde_json::json!({"unanswered": 5}));
    assert_eq!(told["latency_ns"]["count"], 10);
    // They were waited for until two seconds after the end.
    assert!(told["latency_ns"]["p90"].as_u64().unwrap() >= 2_000_000_000, "{told}");
    let met = |index: usize| told["slo"][index]["met"].as_bool();
    assert_eq!((ran.exit, met(0), met(1)), (1, Some(true), Some(false)));
    server.join().unwrap();
}

#[test]
fn objectives_decide_the_exit_code() {
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u32be"]);
    let count = ["-c", "2", "--count", "100"];
    let slo =
        |objectives: &[&str]| bench(&server.endpoint, "u32be", &[&count, objectives].concat());
    let met = slo(&["--slo", "p50=1h", "--slo", "max=1h"]);
    assert_eq!(met.exit, 0);
    assert_eq!(summary(&met)["slo"][1]["percentile"], 100.0);
    let missed = slo(&["--slo", "p50=1h", "--slo", "p99.9=0us"]);
    assert_eq!(missed.exit, 1);
    let told = &summary(&missed)["slo"][1];
    assert_eq!((&told["limit_ns"], &told["met"]), (&0.into(), &Value::Bool(false)));
    assert!(told["value_ns"].as_u64() > Some(0));

    let text = run(
        &[&["bench", &server.endpoint, "-f", "u32be", "--slo", "p99.9=0us"], &count[..]].concat(),
        b"",
    );
    let lines = text.lines();
    assert!(lines[0].starts_with("closed loop: tcp://127.0.0.1:"), "{lines:?}");
    assert!(lines[1].contains("is not in the latencies: --rate R puts it there"), "{lines:?}");
    let missed = lines.iter().find(|line| line.starts_with("MISSED: p99.9 is ")).unwrap();
    assert!(missed.ends_with(" more than the 0 ns allowed"), "{missed}");
    for part in ["100 replies in ", "p99.99", "\nlatency ", "\nconnect ", "\ncpu       here "] {
        assert!(text.text().contains(part), "{part}: {}", text.text());
    }
    stop(server);
}

#[test]
fn latencies_are_written_for_plotters_and_drawn() {
    let dir = Dir::new("bench-files");
    let file = |name: &str| dir.path.join(name).display().to_string();
    let (hgrm, svg) = (file("out.hgrm"), file("out.svg"));
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u32be"]);
    let args = ["-c", "2", "-r", "100000", "--count", "1000", "--hgrm", &hgrm, "--svg", &svg];
    let told = summary(&bench(&server.endpoint, "u32be", &args));
    let hgrm = std::fs::read_to_string(&hgrm).unwrap();
    assert!(hgrm.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
    assert!(hgrm.contains("Total count    =         1000]"), "{hgrm}");
    let max = told["latency_ns"]["max"].as_f64().unwrap() / 1e6;
    assert!(hgrm.contains(&format!("#[Max     = {max:>12.6}")), "{max} in {hgrm}");
    let svg = std::fs::read_to_string(&svg).unwrap();
    for part in ["<svg xmlns=", "open loop: tcp://", ">99.9%<", ">service<", "percentile"] {
        assert!(svg.contains(part), "{part} in {svg}");
    }
    let nowhere = file("none/out.svg");
    let ran = bench(&server.endpoint, "u32be", &["--svg", &nowhere]);
    assert_eq!((ran.exit, ran.text()), (2, ""));
    assert!(ran.stderr.starts_with("swb: cannot write "), "{}", ran.stderr);
    let ran = bench(&server.endpoint, "u32be", &["-c", "1", "--count", "9", "--hgrm", "/dev/full"]);
    assert_eq!(ran.exit, 2, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("swb: cannot write /dev/full: No space left"), "{}", ran.stderr);
    stop(server);
}

#[test]
fn what_a_server_uses_counts_with_its_children() {
    let args = ["127.0.0.1:0", "echo", "-f", "u32be", "--dispatch"];
    for dispatch in ["events", "processes"] {
        let server = Running::start(&[&["serve"], &args[..], &[dispatch]].concat());
        let pid = server.child.id().to_string();
        let args = ["-c", "2", "--count", "2000", "--server-pid", &pid];
        let ran = bench(&server.endpoint, "u32be", &args);
        let told = summary(&ran);
        let used = told["server_cpu_ns"].as_u64().unwrap();
        // An echo of a message is a read and a write, so it is more than this by far.
        assert!(used > 2000 * 100, "{dispatch}: {told}");
        let each = told["server_cpu_ns_per_message"].as_f64().unwrap();
        assert!((each - used as f64 / 2000.0).abs() < 1.0, "{dispatch}: {told}");
        assert!(told["client_cpu_ns_per_message"].as_f64().unwrap() > 0.0);
        stop(server);
    }
}
