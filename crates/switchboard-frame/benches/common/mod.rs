//! Streams to measure with, and settings that both benchmarks share.

use criterion::Criterion;

/// The sizes of a message's body that are measured, in bytes.
pub(crate) const BODY_BYTES: [usize; 3] = [64, 1024, 65536];

/// How many messages lie back to back: 64 KiB of them, and never fewer than four.
pub(crate) fn messages(body_bytes: usize) -> usize {
    (65536 / body_bytes).max(4)
}

/// A body of letters: it is a line as well as anything else.
pub(crate) fn body(bytes: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(bytes).collect()
}

/// The message that a preset delivers for a body: the body, or for `mqtt` the whole frame.
pub(crate) fn message(framing: &str, body_bytes: usize) -> Vec<u8> {
    if framing != "mqtt" {
        return body(body_bytes);
    }
    let mut message = vec![0x30];
    let mut left = body_bytes;
    loop {
        // Seven bits a byte, the lowest first; the eighth says that more follow.
        let low = u8::try_from(left & 0x7f).unwrap_or_default();
        left >>= 7;
        message.push(if left == 0 { low } else { low | 0x80 });
        if left == 0 {
            break;
        }
    }
    message.extend(body(body_bytes));
    message
}

/// Long enough to tell 5 %, short enough to be run: `--quick` shortens it further.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2))
        .configure_from_args()
}
