//! What can be sent decodes to itself; what cannot is refused and nothing of it written.
//!
//! Input: framing string, line feed, messages, each behind a byte that says how many it has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_frame::{Decoder, Encoder, Framing};
use switchboard_fuzz::{decode, framings, is_raw, spec_and_rest};

fuzz_target!(|input: &[u8]| {
    let Some((spec, mut rest)) = spec_and_rest(input) else { return };
    let mut messages = Vec::new();
    while let Some((bytes, behind)) = rest.split_first() {
        let (message, behind) = behind.split_at(behind.len().min(usize::from(*bytes)));
        messages.push(message);
        rest = behind;
    }
    for framing in framings(spec) {
        check(&framing, &messages);
    }
});

fn check(framing: &Framing, messages: &[&[u8]]) {
    let Ok(mut encoder) = Encoder::new(framing) else { return };
    let mut stream = Vec::new();
    let mut sent = Vec::new();
    for message in messages {
        let before = stream.clone();
        match encoder.encode(message, &mut stream) {
            Ok(()) => {
                assert!(stream.starts_with(&before), "{framing}: written bytes were changed");
                sent.push(message.to_vec());
            }
            Err(error) => {
                assert_eq!(stream, before, "{framing}: refused and written all the same: {error}");
            }
        }
    }
    let decoded = decode(Decoder::new(framing), &stream, &[]);
    if is_raw(framing) {
        assert_eq!(decoded.joined(), sent.concat(), "{framing}");
        return;
    }
    assert_eq!(decoded.messages(), sent, "{framing}: {stream:?}");
    assert_eq!(decoded.discarded, [], "{framing}");
    // Stages that come once need not all have been sent; a frame begun must be whole.
    assert_eq!(decoded.error, None, "{framing}: {stream:?}");
}
