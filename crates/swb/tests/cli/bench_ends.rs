//! `swb bench` where replies do not come: what counts, and what it comes to.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::bench::{bench, read_message, serve, stop, summary};
use crate::support::{Dir, Running, read_to_end, run, swb};

/// What has no reply when a signal comes counts with the time that it has waited, in both loops.
#[test]
fn an_interrupt_does_not_forget_what_is_unanswered() {
    for (load, per_connection) in [(["--depth", "5"], 5), (["-r", "20"], 5)] {
        let (address, server) = serve(2, |number, mut stream| {
            if number > 0 {
                return drop(read_to_end(stream));
            }
            while let Some(message) = read_message(&mut stream) {
                let _ = stream.write_all(&message);
            }
        });
        let args = ["bench", &address, "-f", "u8", "--json", "--duration", "1h", "-c", "2"];
        let args = [&args[..], &["--warm-up", "0s"], &load].concat();
        let mut child = swb(&args).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let rest = String::from_utf8(read_to_end(stdout).unwrap()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(143), "{load:?}");
        let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
        let count = |of: &Value| of.as_u64().unwrap();
        let unanswered = count(&last["errors"]["unanswered"]);
        assert!(unanswered >= per_connection, "{load:?}: {last}");
        let received = count(&last["messages_received"]);
        assert_eq!(count(&last["latency_ns"]["count"]), received + unanswered, "{last}");
        // The first of them has waited since the beginning, and a second was over.
        assert!(count(&last["latency_ns"]["max"]) >= 900_000_000, "{load:?}: {last}");
        server.join().unwrap();
    }
}

/// The request that is outstanding when the warm-up ends has waited in the measured time too.
#[test]
fn a_server_that_stops_answering_in_the_warm_up_does_not_meet_an_objective() {
    let (address, server) = serve(1, |_, mut stream| {
        let message = read_message(&mut stream).unwrap();
        stream.write_all(&message).unwrap();
        drop(read_to_end(stream));
    });
    let args = ["-c", "1", "--warm-up", "100ms", "--duration", "100ms", "--slo", "p99=1s"];
    let ran = bench(&address, "u8", &args);
    let told = summary(&ran);
    assert_eq!((ran.exit, &told["slo"][0]["met"]), (1, &Value::Bool(false)), "{told}");
    // A machine that is slow may have the one reply in the measured time.
    let received = told["messages_received"].as_u64().unwrap();
    assert_eq!(told["latency_ns"]["count"], received + 1, "{told}");
    // It was waited for until two seconds after the end.
    assert!(told["latency_ns"]["max"].as_u64() >= Some(2_000_000_000), "{told}");
    server.join().unwrap();
}

/// The first message is due at the beginning, and the next one long after the end; the warm-up is
/// long enough for its reply on any machine.
#[test]
fn an_objective_over_no_samples_is_not_met() {
    let dir = Dir::new("bench-no-samples");
    let [hgrm, svg] = ["hgrm", "svg"].map(|name| dir.path.join(name).display().to_string());
    let args = ["-c", "1", "-r", "0.01", "--warm-up", "2s", "--duration", "100ms"];
    for json in [true, false] {
        let (address, server) = serve(1, |_, mut stream| {
            let message = read_message(&mut stream).unwrap();
            stream.write_all(&message).unwrap();
            drop(read_to_end(stream));
        });
        let files = ["--hgrm", &hgrm, "--svg", &svg];
        let args = [&["bench", &address, "-f", "u8", "--slo", "p99=1s"], &args[..], &files];
        let args = args.concat();
        let ran = run(&[&args[..], if json { &["--json"] } else { &[] }].concat(), b"");
        let told = "swb: nothing was measured: --hgrm and --svg stay empty\n";
        assert_eq!((ran.exit, ran.stderr.as_str()), (1, told));
        assert_eq!(std::fs::read_to_string(&svg).unwrap(), "");
        if json {
            let slo = &summary(&ran)["slo"][0];
            assert_eq!((&slo["met"], &slo["value_ns"]), (&Value::Bool(false), &Value::Null));
            for member in ["min", "mean", "p50", "p99.99", "max"] {
                assert_eq!(summary(&ran)["latency_ns"][member], Value::Null, "{member}");
            }
            assert_eq!(summary(&ran)["client_cpu_ns_per_message"], Value::Null);
            let second: Value = serde_json::from_str(ran.lines()[0]).unwrap();
            let none = serde_json::json!({"p50": null, "p99": null, "max": null});
            assert_eq!((&second["type"], &second["latency_ns"]), (&"second".into(), &none));
        } else {
            assert!(ran.text().contains("0 a second, p50 -, p99 -, max -\n"), "{}", ran.text());
            let latency = ran.lines().into_iter().find(|line| line.starts_with("latency   "));
            let columns: Vec<&str> = latency.unwrap().split_whitespace().collect();
            assert_eq!(columns, ["latency", "-", "-", "-", "-", "-", "-", "-"]);
            let missed = "MISSED: p99 has no value: nothing was measured\n";
            assert!(ran.text().contains(missed), "{}", ran.text());
        }
        server.join().unwrap();
    }
}

#[test]
fn a_connection_without_any_reply_makes_a_run_invalid() {
    let silent = |number, mut stream: TcpStream| {
        if number > 0 {
            return drop(read_to_end(stream));
        }
        while let Some(message) = read_message(&mut stream) {
            let _ = stream.write_all(&message);
        }
    };
    let args = ["-c", "3", "--warm-up", "0s", "--duration", "100ms", "--verify"];
    let (address, server) = serve(3, silent);
    let ran = bench(&address, "u8", &args);
    let told = summary(&ran);
    assert_eq!((ran.exit, &told["valid"]), (1, &Value::Bool(false)), "{told}");
    assert_eq!(told["why_invalid"], serde_json::json!(["2 of 3 connections had no reply"]));
    assert_eq!(told["unverified"], "unanswered 2");
    server.join().unwrap();

    let (address, server) = serve(3, silent);
    let ran = run(&[&["bench", &address, "-f", "u8"], &args[..]].concat(), b"");
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    for line in [
        "\nINVALID: 2 of 3 connections had no reply\n",
        "\nNOT VERIFIED: not each request had its reply: unanswered 2\n",
    ] {
        assert!(ran.text().contains(line), "{}", ran.text());
    }
    server.join().unwrap();
}

#[test]
fn replies_that_nobody_asked_for_make_a_run_invalid() {
    let (address, server) = serve(1, |_, mut stream| {
        while let Some(message) = read_message(&mut stream) {
            let _ = stream.write_all(&message.repeat(2));
        }
    });
    let ran = bench(&address, "u8", &["-c", "1", "--warm-up", "0s", "--count", "1"]);
    let told = summary(&ran);
    assert_eq!((ran.exit, &told["valid"]), (1, &Value::Bool(false)), "{told}");
    assert_eq!(told["why_invalid"], serde_json::json!(["1 reply was not asked for"]));
    server.join().unwrap();
}

/// A server that numbers its replies itself is told as that, and not as one that is silent.
#[test]
fn replies_of_unknown_numbers_are_told_with_the_first_one_and_what_was_awaited() {
    let (address, server) = serve(1, |_, mut stream| {
        while let Some(mut message) = read_message(&mut stream) {
            message[1] += 100;
            let _ = stream.write_all(&message);
        }
    });
    let frame = "len:u8,rest id:1";
    let args = ["-c", "1", "--depth", "6", "--warm-up", "0s", "--duration", "100ms"];
    let args = [&args[..], &["--size", "2", "--match", "field:id"]].concat();
    let ran = bench(&address, frame, &args);
    let told = summary(&ran);
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, ""), "{told}");
    assert_eq!(told["errors"], serde_json::json!({"unanswered": 6, "unknown-number": 6}));
    let first = "connection 1, reply 1: its number is 100, and outstanding were 0, 1, 2, 3, ..";
    assert_eq!(told["unknown_number"], first);
    let why = format!("6 replies had a number that no request waited for; {first}");
    assert_eq!(told["why_invalid"], serde_json::json!([why]));
    server.join().unwrap();
}

/// A reply is one whatever it says, so the first is shown.
#[test]
fn the_first_reply_is_shown() {
    let server = |_, mut stream: TcpStream| {
        let mut line = String::new();
        while let Ok(1..) = BufReader::new(&stream).read_line(&mut line) {
            let _ = stream.write_all(b"-ERR unknown command\r\n");
        }
    };
    let args = ["-f", "redis", "--data", "PNG\\r\\n", "-c", "1", "--count", "3"];
    for json in [&["--json"][..], &[]] {
        let (address, server) = serve(1, server);
        let ran = run(&[&["bench", &address], &args[..], json].concat(), b"");
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
        match json.is_empty() {
            true => assert!(
                ran.text().contains("\nreply     -ERR unknown command\\r\\n (the first one)\n"),
                "{}",
                ran.text()
            ),
            false => assert_eq!(summary(&ran)["first_reply"], "-ERR unknown command\\r\\n"),
        }
        server.join().unwrap();
    }
}

/// The limit of descriptors is what a user can do something about.
#[test]
fn where_descriptors_run_out_the_limit_and_what_is_needed_are_named() {
    let dir = Dir::new("bench-descriptors");
    let file = |name: &str| dir.path.join(name).display().to_string();
    let server = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u8"]);
    let pid = server.child.id().to_string();
    let limited = |limit: &str, more: &[&str]| {
        let limit = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
        let args = ["bench", &server.endpoint, "-f", "u8", "-c", "30", "--count", "300"];
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", &limit, env!("CARGO_BIN_EXE_swb")]).args(args).args(more);
        let ran = sh.output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };
    let (exit, told) = limited("30", &[]);
    let advice = "30 connections and what else there is need 62 descriptors, and 'ulimit -n' is \
                  30: raise it with 'ulimit -n 62'\n";
    assert!(exit == Some(3) && told.ends_with(advice), "{exit:?}: {told}");
    // That is enough, whatever is asked for.
    let (hgrm, svg) = (file("hgrm"), file("svg"));
    let more = ["--hgrm", &hgrm, "--svg", &svg, "--server-pid", &pid, "-r", "3k"];
    assert_eq!(limited("62", &more).1, "");
    stop(server);
}

/// No machine can send so many: what was due is counted all the same, and the run ends.
#[test]
fn the_highest_rate_ends_with_its_duration_and_counts_all_that_was_due() {
    let (address, server) = serve(2, |_, stream| drop(read_to_end(stream)));
    let args = ["-c", "2", "-r", "1e8", "--warm-up", "0s", "--duration", "200ms"];
    let told = summary(&bench(&address, "u8", &args));
    // All but what is due in the last nanosecond; each counted once, as unanswered.
    let due = 20_000_000;
    assert_eq!(
        (&told["lag_ns"]["count"], &told["latency_ns"]["count"]),
        (&due.into(), &due.into())
    );
    assert_eq!(told["errors"]["unanswered"], due);
    server.join().unwrap();
}

/// The server ends it: it is gone once the one reply has come, long before the warm-up is over.
#[test]
fn a_run_that_ends_in_the_warm_up_says_so_and_nothing_else() {
    let (address, server) = serve(1, |_, mut stream| {
        let message = read_message(&mut stream).unwrap();
        stream.write_all(&message).unwrap();
    });
    let ran = run(&["bench", &address, "-f", "u8", "-c", "1", "--warm-up", "1h"], b"");
    let lines = ran.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[2], "INVALID: it ended in the warm-up, and nothing was measured");
    assert!(ran.exit >= 5 && ran.stderr.starts_with("swb: "), "{}: {}", ran.exit, ran.stderr);
    server.join().unwrap();
}

/// The process that is looked at ends while the run goes on, which the connection does not tell.
#[test]
fn what_a_server_used_that_is_gone_is_said_to_be_unknown() {
    for json in [true, false] {
        let other = Running::start(&["serve", "127.0.0.1:0", "echo", "-f", "u8"]);
        let pid = other.child.id().to_string();
        let other = Arc::new(Mutex::new(Some(other)));
        let (address, server) = serve(1, move |_, mut stream| {
            while let Some(message) = read_message(&mut stream) {
                if let Some(other) = other.lock().unwrap().take() {
                    stop(other);
                }
                let _ = stream.write_all(&message);
            }
        });
        let args = ["bench", &address, "-f", "u8", "-c", "1", "--count", "9", "--server-pid", &pid];
        let ran = run(&[&args[..], if json { &["--json"] } else { &[] }].concat(), b"");
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
        if json {
            let told = summary(&ran);
            for member in ["server_cpu_ns", "server_cpu_ns_per_message"] {
                assert_eq!(told.get(member), Some(&Value::Null), "{told}");
            }
        } else {
            let told = "\ncpu       server unknown, for its process has ended, here ";
            assert!(ran.text().contains(told), "{}", ran.text());
        }
        server.join().unwrap();
    }
}
