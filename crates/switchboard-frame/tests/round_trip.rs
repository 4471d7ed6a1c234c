//! What is encoded decodes to itself, over many framings and any bytes; what is refused leaves no
//! byte behind.

use proptest::prelude::*;
use switchboard_frame::{Assembler, Decoder, Encoder, Fields, Framing, Step};

/// Framings whose messages may be any bytes, or nearly.
const SPECS: &[&str] = &[
    "u8",
    "u8,self",
    "u16le",
    "u24be,frame",
    "u32be",
    "i64le",
    "u8,*4",
    "u16be,+2",
    "u16be,-3",
    "u8,&7f",
    "u16be,&7fff,last=8000",
    "u8,cont=05",
    "u8,cont=00 max=20",
    "x01 u8,cont=03,self body x02",
    "hex4,self,short=4",
    "uleb",
    "uleb2,self",
    "vlq",
    "vlq,frame",
    "ber",
    "ber,self body x00",
    "dec5",
    "dec2,rest body \"..\"",
    "len:dec\":\" body \",\"",
    "len:hex\"\\r\\n\",self",
    "x0b body x1c0d",
    "\"<\" body \">>\"",
    "x03 1 u16be,frame deliver=body",
    "u8 deliver=frame",
    "type:1 len:u8,self",
    "type:1 len:uleb4",
    "len:u8 pad:u8 body =pad",
    "len:u8 pad:u8 body =pad deliver=nopad",
    "flag:1 len:u16be,le=flag&01",
    "flag:1 len:u8,last=flag&80",
    "extra:u8 len:u8,+extra",
    "tag:bertag len:ber",
    "a:until\":\" len:dec\";\" body sum:3",
    "lines",
    "lines max=9",
    "lines strip=no",
    "lines eof=deliver",
    "crlf",
    "crlf maxframe=9",
    "delim:x00",
    "delim:\"aa\"",
    "delim:\"b\"|\"ab\"|\"abc\"",
    "fixed:4",
    "raw",
    "eof",
    "eof max=9",
    "header:n",
    "header:n deliver=body",
    "resp",
    "resp-command",
    "chunked",
    "type{\"a\": u8, \"ab\": lines, \"b\": 2, *: fixed:3}",
    "type{\"a\": type{\"b\": u8, *: eof}, *: raw}",
    "type{\"a\": u8,self} deliver=body",
    "2* u8 ; u8,cont=02 ; lines",
    "u8,cont=01 ; 3* fixed:1 ; crlf",
];

/// Few different bytes, so that delimiters, lengths and keys come up, and now and then any.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let few = b"ab:;,.<>0123n \r\n\x00\x01\x02\x03\x04\x05\x80\x81\xff$*+";
    let byte = prop_oneof![
        8 => prop::sample::select(few.as_slice()),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..40)
}

fn decode(spec: &str, framing: &Framing, wire: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(framing);
    let mut assembler = Assembler::new();
    let (mut at, mut messages) = (0, Vec::new());
    loop {
        let bytes = &wire[at..];
        match decoder.step(bytes, true) {
            Ok(Step::Frame(frame)) => {
                at += frame.whole.end;
                let part = &bytes[frame.message];
                messages.extend(assembler.push(part, frame.more).map(<[u8]>::to_vec));
            }
            Ok(Step::Skipped(skipped)) => at += skipped.bytes,
            Ok(Step::End) => {
                assert!(!assembler.is_open(), "{spec}");
                return messages;
            }
            other => panic!("{spec}: {other:?} at {at} of {}", wire.escape_ascii()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_sent_is_received(
        spec in prop::sample::select(SPECS),
        messages in prop::collection::vec(bytes(), 1..5),
    ) {
        let framing = Framing::parse(spec).expect(spec);
        let mut encoder = Encoder::new(&framing).expect(spec);
        let (mut wire, mut sent) = (Vec::new(), Vec::new());
        for message in messages {
            let before = wire.len();
            match encoder.encode(&message, &mut wire) {
                Ok(()) => sent.push(message),
                Err(_) => prop_assert_eq!(wire.len(), before),
            }
        }
        let received = decode(spec, &framing, &wire);
        if spec.contains("raw") {
            // It promises the bytes and not where one message ends.
            prop_assert_eq!(received.concat(), sent.concat());
        } else {
            prop_assert_eq!(received, sent);
        }
    }

    /// A frame built from fields and a body is also what a whole-frame message must be.
    #[test]
    fn what_is_built_has_the_body(
        spec in prop::sample::select(SPECS),
        body in bytes(),
        values in prop::collection::vec(0..=255_u64, 4),
    ) {
        let framing = Framing::parse(spec).expect(spec);
        let mut encoder = Encoder::new(&framing).expect(spec);
        let mut fields = Fields::new();
        let names: Vec<String> = encoder.field_names().iter().map(ToString::to_string).collect();
        for (name, value) in names.into_iter().zip(&values) {
            fields = match name.as_str() {
                "a" => fields.bytes("a", format!("{value:x}")),
                "sum" => fields.bytes("sum", format!("{value:03}")),
                _ => fields.integer(name, *value),
            };
        }
        let mut wire = Vec::new();
        if encoder.encode_with(&fields, &body, &mut wire).is_err() {
            prop_assert!(wire.is_empty());
            return Ok(());
        }
        let mut decoder = Decoder::new(&framing);
        let (mut at, mut bodies, mut more) = (0, Vec::new(), true);
        while more {
            let step = decoder.step(&wire[at..], true);
            let Ok(Step::Frame(frame)) = step else { panic!("{spec}: {step:?}") };
            bodies.extend_from_slice(&wire[at..][frame.body]);
            at += frame.whole.end;
            more = frame.more;
        }
        prop_assert_eq!(at, wire.len());
        if !spec.contains("resp") {
            prop_assert_eq!(bodies, body);
        }
    }
}

/// The list is no list of framings that refuse everything.
#[test]
fn every_framing_sends_something() {
    let candidates: &[&[u8]] = &[
        b"abcd",
        b"\x01a",
        b"a\x02b",
        b"a\x01",
        b"\x00\x00\x00\x00",
        b"\x80\x01a",
        b"ab",
        b"abc",
        b"aab\n",
        b"a\n",
        b"a\x01b",
        b"\x01\x00b",
        b"\x00\x05abcd",
        b"a\x03bc",
        b"a\x00",
        b"\x00\x00",
        b"\x00\x00\x00",
        b"\x01ab",
        b"\x80\x00",
        b"\x30\x00",
        b"a:0;123",
        b"n: 1\r\n\r\nx",
        b"+OK\r\n",
        b"PING\r\n",
    ];
    for spec in SPECS {
        let framing = Framing::parse(spec).expect(spec);
        let sent = candidates.iter().any(|message| {
            let mut encoder = Encoder::new(&framing).expect(spec);
            encoder.encode(message, &mut Vec::new()).is_ok()
        });
        assert!(sent, "{spec} sends none of the candidates");
    }
}
