//! `swb decode`: how messages and endings are told.

use std::io::{BufRead, BufReader, Read, Write};

use crate::support::{Dir, run, swb};

#[test]
fn a_message_a_line_with_escapes() {
    let ran = run(&["decode", "--frame", "u8"], b"\x02hi\x03a\n\\\x02\xff\x1b\x00");
    assert_eq!(ran.text(), "hi\na\\n\\\\\n\\xff\\x1b\n\n");
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_message_a_line_in_hex() {
    let ran = run(&["decode", "--hex", "--frame", "u8"], b"\x02hi\x00");
    assert_eq!(ran.text(), "6869\n\n");
}

#[test]
fn text_in_json_is_the_message_or_escaped() {
    let ran = run(&["decode", "--json", "--frame", "u8"], b"\x04a\\\"\n\x01\xff");
    assert_eq!(
        ran.lines(),
        [
            r#"{"type":"message","n":1,"offset":0,"frame_bytes":5,"text":"a\\\"\n"}"#,
            r#"{"type":"message","n":2,"offset":5,"frame_bytes":2,"text":"\\xff","escaped":true}"#,
            r#"{"type":"end","ending":"finished","offset":7}"#,
        ]
    );
}

#[test]
fn an_error_names_kind_message_offset_and_the_bytes_around() {
    let ran = run(&["decode", "--frame", "netstring"], b"1:a,2:bcX");
    assert_eq!(ran.exit, 5);
    assert_eq!(ran.text(), "a\n");
    let expected = "swb: message 2: bad-trailer: frame at byte 4, wrong at byte 8";
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("bytes around it: 32 3a 62 63 [58]\n"), "{}", ran.stderr);
}

#[test]
fn a_truncated_stream_is_told_with_how_much_is_there() {
    let ran = run(&["decode", "--frame", "u32be"], b"\0\0\0\x05he");
    assert_eq!((ran.exit, ran.text()), (5, ""));
    assert!(ran.stderr.contains("message 1: truncated"), "{}", ran.stderr);
    assert!(ran.stderr.contains("after 6 of 9 bytes"), "{}", ran.stderr);
}

#[test]
fn a_discarded_frame_is_told_on_stderr_and_is_no_failure() {
    let ran = run(&["decode", "--frame", "u8 max=1 oversize=discard"], b"\x02xx\x01a");
    assert_eq!((ran.exit, ran.text()), (0, "a\n"));
    assert_eq!(ran.stderr, "swb: discarded 2 bytes at byte 0: over the limit of 1\n");
}

#[test]
fn a_file_is_read_like_stdin() {
    let dir = Dir::new("decode-file");
    let path = dir.path.join("stream");
    std::fs::write(&path, b"one\ntwo\n").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(run(&["decode", path, "--frame", "lines"], b"").text(), "one\ntwo\n");
    assert_eq!(run(&["decode", "--frame", "lines", "-"], b"stdin\n").text(), "stdin\n");
    let ran = run(&["decode", "--frame", "lines", "/nowhere/at/all"], b"");
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.starts_with("swb: cannot open /nowhere/at/all: "), "{}", ran.stderr);
}

#[test]
fn what_is_known_is_shown_before_more_is_awaited() {
    let mut child = swb(&["decode", "--frame", "lines"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for line in ["one\n", "two\n"] {
        stdin.write_all(line.as_bytes()).unwrap();
        let mut shown = String::new();
        stdout.read_line(&mut shown).unwrap();
        assert_eq!(shown, line);
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_large_message_comes_whole() {
    let body = vec![b'x'; 3 << 20];
    let mut input = (3u32 << 20).to_be_bytes().to_vec();
    input.extend(&body);
    let ran = run(&["decode", "--frame", "u32be"], &input);
    assert_eq!(ran.stdout.len(), body.len() + 1);
    assert_eq!(ran.exit, 0);
}
