//! Any stream under any framing: no panic, no endless loop, never past the limit, and the same
//! messages and the same ending however the bytes are cut, by the fast forms and the interpreter.
//!
//! Input: framing string, line feed, how many cut sizes follow (one byte), these, the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_frame::{Decoder, Framing};
use switchboard_fuzz::{decode, framings, is_raw, spec_and_rest};

fuzz_target!(|input: &[u8]| {
    let Some((spec, rest)) = spec_and_rest(input) else { return };
    let Some((cuts, stream)) = rest.split_first() else { return };
    let (cuts, stream) = stream.split_at(stream.len().min(usize::from(*cuts)));
    for framing in framings(spec) {
        check(&framing, cuts, stream);
    }
});

fn check(framing: &Framing, cuts: &[u8], stream: &[u8]) {
    let whole = decode(Decoder::new(framing), stream, &[]);
    let ways = [
        ("cut", decode(Decoder::new(framing), stream, cuts)),
        ("byte by byte", decode(Decoder::new(framing), stream, &[1])),
        ("interpreted", decode(Decoder::interpreted(framing), stream, &[])),
        ("interpreted and cut", decode(Decoder::interpreted(framing), stream, cuts)),
    ];
    for (way, decoded) in ways {
        if is_raw(framing) {
            assert_eq!(decoded.joined(), whole.joined(), "{framing}, {way}");
            assert_eq!(decoded.error, whole.error, "{framing}, {way}");
        } else {
            assert_eq!(decoded, whole, "{framing}, {way}");
        }
    }
}
