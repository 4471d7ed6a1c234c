//! Nothing is wrong with our own server, whichever dispatcher it has.

use std::fs;

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
    "there are no resets over this transport",
    "the prefix has less than two bytes",
];

/// What the server is told, and what the doctor is told of it.
const STATED: &[&str] = &["--max", "1m", "--idle", "3s"];

/// Where the server is asked to listen, and what both sides have to be told of that.
struct Place<'a> {
    listen: &'a str,
    serve: &'a [&'a str],
    ask: &'a [&'a str],
}

const LOOPBACK: Place<'_> = Place { listen: "127.0.0.1:0", serve: &[], ask: &[] };

fn is_well(place: &Place<'_>, dispatch: &str, framing: &str) {
    for run in 1..=runs() {
        let serve = [place.listen, "--frame", framing, "--dispatch", dispatch, "echo"];
        let server = Server::swb(&[&serve, STATED, place.serve].concat());
        let ask = ["--echo", "--json", "--runs", "1", "--frame", framing];
        let told = doctor(&server.said, &[&ask, STATED, place.ask].concat());
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
    is_well(&LOOPBACK, "events", "u32be");
}

#[test]
fn threads_with_lines() {
    is_well(&LOOPBACK, "threads", "lines");
}

#[test]
fn processes_with_netstrings() {
    is_well(&LOOPBACK, "processes", "netstring");
}

#[test]
fn events_with_a_length_that_counts_itself() {
    is_well(&LOOPBACK, "events", "len:u32be,self");
}

#[test]
fn threads_with_crlf() {
    is_well(&LOOPBACK, "threads", "crlf");
}

#[test]
fn over_a_unix_socket() {
    let listen = format!("unix:@swb-doctor-{}", std::process::id());
    is_well(&Place { listen: &listen, ..LOOPBACK }, "events", "u32be");
}

#[test]
fn over_tls() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let dir = std::env::temp_dir().join(format!("swb-doctor-tls-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let cert = file("cert.pem", own.cert.pem());
    let key = file("key.pem", own.signing_key.serialize_pem());
    let place = Place {
        listen: "tls://127.0.0.1:0",
        serve: &["--tls-cert", &cert, "--tls-key", &key],
        ask: &["--tls-ca", &cert],
    };
    is_well(&place, "events", "u32be");
    fs::remove_dir_all(&dir).unwrap();
}
