//! `swb encode`: lines in, frames out.

use crate::support::{run, unhex};

fn check(args: &[&str], input: &[u8], expected: &str) {
    let mut all = vec!["encode"];
    all.extend_from_slice(args);
    let ran = run(&all, input);
    assert_eq!(ran.stdout, unhex(expected), "{args:?}: {}", ran.stderr);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{args:?}");
}

fn check_bad(args: &[&str], input: &[u8], written: &str, line: u64) {
    let mut all = vec!["encode"];
    all.extend_from_slice(args);
    let ran = run(&all, input);
    assert_eq!(ran.stdout, unhex(written), "{args:?}");
    assert_eq!(ran.exit, 5, "{args:?}: {}", ran.stderr);
    assert!(ran.stderr.starts_with(&format!("swb: line {line}: ")), "{args:?}: {}", ran.stderr);
}

#[test]
fn a_line_is_a_message() {
    check(&["--frame", "u8"], b"one\n\ntwo\n", "03 6f6e65 00 03 74776f");
    check(
        &["--frame", "u8"],
        b"last line without its LF",
        "18 6c617374206c696e6520776974686f757420697473204c46",
    );
    check(&["--frame", "u8"], b"", "");
    check(&["--frame", "u16le"], b"a\r\\x41\n", "0600 61 0d 5c 78 34 31");
    check(&["--frame", "netstring"], b"hello\n\n", "353a68656c6c6f2c 303a2c");
    check(&["--frame", "lines"], b"hi\n", "6869 0a");
}

#[test]
fn hex_lines_are_any_bytes() {
    check(&["--hex", "--frame", "u8"], b"00 0a ff\n\n", "03 000aff 00");
    check(&["--frame", "dec5", "--hex"], b"00\r\n", "3030303031 00");
}

#[test]
fn named_fields_come_from_the_command_line() {
    let framing = "len:u24le,cont=ffffff seq:1 deliver=body";
    check(&["--frame", framing, "--field", "seq=7"], b"ok\n", "020000 37 6f6b");
    check(&["--field", "seq=0x1f", "--frame", framing], b"\n", "000000 1f");
    let framing = "type:1 len:u32be,self";
    check(
        &["--field", "type=Q", "--frame", framing],
        b"SELECT 1\n",
        "51 0000000c 53454c4543542031",
    );
    let ran = run(&["encode", "--frame", framing, "--field", "seq"], b"ok\n");
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, "swb: --field seq: write NAME=VALUE\n"));
    check_bad(&["--frame", framing, "--field", "nope=1"], b"ok\n", "", 1);
    check_bad(&["--frame", "u8,cont=ff seq:1 deliver=body"], b"ok\n", "", 1);
}

#[test]
fn what_cannot_be_written_is_told_with_its_line() {
    check_bad(&["--frame", "u8 max=3"], b"ok\ntoo long\nok\n", "02 6f6b", 2);
    check_bad(&["--frame", "u8", "--max", "3"], b"four\n", "", 1);
    check_bad(&["--frame", "fixed:2"], b"ab\ncd\ne\n", "61626364", 3);
    check_bad(&["--frame", "lines", "--hex"], b"61\n0a\n", "610a", 2);
    check_bad(&["--frame", "u8", "--hex"], b"00\n0\n", "01 00", 2);
    check_bad(&["--frame", "eof"], b"one\ntwo\n", "6f6e65", 2);
}

#[test]
fn a_framing_that_drops_bytes_cannot_be_sent() {
    let ran = run(&["encode", "--frame", "type:1 len:u16be deliver=1"], b"x\n");
    assert_eq!((ran.exit, ran.stdout.len()), (2, 0));
    assert!(ran.stderr.starts_with("swb: "), "{}", ran.stderr);
}

#[test]
fn a_side_has_its_own_framing() {
    check(&["--frame", "postgres", "--hex"], b"0000000804d2162f\n", "0000000804d2162f");
    check(&["--frame", "postgres", "--role", "server", "--hex"], b"5a0000000549\n", "5a0000000549");
    check_bad(&["--frame", "postgres", "--role", "server", "--hex"], b"5a0000000649\n", "", 1);
}

#[test]
fn what_is_encoded_decodes_to_itself() {
    for framing in ["u8", "u32be", "netstring", "lines", "crlf", "uleb", "dec5", "delim:x00"] {
        let lines = b"one\n\ntwo three\n";
        let bytes = run(&["encode", "--frame", framing], lines).stdout;
        assert_eq!(run(&["decode", "--frame", framing], &bytes).stdout, lines, "{framing}");
    }
}
