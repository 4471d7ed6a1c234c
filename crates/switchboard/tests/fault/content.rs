//! Whole messages: other bytes in them, none of them, more of them.

use crate::help::*;

fn check(framing: &str, fault: &str, input: &str, expected: &[&str], told: &[&str]) {
    World::new(framing, &[fault]).client(input).end(CLIENT).run().takes(expected).tells(told);
}

#[test]
fn flip_changes_so_many_bits() {
    let mut world = World::new("lines", &["flip(3)@c2s msg:2"]);
    let (mut sent, mut got) = (Vec::new(), Vec::new());
    world.client("aaaa\nbbbb\ncccc\n");
    let Some(line) = world.out.first() else { panic!("nothing passed") };
    assert!(line.starts_with("0 c2s aaaa\\n"), "{line}");
    sent.extend_from_slice(b"bbbb\n");
    got.extend(unescaped(&world.bytes("c2s"))[5..10].iter().copied());
    let bits: u32 = sent.iter().zip(&got).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(bits, 3);
    assert!(told(&world.records)[0].starts_with("c2s 2 @5: 3 bits, first bit "));
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, used) = match (first, behind) {
            (b'\\', [b'x', high, low, ..]) => {
                let digits = String::from_utf8(vec![*high, *low]).unwrap();
                (u8::from_str_radix(&digits, 16).unwrap(), 4)
            }
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [other, ..]) => (*other, 2),
            _ => (first, 1),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    bytes
}

#[test]
fn flip_without_a_framing_is_of_one_byte() {
    let mut world = World::new("", &["flip@c2s byte:2"]);
    world.client("aaaa");
    let got = unescaped(&world.bytes("c2s"));
    assert_eq!((&got[..2], &got[3..]), (&b"aa"[..], &b"a"[..]));
    assert_eq!((got[2] ^ b'a').count_ones(), 1);
}

#[test]
fn truncate_leaves_out_the_last_bytes() {
    let told = ["c2s 1 @0: left out its last 2 bytes"];
    check("u8", "truncate(2) msg:1", "\x03abc\x01d", &["0 c2s \\x03a\\x01d", "0 c2s fin"], &told);
}

#[test]
fn length_lies() {
    for (change, lie, told) in [
        ("+1", "\\x00\\x03ab", "announces 3, not 2"),
        ("-1", "\\x00\\x01ab", "announces 1, not 2"),
        ("max", "\\xff\\xffab", "announces 65535, not 2"),
    ] {
        let fault = format!("length({change})");
        let told = format!("c2s 1 @0: {told}");
        check("u16be", &fault, "\0\x02ab", &[&format!("0 c2s {lie}"), "0 c2s fin"], &[&told]);
    }
    let told = ["c2s 1 @0: nothing: it announces no length"];
    let framing = r#"type{"A": 1, *: u8}"#;
    check(framing, "length(+1)", "Ax", &["0 c2s Ax", "0 c2s fin"], &told);
}

#[test]
fn a_longer_number_makes_room() {
    let told = ["c2s 1 @0: announces 10, not 9"];
    let out = ["0 c2s 10:123456789,", "0 c2s fin"];
    check("netstring", "length(+1)", "9:123456789,", &out, &told);
}

#[test]
fn garbage_comes_before_the_message() {
    let mut world = World::new("lines", &["garbage(4)@c2s msg:2"]);
    world.client("a\nb\n");
    let got = unescaped(&world.bytes("c2s"));
    assert_eq!((&got[..2], got.len(), &got[6..]), (&b"a\n"[..], 8, &b"b\n"[..]));
    world.tells(&["c2s 2 @2: 4 bytes before it"]);
}

#[test]
fn garbage_without_a_framing_is_at_a_byte() {
    let mut world = World::new("", &["garbage(2) byte:1"]);
    world.client("ab");
    let got = unescaped(&world.bytes("c2s"));
    assert_eq!((got.len(), got[0], got[3]), (4, b'a', b'b'));
}

#[test]
fn a_delimiter_in_the_middle() {
    let told = ["c2s 1 @0: 2 bytes more behind 2"];
    check("crlf", "delimiter-inject", "abcd\r\n", &["0 c2s ab\\r\\ncd\\r\\n", "0 c2s fin"], &told);
    let told = ["c2s 1 @0: nothing: no delimiter ends it"];
    let framing = r#"type{"A": 1, *: lines}"#;
    check(framing, "delimiter-inject", "Ax", &["0 c2s Ax", "0 c2s fin"], &told);
}

#[test]
fn drop_and_dup() {
    let told = ["c2s 2 @2: left out 2 bytes"];
    check("lines", "drop msg:2", "a\nb\nc\n", &["0 c2s a\\nc\\n", "0 c2s fin"], &told);
    let told = ["c2s 2 @2: 3 times in all"];
    let out = ["0 c2s a\\nb\\nb\\nb\\nc\\n", "0 c2s fin"];
    check("lines", "dup(2) msg:2", "a\nb\nc\n", &out, &told);
}

#[test]
fn reorder_changes_the_order_of_whole_messages() {
    let mut world = World::new("lines", &["reorder(3)@c2s"]);
    world.client("a\nb\n").takes(&[]);
    world.client("c\nd\n");
    let got = world.bytes("c2s");
    let mut lines: Vec<_> = got.split_inclusive("\\n").collect();
    assert_ne!(lines, ["a\\n", "b\\n", "c\\n"]);
    lines.sort_unstable();
    assert_eq!(lines, ["a\\n", "b\\n", "c\\n"]);
    // The fourth is alone, and does not wait for ever.
    world.out.clear();
    world.run().takes(&["50 c2s d\\n"]);
    assert_eq!(told(&world.records)[1], "c2s - @8: in their order: no more came in time");
}

#[test]
fn another_message_in_place_of_it_or_before_it() {
    let path = std::env::temp_dir().join(format!("switchboard-fault-{}", std::process::id()));
    std::fs::write(&path, "new").unwrap();
    let shown = path.display();
    let told = ["c2s 2 @2: 4 bytes in place of 2"];
    let out = ["0 c2s \\x01a\\x03new\\x01c", "0 c2s fin"];
    check("u8", &format!("replace(\"{shown}\") msg:2"), "\x01a\x01b\x01c", &out, &told);
    let told = ["c2s 2 @2: 4 bytes before it"];
    let out = ["0 c2s \\x01a\\x03new\\x01b", "0 c2s fin"];
    check("u8", &format!("inject(\"{shown}\")@c2s msg:2"), "\x01a\x01b", &out, &told);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn several_faults_of_one_message_are_done_in_their_order() {
    World::new("u8", &["truncate msg:1", "dup msg:1", "split(every=2, gap=1ms)@c2s msg:1"])
        .client("\x03abc\x01d")
        .run()
        .takes(&["0 c2s \\x03a", "1 c2s b", "2 c2s \\x03a", "3 c2s b", "4 c2s \\x01d"]);
}

#[test]
fn a_stream_that_breaks_its_framing_passes_as_it_is() {
    World::new("netstring", &["drop msg:2", "delay(5ms)@c2s"])
        .client("1:a,x1:b,")
        .run()
        .takes(&["5 c2s 1:a,x1:b,"]);
    let mut world = World::new("netstring", &["drop msg:2"]);
    world.client("1:a,x1:b,").takes(&["0 c2s 1:a,x1:b,"]);
    assert!(told(&world.records)[0].starts_with("c2s unframed @4: "), "{:?}", world.records);
}

#[test]
fn a_protocol_changes_its_framing_under_way() {
    // Encrypted from the server's answer on: there are no messages any more.
    let mut world = World::new("postgres", &["drop"]);
    world.write(CLIENT, b"\0\0\0\x08\x04\xd2\x16\x2f").takes(&[]);
    world.write(SERVER, b"S").takes(&[]);
    world.write(CLIENT, b"\x16\x03\x01 hello");
    assert_eq!(world.bytes("c2s"), "\\x16\\x03\\x01 hello");
}

#[test]
fn and_so_where_its_bytes_pass_by_themselves() {
    let mut world = World::new("postgres", &["stall(1ms) byte:1000"]);
    world.write(CLIENT, b"\0\0\0\x08\x04\xd2\x16\x2f").write(SERVER, b"S");
    let unframed = "encrypted from here";
    world
        .tells(&[&format!("s2c unframed @1: {unframed}"), &format!("c2s unframed @8: {unframed}")]);
    world.write(SERVER, b"\x16\x03\x01").tells(&[]);
}

#[test]
fn what_is_discarded_passes_with_all_its_fragments() {
    let framing = "u8,&7f,last=80 max=5 oversize=discard";
    let bytes = b"\x03abc\x83def\x81g";
    for cut in 1..bytes.len() {
        let mut world = World::new(framing, &["drop@c2s msg:1"]);
        world.write(CLIENT, &bytes[..cut]).write(CLIENT, &bytes[cut..]);
        assert_eq!(world.bytes("c2s"), "\\x03abc\\x83def", "{cut}");
        world.tells(&["c2s 1 @8: left out 2 bytes"]);
    }
}
