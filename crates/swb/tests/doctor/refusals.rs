//! Servers that refuse messages in ways of their own, or have no limit, and are right by that.

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::right::{MAX_BYTES, Next, linger, next, send, serving, verdicts_as_told};

const ECHO: &[&str] = &["--frame", "u32be", "--echo"];
const ECHO_MAX: &[&str] = &["--frame", "u32be", "--echo", "--max", "1m"];

/// It may be meant: what is seen of it from outside is that it waits.
#[test]
fn whoever_has_no_limit_waits_for_what_was_announced() {
    let address = serving(|mut stream| {
        loop {
            match next(&mut stream)? {
                Next::Message(body) => send(&mut stream, &body)?,
                Next::TooLarge => return io::copy(&mut stream, &mut io::sink()).map(drop),
                Next::End | Next::CutOff => return Ok(()),
            }
        }
    });
    assert_eq!(verdicts_as_told(&address, "L1,L2", ECHO), ["L1 weak", "L2 inconclusive"]);
    // Where a limit is declared, it is not kept.
    let told = verdicts_as_told(&address, "F8,F9,L1,L2", ECHO_MAX);
    assert_eq!(told, ["F8 ok", "F9 failed", "L1 weak", "L2 weak"]);
}

#[test]
fn what_is_too_large_may_be_refused_in_words() {
    let address = serving(|mut stream| {
        loop {
            match next(&mut stream)? {
                Next::Message(body) => send(&mut stream, &body)?,
                Next::TooLarge => {
                    send(&mut stream, b"error: too large")?;
                    return linger(stream);
                }
                Next::End | Next::CutOff => return Ok(()),
            }
        }
    });
    let told = verdicts_as_told(&address, "F8,F9,L1,L2,L4", ECHO_MAX);
    assert_eq!(told, ["F8 ok", "F9 ok", "L1 ok", "L2 ok", "L4 inconclusive"]);
}

#[test]
fn what_is_too_large_may_be_passed_over_in_silence() {
    let address = serving(|mut stream| {
        loop {
            let mut prefix = [0; 4];
            stream.read_exact(&mut prefix)?;
            let bytes = u64::from(u32::from_be_bytes(prefix));
            let mut body = Vec::new();
            if bytes > MAX_BYTES as u64 {
                io::copy(&mut Read::by_ref(&mut stream).take(bytes), &mut io::sink())?;
                continue;
            }
            Read::by_ref(&mut stream).take(bytes).read_to_end(&mut body)?;
            send(&mut stream, &body)?;
        }
    });
    assert_eq!(verdicts_as_told(&address, "F8,F9", ECHO_MAX), ["F8 ok", "F9 weak"]);
}

/// Whoever is said to send every message back sends an empty one back too.
#[test]
fn empty_messages_may_be_refused_or_ignored_but_by_an_echo() {
    let fixed = ["--frame", "u32be", "--send", "hello", "--expect", "hello"];
    let refuses = serving(|mut stream| {
        loop {
            match next(&mut stream)? {
                Next::Message(body) if body.is_empty() => return Ok(()),
                Next::Message(body) => send(&mut stream, &body)?,
                _ => return Ok(()),
            }
        }
    });
    assert_eq!(verdicts_as_told(&refuses, "F7", &fixed), ["F7 ok"]);
    assert_eq!(verdicts_as_told(&refuses, "F7", ECHO), ["F7 failed"]);
    let ignores = serving(|mut stream| {
        while let Next::Message(body) = next(&mut stream)? {
            if !body.is_empty() {
                send(&mut stream, &body)?;
            }
        }
        Ok(())
    });
    assert_eq!(verdicts_as_told(&ignores, "F7", &fixed), ["F7 ok"]);
    assert_eq!(verdicts_as_told(&ignores, "F7", ECHO), ["F7 weak"]);
}

#[test]
fn a_pipeline_may_be_longer_than_any_conversation() {
    let address = serving(|mut stream| {
        for _ in 0..300 {
            match next(&mut stream)? {
                Next::Message(body) => send(&mut stream, &body)?,
                _ => return Ok(()),
            }
        }
        linger(stream)
    });
    assert_eq!(verdicts_as_told(&address, "F6", ECHO), ["F6 inconclusive"]);
}

#[test]
fn a_line_may_have_a_small_limit() {
    let silent = lines_up_to(4096, b"");
    let in_words = lines_up_to(4096, b"error: too long\n");
    for address in [silent, in_words] {
        let told = verdicts_as_told(&address, "F3,F10,F11", &["--frame", "lines", "--echo"]);
        assert_eq!(told, ["F3 inconclusive", "F10 ok", "F11 ok"]);
    }
}

/// An echo of lines up to so many bytes, and what it says of a longer one.
fn lines_up_to(bytes_max: u64, complaint: &'static [u8]) -> String {
    serving(move |stream| {
        let (mut input, mut output) = (BufReader::new(&stream), &stream);
        loop {
            let mut line = Vec::new();
            let mut limited = Read::by_ref(&mut input).take(bytes_max);
            limited.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                output.write_all(complaint)?;
                return linger(stream);
            }
            line.pop_if(|byte| *byte == b'\r');
            output.write_all(&[&line[..], b"\n"].concat())?;
        }
    })
}
