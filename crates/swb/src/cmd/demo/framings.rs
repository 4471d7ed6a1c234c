//! The eight framings of the demo, and how a random message of each is made.

use super::round::Random;
use switchboard_frame::{Encoder, Fields, Protocol, Role};

/// A framing of the demo.
pub(super) struct DemoFraming {
    pub(super) spec: &'static str,
    /// Makes a message, as `send` takes it and `recv` gives it.
    pub(super) message: fn(&mut Random, usize) -> Vec<u8>,
}

pub(super) const FRAMINGS: [DemoFraming; 8] = [
    DemoFraming { spec: "u32be", message: bytes },
    DemoFraming { spec: "lines", message: text },
    DemoFraming { spec: "netstring", message: bytes },
    DemoFraming { spec: "resp", message: resp },
    DemoFraming { spec: "mqtt", message: mqtt },
    DemoFraming { spec: "header:Content-Length", message: header },
    DemoFraming { spec: "fastcgi", message: fastcgi },
    DemoFraming { spec: "sunrpc", message: bytes },
];

impl DemoFraming {
    pub(super) fn protocol(&self) -> Result<Protocol, String> {
        self.spec.parse().map_err(|error| format!("{error}"))
    }
}

fn bytes(random: &mut Random, size: usize) -> Vec<u8> {
    (0..size).map(|_| random.byte()).collect()
}

/// Printable, so no line end is in it.
fn text(random: &mut Random, size: usize) -> Vec<u8> {
    (0..size).map(|_| b' ' + random.byte() % 94).collect()
}

/// A bulk string, or an array of two and a number.
fn resp(random: &mut Random, size: usize) -> Vec<u8> {
    let bulk = |body: &[u8]| [format!("${}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
    let body = bytes(random, size);
    if random.below(2) == 0 {
        return bulk(&body);
    }
    let half = body.split_at(size / 2);
    [b"*3\r\n".to_vec(), bulk(half.0), bulk(half.1), format!(":{size}\r\n").into_bytes()].concat()
}

fn header(random: &mut Random, size: usize) -> Vec<u8> {
    let head = format!("Content-Type: demo\r\ncontent-length: {size}\r\n\r\n");
    [head.into_bytes(), bytes(random, size)].concat()
}

fn mqtt(random: &mut Random, size: usize) -> Vec<u8> {
    let fields = Fields::new().bytes("type", [0x30]);
    whole_frame("mqtt", &fields, &bytes(random, size))
}

fn fastcgi(random: &mut Random, size: usize) -> Vec<u8> {
    let padding = random.below(8) as u64;
    let fields = Fields::new().bytes("type", [6]).bytes("id", [0, 1]).integer("pad", padding);
    whole_frame("fastcgi", &fields, &bytes(random, size))
}

/// A message that is a whole frame, built from its fields.
fn whole_frame(spec: &str, fields: &Fields, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let encoder = spec.parse::<Protocol>().ok();
    let encoder = encoder.and_then(|protocol| Encoder::new(protocol.framing(Role::Client)).ok());
    if let Some(mut encoder) = encoder {
        // An empty frame is what is left when it fails, and no message is empty: it shows.
        let _ = encoder.encode_with(fields, body, &mut frame);
    }
    frame
}
