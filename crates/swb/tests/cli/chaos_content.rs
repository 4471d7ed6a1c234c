//! What `swb chaos` makes of messages, as the server gets them; and its triggers.

use crate::chaos::{faults, pass, told};
use crate::support::Dir;

fn check(framing: &str, fault: &str, input: &[u8], expected: &[u8], done: &str) {
    let (got, ran) = pass(&["-f", framing, "--fault", fault], input);
    assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{fault}");
    assert_eq!(told(ran.text()), [done], "{fault}");
}

#[test]
fn messages_are_changed() {
    let lines = b"a\nbc\nd\n";
    check("lines", "truncate msg:2", lines, b"a\nbcd\n", "c2s 2 @2: left out its last 1 bytes");
    check("lines", "drop msg:2", lines, b"a\nd\n", "c2s 2 @2: left out 3 bytes");
    check("lines", "dup msg:2", lines, b"a\nbc\nbc\nd\n", "c2s 2 @2: 2 times in all");
    let told = "c2s 2 @2: 1 bytes more behind 1";
    check("lines", "delimiter-inject msg:2", lines, b"a\nb\nc\nd\n", told);
    let told = "c2s 1 @0: announces 3, not 2";
    check("u16be", "length(+1) msg:1", b"\0\x02ab", b"\0\x03ab", told);
    let told = "c2s 1 @0: announces 65535, not 2";
    check("u16be", "length(max) msg:1", b"\0\x02ab", b"\xff\xffab", told);
    let told = "c2s 2 @2: of 2 in this order: 2 1";
    check(
        "lines",
        "reorder@c2s msg:1",
        b"a\n",
        b"a\n",
        "c2s - @2: in their order: no more came in time",
    );
    check("lines", "reorder@c2s first:2", b"a\nb\nc\n", b"b\na\nc\n", told);
}

#[test]
fn bits_are_flipped_and_garbage_comes() {
    let (got, _) = pass(&["-f", "u8", "--fault", "flip(2) msg:1"], b"\x02ab\x01c");
    let flipped = got.iter().zip(b"\x02ab\x01c").map(|(a, b)| (a ^ b).count_ones());
    assert_eq!(flipped.collect::<Vec<_>>().iter().sum::<u32>(), 2);
    assert_eq!(&got[3..], b"\x01c");
    let (got, _) = pass(&["-f", "u8", "--fault", "garbage(8) msg:2"], b"\x01a\x01b");
    assert_eq!((got.len(), &got[..2], &got[10..]), (12, &b"\x01a"[..], &b"\x01b"[..]));
}

#[test]
fn bytes_of_a_file_come_as_a_message() {
    let dir = Dir::new("chaos-file");
    let path = dir.path.join("new, message");
    std::fs::write(&path, "new").unwrap();
    let shown = path.display();
    let told = "c2s 2 @2: 4 bytes before it";
    let fault = format!("inject(\"{shown}\")@c2s msg:2");
    check("lines", &fault, b"a\nb\n", b"a\nnew\nb\n", told);
    let told = "c2s 2 @2: 4 bytes in place of 2";
    let fault = format!("replace(\"{shown}\")@c2s msg:2");
    check("lines", &fault, b"a\nb\n", b"a\nnew\n", told);
}

#[test]
fn triggers_pick_messages() {
    for (triggers, left) in [
        ("msg:3", "abde"),
        ("byte:4", "abde"),
        ("first:2", "cde"),
        ("every:2", "ace"),
        ("every:2 first:1", "acde"),
        ("match:/^[bd]$/", "ace"),
        ("match:/[^\\x00-c]/", "abc"),
        ("conn:1", ""),
        ("conn:2", "abcde"),
        ("after:1h", "abcde"),
        ("p:1", ""),
    ] {
        let (got, _) =
            pass(&["-f", "lines", "--fault", &format!("drop {triggers}")], b"a\nb\nc\nd\ne\n");
        let got = String::from_utf8(got).unwrap().replace('\n', "");
        assert_eq!(got, left, "{triggers}");
    }
}

#[test]
fn without_a_framing_there_are_bytes() {
    let args = faults(&["flip@c2s byte:1", "garbage(2)@c2s byte:3", "half-close@c2s byte:4"]);
    let (got, ran) = pass(&args, b"aaaaaaaa");
    assert_eq!((got.len(), got[0], got[2], got[5]), (6, b'a', b'a', b'a'));
    assert_eq!((got[1] ^ b'a').count_ones(), 1);
    let told = told(ran.text());
    assert!(told[0].starts_with("c2s - @1: bit "), "{told:?}");
    assert_eq!(told[1..], ["c2s - @3: 2 bytes put in", "c2s - @4: ends this direction"]);
}

#[test]
fn a_stream_that_breaks_its_framing_is_told_and_passes() {
    let (got, ran) = pass(&["-f", "netstring", "--fault", "drop msg:2"], b"1:a,x");
    assert_eq!(got, b"1:a,x");
    let line = r#"{"type":"unframed","conversation":1,"direction":"c2s","offset":4,"why":"bad-pre"#;
    assert!(ran.text().starts_with(line), "{}", ran.text());
}
