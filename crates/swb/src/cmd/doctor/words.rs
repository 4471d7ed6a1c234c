//! What a server said before it ended, or how it ended, in few words.
//!
//! Of the last that it said the line is told that says what happened: of a traceback the exception,
//! and not the frames it came through.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use regex::bytes::Regex;
use signal_hook::low_level::signal_name;

use crate::payload;

/// So much of what it says is kept, from the end: what a runtime prints of all its threads is long,
/// and what happened stands before it.
const SAID_BYTES: usize = 64 * 1024;
/// So many lines of it are told where none says what happened, and so much of a line.
const SAID_LINES: usize = 3;
const LINE_BYTES: usize = 200;

/// A shell exits so, with the number of the signal added, when what it ran was ended by one.
const BY_SIGNAL: i32 = 128;

/// What happened, as runtimes say it.
const HAPPENED: &str = r"(?mx)^(?:
    Traceback\ .*\n(?:\s.*\n)*\S.*                                        # Python
    | (?:Uncaught\ )?[\w.$]*(?:Error|Exception)(?:\ \[\w+\])?(?::.*)?       # Node, and Python
    | Exception\ in\ thread\ .* | Unhandled\ exception.*                    # Java, .NET
    | panic:\ .* | fatal\ error:\ .*                                        # Go
    | thread\ '.*panicked\ at\ .*(?:\n.*)?                                  # Rust
    | .*:in\ .*\(\w*(?:Error|Exception)\)                                  # Ruby
    | .*ERROR:\ \w+Sanitizer.*                                             # C
)$";
/// Where it came through, and what else is of no use to whoever has not written the runtime.
const FRAMES: &str = r"(?x)^(?:
    \s | $ | \}$ | Traceback\ \(most | Node\.js\ v | Emitted\ ' | note:\ run\ with
    | goroutine\ \d | created\ by\ | [\w./*()]+\(.*\)$ | exit\ status\ \d
)";

/// Keeps the end of what is said, until nobody says anything any more.
pub(super) fn keep(mut from: impl Read, said: &Mutex<VecDeque<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(&bytes[..count]);
        let over = said.len().saturating_sub(SAID_BYTES);
        said.drain(..over);
    }
}

/// How it ended, and the last that it said.
pub(super) fn ended(status: ExitStatus, said: &[u8]) -> String {
    format!("it ended with {}{}", how(status), last(said))
}

/// The last lines that it said, as a part of a sentence; nothing if it said nothing.
pub(super) fn last(said: &[u8]) -> String {
    let lines = happened(said).unwrap_or_else(|| last_lines(said));
    let lines: Vec<String> = lines.iter().map(|line| shown(line)).collect();
    match lines.is_empty() {
        true => String::new(),
        false => format!("; the last it said: {}", lines.join(" / ")),
    }
}

/// What happened, where nothing was said behind it but frames.
fn happened(said: &[u8]) -> Option<Vec<&[u8]>> {
    let found = regex(HAPPENED)?.find_iter(said).last()?;
    let is_last = telling_lines(&said[found.end()..]).is_empty();
    is_last.then(|| telling_lines(found.as_bytes()))
}

fn last_lines(said: &[u8]) -> Vec<&[u8]> {
    let mut lines = telling_lines(said);
    if lines.is_empty() {
        lines = said.split(is_line_end).map(<[u8]>::trim_ascii).collect();
        lines.retain(|line| !line.is_empty());
    }
    lines.split_off(lines.len().saturating_sub(SAID_LINES))
}

/// The lines that are no frames.
fn telling_lines(said: &[u8]) -> Vec<&[u8]> {
    let frames = regex(FRAMES);
    let is_frame = |line: &[u8]| frames.as_ref().is_some_and(|frames| frames.is_match(line));
    let lines = said.split(is_line_end).map(<[u8]>::trim_ascii_end);
    lines.filter(|line| !is_frame(line)).collect()
}

fn shown(line: &[u8]) -> String {
    let cut = &line[..line.len().min(LINE_BYTES)];
    payload::escape(cut) + if cut.len() < line.len() { " .." } else { "" }
}

/// None could only be had of a pattern that is none, and the tests use both.
fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// The signal that ended it, or, as a shell tells it, what that ran.
fn signal_of(status: ExitStatus) -> Option<i32> {
    let of_shell = || status.code().map(|code| code - BY_SIGNAL);
    status.signal().or_else(of_shell).filter(|signal| signal_name(*signal).is_some())
}

fn how(status: ExitStatus) -> String {
    let Some((signal, name)) = signal_of(status).and_then(|it| Some((it, signal_name(it)?))) else {
        return status.to_string();
    };
    match status.code() {
        Some(code) => format!("signal: {signal} ({name}), which a shell tells as {code}"),
        None => format!("signal: {signal} ({name})"),
    }
}

fn is_line_end(byte: &u8) -> bool {
    *byte == b'\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str, expected: &str) {
        let expected = format!("; the last it said: {expected}");
        assert_eq!(last(said.as_bytes()), expected, "{said}");
    }

    #[test]
    fn of_a_traceback_the_exception_is_told() {
        check(
            "listening\nTraceback (most recent call last):\n  File \"s.py\", line 9, in serve\n    \
             n, = unpack(\">I\", h)\n         ^^^^^^\nstruct.error: unpack requires 4 bytes\n",
            "struct.error: unpack requires 4 bytes",
        );
        check(
            "  File \"s.py\", line 9, in serve\nasyncio.exceptions.IncompleteReadError: 2 bytes\n",
            "asyncio.exceptions.IncompleteReadError: 2 bytes",
        );
        check(
            "/srv/s.js:3\n  throw new RangeError('half')\n  ^\n\nRangeError [ERR_X]: half\n    at \
             Socket.<anonymous> (/srv/s.js:3:9)\n    at Socket.emit (node:events:524:28) {\n  \
             code: 'ERR_X'\n}\n\nNode.js v20.20.2\n",
            "RangeError [ERR_X]: half",
        );
        check(
            "up\nException in thread \"main\" java.io.EOFException\n\tat java.base/a.b(c.java:1)\n",
            "Exception in thread \"main\" java.io.EOFException",
        );
        check(
            "up\npanic: runtime error: slice bounds out of range\n\ngoroutine 1 [running]:\n\
             main.main()\n\t/srv/s.go:9 +0x1d\nexit status 2\n",
            "panic: runtime error: slice bounds out of range",
        );
        check(
            "\nthread 'main' panicked at src/main.rs:4:10:\nhalf a header\nnote: run with \
             `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
            "thread 'main' panicked at src/main.rs:4:10: / half a header",
        );
        check(
            "s.rb:5:in `unpack': no header (ArgumentError)\n\tfrom s.rb:5:in `serve'\n",
            "s.rb:5:in `unpack': no header (ArgumentError)",
        );
    }

    #[test]
    fn without_one_the_last_lines_are_told() {
        assert_eq!(last(b""), "");
        assert_eq!(last(b" \n\n"), "");
        check("one\ntwo\n\nthree\nfour\n", "two / three / four");
        check("  indented alone\n", "indented alone");
        let long = "x".repeat(LINE_BYTES + 1);
        check(&long, &format!("{} ..", &long[1..]));
        // What was said before is not what has ended it.
        check("ValueError: long ago\nno disk\n", "ValueError: long ago / no disk");
    }

    #[test]
    fn a_signal_is_told_as_one_also_by_way_of_a_shell() {
        let of = |raw: i32| how(ExitStatus::from_raw(raw));
        assert_eq!(of(13), "signal: 13 (SIGPIPE)");
        assert_eq!(of(141 << 8), "signal: 13 (SIGPIPE), which a shell tells as 141");
        assert_eq!(of(7 << 8), "exit status: 7");
        // There is no such signal.
        assert_eq!(of(255 << 8), "exit status: 255");
    }

    #[test]
    fn the_end_is_kept() {
        let said = Mutex::default();
        let long = [&[b'x'; SAID_BYTES][..], b"end"].concat();
        keep(&long[..], &said);
        let said = said.into_inner().unwrap();
        assert_eq!(said.len(), SAID_BYTES);
        assert!(said.iter().rev().zip(b"dne").all(|(said, byte)| said == byte));
    }
}
