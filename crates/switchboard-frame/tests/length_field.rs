//! Where a frame says how long it is, and what becomes of it when that is changed.

#![allow(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

mod harness;
mod vectors;

use switchboard_frame::{Decoder, LengthField, LengthForm, Step};

use harness::framing;

/// Frames with a length, in all the tables.
const FRAMES_MIN: usize = 100;

/// The first frame of a stream, alone, and its length field.
fn first(decoder: &mut Decoder, stream: &[u8]) -> Option<(Vec<u8>, LengthField)> {
    let Ok(Step::Frame(frame)) = decoder.step(stream, false) else { return None };
    let field = decoder.length_field(stream)?;
    (frame.whole.start == 0).then(|| (stream[frame.whole].to_vec(), field))
}

fn with(frame: &[u8], field: &LengthField, length: u64) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    bytes.splice(field.at(), field.written(length).unwrap());
    bytes
}

fn is_frame(spec: &str, bytes: &[u8]) -> bool {
    matches!(Decoder::interpreted(&framing(spec)).step(bytes, false), Ok(Step::Frame(_)))
}

#[test]
fn every_vector_says_the_same_by_both_decoders_and_when_it_is_written_again() {
    let mut count = 0;
    for (spec, stream, _) in vectors::rows() {
        let fast = first(&mut Decoder::new(&framing(spec)), stream);
        let slow = first(&mut Decoder::interpreted(&framing(spec)), stream);
        assert_eq!(fast, slow, "{spec} {}", stream.escape_ascii());
        let Some((frame, field)) = slow else { continue };
        count += 1;
        let again = with(&frame, &field, field.length());
        assert!(is_frame(spec, &again), "{spec} {}", again.escape_ascii());
        assert!(field.length() >= field.length_min(), "{spec} {field:?}");
    }
    assert!(count >= FRAMES_MIN, "{count} frames");
}

#[test]
fn below_the_least_there_is_no_frame() {
    let mut count = 0;
    for (spec, stream, _) in vectors::rows() {
        let found = first(&mut Decoder::new(&framing(spec)), stream);
        let Some((frame, field)) = found.filter(|(_, field)| field.length_min() > 0) else {
            continue;
        };
        count += 1;
        let short = with(&frame, &field, field.length_min() - 1);
        assert!(!is_frame(spec, &short), "{spec} {}", short.escape_ascii());
    }
    assert!(count >= FRAMES_MIN / 10, "{count} frames");
}

#[test]
fn places_values_and_forms() {
    use LengthForm::{Ber, Binary, Digits, DigitsUntil, Uleb, Vlq};
    const MAX: u64 = u64::MAX;
    let max = |bytes: u32| u64::MAX >> (64 - 8 * bytes);
    #[rustfmt::skip]
    let rows: &[(&str, &[u8], _, u64, u64, u64, _)] = &[
        ("u32be", b"\0\0\0\x02hi", 0..4, 2, 0, max(4), Binary),
        ("i32be", b"\0\0\0\x02hi", 0..4, 2, 0, max(4), Binary),
        ("type:1 len:u16le,frame", b"T\x05\0hi", 1..3, 5, 3, max(2), Binary),
        ("len:u32be,&7fffffff,last=80000000", b"\x80\0\0\x02hi", 0..4, 2, 0, max(4) / 2, Binary),
        ("len:u16be,rest,*4,+4 4", b"\0\x01....body", 0..2, 1, 0, max(2), Binary),
        ("len:hex4,self,short=4", b"0006hi", 0..4, 6, 0, max(2), Digits(16)),
        ("dec5", b"00002hi", 0..5, 2, 0, 99_999, Digits(10)),
        (r#"len:dec":" body ",""#, b"2:hi,", 0..2, 2, 0, MAX, DigitsUntil(10)),
        ("header:len", b"Len: 2\n\nhi", 5..6, 2, 0, MAX, DigitsUntil(10)),
        ("type:1 len:uleb4", b"T\x02hi", 1..2, 2, 0, (1 << 28) - 1, Uleb(4)),
        ("vlq", b"\x02hi", 0..1, 2, 0, MAX, Vlq(10)),
        ("ber", b"\x81\x02hi", 0..2, 2, 0, MAX, Ber),
        (r#"type{"$": 1 u16be,frame, *: crlf}"#, b"$c\0\x06hi", 2..4, 6, 4, max(2), Binary),
    ];
    for (spec, frame, at, length, least, most, form) in rows {
        let (_, field) = first(&mut Decoder::new(&framing(spec)), frame).unwrap();
        let got = (field.at(), field.length(), field.length_min(), field.length_max());
        assert_eq!((got, field.form()), ((at.clone(), *length, *least, *most), *form), "{spec}");
    }
    for (spec, frame) in [("lines", &b"hi\n"[..]), ("fixed:2", b"hi"), ("resp", b"+OK\r\n")] {
        assert_eq!(first(&mut Decoder::new(&framing(spec)), frame), None, "{spec}");
    }
}

#[test]
fn what_has_no_room_is_not_written_and_other_bits_stay() {
    let of = |spec: &str, frame: &[u8]| first(&mut Decoder::new(&framing(spec)), frame).unwrap().1;
    let field = of("len:u32be,&7fffffff,last=80000000", b"\x80\0\0\x02hi");
    assert_eq!(field.written(5).unwrap(), b"\x80\0\0\x05");
    assert_eq!(field.written(0x8000_0000), None);
    assert_eq!(of("u8", b"\x02hi").written(256), None);
    assert_eq!(of("dec5", b"00002hi").written(100_000), None);
    assert_eq!(of("i32be", b"\0\0\0\x02hi").written(0xffff_ffff).unwrap(), [0xff; 4]);
    assert_eq!(of(r#"dec":""#, b"2:hi").written(12_345).unwrap(), b"12345:");
}
