//! Nothing is wrong with our own server, whichever dispatcher it has.

use crate::scratch::Scratch;
use crate::servers::{own, skip};
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
    "only a TCP connection has a peer that can die",
    "there are no resets over this transport",
    "the prefix has less than two bytes",
];
/// One more, without TLS, and without a privilege.
const NO_TLS: &str = "there is no TLS";
const NO_PRIVILEGE: &str = "not to acknowledge takes CAP_NET_ADMIN";

const FITS: &str = "a reply of 1.0 MiB came whole, and may have fitted";

/// What the server is told, and what the doctor is told of it.
const SERVER: &str = "--max 1m --idle 3s --liveness 4s";
const STATED: &[&str] = &["--max", "1m", "--idle", "3s", "--dead", "4s"];

/// A server that the doctor starts: how it is reached, how it is started, what the doctor needs for
/// it.
struct Reference<'a> {
    endpoint: &'a str,
    command: String,
    more: Vec<&'a str>,
}

fn is_well(dispatch: &str, framing: &str) {
    let what = format!("echo --frame '{framing}' --dispatch {dispatch} {SERVER}");
    let command = own(&format!("127.0.0.1:{{port}} {what}"));
    let mut more = STATED.to_vec();
    more.extend(["--frame", framing]);
    check(&Reference { endpoint: "127.0.0.1:0", command, more });
}

fn check(reference: &Reference<'_>) {
    for run in 1..=runs() {
        let ask = ["--echo", "--json", "--runs", "1", "--exec", &reference.command];
        let told = doctor(reference.endpoint, &[&ask[..], &reference.more].concat());
        let shown = format!("{}, run {run}: {}{}", reference.command, told.stdout, told.stderr);
        assert_eq!(told.exit, 0, "{shown}");
        for object in told.objects() {
            match (object["verdict"].as_str(), object["why"].as_str()) {
                (Some("ok"), _) => {}
                (Some("skipped"), Some(why)) if is_known(reference, why) => {}
                // What is drained is seen below, with no limit.
                (Some("inconclusive"), Some(why)) if why.starts_with(FITS) => {}
                (None, _) if object["type"] == "summary" => {}
                _ => panic!("{object}\n{shown}"),
            }
        }
    }
}

fn is_known(reference: &Reference<'_>, why: &str) -> bool {
    if why.starts_with(NO_PRIVILEGE) {
        skip(NO_PRIVILEGE);
        return true;
    }
    let is_plain = !reference.endpoint.starts_with("tls:");
    is_plain && why.starts_with(NO_TLS) || REASONS.iter().any(|reason| why.starts_with(reason))
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

#[test]
fn over_tls() {
    for (dispatch, framing) in [("events", "u32be"), ("threads", "lines")] {
        let scratch = Scratch::new();
        let (cert, key) = scratch.certificate();
        let identity = format!("--tls-cert '{cert}' --tls-key '{key}'");
        let what = format!("echo --frame {framing} --dispatch {dispatch} {SERVER} {identity}");
        let mut more = STATED.to_vec();
        more.extend(["--frame", framing, "--tls-ca", &cert]);
        let command = own(&format!("tls://127.0.0.1:{{port}} {what}"));
        check(&Reference { endpoint: "tls://127.0.0.1:0", command, more });
    }
}

#[test]
fn over_a_unix_socket() {
    let scratch = Scratch::new();
    let endpoint = format!("unix:{}", scratch.path("socket"));
    let command = own(&format!("'{{endpoint}}' echo --frame u32be {SERVER}"));
    let mut more = STATED.to_vec();
    more.extend(["--frame", "u32be"]);
    check(&Reference { endpoint: &endpoint, command, more });
}

/// With no limit stated the reply is larger than what the system holds of it.
#[test]
fn every_dispatcher_drains() {
    for dispatch in ["events", "threads", "processes"] {
        let own = own(&format!("127.0.0.1:{{port}} echo --frame u32be --dispatch {dispatch}"));
        let args = ["--frame", "u32be", "--echo", "--only", "R3,R4", "--exec", &own];
        let told = doctor("127.0.0.1:0", &args);
        assert_eq!(told.exit, 0, "{dispatch}: {}{}", told.stdout, told.stderr);
        assert!(told.stdout.contains("\n2 ok in "), "{dispatch}: {}", told.stdout);
    }
}
