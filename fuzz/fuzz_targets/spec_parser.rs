//! No text makes the parser panic; what it takes is written back as what parses to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_frame::{Decoder, Encoder, Framing, Protocol};

fuzz_target!(|text: &str| {
    let _ = text.parse::<Protocol>();
    match text.parse::<Framing>() {
        Ok(framing) => {
            let shortest = framing.to_string();
            let again: Framing = shortest.parse().expect("what Display writes parses");
            assert_eq!(again, framing, "{text:?} as {shortest:?}");
            assert_eq!(again.to_string(), shortest);
            let _ = framing.describe();
            let _ = Decoder::new(&framing);
            let _ = Encoder::new(&framing);
        }
        Err(error) => {
            let column = error.column();
            assert!((1..=text.chars().count() + 1).contains(&column), "{column} in {text:?}");
            let _ = error.to_string();
        }
    }
});
