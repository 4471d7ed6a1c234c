//! What the fuzzer found wrong, each as the stream that showed it.

use switchboard_frame::{Decoder, ErrorKind, FrameError, Framing, Step};

/// Decodes to the first error with the bytes given `size` at a time.
fn first_error(spec: &str, stream: &[u8], size: usize) -> FrameError {
    let framing = Framing::parse(spec).expect("a framing");
    let mut decoder = Decoder::new(&framing);
    let (mut begin, mut filled) = (0, 0);
    loop {
        match decoder.step(&stream[begin..filled], filled == stream.len()) {
            Ok(Step::Need(_)) => filled = (filled + size).min(stream.len()),
            Ok(Step::Frame(frame)) => begin += frame.whole.end,
            Ok(Step::Skipped(skipped)) => begin += skipped.bytes,
            Ok(Step::End) => panic!("no error"),
            Err(error) => return error,
        }
    }
}

/// The size of the length field itself was taken from how much of it had come before this read.
#[test]
fn an_announced_size_does_not_depend_on_the_cut() {
    let stream = b"0009hello2000b0";
    let whole = first_error("hex4,self,short=4 max=4k", stream, stream.len());
    assert_eq!(whole.kind(), ErrorKind::Oversize);
    assert_eq!(whole.declared(), Some(0x2000 - 4));
    for size in 1..stream.len() {
        assert_eq!(first_error("hex4,self,short=4 max=4k", stream, size), whole, "{size}");
    }
}
