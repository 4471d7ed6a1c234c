//! Decodes `COUNT` messages of `BODY` bytes from memory, and nothing else that grows with them:
//! what `scripts/check-instructions` counts the instructions of.
//!
//! ```sh
//! cargo run --release -p switchboard-frame --example decode_count -- u32be 64 1000
//! ```

#![expect(clippy::print_stdout, reason = "an example says what it did")]

use std::hint::black_box;

use switchboard_frame::{Decoder, Encoder, Framing, Step};

/// Messages in the buffer, which is decoded over and over.
const BATCH: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [spec, body_bytes, count] = &arguments[..] else {
        return Err("usage: decode_count FRAMING BODY_BYTES COUNT".into());
    };
    let body = vec![b'a'; body_bytes.parse()?];
    let count: usize = count.parse()?;
    let framing: Framing = spec.parse()?;
    let mut stream = Vec::new();
    let mut encoder = Encoder::new(&framing)?;
    for _ in 0..BATCH {
        encoder.encode(&body, &mut stream)?;
    }
    let mut decoder = Decoder::new(&framing);
    let mut decoded = 0;
    while decoded < count {
        let mut rest = &stream[..];
        while let Step::Frame(frame) = decoder.step(rest, false)? {
            black_box(&rest[frame.message]);
            rest = &rest[frame.whole.end..];
            decoded += 1;
        }
    }
    println!("{decoded} messages");
    Ok(())
}
