//! A server that handles what each read gives; and what is seen again in every run.

use crate::doctor;
use crate::scratch::Scratch;
use crate::servers::{Mutant, is_there};

/// Takes what stands between two line ends of one read for a line, and answers while it reads on.
const PARTS: &str = r#"
import queue, socket, sys, threading

def write(conn, parts):
    while part := parts.get():
        conn.sendall(part + b"\n")
    conn.close()

def read(conn):
    parts = queue.Queue()
    threading.Thread(target=write, args=(conn, parts), daemon=True).start()
    try:
        while data := conn.recv(65536):
            for part in data.split(b"\n"):
                if part:
                    parts.put(part)
    finally:
        parts.put(None)

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    threading.Thread(target=read, args=(listener.accept()[0],), daemon=True).start()
"#;

#[test]
fn a_part_that_comes_back_as_a_message_is_one_read() {
    if !is_there("python3") {
        return;
    }
    let scratch = Scratch::new();
    let exec = format!("exec python3 '{}' {{port}}", scratch.file("server.py", PARTS));
    let ask = ["--frame", "lines", "--echo", "--json", "--runs", "1", "--only", "C1,B3,R3"];
    let told = doctor("127.0.0.1:0", &[&ask[..], &["--exec", &exec]].concat());
    let objects = told.objects();
    assert_eq!(objects.len(), 4, "{}{}", told.stdout, told.stderr);
    for probe in &objects[..3] {
        let bug = probe["bug"].as_str().unwrap_or_default();
        let is_one_read = bug.starts_with("what one call of recv gives is taken for one message");
        assert!(is_one_read, "{}{}", told.stdout, told.stderr);
    }
}

/// What the system holds comes without the server.
#[test]
fn a_reply_that_fits_into_the_buffers_says_nothing_of_who_drains() {
    for mutant in Mutant::all("R3_") {
        let Some(exec) = mutant.command(&[]) else { return };
        let ask = ["--frame", "u32be", "--echo", "--json", "--runs", "1", "--only", "R3"];
        let told = doctor("127.0.0.1:0", &[&ask[..], &["--max", "1m", "--exec", &exec]].concat());
        let probe = &told.objects()[0];
        assert_eq!(probe["verdict"], "inconclusive", "{}{}", told.stdout, told.stderr);
        let why = "a reply of 1.0 MiB came whole, and may have fitted into the system's buffers";
        assert!(probe["why"].as_str().unwrap().starts_with(why), "{}", told.stdout);
    }
}

/// One of lines of any length. What a long one has taken of memory it has for the next one.
const LONG_LINES: &str = r#"
import socket, sys, threading

room = bytearray()

def serve(conn):
    have = 0
    while data := conn.recv(65536):
        room[have : have + len(data)] = data
        have += len(data)
        while (end := room.find(b"\n", have - len(data), have)) >= 0:
            conn.sendall(room[: end + 1])
            rest = room[end + 1 : have]
            room[: len(rest)] = rest
            have, data = len(rest), rest

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    conn, _ = listener.accept()
    serve(conn)
    conn.close()
"#;

/// The memory of the first run is there already in the next one, unless it is started again.
#[test]
fn what_a_run_has_left_is_not_in_the_way_of_the_next_one() {
    if !is_there("python3") {
        return;
    }
    let scratch = Scratch::new();
    let exec = format!("exec python3 '{}' {{port}}", scratch.file("server.py", LONG_LINES));
    let ask = ["--frame", "lines", "--echo", "--json", "--runs", "2", "--only", "F11"];
    let told = doctor("127.0.0.1:0", &[&ask[..], &["--exec", &exec]].concat());
    let probe = &told.objects()[0];
    let seen = (probe["verdict"].as_str(), probe["bad"].as_u64());
    assert_eq!(seen, (Some("failed"), Some(2)), "{}{}", told.stdout, told.stderr);
}
