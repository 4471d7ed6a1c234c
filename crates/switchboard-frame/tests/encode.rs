//! What each framing makes of a message: the bytes, or an error in words and nothing written.

use switchboard_frame::{Encoder, Framing};

fn encoder(spec: &str) -> Encoder {
    let framing = Framing::parse(spec).unwrap_or_else(|error| panic!("{error}"));
    Encoder::new(&framing).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

/// Every message in turn; behind bytes that must stay as they are.
fn check(spec: &str, messages: &[&[u8]], expect: &[u8]) {
    let mut encoder = encoder(spec);
    let mut out = b"before".to_vec();
    for message in messages {
        encoder
            .encode(message, &mut out)
            .unwrap_or_else(|error| panic!("{spec}, {}: {error}", message.escape_ascii()));
    }
    let written = out.strip_prefix(b"before").expect("what was there stays");
    assert_eq!(written.escape_ascii().to_string(), expect.escape_ascii().to_string(), "{spec}");
}

/// The message is refused with these words, nothing is written, and a good one can still follow.
fn refuse(spec: &str, message: &[u8], words: &str) {
    let mut encoder = encoder(spec);
    let mut out = b"before".to_vec();
    let error = match encoder.encode(message, &mut out) {
        Ok(()) => panic!("{spec}: {} was written", message.escape_ascii()),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(words), "{spec}: {error:?} does not say {words:?}");
    assert_eq!(out, b"before", "{spec}: a refused message left bytes behind");
}

fn refuse_framing(spec: &str, words: &str) {
    let framing = Framing::parse(spec).unwrap_or_else(|error| panic!("{error}"));
    let error = Encoder::new(&framing).expect_err(spec).to_string();
    assert!(error.contains(words), "{spec}: {error:?} does not say {words:?}");
}

#[test]
fn one_binary_length_field() {
    check("u8", &[b"hi", b""], b"\x02hi\x00");
    check("u16be", &[b"hi", b"\0"], b"\x00\x02hi\x00\x01\0");
    check("u16le", &[b"hi"], b"\x02\x00hi");
    check("u24be", &[b"hi"], b"\x00\x00\x02hi");
    check("u24le", &[b"hi"], b"\x02\x00\x00hi");
    check("u32be", &[b"hi"], b"\x00\x00\x00\x02hi");
    check("u32le", &[b"hi"], b"\x02\x00\x00\x00hi");
    check("u64be", &[b"hi"], b"\x00\x00\x00\x00\x00\x00\x00\x02hi");
    check("u64le", &[b"hi"], b"\x02\x00\x00\x00\x00\x00\x00\x00hi");
    check("u32be,self", &[b"hi"], b"\x00\x00\x00\x06hi");
    check("u32be,frame", &[b"hi"], b"\x00\x00\x00\x06hi");
    check("u16be,-2", &[b"hi"], b"\x00\x04hi");
    check("u16be,+2", &[b"abc"], b"\x00\x01abc");
    check("i32be", &[b"hi"], b"\x00\x00\x00\x02hi");
    refuse("u8", &[0; 256], "the length field holds at most 255");
    refuse("u8,self", &[0; 255], "its length would be 256");
    refuse("i8", &[0; 128], "at most 127");
    refuse("u32be max=4", b"hello", "a message of 5 bytes is over the limit of 4");
    refuse("u32be maxframe=8", b"hello", "a frame of 9 bytes is over the limit of 8");
    refuse("u16be,+2", b"a", "too short");
}

#[test]
fn lengths_of_other_kinds() {
    check("uleb", &[&[7; 300]], &[&[0xac, 0x02][..], &[7; 300]].concat());
    check("vlq", &[&[7; 300]], &[&[0x82, 0x2c][..], &[7; 300]].concat());
    check("ber", &[b"hi", &[7; 300]], &[&b"\x02hi\x82\x01\x2c"[..], &[7; 300]].concat());
    check("dec5", &[b"hi"], b"00002hi");
    check("hex4", &[&[7; 26]], &[&b"001a"[..], &[7; 26]].concat());
    check("len:dec\":\" body \",\"", &[b"hello", b""], b"5:hello,0:,");
    check("len:hexx0a", &[&[7; 26]], &[&b"1a\n"[..], &[7; 26]].concat());
    refuse("uleb1", &[0; 128], "at most 127");
    refuse("dec2", &[0; 100], "at most 99");
    refuse("hex1", &[0; 16], "at most 15");
}

#[test]
fn a_length_of_variable_size_may_count_itself() {
    check("len:dec\":\",self", &[b"12345678"], b"11:12345678");
    check("len:dec\":\",self", &[b"1234567"], b"9:1234567");
    check("uleb,self", &[&[7; 126]], &[&[127][..], &[7; 126]].concat());
    check("uleb,self", &[&[7; 127]], &[&[0x81, 0x01][..], &[7; 127]].concat());
}

#[test]
fn how_a_length_counts() {
    check("u16be,*4", &[b"12345678"], b"\x00\x0212345678");
    refuse("u16be,*4", b"123456", "2 bytes over a whole number of units of 4 bytes");
    check("x03 x00 u16be,frame", &[b"hi"], b"\x03\x00\x00\x06hi");
    check("u32be,&7fffffff,last=80000000", &[b"hi"], b"\x80\x00\x00\x02hi");
    check("u8 body x1c0d", &[b"hi"], b"\x02hi\x1c\r");
    check("u8,rest body xce", &[b"hi"], b"\x03hi\xce");
    check("dec2,rest body \"..\"", &[b"hi"], b"04hi..");
    refuse("dec2,rest body \"..\"", &[0; 98], "its length would be 100");
    refuse("u8,&0f", &[0; 16], "at most 15");
    refuse("u8,&f3", &[0; 12], "bits outside those of the length field, 0xf3");
    check("hex4,self,short=4", &[b"hi", b""], b"0006hi0004");
    check("u16be,&0fff", &[b"hi"], b"\x00\x02hi");
    refuse("u16be,&0fff", &[0; 0x1000], "at most 4095");
}

#[test]
fn a_body_without_a_length_field() {
    check("x0b body x1c0d", &[b"MSH|"], b"\x0bMSH|\x1c\r");
    refuse("x0b body x1c0d", b"a\x1c\rb", "would");
    check("x0b body x1c0d", &[b"a\x1c"], b"\x0ba\x1c\x1c\r");
}

#[test]
fn continuation_splits_a_body() {
    check("u8,cont=ff", &[b"hi"], b"\x02hi");
    check("u8,cont=ff", &[&[7; 255]], &[&[255][..], &[7; 255], &[0]].concat());
    check("u8,cont=ff", &[&[7; 256]], &[&[255][..], &[7; 255], &[1, 7]].concat());
    check("u8,cont=ff", &[&[7; 510]], &[&[255][..], &[7; 255], &[255], &[7; 255], &[0]].concat());
    refuse("u8,cont=ff max=300", &[0; 301], "over the limit of 300");
    refuse("2* u8,cont=ff ; lines", &[0; 765], "a message of 4 frames");
}

#[test]
fn delimiters() {
    check("lines", &[b"hi", b"", b"a\rb"], b"hi\n\na\rb\n");
    check("crlf", &[b"hi", b"a\nb\rc\r"], b"hi\r\na\nb\rc\r\r\n");
    check("delim:\";\"", &[b"hi"], b"hi;");
    check("delim:\"END\"", &[b"hiEN"], b"hiENEND");
    check("delim:\"b\"|\"ab\"", &[b"x"], b"xb");
    check("lines strip=no", &[b"hi\n", b"hi\r\n"], b"hi\nhi\r\n");
    refuse("lines", b"a\nb", "line feed, there is one at byte 1");
    refuse("lines", b"a\r", "carriage return, there is one at byte 1");
    refuse("crlf", b"a\r\nb", "holds the delimiter \"\\r\\n\" at byte 1");
    refuse("delim:\";\"", b"a;", "at byte 1");
    refuse("delim:\"b\"|\"ab\"", b"xa", "would end after 1 of its 2");
    refuse("delim:\"aa\"", b"xa", "would");
    refuse("lines strip=no", b"hi", "no whole frame");
    refuse("lines strip=no", b"a\nb\n", "more than a frame");
    refuse("lines max=3", b"abcd", "a message of 4 bytes is over the limit of 3");
    refuse("crlf maxframe=4", b"abc", "a frame of 5 bytes is over the limit of 4");
}

#[test]
fn sizes_and_ends() {
    check("fixed:2", &[b"hi", b"ho"], b"hiho");
    check("raw", &[b"hi", b"\n"], b"hi\n");
    check("eof", &[b"hi"], b"hi");
    refuse("fixed:2", b"h", "a message of 1 bytes where every one has 2");
    refuse("raw", b"", "empty message");
    refuse("eof", b"", "empty message");
    refuse("eof max=2", b"abc", "limit of 2");
    let mut encoder = encoder("eof");
    let mut out = Vec::new();
    encoder.encode(b"all", &mut out).unwrap();
    let error = encoder.encode(b"more", &mut out).unwrap_err().to_string();
    assert!(error.contains("the whole stream is one message"), "{error}");
    assert_eq!(out, b"all");
}

#[test]
fn whole_frames_are_checked_and_never_rewritten() {
    check("type:1 len:u32be,self", &[b"Q\0\0\0\x06hi"], b"Q\0\0\0\x06hi");
    refuse("type:1 len:u32be,self", b"Q\0\0\0\x07hi", "at least 1 byte more");
    refuse("type:1 len:u32be,self", b"Q\0\0\0\x05hi", "more than a frame");
    refuse("type:1 len:u32be,self", b"Q\0\0\0\x03hi", "bad-length");
    refuse("type:1 len:u32be,self", b"", "no whole frame");
    refuse("type:1 len:u32be,self max=1", b"Q\0\0\0\x06hi", "the limit is 1");
    refuse("type:1 len:u32be,self max=1 oversize=discard", b"Q\0\0\0\x06hi", "the limit is 1");
    check("type:1 len:uleb4", &[b"\x30\x02hi"], b"\x30\x02hi");
    refuse("type:1 chan:2 len:u32be body xce", b"\x01\0\0\0\0\0\0\xcf", "bad-trailer");
    check("len:u8,last=80,&7f deliver=frame", &[b"\x01a\x81b", b"\x80"], b"\x01a\x81b\x80");
    refuse("len:u8,last=80,&7f deliver=frame", b"\x01a", "no whole frame");
    check("u16be,frame deliver=frame", &[b"\0\x04hi"], b"\0\x04hi");
}

#[test]
fn padding_left_out_is_put_back_as_zeros() {
    let spec = "len:u8 pad:u8 body =pad deliver=nopad";
    check(spec, &[b"\x02\x03hi"], b"\x02\x03hi\0\0\0");
    check(spec, &[b"\x02\x00hi"], b"\x02\x00hi");
    refuse(spec, b"\x03\x03hi", "cuts it");
    refuse(
        "len:u8 pad:u32be body =pad deliver=nopad",
        b"\x00\xff\xff\xff\xff",
        "the limit is 65536",
    );
    refuse(spec, b"\xff\xffhi", "cuts it");
}

#[test]
fn header_blocks() {
    let whole = b"Content-Length: 2\r\n\r\nhi";
    check("header:Content-Length", &[whole], whole);
    check("header:Content-Length", &[b"A: b\n\n"], b"A: b\n\n");
    refuse("header:Content-Length", b"Content-Length: 3\r\n\r\nhi", "at least 1 byte more");
    check("header:Content-Length deliver=body", &[b"hi"], whole);
    check("header:x deliver=body", &[b""], b"x: 0\r\n\r\n");
}

#[test]
fn chunks_and_values() {
    check("chunked", &[&[b'a'; 26], b""], b"1a\r\naaaaaaaaaaaaaaaaaaaaaaaaaa\r\n0\r\n\r\n");
    check("resp", &[b"*1\r\n$4\r\nPING\r\n", b"+OK\r\n"], b"*1\r\n$4\r\nPING\r\n+OK\r\n");
    refuse("resp", b"PING\r\n", "bad-prefix");
    refuse("resp", b"$4\r\nPIN\r\n", "no frame");
    refuse("resp", b"+OK\r\n+OK\r\n", "more than a frame");
    refuse("chunked max=2", b"abc", "limit of 2");
}

#[test]
fn the_first_bytes_choose() {
    let spec = "type{\"+\": crlf, \"$\": u16be, \"$$\": 2, *: lines}";
    check(spec, &[b"+OK\r\n", b"$\0\x01a", b"$$ab", b"else\n"], b"+OK\r\n$\0\x01a$$abelse\n");
    refuse(spec, b"+OK\n", "no whole frame");
    refuse(spec, b"$\0\x02a", "no whole frame");
    refuse(spec, b"else\nmore\n", "more than a frame");
    refuse("type{\"a\": 1, \"b\": 2}", b"c1", "bad-type");
    refuse("type{\"a\": 1, \"b\": 2}", b"", "no whole frame");
    check("type{\"a\": u16be} deliver=body", &[b"hi"], b"a\0\x02hi");
    refuse_framing("type{\"a\": 1, *: lines} deliver=body", "can receive, not send");
    check("type{\"a\": 1, *: raw}", &[b"ax", b"+++", b"ay?"], b"ax+++ay?");
    let mut encoder = encoder("type{\"a\": 1, *: eof}");
    let mut out = Vec::new();
    encoder.encode(b"ax", &mut out).unwrap();
    encoder.encode(b"the rest", &mut out).unwrap();
    assert!(encoder.encode(b"ax", &mut out).is_err());
    assert_eq!(out, b"axthe rest");
}

#[test]
fn bytes_dropped_cannot_be_sent() {
    refuse_framing("type:1 len:u16be deliver=1", "deliver=1 drops bytes");
    refuse_framing("lines ; type:1 len:u16be deliver=1", "can receive, not send");
    refuse_framing("type{\"a\": len:u16be deliver=2, *: lines}", "deliver=2 drops bytes");
}

#[test]
fn fields_without_a_name_are_zero_and_named_ones_are_missed() {
    check("x03 1 len:u16be,frame deliver=body", &[b"hi"], b"\x03\0\0\x06hi");
    refuse("len:u16be seq:1 deliver=body", b"hi", "no value for the field seq");
}

#[test]
fn stages_count_frames() {
    check("2* u8 ; lines", &[b"a", b"b", b"c", b"d"], b"\x01a\x01bc\nd\n");
    check("crlf ; u32be", &[b"SSH-2.0", b"x"], b"SSH-2.0\r\n\0\0\0\x01x");
    check("u8,cont=03 ; lines", &[b"ab", b"line"], b"\x02abline\n");
    let mut encoder = encoder("u8 ; lines");
    let mut out = Vec::new();
    // A refused message is no frame of its stage.
    assert!(encoder.encode(&[0; 256], &mut out).is_err());
    encoder.encode(b"a\nb", &mut out).unwrap();
    assert!(encoder.encode(b"a\nb", &mut out).is_err());
    encoder.set_framing(&Framing::parse("u16be").unwrap()).unwrap();
    encoder.encode(b"a\nb", &mut out).unwrap();
    assert_eq!(out, b"\x03a\nb\0\x03a\nb");
}

/// Head, body, tail: the same bytes as in one call.
#[test]
fn bodies_larger_than_memory() {
    for spec in [
        "u32be",
        "u16be,self",
        "len:dec\":\" body \",\"",
        "fixed:5",
        "chunked",
        "uleb",
        "header:n deliver=body",
        "raw",
        "eof",
        "u8 ; lines",
    ] {
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        encoder(spec).encode(b"hello", &mut whole).unwrap();
        let mut encoder = encoder(spec);
        encoder.encode_head(5, &mut parts).unwrap();
        assert!(encoder.encode(b"hello", &mut parts).is_err(), "{spec}: the body is open");
        assert!(encoder.encode_head(5, &mut parts).is_err(), "{spec}: the body is open");
        parts.extend_from_slice(b"hello");
        encoder.encode_tail(&mut parts).unwrap();
        assert!(encoder.encode_tail(&mut parts).is_err(), "{spec}: no body is open");
        assert_eq!(whole, parts, "{spec}");
    }
    let mut out = Vec::new();
    for (spec, len, words) in [
        ("lines", 5, "has to see a whole body"),
        ("x0b body x1c0d", 5, "has to see a whole body"),
        ("type:1 len:u16be", 5, "takes whole frames"),
        ("resp", 5, "takes whole frames"),
        ("fixed:4", 5, "where every one has 4"),
        ("u32be", 17 << 20, "over the limit of 16777216"),
        ("u8 max=1k", 300, "at most 255"),
        ("chunked maxframe=8", 5, "a frame of 10 bytes is over the limit of 8"),
        ("u8,cont=ff", 255, "takes several frames"),
    ] {
        let error = encoder(spec).encode_head(len, &mut out).unwrap_err().to_string();
        assert!(error.contains(words), "{spec}: {error}");
        assert_eq!(out, b"", "{spec}");
    }
    let mut encoder = encoder("u8 ; lines");
    encoder.encode_head(1, &mut out).unwrap();
    out.push(b'x');
    encoder.encode_tail(&mut out).unwrap();
    encoder.encode(b"line", &mut out).unwrap();
    assert_eq!(out, b"\x01xline\n");
}
