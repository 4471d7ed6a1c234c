//! Frames built from the values of their fields and a body.

use switchboard_frame::{Decoder, Encoder, Fields, Framing, Step};

fn encoder(spec: &str) -> Encoder {
    let framing = Framing::parse(spec).unwrap_or_else(|error| panic!("{error}"));
    Encoder::new(&framing).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

fn none() -> Fields {
    Fields::new()
}

fn check(spec: &str, fields: &Fields, body: &[u8], expect: &[u8]) {
    let mut out = b"before".to_vec();
    encoder(spec)
        .encode_with(fields, body, &mut out)
        .unwrap_or_else(|error| panic!("{spec}: {error}"));
    let written = out.strip_prefix(b"before").expect("what was there stays");
    let (got, expect) = (written.escape_ascii(), expect.escape_ascii());
    assert_eq!(got.to_string(), expect.to_string(), "{spec}");
}

fn refuse(spec: &str, fields: &Fields, body: &[u8], words: &str) {
    let mut out = b"before".to_vec();
    let error = match encoder(spec).encode_with(fields, body, &mut out) {
        Ok(()) => panic!("{spec}: {} was written", out.escape_ascii()),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(words), "{spec}: {error:?} does not say {words:?}");
    assert_eq!(out, b"before", "{spec}: a refused message left bytes behind");
}

const MYSQL: &str = "len:u24le,cont=ffffff seq:1 deliver=body";

#[test]
fn fields_of_every_type() {
    check(MYSQL, &none().integer("seq", 3), b"hi", b"\x02\0\0\x03hi");
    check(MYSQL, &none().bytes("seq", b"\x03"), b"hi", b"\x02\0\0\x03hi");
    check(MYSQL, &none().text("seq", "0x03"), b"hi", b"\x02\0\0\x03hi");
    check(MYSQL, &none().text("seq", r"\x03"), b"hi", b"\x02\0\0\x03hi");
    check("type:1 len:u32be,self", &none().text("type", "Q"), b"hi", b"Q\0\0\0\x06hi");
    let amqp = none().text("type", r"\x01").text("chan", "0x0002");
    check("type:1 chan:2 len:u32be body xce", &amqp, b"hi", b"\x01\0\x02\0\0\0\x02hi\xce");
    let wayland = none().integer("obj", 1).integer("op", 0x0203);
    check("obj:4 op:2 len:u16le,frame", &wayland, b"hi", b"\0\0\0\x01\x02\x03\x0a\0hi");
    check("t:u16le len:u8", &none().text("t", "258"), b"", b"\x02\x01\0");
    check("t:i16be len:u8", &none().text("t", "-2"), b"", b"\xff\xfe\0");
    check("t:uleb len:u8", &none().text("t", "0x12c"), b"", b"\xac\x02\0");
    check("t:dec4 len:u8", &none().text("t", "12"), b"", b"0012\0");
    check("t:dec\";\" len:u8", &none().text("t", "12"), b"", b"12;\0");
    check("tag:bertag len:ber", &none().text("tag", "0x30"), b"hi", b"\x30\x02hi");
    check("tag:bertag len:ber", &none().bytes("tag", b"\x1f\x81\x01"), b"", b"\x1f\x81\x01\0");
    let fix = none().text("begin", "FIX.4.2").text("sum", "128");
    let spec = r#""8=" begin:until"\x01" "9=" len:dec"\x01" body "10=" sum:3 x01"#;
    check(spec, &fix, b"35=0\x01", b"8=FIX.4.2\x019=5\x0135=0\x0110=128\x01");
}

#[test]
fn values_that_do_not_fit() {
    refuse(MYSQL, &none(), b"hi", "no value for the field seq");
    refuse("a:1 b:2 len:u8", &none(), b"hi", "no value for the fields a, b");
    refuse(MYSQL, &none().integer("seq", 3).integer("no", 1), b"", "the fields are len, seq");
    refuse("u8", &none().integer("no", 1), b"", "the fields are len");
    refuse("lines", &none().integer("no", 1), b"", "this framing has no fields");
    refuse(MYSQL, &none().integer("seq", 256), b"", "256 does not fit 1 bytes");
    refuse(MYSQL, &none().bytes("seq", b"ab"), b"", "it takes 1 bytes, 2 were given");
    refuse(MYSQL, &none().text("seq", "0x1"), b"", "pairs of hexadecimal digits");
    refuse("t:u16be len:u8", &none().integer("t", 65536), b"", "it holds at most 65535");
    refuse("t:u16be len:u8", &none().text("t", "many"), b"", "no integer");
    refuse("t:u16be len:u8", &none().bytes("t", b"ab"), b"", "an integer, not bytes");
    refuse("t:i8 len:u8", &none().integer("t", 128), b"", "it holds at most 127");
    refuse("t:dec2 len:u8", &none().integer("t", 100), b"", "it holds at most 99");
    refuse("t:until\":\" len:u8", &none().text("t", "a:b"), b"", "what ends it, at byte 1");
    refuse("t:until\"::\" len:u8", &none().text("t", "a:"), b"", "what ends it, at byte 1");
    refuse("t:until\":\" len:u8", &none().integer("t", 1), b"", "bytes, not an integer");
    refuse("tag:bertag len:ber", &none().text("tag", "0x1f"), b"", "no BER identifier");
    refuse("t:u8 len:u8 max=1", &none().integer("t", 1), b"ab", "over the limit of 1");
    refuse("t:u8 len:u8 maxframe=3", &none().integer("t", 1), b"ab", "limit of 3");
    let split = none().integer("seq", 0);
    refuse("u8,cont=ff seq:1 deliver=body", &split, &[0; 255], "send them yourself");
}

#[test]
fn the_length_is_computed_and_may_be_given_when_it_is_right() {
    check("u16be,self", &none().integer("len", 4), b"hi", b"\0\x04hi");
    refuse("u16be,self", &none().integer("len", 2), b"hi", "has the length 4");
    refuse("u16be", &none().integer("len", 65536), b"hi", "it holds at most 65535");
    // Below `short=` and without a body: a frame of the header alone.
    for len in 0..4 {
        let expect = format!("000{len}");
        check("hex4,self,short=4", &none().integer("len", len), b"", expect.as_bytes());
    }
    refuse("hex4,self,short=4", &none().integer("len", 0), b"hi", "has the length 6");
    // Bits outside the mask are the user's; the one that ends a message is not.
    check("u16be,&0fff", &none().integer("len", 0xa002), b"hi", b"\xa0\x02hi");
    let spec = "u32be,&7fffffff,last=80000000";
    check(spec, &none().integer("len", 0x8000_0002), b"hi", b"\x80\0\0\x02hi");
    refuse(spec, &none().integer("len", 2), b"hi", "has the length 2147483650");
    refuse("u8,cont=00", &none().integer("len", 0), b"", "goes on in the next frame");
    check("header:n", &none().integer("N", 2), b"hi", b"n: 2\r\n\r\nhi");
    refuse("header:n", &none().integer("n", 3), b"hi", "another number was given than 2");
}

#[test]
fn padding_flags_and_sums() {
    let spec = "x01 type:1 id:2 len:u16be pad:u8 1 body =pad";
    let fields = none().integer("type", 5).integer("id", 1);
    check(spec, &fields.clone().integer("pad", 2), b"hi", b"\x01\x05\0\x01\0\x02\x02\0hi\0\0");
    refuse(spec, &fields, b"hi", "no value for the field pad");
    refuse("pad:u32be len:u8 body =pad", &none().integer("pad", 1 << 30), b"", "limit of 65536");
    check("pad:u8 len:u8,rest body =pad", &none().integer("pad", 2), b"hi", b"\x02\x04hi\0\0");
    check("extra:u8 len:u8,+extra", &none().integer("extra", 2), b"hi!", b"\x02\x01hi!");
    refuse("extra:u8 len:u8,+extra", &none().integer("extra", 2), b"h", "too short");
    let spec = "flag:1 len:u16be,le=flag&01";
    check(spec, &none().integer("flag", 1), b"hi", b"\x01\x02\0hi");
    check(spec, &none().integer("flag", 2), b"hi", b"\x02\0\x02hi");
    let spec = "flag:1 len:u16be,last=flag&80";
    check(spec, &none().integer("flag", 1), b"hi", b"\x81\0\x02hi");
    check("flag:u16be len:u8,last=flag&8000", &none().integer("flag", 1), b"", b"\x80\x01\0");
}

#[test]
fn the_fields_choose_the_case() {
    let spec = r#"type{"$": chan:1 len:u16be, "+": crlf, *: header:content-length}"#;
    check(spec, &none().integer("chan", 7), b"hi", b"$\x07\0\x02hi");
    check(spec, &none().integer("content-length", 2), b"hi", b"content-length: 2\r\n\r\nhi");
    refuse(spec, &none(), b"hi", "more than one case");
    refuse(spec, &none().integer("no", 1), b"hi", "no case");
}

#[test]
fn other_shapes_take_a_body_without_fields() {
    check("lines", &none(), b"hi", b"hi\n");
    check("lines strip=no", &none(), b"hi", b"hi\n");
    check("header:n", &none(), b"hi", b"n: 2\r\n\r\nhi");
    check("chunked", &none(), b"hi", b"2\r\nhi\r\n");
    check("resp", &none(), b"+OK\r\n", b"+OK\r\n");
    check("fixed:2", &none(), b"hi", b"hi");
    check("u8 deliver=frame", &none(), b"hi", b"\x02hi");
    refuse("resp", &none(), b"+OK", "no whole frame");
    refuse("lines", &none(), b"a\nb", "line feed");
}

#[test]
fn names_are_listed_without_the_length() {
    assert_eq!(encoder("a:1 b:u16be len:u8 body c:1").field_names(), ["a", "b", "c"]);
    assert_eq!(encoder("u8").field_names(), [""; 0]);
    assert_eq!(encoder("type{\"a\": v:1 len:u8, *: w:1 v:1 len:u8}").field_names(), ["v", "w"]);
    assert_eq!(encoder("u8 ; a:1 len:u8").field_names(), [""; 0]);
}

/// What the decoder tells of a frame is what builds it again.
#[test]
fn fields_decoded_encode_to_the_same_frame() {
    for (spec, wire) in [
        ("type:1 len:u32be,self", &b"Q\0\0\0\x06hi"[..]),
        ("len:u24le,cont=ffffff seq:1 deliver=body", b"\x02\0\0\x03hi"),
        ("x01 type:1 id:2 len:u16be pad:u8 1 body =pad", b"\x01\x05\0\x01\0\x02\x02\0hi\0\0"),
        ("len:u32be,&7fffffff,last=80000000", b"\x80\0\0\x02hi"),
        ("tag:bertag len:ber", b"\x1f\x81\x01\x02hi"),
        ("hex4,self,short=4", b"0001"),
        ("u16be,&0fff", b"\xa0\x02hi"),
        ("t:i16be name:until\":\" len:dec\";\" body sum:3", b"\xff\xfeab:2;hi123"),
        ("type{\"$\": chan:1 len:u16be, *: header:content-length}", b"$\x07\0\x02hi"),
        ("flag:1 len:u16be,le=flag&01", b"\x01\x02\0hi"),
    ] {
        let mut decoder = Decoder::new(&Framing::parse(spec).unwrap());
        let Ok(Step::Frame(frame)) = decoder.step(wire, false) else { panic!("{spec}") };
        let mut fields = Fields::new();
        for name in decoder.field_names() {
            fields = fields.field(name, decoder.field(name, wire).unwrap());
        }
        check(spec, &fields, &wire[frame.body], wire);
    }
}
