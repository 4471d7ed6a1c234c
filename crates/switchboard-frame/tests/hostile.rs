//! Streams that mean harm: whatever comes, the decoder stops, keeps its limits and does not panic.

#![allow(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

mod harness;
mod vectors;

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard_frame::Decoder;

use harness::{Event, decode, decode_cut, decode_simply, framing};

/// The driver itself refuses endless loops, frames of no bytes and errors that do not last.
fn survives(spec: &str, stream: &[u8], max: u64) {
    let framing = framing(spec).with_max(max);
    let outcome = decode(&mut Decoder::new(&framing), stream);
    let slow = decode(&mut Decoder::interpreted(&framing), stream);
    assert_eq!(outcome, slow, "{spec}");
    let simple = decode_simply(&mut Decoder::new(&framing), stream);
    assert_eq!(outcome, simple, "{spec} the short way");
    let cuts: Vec<_> = (1..stream.len()).collect();
    if !spec.contains("raw") {
        let cut = decode_cut(&mut Decoder::new(&framing), stream, &cuts, true);
        assert_eq!(outcome, cut, "{spec} byte by byte");
    }
    // The bytes around a body are not bounded by `max`, but here they are few.
    for event in outcome.events {
        if let Event::Message(message) = event {
            assert!(message.len() <= stream.len(), "{spec}");
            // A case of `type{}` may deliver its frame where another delivers its body.
            if spec.contains("deliver=body") && !spec.contains("type{") {
                assert!(message.len() as u64 <= max, "{spec}: {} bytes", message.len());
            }
        }
    }
}

/// A row of the vectors, by number.
fn spec(index: usize) -> (&'static str, &'static [u8]) {
    let (spec, stream, _) = vectors::rows().nth(index % vectors::rows().count()).unwrap();
    (spec, stream)
}

/// Bytes that mean something to some framing.
const TELLING: &[u8] = b"\0\x01\x02\x80\xff019a:;,-\r\n$*+{?.";

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn garbage(index in any::<usize>(), stream in vec(any::<u8>(), 0..80), max in 0u64..200) {
        survives(spec(index).0, &stream, max);
    }

    /// Bytes that formats are made of, so that the garbage gets further.
    #[test]
    fn likely_garbage(
        index in any::<usize>(),
        stream in vec(proptest::sample::select(TELLING), 0..80),
        max in 0u64..40,
    ) {
        survives(spec(index).0, &stream, max);
    }

    #[test]
    fn flipped_and_cut_off(
        index in any::<usize>(),
        flips in vec((any::<usize>(), 0u32..8), 0..4),
        keep in any::<usize>(),
        max in 0u64..40,
    ) {
        let (spec, stream) = spec(index);
        let mut stream = stream.repeat(3);
        if !stream.is_empty() {
            for (at, bit) in flips {
                let at = at % stream.len();
                stream[at] ^= 1 << bit;
            }
            let keep = keep % (stream.len() + 1);
            stream.truncate(keep);
        }
        survives(spec, &stream, max);
    }
}

/// Thousands of conversations sit idle; each has a decoder.
#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 200, "{} bytes", size_of::<Decoder>());
}
