//! `swb bench` where replies do not come: what counts, and what it comes to.

use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::bench::{read_message, serve};
use crate::support::{read_to_end, swb};

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
