//! What the targets share: an input taken apart, and a stream decoded under any chunking.
//!
//! An input is a framing string, a line feed, and bytes. So a seed can be read and written by hand.

use switchboard_frame::{Decoder, Discarded, FrameError, Framing, Protocol, Role, Step};

/// The bound on a message, in bytes: small, so that the fuzzer reaches it.
pub const MESSAGE_BYTES_MAX: u64 = 1 << 12;

/// The framing string and what follows it.
pub fn spec_and_rest(input: &[u8]) -> Option<(&str, &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let spec = std::str::from_utf8(&input[..end]).ok()?;
    Some((spec, &input[end + 1..]))
}

/// Both directions' framings, bounded.
pub fn framings(spec: &str) -> Vec<Framing> {
    let Ok(protocol) = spec.parse::<Protocol>() else { return Vec::new() };
    let protocol = protocol.with_max(MESSAGE_BYTES_MAX);
    let client = protocol.framing(Role::Client).clone();
    let server = protocol.framing(Role::Server).clone();
    if client == server { vec![client] } else { vec![client, server] }
}

/// Whether the framing can be `raw` somewhere, which promises no more than the bytes joined.
pub fn is_raw(framing: &Framing) -> bool {
    framing.to_string().contains("raw")
}

/// What a decoder made of a stream.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// Every frame's message and whether its message goes on in the next.
    pub frames: Vec<(Vec<u8>, bool)>,
    pub discarded: Vec<Discarded>,
    /// `None` when it finished.
    pub error: Option<FrameError>,
}

impl Decoded {
    /// The messages, joined from their fragments.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut open = Vec::new();
        for (part, more) in &self.frames {
            open.extend_from_slice(part);
            if !more {
                messages.push(std::mem::take(&mut open));
            }
        }
        messages
    }

    /// All bytes delivered, whatever the messages were.
    pub fn joined(&self) -> Vec<u8> {
        self.frames.iter().flat_map(|(part, _)| part.iter().copied()).collect()
    }
}

/// Gives `stream` to the decoder in pieces of the sizes that `cuts` says, in turn, and checks on
/// the way what the decoder promises at each step.
pub fn decode(mut decoder: Decoder, stream: &[u8], cuts: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    let mut sizes = cuts.iter().map(|cut| usize::from(*cut).max(1)).cycle();
    let (mut begin, mut filled) = (0, 0);
    // Until the buffer reaches here there can be no frame: a `Need` said so.
    let mut needed = 0;
    let raw = is_raw(decoder.framing());
    let mut message_bytes = 0;
    loop {
        assert_eq!(decoder.offset(), begin as u64, "the decoder lost its place");
        let at_end = filled == stream.len();
        let bytes = &stream[begin..filled];
        match decoder.step(bytes, at_end) {
            Ok(Step::Need(more)) => {
                assert!(!at_end, "needs more than there will be");
                needed = filled + more.get();
                let size = sizes.next().unwrap_or(stream.len());
                filled = (filled + size).min(stream.len());
            }
            Ok(Step::Frame(frame)) => {
                assert!(at_end || filled >= needed, "a frame before the bytes it needed");
                assert!(frame.whole.end > 0 && frame.whole.end <= bytes.len(), "{frame:?}");
                assert!(frame.whole.start <= frame.header.start);
                assert!(frame.header.end <= frame.body.start && frame.body.end <= frame.whole.end);
                for name in decoder.field_names() {
                    let _ = decoder.field(name, bytes);
                }
                message_bytes += frame.body.len() as u64;
                assert!(raw || message_bytes <= MESSAGE_BYTES_MAX, "past the limit: {frame:?}");
                message_bytes = if frame.more { message_bytes } else { 0 };
                decoded.frames.push((bytes[frame.message].to_vec(), frame.more));
                begin += frame.whole.end;
            }
            Ok(Step::Skipped(skipped)) => {
                assert!(skipped.bytes > 0 || skipped.discarded.is_some(), "no step forward");
                assert!(skipped.bytes <= bytes.len());
                decoded.discarded.extend(skipped.discarded);
                begin += skipped.bytes;
            }
            Ok(Step::End) => {
                assert!(at_end && begin == filled, "an end before the end");
                return decoded;
            }
            Err(error) => {
                let again = decoder.step(bytes, at_end);
                assert_eq!(again.as_ref(), Err(&error), "an error that does not stick");
                let _ = error.to_string();
                decoded.error = Some(error);
                return decoded;
            }
        }
    }
}
