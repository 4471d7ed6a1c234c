//! Nothing is wrong with our own server, whichever dispatcher it has.

use crate::servers::Server;
use crate::{doctor, runs};

/// How the reasons begin for which a probe is skipped.
const REASONS: &[&str] = &[
    "a length counts the body alone",
    "a length has no second way to be written",
    "how soon the server finds out that a client is dead is not known",
    "in this framing a message may end with the stream",
    "messages do not end with a delimiter",
    "no delimiter of two bytes or more",
    "no length field: messages end otherwise",
    "the length is no binary integer, it has no sign",
    "the prefix has less than two bytes",
    "the server's processes are known only where it is started here",
    "there is no TLS",
];

/// What the server is told, and what the doctor is told of it.
const STATED: &[&str] = &["--max", "1m", "--idle", "3s"];

fn is_well(dispatch: &str, framing: &str) {
    for run in 1..=runs() {
        let serve = ["127.0.0.1:0", "--frame", framing, "--dispatch", dispatch, "echo"];
        let server = Server::swb(&[&serve, STATED].concat());
        let ask = ["--echo", "--json", "--runs", "1", "--frame", framing];
        let told = doctor(&server.said, &[&ask, STATED].concat());
        let shown = format!("{dispatch} {framing}, run {run}: {}{}", told.stdout, told.stderr);
        assert_eq!(told.exit, 0, "{shown}");
        for object in told.objects() {
            match (object["verdict"].as_str(), object["why"].as_str()) {
                (Some("ok"), _) => {}
                (Some("skipped"), Some(why)) if is_known(why) => {}
                (None, _) if object["type"] == "summary" => {}
                _ => panic!("{object}\n{shown}"),
            }
        }
    }
}

fn is_known(why: &str) -> bool {
    REASONS.iter().any(|reason| why.starts_with(reason))
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

#[test]
fn events_with_a_length_that_counts_itself() {
    is_well("events", "len:u32be,self");
}

#[test]
fn threads_with_crlf() {
    is_well("threads", "crlf");
}
