//! `swb decode --json --hex` over every shape: framing, bytes, what is printed.
//!
//! Each vector runs with the bytes given at once and one at a time, and must print the same.

use crate::support::{run, unhex};

/// Hex digits of `text`, as a vector's line has them.
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// `m(1, 0, 4, "00")`: message 1 at offset 0, 4 bytes on the wire, its bytes in hex.
fn m(n: u64, offset: u64, frame_bytes: u64, hex: &str) -> String {
    let at = format!(r#""n":{n},"offset":{offset},"frame_bytes":{frame_bytes}"#);
    format!(r#"{{"type":"message",{at},"hex":"{hex}"}}"#)
}

fn t(n: u64, offset: u64, frame_bytes: u64, text: &str) -> String {
    m(n, offset, frame_bytes, &hex(text))
}

fn discarded(offset: u64, frame_bytes: Option<u64>) -> String {
    let frame_bytes = frame_bytes.map_or("null".to_owned(), |bytes| bytes.to_string());
    format!(
        r#"{{"type":"discarded","kind":"oversize","offset":{offset},"frame_bytes":{frame_bytes}}}"#
    )
}

fn finished(offset: u64) -> String {
    format!(r#"{{"type":"end","ending":"finished","offset":{offset}}}"#)
}

fn bad(kind: &str, offset: u64, at: u64) -> String {
    format!(r#"{{"type":"end","ending":"{kind}","offset":{offset},"at":{at}}}"#)
}

fn truncated(offset: u64, at: u64, have: u64, need: Option<u64>) -> String {
    let need = need.map_or("null".to_owned(), |need| need.to_string());
    let progress = format!(r#""have":{have},"need":{need}"#);
    format!(r#"{{"type":"end","ending":"truncated","offset":{offset},"at":{at},{progress}}}"#)
}

fn check_args(args: &[&str], input: &[u8], expected: &[String]) {
    let exit = if expected.last().unwrap().contains("\"finished\"") { 0 } else { 5 };
    for read_size in ["64k", "1", "3"] {
        let mut all = vec!["decode", "--json", "--hex", "--read-size", read_size];
        all.extend_from_slice(args);
        let ran = run(&all, input);
        let what = format!("{args:?} read {read_size} at a time: {}", ran.stderr);
        assert_eq!(ran.lines(), expected, "{what}");
        assert_eq!(ran.exit, exit, "{what}");
        assert_eq!(ran.stderr.is_empty(), exit == 0, "{what}");
    }
}

/// `input` as text.
fn check(framing: &str, input: &str, expected: &[String]) {
    check_args(&["--frame", framing], input.as_bytes(), expected);
}

/// `input` in hex.
fn check_hex(framing: &str, input: &str, expected: &[String]) {
    check_args(&["--frame", framing], &unhex(input), expected);
}

#[test]
fn binary_lengths() {
    check_hex(
        "u8",
        "03616263 00 0178",
        &[t(1, 0, 4, "abc"), t(2, 4, 1, ""), t(3, 5, 2, "x"), finished(7)],
    );
    check_hex("u16be", "0002 6869", &[t(1, 0, 4, "hi"), finished(4)]);
    check_hex("u16le", "0200 6869", &[t(1, 0, 4, "hi"), finished(4)]);
    check_hex("u24be", "000001 00", &[m(1, 0, 4, "00"), finished(4)]);
    check_hex("u24le", "010000 00", &[m(1, 0, 4, "00"), finished(4)]);
    check_hex("u32le", "05000000 68656c6c6f", &[t(1, 0, 9, "hello"), finished(9)]);
    check_hex("u64be", "0000000000000001 ff", &[m(1, 0, 9, "ff"), finished(9)]);
    check_hex("u32be", "", &[finished(0)]);
    check_hex("i8", "ff", &[bad("bad-length", 0, 0)]);
    check_hex("i32be", "00000000 80000000", &[m(1, 0, 4, ""), bad("bad-length", 4, 7)]);
}

#[test]
fn truncation_says_how_many_of_how_many() {
    check_hex("u32be", "0000", &[truncated(0, 2, 2, Some(4))]);
    check_hex("u32be", "00000005 6865", &[truncated(0, 6, 6, Some(9))]);
    check_hex("u32be", "00000000 00000005", &[m(1, 0, 4, ""), truncated(4, 8, 4, Some(9))]);
    check("fixed:4", "abcdef", &[t(1, 0, 4, "abcd"), truncated(4, 6, 2, Some(4))]);
    check("lines", "one\ntw", &[t(1, 0, 4, "one"), truncated(4, 6, 2, None)]);
    check("dec5", "000", &[truncated(0, 3, 3, Some(5))]);
    check("dec5", "00003ab", &[truncated(0, 7, 7, Some(8))]);
}

#[test]
fn what_the_length_counts() {
    check_hex("u16be,self", "0004 6869 0002", &[t(1, 0, 4, "hi"), m(2, 4, 2, ""), finished(6)]);
    check_hex("u16be,self", "0001", &[bad("bad-length", 0, 1)]);
    check_hex("u16be,self", "0000 0000", &[bad("bad-length", 0, 1)]);
    check_hex("type:1 len:u16be,frame", "07 0005 6869", &[m(1, 0, 5, "0700056869"), finished(5)]);
    check_hex(
        "type:1 len:u16be,rest seq:1",
        "07 0003 09 6869",
        &[m(1, 0, 6, "070003096869"), finished(6)],
    );
    check_hex("u8,*4", "01 61626364", &[t(1, 0, 5, "abcd"), finished(5)]);
    check_hex("u8,+1", "00 61 01 6263", &[t(1, 0, 2, "a"), t(2, 2, 3, "bc"), finished(5)]);
    check_hex("u8,-1", "02 61 00", &[t(1, 0, 2, "a"), bad("bad-length", 2, 2)]);
    check_hex("u8,&0f", "f2 6162", &[t(1, 0, 3, "ab"), finished(3)]);
}

#[test]
fn delimiters() {
    check("lines", "a\r\nb\n\n", &[t(1, 0, 3, "a"), t(2, 3, 2, "b"), t(3, 5, 1, ""), finished(6)]);
    check("lines", "a\r\r\n", &[t(1, 0, 4, "a\r"), finished(4)]);
    check("lines strip=no", "a\r\nb\n", &[t(1, 0, 3, "a\r\n"), t(2, 3, 2, "b\n"), finished(5)]);
    check("lines eof=deliver", "a\nb\r", &[t(1, 0, 2, "a"), t(2, 2, 2, "b"), finished(4)]);
    check("crlf", "a\nb\rc\r\n", &[t(1, 0, 7, "a\nb\rc"), finished(7)]);
    check("delim:\"ab\"|\"b\"", "xaby", &[t(1, 0, 3, "x"), truncated(3, 4, 1, None)]);
    check("delim:\";\"", ";;", &[m(1, 0, 1, ""), m(2, 1, 1, ""), finished(2)]);
    check_hex("delim:x00", "61 00 0a 00", &[m(1, 0, 2, "61"), m(2, 2, 2, "0a"), finished(4)]);
}

#[test]
fn digits() {
    check("dec5", "00005hello00000", &[t(1, 0, 10, "hello"), t(2, 10, 5, ""), finished(15)]);
    check("dec5", "0000xhello", &[bad("bad-prefix", 0, 4)]);
    check("dec5", "+0005hello", &[bad("bad-prefix", 0, 0)]);
    check("hex4", "000Aabcdefghij", &[t(1, 0, 14, "abcdefghij"), finished(14)]);
    check("netstring", "5:hello,0:,", &[t(1, 0, 8, "hello"), t(2, 8, 3, ""), finished(11)]);
    check("netstring", "05:hello,", &[bad("bad-prefix", 0, 1)]);
    check("netstring", "5:hello;", &[bad("bad-trailer", 0, 7)]);
    check("netstring", "1:a,1b", &[t(1, 0, 4, "a"), bad("bad-prefix", 4, 5)]);
    check("netstring", "99999999999999999999:", &[bad("oversize", 0, 7)]);
    check("syslog-octet", "2 hi3 abc", &[t(1, 0, 4, "hi"), t(2, 4, 5, "abc"), finished(9)]);
}

#[test]
fn varints() {
    check_hex("uleb", "02 6869 8001", &[t(1, 0, 3, "hi"), truncated(3, 5, 2, Some(130))]);
    check_hex("uleb3", "80808080", &[bad("bad-length", 0, 2)]);
    check_hex("vlq", "8102", &[truncated(0, 2, 2, Some(132))]);
    check_hex("mqtt", "c000 d000", &[m(1, 0, 2, "c000"), m(2, 2, 2, "d000"), finished(4)]);
    check_hex("ldap", "3081 01 00", &[m(1, 0, 4, "30810100"), finished(4)]);
}

#[test]
fn literals_and_padding() {
    check_hex("x0b body x1c0d", "0b 6869 1c 0d", &[t(1, 0, 5, "hi"), finished(5)]);
    check_hex("x0b body x1c0d", "0c", &[bad("bad-prefix", 0, 0)]);
    check_hex(
        "amqp",
        "414d515000000901 01 0000 00000001 ff ce",
        &[m(1, 0, 8, "414d515000000901"), m(2, 8, 9, "01000000000001ffce"), finished(17)],
    );
    check_hex(
        "amqp",
        "414d515000000901 01 0000 00000001 ff cd",
        &[m(1, 0, 8, "414d515000000901"), bad("bad-trailer", 8, 16)],
    );
    check_hex(
        "fastcgi",
        "01 05 0001 0002 01 00 6869 00",
        &[m(1, 0, 11, "0105000100020100686900"), finished(11)],
    );
}

#[test]
fn first_bytes_choose() {
    check("type{\"A\": 2, \"B\": u8}", "Axy", &[t(1, 0, 3, "Axy"), finished(3)]);
    check_hex(
        "type{\"A\": 2, \"B\": u8}",
        "42 01 78 41 7879",
        &[t(1, 0, 3, "B\x01x"), t(2, 3, 3, "Axy"), finished(6)],
    );
    check("type{\"A\": 2}", "C", &[bad("bad-type", 0, 0)]);
    check("type{\"A\": 2, *: lines}", "hello\n", &[t(1, 0, 6, "hello\n"), finished(6)]);
}

#[test]
fn stages() {
    check("crlf ; u8", "SSH-2.0\r\n\x01a", &[t(1, 0, 9, "SSH-2.0"), t(2, 9, 2, "a"), finished(11)]);
    check(
        "2* fixed:1 ; lines",
        "abc\n",
        &[t(1, 0, 1, "a"), t(2, 1, 1, "b"), t(3, 2, 2, "c"), finished(4)],
    );
    check("fixed:2 ; eof", "abrest", &[t(1, 0, 2, "ab"), t(2, 2, 4, "rest"), finished(6)]);
}

#[test]
fn the_whole_stream() {
    check("eof", "all of it", &[t(1, 0, 9, "all of it"), finished(9)]);
    check("eof", "", &[finished(0)]);
}

#[test]
fn header_blocks() {
    let message = "Content-Length: 2\r\n\r\n{}";
    check("header:Content-Length", message, &[t(1, 0, 23, message), finished(23)]);
    check("lsp", message, &[t(1, 0, 23, "{}"), finished(23)]);
    check("header:content-length", "a: b\n\n", &[t(1, 0, 6, "a: b\n\n"), finished(6)]);
}

#[test]
fn values_and_chunks() {
    check("resp", "+OK\r\n", &[t(1, 0, 5, "+OK\r\n"), finished(5)]);
    check(
        "resp",
        "*2\r\n$1\r\na\r\n:1\r\n",
        &[t(1, 0, 15, "*2\r\n$1\r\na\r\n:1\r\n"), finished(15)],
    );
    check("resp", "?", &[bad("bad-prefix", 0, 0)]);
    check("chunked", "2\r\nhi\r\n0\r\n\r\n", &[t(1, 0, 7, "hi"), t(2, 7, 5, ""), finished(12)]);
}

#[test]
fn a_message_of_fragments_spans_them() {
    check_hex("sunrpc", "00000002 6869 80000001 21", &[t(1, 0, 11, "hi!"), finished(11)]);
    check_hex(
        "sunrpc",
        "80000001 61 00000001 62 80000000",
        &[t(1, 0, 5, "a"), t(2, 5, 9, "b"), finished(14)],
    );
    check_hex("sunrpc", "00000001 61", &[truncated(0, 5, 5, None)]);
    check_hex(
        "len:u8,cont=02 seq:1 deliver=body",
        "02 00 6162 01 01 63",
        &[t(1, 0, 7, "abc"), finished(7)],
    );
}

#[test]
fn limits() {
    check_hex("u32be max=4", "00000005", &[bad("oversize", 0, 3)]);
    check_hex("u32be max=4", "00000004 61626364", &[t(1, 0, 8, "abcd"), finished(8)]);
    check("lines max=2", "ab\nabc\n", &[t(1, 0, 3, "ab"), bad("oversize", 3, 5)]);
    check_args(
        &["-f", "u8 max=1", "--max", "2"],
        b"\x02ab\x03",
        &[t(1, 0, 3, "ab"), bad("oversize", 3, 3)],
    );
    check_args(&["--frame", "u32be", "--max", "1k"], &unhex("00000401"), &[bad("oversize", 0, 3)]);
}

#[test]
fn discarded_frames_are_told_once_and_passed_over() {
    check(
        "u8 max=1 oversize=discard",
        "\x01a\x02xx\x01b",
        &[t(1, 0, 2, "a"), discarded(2, Some(3)), t(2, 5, 2, "b"), finished(7)],
    );
    check(
        "lines max=2 oversize=discard",
        "abcdef\nok\n",
        &[discarded(0, None), t(1, 7, 3, "ok"), finished(10)],
    );
    check(
        "u8 max=1 oversize=discard",
        "\x05ab",
        &[discarded(0, Some(6)), truncated(0, 3, 3, Some(6))],
    );
}

#[test]
fn protocols_have_two_sides() {
    let startup = "00000008 04d2162f";
    check_hex("postgres", startup, &[m(1, 0, 8, "0000000804d2162f"), finished(8)]);
    check_args(
        &["--frame", "postgres", "--role", "server"],
        &unhex("5a 00000005 49"),
        &[m(1, 0, 6, "5a0000000549"), finished(6)],
    );
    check_args(
        &["--frame", "redis", "--role", "client"],
        b"PING\r\n",
        &[t(1, 0, 6, "PING\r\n"), finished(6)],
    );
}
