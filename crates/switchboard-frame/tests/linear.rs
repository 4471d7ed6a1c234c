//! No byte is scanned twice: the work for a stream fed one byte at a time grows as the stream.
//!
//! The count is of the whole process, so this binary holds one test and nothing else.

#![allow(clippy::unwrap_used, reason = "tests say what went wrong by failing")]
#![cfg(debug_assertions)]

use switchboard_frame::{Decoder, Framing, Step, work};

/// Bytes looked at while `stream` comes one byte at a time.
fn work_for(spec: &str, stream: &[u8]) -> usize {
    let framing: Framing = spec.parse().unwrap();
    let mut decoder = Decoder::new(&framing);
    let before = work();
    let mut front = 0;
    for there in 1..=stream.len() {
        while front < there {
            match decoder.step(&stream[front..there], false).unwrap() {
                Step::Frame(frame) => front += frame.whole.end,
                Step::Skipped(skipped) if skipped.bytes == 0 && skipped.discarded.is_none() => {
                    break;
                }
                Step::Skipped(skipped) => front += skipped.bytes,
                Step::Need(_) | Step::End => break,
            }
        }
    }
    work() - before
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

type Stream = fn(usize) -> Vec<u8>;

const STREAMS: &[(&str, Stream)] = &[
    ("lines", |n| joined(&[&b"a".repeat(n), b"\n"])),
    ("lines", |n| joined(&[&b"\r".repeat(n), b"\n"])),
    ("crlf", |n| joined(&[&b"\r".repeat(n), b"\r\n"])),
    ("crlf", |n| joined(&[&b"\n".repeat(n), b"\r\n"])),
    ("delim:\";\"", |n| joined(&[&b"a".repeat(n), b";"])),
    ("delim:\"aaab\"", |n| joined(&[&b"a".repeat(n), b"b"])),
    ("delim:\"ab\"|\"b\"|\"cc\"|\"dd\"", |n| joined(&[&b"a".repeat(n), b"b"])),
    ("x0b body x1c0d", |n| joined(&[b"\x0b", &b"\x1c".repeat(n), b"\r"])),
    ("name:until\"--\" len:u8", |n| joined(&[&b"-a".repeat(n / 2), b"--\0"])),
    ("header:L", |n| joined(&[&b"A: b\r\n".repeat(n / 6), b"\r\n"])),
    ("header:L", |n| joined(&[b"A: ", &b"b".repeat(n), b"\r\n\r\n"])),
    ("chunked", |n| joined(&[b"0\r\n", &b"A: b\r\n".repeat(n / 6), b"\r\n"])),
    ("chunked", |n| joined(&[b"0;", &b"a".repeat(n), b"\r\n\r\n"])),
    ("resp", |n| joined(&[b"+", &b"a".repeat(n), b"\r\n"])),
    ("resp", |n| joined(&[b"+", &b"\r".repeat(n), b"\r\n"])),
    ("resp", |n| joined(&[format!("*{n}\r\n").as_bytes(), &b":1\r\n".repeat(n)])),
    ("resp", |n| b"*1\r\n*1\r\n+a\r\n".repeat(n / 12)),
    ("lines max=9 oversize=discard", |n| joined(&[&b"a".repeat(n), b"\n"])),
    ("crlf max=9 oversize=discard", |n| joined(&[&b"\n".repeat(n), b"\r\n"])),
    ("delim:\"aab\" max=9 oversize=discard", |n| joined(&[&b"a".repeat(n), b"b"])),
    ("resp max=9 oversize=discard", |n| joined(&[b"+", &b"a".repeat(n), b"\r\n"])),
    ("u16be", |n| b"\x00\x03abc".repeat(n / 5)),
    ("dec\":\" body \",\"", |n| b"3:abc,".repeat(n / 6)),
];

#[test]
fn work_is_linear() {
    for (spec, stream) in STREAMS {
        let (small, large) = (stream(3_000), stream(30_000));
        let (few, many) = (work_for(spec, &small), work_for(spec, &large));
        assert!(many <= 3 * large.len() + 64, "{spec}: {many} for {} bytes", large.len());
        assert!(many <= 11 * few + 64, "{spec}: {few} for {}, {many}", small.len());
    }
}
