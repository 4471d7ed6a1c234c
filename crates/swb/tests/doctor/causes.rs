//! What is told to be wrong is what was seen, and not what a probe is usually about.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::doctor;
use crate::right::{Next, next, send, serving};
use crate::scratch::Scratch;
use crate::servers::{FRAGILE, is_there};

const ECHO: &[&str] = &["--frame", "u32be", "--echo", "--json", "--runs", "1"];

/// The verdict on one probe, and the beginning of what is told to be wrong.
fn check(id: &str, verdict: &str, bug: &str, serve: fn(TcpStream) -> io::Result<()>) {
    let told = doctor(&serving(serve), &[ECHO, &["--only", id]].concat());
    let probe = &told.objects()[0];
    let shown = format!("{}{}", told.stdout, told.stderr);
    assert_eq!(probe["verdict"], verdict, "{shown}");
    assert!(probe["bug"].as_str().is_some_and(|told| told.starts_with(bug)), "{shown}");
}

/// What one read gives is a message, for this one.
fn each_read(mut stream: TcpStream) -> io::Result<()> {
    let mut some = vec![0; 1 << 16];
    loop {
        let bytes = stream.read(&mut some)?;
        if bytes <= 4 {
            return Ok(());
        }
        stream.write_all(&some[..bytes])?;
    }
}

#[test]
fn a_message_octet_by_octet_is_no_matter_of_time_for_who_reads_once() {
    check("F3", "failed", "what one call of recv gives is taken for one message", each_read);
}

#[test]
fn an_end_that_goes_unseen_is_not_a_message_that_was_handled() {
    let bug = "the end of input is not looked at inside a message";
    check("C3", "failed", bug, |mut stream| {
        loop {
            match next(&mut stream)? {
                Next::Message(body) => send(&mut stream, &body)?,
                Next::CutOff => std::thread::park(),
                _ => return Ok(()),
            }
        }
    });
}

#[test]
fn a_connection_that_is_left_open_has_dropped_no_reply() {
    check("C1", "weak", "recv's 0 is not looked at", |mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            send(&mut stream, &body)?;
        }
        std::thread::park();
        Ok(())
    });
}

#[test]
fn what_send_has_not_taken_is_lost_and_nobody_has_stopped_reading() {
    check("B3", "failed", "send takes only a part", |mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            let bytes = [&u32::try_from(body.len()).unwrap().to_be_bytes(), &body[..]].concat();
            stream.set_nonblocking(true)?;
            let sent = stream.write(&bytes);
            stream.set_nonblocking(false)?;
            if sent.is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
                break;
            }
        }
        Ok(())
    });
}

#[test]
fn one_that_dies_the_same_way_again_is_to_be_mended_once() {
    if !is_there("python3") {
        return;
    }
    let scratch = Scratch::new();
    let exec = format!("python3 '{}' {{port}}", scratch.file("server.py", FRAGILE));
    let told = doctor("127.0.0.1:0", &[ECHO, &["--only", "F1,C2", "--exec", &exec]].concat());
    let objects = told.objects();
    let came = |at: usize| objects[at]["came"].as_str().unwrap();
    assert!(!came(0).contains("that is how"), "{}", told.stdout);
    assert!(came(1).ends_with("that is how it died in F1: see there first"), "{}", told.stdout);
    for probe in &objects[..2] {
        let bug = probe["bug"].as_str().unwrap();
        assert!(bug.starts_with("an error of one connection"), "{bug}");
    }
}

/// It accepts for ever, and behind half a header serves nobody any more.
#[test]
fn a_server_that_lives_is_not_gone() {
    let is_deaf = Arc::new(AtomicBool::new(false));
    let address = serving(move |mut stream| {
        loop {
            if is_deaf.load(Ordering::SeqCst) {
                std::thread::park();
            }
            let mut prefix = [0; 4];
            let have = stream.read(&mut prefix)?;
            if matches!(have, 1..4) {
                is_deaf.store(true, Ordering::SeqCst);
                continue;
            }
            let mut body = vec![0; u32::from_be_bytes(prefix) as usize];
            stream.read_exact(&mut body)?;
            if have == 0 {
                return Ok(());
            }
            send(&mut stream, &body)?;
        }
    });
    let told = doctor(&address, &[ECHO, &["--only", "F1,F4"]].concat());
    let objects = told.objects();
    let why = "not asked: the server lives, but serves no new client as it did before F1";
    assert_eq!((&objects[0]["verdict"], &objects[1]["why"]), (&"failed".into(), &why.into()));
}
