//! Servers that are right in ways of their own, and are not blamed for it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::doctor;

/// The largest message that they take.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// A server with a thread for each connection; its address.
pub(crate) fn serving(
    serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream?));
        }
    });
    address
}

/// What comes next: a message behind its length, if it is whole and not too large.
pub(crate) enum Next {
    Message(Vec<u8>),
    End,
    CutOff,
    TooLarge,
}

pub(crate) fn next(stream: &mut TcpStream) -> io::Result<Next> {
    let mut prefix = [0; 4];
    match stream.read(&mut prefix)? {
        0 => return Ok(Next::End),
        have => {
            if cut_off(stream.read_exact(&mut prefix[have..]))? {
                return Ok(Next::CutOff);
            }
        }
    }
    let bytes = u32::from_be_bytes(prefix) as usize;
    if bytes > MAX_BYTES {
        return Ok(Next::TooLarge);
    }
    let mut body = vec![0; bytes];
    Ok(if cut_off(stream.read_exact(&mut body))? { Next::CutOff } else { Next::Message(body) })
}

fn cut_off(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        read => read.map(|()| false),
    }
}

pub(crate) fn send(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let prefix = u32::try_from(body.len()).unwrap().to_be_bytes();
    stream.write_all(&[&prefix, body].concat())
}

/// Ends its own side, and reads the other one to its end, so that nothing is lost in a reset.
pub(crate) fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// The verdicts on some probes.
fn verdicts(address: &str, only: &str) -> Vec<String> {
    verdicts_as_told(address, only, &["--frame", "u32be", "--echo"])
}

pub(crate) fn verdicts_as_told(address: &str, only: &str, told: &[&str]) -> Vec<String> {
    let told = doctor(address, &[told, &["--json", "--runs", "1", "--only", only]].concat());
    let objects = told.objects();
    let probes = objects.iter().filter(|object| object["type"] == "probe");
    probes.map(|probe| format!("{} {}", probe["id"], probe["verdict"]).replace('"', "")).collect()
}

#[test]
fn a_conversation_may_end_after_so_many_replies() {
    let address = serving(|mut stream| {
        for _ in 0..300 {
            match next(&mut stream)? {
                Next::Message(body) => send(&mut stream, &body)?,
                _ => return Ok(()),
            }
        }
        linger(stream)
    });
    assert_eq!(verdicts(&address, "C1,B3"), ["C1 inconclusive", "B3 inconclusive"]);
}

/// The one beside a client that reads nothing comes back.
#[test]
fn a_conversation_may_end_after_so_many_replies_also_beside_another_one() {
    let address = serving(|mut stream| {
        for _ in 0..30 {
            match next(&mut stream)? {
                Next::Message(body) => send(&mut stream, &body)?,
                _ => return Ok(()),
            }
        }
        linger(stream)
    });
    assert_eq!(verdicts(&address, "B2"), ["B2 ok"]);
}

#[test]
fn whoever_does_not_read_may_be_shown_the_door() {
    let address = serving(|mut stream| {
        stream.set_write_timeout(Some(Duration::from_millis(50)))?;
        while let Next::Message(body) = next(&mut stream)? {
            send(&mut stream, &body)?;
        }
        Ok(())
    });
    let told = verdicts(&address, "C1,C7,B1,B2,B3");
    assert_eq!(told, ["C1 inconclusive", "C7 ok", "B1 ok", "B2 ok", "B3 inconclusive"]);
}

/// In a message, or by words that are none, as of a server that has given the framing up.
#[test]
fn what_is_wrong_may_be_said_before_the_end() {
    let in_a_message = |stream: &mut TcpStream, words: &str| send(stream, words.as_bytes());
    let as_it_is = |stream: &mut TcpStream, words: &str| stream.write_all(words.as_bytes());
    for say in [in_a_message as fn(&mut TcpStream, &str) -> io::Result<()>, as_it_is] {
        let address = serving(move |mut stream| {
            loop {
                match next(&mut stream)? {
                    Next::Message(body) => send(&mut stream, &body)?,
                    Next::End => return Ok(()),
                    Next::CutOff => return say(&mut stream, "error: cut off"),
                    Next::TooLarge => {
                        say(&mut stream, "error: too large")?;
                        return linger(stream);
                    }
                }
            }
        });
        assert_eq!(verdicts(&address, "C2,C3,C4,C8"), ["C2 ok", "C3 ok", "C4 ok", "C8 ok"]);
    }
}

/// With bytes unread that is a reset.
#[test]
fn what_is_wrong_may_be_closed_without_a_word() {
    let address = serving(|mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            send(&mut stream, &body)?;
        }
        Ok(())
    });
    assert_eq!(verdicts(&address, "C2,C3,C4,C8"), ["C2 ok", "C3 ok", "C4 ok", "C8 ok"]);
}

#[test]
fn what_is_too_large_may_be_passed_over() {
    let address = serving(|mut stream| {
        loop {
            match next(&mut stream)? {
                Next::Message(body) => send(&mut stream, &body)?,
                Next::TooLarge => {
                    send(&mut stream, b"error: too large")?;
                    return io::copy(&mut stream, &mut io::sink()).map(drop);
                }
                Next::End | Next::CutOff => return Ok(()),
            }
        }
    });
    assert_eq!(verdicts(&address, "C8"), ["C8 ok"]);
}

/// As MQTT and PostgreSQL have it. Whoever is mute says no opening either.
#[test]
fn a_conversation_may_have_to_be_opened() {
    let address = serving(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut hello = [0; 6];
        if cut_off(stream.read_exact(&mut hello))? || &hello != b"HELLO\n" {
            return stream.write_all(b"who is there?");
        }
        send(&mut stream, b"welcome")?;
        while let Next::Message(body) = next(&mut stream)? {
            send(&mut stream, &body)?;
        }
        Ok(())
    });
    let echo = ["--frame", "u32be", "--echo", "--idle", "500ms"];
    let opened = [&echo[..], &["--open", "HELLO\\n", "--greeting", "1"]].concat();
    let verdicts = verdicts_as_told(&address, "F1,F4,C2,C4,T1,T2", &opened);
    assert_eq!(verdicts, ["F1 ok", "F4 ok", "C2 ok", "C4 ok", "T1 ok", "T2 ok"]);
    let without = doctor(&address, &echo);
    assert_eq!(without.exit, 2, "{}", without.stderr);
}

/// What echoes bytes sends back what is no message, too.
#[test]
fn an_echo_of_bytes_may_send_back_half_a_line() {
    let address = serving(|mut stream| {
        let mut bytes = [0; 4096];
        loop {
            match stream.read(&mut bytes)? {
                0 => return Ok(()),
                count => stream.write_all(&bytes[..count])?,
            }
        }
    });
    let told = verdicts_as_told(&address, "F1,C3,S2", &["--frame", "lines", "--echo"]);
    assert_eq!(told, ["F1 skipped", "C3 ok", "S2 ok"]);
}
