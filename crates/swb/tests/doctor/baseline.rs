//! What is said of a server that does not answer as it was said to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::doctor;
use crate::right::{Next, next, send, serving};
use crate::scratch::Scratch;
use crate::servers::is_there;

/// A server that does the same with every connection; its address.
fn each(serve: impl Fn(std::net::TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    address
}

#[test]
fn a_reply_that_comes_only_at_the_end_of_input_is_the_finding() {
    let address = each(|mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = stream.write_all(&all);
    });
    let told = doctor(&address, &["--frame", "u32be", "--echo"]);
    assert_eq!((told.exit, told.stdout.as_str()), (1, ""), "{}", told.stderr);
    assert!(told.stderr.contains("a reply came only after the end of input"), "{}", told.stderr);
    assert!(told.stderr.contains("sent   00 00 00 10 73 77 62"), "{}", told.stderr);
}

#[test]
fn without_a_baseline_nothing_is_asked() {
    let address = each(|mut stream| {
        let mut some = [0; 64];
        while stream.read(&mut some).is_ok_and(|bytes| bytes > 0) {
            let _ = stream.write_all(b"\0\0\0\x02no");
        }
    });
    let told = doctor(&address, &["--frame", "u32be", "--echo"]);
    assert_eq!((told.exit, told.stdout.as_str()), (2, ""), "{}", told.stderr);
    assert!(told.stderr.contains("does not answer as expected"), "{}", told.stderr);
    assert!(told.stderr.contains("came   a message of 2 bytes: no"), "{}", told.stderr);
}

/// As of a server that says what time it is.
#[test]
fn what_is_expected_may_be_how_it_begins() {
    let address = counting("no ");
    let ask = ["--frame", "u32be", "--only", "C4", "--runs", "1", "--send", "hi"];
    let told = doctor(&address, &[&ask[..], &["--expect-start", "no "]].concat());
    assert_eq!(told.exit, 0, "{}{}", told.stdout, told.stderr);
    let told = doctor(&address, &[&ask[..], &["--expect-start", "yes"]].concat());
    assert!(told.exit == 2 && told.stderr.contains("came   a message of 4 bytes: no 0"));
    let told = doctor(&address, &[&ask[..], &["--expect", "no 0"]].concat());
    assert_eq!((told.exit, told.stdout.as_str()), (2, ""), "{}", told.stderr);
    let came = "came   a message of 4 bytes: no 1; 1 reply before it had been as expected; it is \
                not what was expected from its byte 3 on; if the rest is another one each time: \
                --expect-start 'no '";
    assert!(told.stderr.contains(came), "{}", told.stderr);
}

/// A reply is a reply: nobody has said which.
#[test]
fn without_an_expectation_any_one_message_is_the_answer() {
    let address = counting("");
    let ask = ["--frame", "u32be", "--send", "hi", "--only", "F1,F4,F6,C1", "--runs", "1"];
    let told = doctor(&address, &ask);
    assert_eq!(told.exit, 0, "{}{}", told.stdout, told.stderr);
    assert!(told.stderr.contains("any one message counts as the answer"), "{}", told.stderr);
}

/// Ten exchanges take no second, and a clock tells the same time in all of them.
#[test]
fn an_answer_with_the_time_in_it_is_found_out_before_anything_is_asked() {
    let date = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let address = serving(move |mut stream| {
        while let Next::Message(_) = next(&mut stream)? {
            send(&mut stream, format!("ok\nDate: {}", date()).as_bytes())?;
        }
        Ok(())
    });
    let ask = ["--frame", "u32be", "--only", "F1", "--runs", "1", "--send", "hi"];
    // It may be the next second by then: what is told is the same.
    let expect = format!("ok\nDate: {}", date());
    let told = doctor(&address, &[&ask[..], &["--expect", &expect]].concat());
    assert_eq!((told.exit, told.stdout.as_str()), (2, ""), "{}", told.stderr);
    assert!(told.stderr.contains("--expect-start 'ok\\n'"), "{}", told.stderr);
    let told = doctor(&address, &[&ask[..], &["--expect-start", "ok\\n"]].concat());
    assert_eq!(told.exit, 0, "{}", told.stderr);
}

/// A server whose replies are these words and a number, of each conversation from 0 on.
fn counting(words: &'static str) -> String {
    serving(move |mut stream| {
        let mut number = 0;
        while let Next::Message(_) = next(&mut stream)? {
            send(&mut stream, format!("{words}{number}").as_bytes())?;
            number += 1;
        }
        Ok(())
    })
}

#[test]
fn no_server_has_an_exit_code_of_its_own() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let told = doctor(&address, &["--frame", "u32be", "--echo"]);
    assert_eq!((told.exit, told.stdout.as_str()), (3, ""), "{}", told.stderr);
}

/// Accepts at once, and says for a moment after each start that it is not ready.
const STARTING: &str = r#"
import socket, struct, sys, threading, time

READY = time.monotonic() + 0.5

def serve(conn):
    while prefix := conn.recv(4, socket.MSG_WAITALL):
        body = conn.recv(struct.unpack(">I", prefix)[0], socket.MSG_WAITALL)
        if time.monotonic() < READY:
            body = b"starting up"
        conn.sendall(struct.pack(">I", len(body)) + body)
    conn.close()

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

#[test]
fn a_server_may_recover_after_a_start() {
    if !is_there("python3") {
        return;
    }
    let scratch = Scratch::new();
    let exec = format!("exec python3 '{}' {{port}}", scratch.file("server.py", STARTING));
    let args = ["--frame", "u32be", "--echo", "--runs", "1", "--only", "F4,R4", "--exec", &exec];
    let told = doctor("127.0.0.1:0", &args);
    assert_eq!(told.exit, 0, "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("\n2 ok in "), "{}", told.stdout);
}
