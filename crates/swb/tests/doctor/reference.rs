//! Nothing is wrong with our own server, whichever dispatcher it has.

use crate::servers::Server;
use crate::{doctor, runs};

/// Reasons for which a probe is skipped.
const REASONS: &[&str] =
    &["the prefix has less than two bytes", "in this framing a message may end with the stream"];

fn is_well(dispatch: &str, framing: &str) {
    for run in 1..=runs() {
        let server =
            Server::swb(&["127.0.0.1:0", "--frame", framing, "--dispatch", dispatch, "echo"]);
        let told = doctor(&server.said, &["--echo", "--json", "--runs", "1", "--frame", framing]);
        let shown = format!("{dispatch} {framing}, run {run}: {}{}", told.stdout, told.stderr);
        assert_eq!(told.exit, 0, "{shown}");
        for object in told.objects() {
            match (object["verdict"].as_str(), object["why"].as_str()) {
                (Some("ok"), _) => {}
                (Some("skipped"), Some(why)) if REASONS.contains(&why) => {}
                (None, _) if object["type"] == "summary" => {}
                _ => panic!("{object}\n{shown}"),
            }
        }
    }
}

#[test]
fn events_with_a_length_before_each_message() {
    is_well("events", "u32be");
}

#[test]
fn threads_with_lines() {
    is_well("threads", "lines");
}

#[test]
fn processes_with_netstrings() {
    is_well("processes", "netstring");
}
