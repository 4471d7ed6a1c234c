//! Strings of the grammar in every form; those that say the same thing are equal.

use switchboard_frame::{Framing, Protocol, Role};

#[track_caller]
fn same(a: &str, b: &str) {
    let read = |text| Framing::parse(text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(read(a), read(b), "{a}\n{b}");
}

#[test]
fn every_form_of_the_grammar_is_read() {
    for text in [
        "raw",
        "eof max=1g",
        "fixed:8",
        "lines eof=deliver max=4k",
        "crlf strip=no",
        "delim:\"\\r\\n\"|\"\\n\"|x00",
        "header:X-Size deliver=body",
        "chunked",
        "resp oversize=discard",
        "resp-command",
        "type{\"+\": crlf, \"$\": type{x01: 4, *: u8}, *: 3}",
        "type{\"a\": 3, \"b\": 0, *: lines} max=1k",
        "2* u16be ; 3*u8; raw",
        "\"GET \" u8 body x0d0a",
        "3 u8 4",
        "flags:u16be len:u32be,le=flags&8000,self body 2",
        "a:u8 b:2 len:u16be,*4,+a,+b,-3",
        "len:u32be,&7fffffff,last=80000000",
        "f:u8 len:u16be,last=f&1",
        "u24le,cont=ffffff",
        "hex4,self,short=4",
        "u16be,short=2,rest",
        "tag:bertag ber",
        "a:untilx0a b:until\"; \" vlq3",
        "dec\":\" body \",\" leading-zeros=yes",
        "hexx0d0a body x0d0a",
        "pad:u8 u8 body =pad deliver=nopad",
        "pad:u8 =pad u8",
        "u8 body n:u8 =n",
        "x0b body x1c0d",
        "x0b body x1c0d sum:4",
        "i64le,+8 maxframe=1MiB oversize=discard",
        "u8 deliver=1",
        "type:1 len:u8 seq:u40le more:i48be u:u56be",
    ] {
        let framing = Framing::parse(text).unwrap_or_else(|e| panic!("{e}"));
        let printed = framing.to_string();
        assert_eq!(Framing::parse(&printed).as_ref(), Ok(&framing), "{text}\n{printed}");
        assert!(framing.describe().contains("delivers"));
    }
}

#[test]
fn the_same_said_in_another_way_is_equal() {
    same("u32be", "len:u32be");
    same("  u32be\t", "u32be");
    same("u8;u16be", "u8 ; u16be");
    same("2*u8;u8", "2 * u8;u8");
    same("u8 max=64k", "u8 max=65536");
    same("u8 max=64KiB", "u8 max=64K");
    same("u8 max=2mib", "u8 max=2MiB");
    same("u8 max=1GiB", "u8 max=1g");
    same("lines strip=no", "lines deliver=frame");
    same("\"\\x41\\0\\t\\\"\\\\\" u8", "x410009225c u8");
    same("x0A u8", "x0a u8");
    same("body \"\\n\"", "delim:\"\\n\"");
    same("crlf", "delim:x0d0a");
    same("type{x01: u8} max=5", "type{x01: u8 max=5}");
    same("type{x01: u8 deliver=body, *: 3}", "type{x01: u8 deliver=body,*:3 deliver=frame}");
    same("type{x01: type{x02: u8}} max=5", "type{x01: type{x02: u8 max=5}}");
    same("netstring max=5", "len:dec\":\" body \",\" max=5");
    same("mqtt", "type:1 len:uleb4");
    same("irc max=100", "lines max=100");
    same("bittorrent max=1m", "fixed:68 max=1m;u32be max=1m");
    same("u8;dns", "u8;u16be");
    same("type{x01: dns}", "type{x01: u16be}");
    same("2* dns;lines", "2* u16be;lines");
}

#[test]
fn options_stay_apart_where_they_differ() {
    let of = |text: &str| text.parse::<Framing>().unwrap();
    assert_ne!(of("u32be"), of("u32be deliver=frame"));
    assert_ne!(of("u32be deliver=4"), of("u32be"));
    assert_ne!(of("lines"), of("delim:\"\\n\""));
    assert_ne!(of("type{x01: u8}"), of("type{x01: u8 deliver=body}"));
    assert_ne!(of("type{x01: u8 max=16m, *: 3} max=5"), of("type{x01: u8, *: 3} max=5"));
}

#[test]
fn a_protocol_takes_each_side_of_a_preset() {
    let protocol: Protocol = "amqp".parse().unwrap();
    assert_eq!(protocol.framing(Role::Client), &Framing::parse("amqp-client").unwrap());
    assert_eq!(protocol.framing(Role::Server), &Framing::parse("amqp-server").unwrap());
    assert!(!protocol.is_symmetric());
    let limited: Protocol = "postgres max=1k".parse().unwrap();
    let client = "len:u32be,self deliver=frame max=1k; type:1 len:u32be,self max=1k";
    assert_eq!(limited.framing(Role::Client), &Framing::parse(client).unwrap());
    assert!("u32be".parse::<Protocol>().unwrap().is_symmetric());
}
