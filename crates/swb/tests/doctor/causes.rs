//! What is told to be wrong is what was seen, and not what a probe is usually about.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::doctor;
use crate::right::{Next, next, send, serving};
use crate::scratch::Scratch;
use crate::servers::{FRAGILE, Mutant, is_there};

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

/// In whichever probe: a leak, or a look at who has connected, is not what it died of.
#[test]
fn a_reset_that_nobody_catches_is_the_same_mistake_in_every_probe() {
    for mutant in Mutant::all("C5_") {
        let Some(exec) = mutant.command(&[]) else { return };
        let told =
            doctor("127.0.0.1:0", &[ECHO, &["--only", "C5,C6,C9,R2", "--exec", &exec]].concat());
        let objects = told.objects();
        assert_eq!(objects.len(), 5, "{}{}", told.stdout, told.stderr);
        for probe in &objects[..4] {
            let bug = probe["bug"].as_str().unwrap_or_default();
            assert!(bug.starts_with("an error of one connection, which"), "{}", told.stdout);
        }
    }
}

#[test]
fn a_limit_that_is_another_one_is_not_off_by_one() {
    let address = serving(|mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            send(&mut stream, &body)?;
        }
        Ok(())
    });
    let told = doctor(&address, &[ECHO, &["--only", "F9", "--max", "1000"]].concat());
    let probe = &told.objects()[0];
    let came = "a reply, to 1 byte over the limit; and one to 65536 bytes over it";
    assert_eq!(probe["came"], came, "{}", told.stderr);
    let bug = probe["bug"].as_str().unwrap();
    assert!(bug.starts_with("the limit is not the one that was declared"), "{bug}");
    for mutant in Mutant::all("F9_") {
        let Some(server) = mutant.start() else { return };
        let address = format!("127.0.0.1:{}", server.said);
        let told = doctor(&address, &[ECHO, &["--only", "F9", "--max", "1000"]].concat());
        let probe = &told.objects()[0];
        let bug = probe["bug"].as_str().unwrap();
        assert!(bug.starts_with("the limit is off by one"), "{}", told.stdout);
    }
}

#[test]
fn an_empty_message_that_is_passed_over_is_not_taken_for_the_end() {
    let address = serving(|mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            if !body.is_empty() {
                send(&mut stream, &body)?;
            }
        }
        Ok(())
    });
    let told = doctor(&address, &[ECHO, &["--only", "F7"]].concat());
    let probe = &told.objects()[0];
    assert_eq!(probe["verdict"], "weak", "{}", told.stderr);
    assert!(probe["came"].as_str().unwrap().ends_with("; the next message was answered"));
    assert!(probe["bug"].as_str().unwrap().starts_with("an empty message is passed over"));
}

/// As a loop over the lines of a file does, for which the end of input ends a line too.
#[test]
fn half_a_line_that_comes_back_as_it_was_sent_was_handled() {
    let address = serving(|mut stream| {
        let mut lines = BufReader::new(stream.try_clone()?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            stream.write_all(&line)?;
            line.clear();
        }
        Ok(())
    });
    let ask = ["--frame", "lines", "--echo", "--json", "--runs", "1", "--only", "C3"];
    let told = doctor(&address, &ask);
    let probe = &told.objects()[0];
    assert_eq!(probe["verdict"], "weak", "{}{}", told.stdout, told.stderr);
    let came = probe["came"].as_str().unwrap();
    assert!(came.ends_with("; half a message was handled"), "{came}");
}

/// Binds a socket file without a look at whether there is one.
const BOUND_ONCE: &str = r#"
import socketserver, struct, sys

class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while prefix := self.rfile.read(4):
            self.wfile.write(prefix + self.rfile.read(struct.unpack(">I", prefix)[0]))

socketserver.ThreadingUnixStreamServer.daemon_threads = True
path = sys.argv[1].removeprefix("unix:")
socketserver.ThreadingUnixStreamServer(path, Echo).serve_forever()
"#;

#[test]
fn over_unix_it_is_the_old_file_that_is_in_the_way() {
    if !is_there("python3") {
        return;
    }
    let scratch = Scratch::new();
    let exec = format!("exec python3 '{}' '{{endpoint}}'", scratch.file("server.py", BOUND_ONCE));
    let endpoint = format!("unix:{}", scratch.path("socket"));
    let told = doctor(&endpoint, &[ECHO, &["--only", "R4", "--exec", &exec]].concat());
    let probe = &told.objects()[0];
    let shown = format!("{}{}", told.stdout, told.stderr);
    assert_eq!(probe["verdict"], "failed", "{shown}");
    assert!(probe["bug"].as_str().unwrap().starts_with("the old socket file"), "{shown}");
    assert_eq!(probe["came"].as_str().unwrap().matches("in use").count(), 1, "{shown}");
}
