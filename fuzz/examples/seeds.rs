//! Writes the committed seeds: a short stream under every preset, and under the forms that no
//! preset has. `cargo run --manifest-path fuzz/Cargo.toml --example seeds`, from the tree's top.

use std::error::Error;
use std::fs;
use std::path::Path;

use switchboard_frame::{Encoder, Role, presets};

/// Streams of whole frames, as their documents show them.
const STREAMS: &[(&str, &[u8])] = &[
    ("postgres", b"\0\0\0\x08\x04\xd2\x16\x2f\0\0\0\x0d\0\x03\0\0user\0Q\0\0\0\x0dselect 1\0"),
    ("mqtt", b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0\x30\x05\0\x01ahi\xc0\0"),
    ("mysql", b"\x05\0\0\0\x03hello\xff\xff\xff\x01"),
    ("amqp", b"AMQP\0\0\x09\x01\x01\0\0\0\0\0\x02hi\xce"),
    ("redis", b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n"),
    ("resp", b"*3\r\n:1\r\n$-1\r\n*1\r\n+yes\r\n_\r\n%1\r\n+a\r\n#t\r\n"),
    ("chunked", b"4\r\nWiki\r\n5;a=b\r\npedia\r\n0\r\nTrailer: x\r\n\r\n"),
    ("netstring", b"5:hello,0:,"),
    ("mllp", b"\x0bMSH|a\x1c\r"),
    ("fix", b"8=FIX.4.2\x019=5\x0135=0\x0110=161\x01"),
    ("fastcgi", b"\x01\x01\0\x01\0\x02\x06\0hi\0\0\0\0\0\0"),
    ("ldap", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"),
    ("tls", b"\x16\x03\x01\0\x02hi"),
    ("http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    ("git", b"0009hello0000"),
    ("sunrpc", b"\0\0\0\x02hi\x80\0\0\x01!"),
    ("lsp", b"Content-Length: 2\r\n\r\n{}"),
    ("rtsp", b"$\0\0\x02hiOPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
    ("http1", b"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"),
    ("ssh", b"SSH-2.0-a\r\n\0\0\0\x02hi"),
    ("bitcoin", b"\xf9\xbe\xb4\xd9version\0\0\0\0\0\x02\0\0\0\0\0\0\0hi"),
    ("diameter", b"\x01\0\0\x14\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ("bgp", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x13\x04"),
    ("smpp", b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01"),
    ("memcached-binary", b"\x80\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0a"),
    ("minecraft", b"\x01\0\x80\x01"),
    ("docker", b"\x01\0\0\0\0\0\0\x02hi"),
    ("delim:\"ab\"|\"b\"|\"abc\"", b"xabyabcz"),
    ("crlf eof=deliver", b"a\rb\nc\r\nd\r"),
    ("lines max=4 oversize=discard", b"ab\r\nabcdefgh\nc\n"),
    ("u8 max=2 oversize=discard", b"\x02hi\x05hello\x01!"),
    ("2* u16be ; lines", b"\0\x01a\0\x01bc\nd\n"),
    ("dec5", b"00005hello"),
    ("len:u16le,&fff,*4,+2 flag:1", b"\x01\x00\x07abcdef"),
    ("type{ \"a\": 3, x00: u8, *: lines }", b"abcd\0\x02hirest\n"),
    ("pad:u8 len:u16be,rest body =pad", b"\x02\0\x04hi\0\0"),
    ("hex\"\\r\\n\",short=2 x2c", b"1\r\n,"),
    ("vlq4 deliver=frame", b"\x81\x00"),
];

const MESSAGES: [&[u8]; 4] = [b"hi", b"", b"hello, world", b"two\0zeros\0"];

/// How the stream is cut, as the targets read it: how many sizes, then the sizes.
const CUTS: &[u8] = &[3, 1, 5, 2];

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["spec_parser", "decoder_any_spec", "encoder_round_trip"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    for preset in presets() {
        seed(&corpus, preset.name, &stream(preset.name)?)?;
        for spec in [preset.client, preset.server] {
            fs::write(corpus.join("spec_parser").join(file_name(spec)), spec)?;
        }
    }
    for (spec, stream) in STREAMS {
        seed(&corpus, spec, stream)?;
    }
    Ok(())
}

/// What the preset's client makes of a few messages; nothing if it takes whole frames only.
fn stream(preset: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let protocol: switchboard_frame::Protocol = preset.parse()?;
    let mut stream = Vec::new();
    if let Ok(mut encoder) = Encoder::new(protocol.framing(Role::Client)) {
        for message in MESSAGES {
            // A message that this framing cannot carry is no seed.
            let _ = encoder.encode(message, &mut stream);
        }
    }
    Ok(stream)
}

fn seed(corpus: &Path, spec: &str, stream: &[u8]) -> Result<(), Box<dyn Error>> {
    let name = file_name(spec);
    fs::write(corpus.join("spec_parser").join(&name), spec)?;
    if !stream.is_empty() {
        let seed = [spec.as_bytes(), b"\n", CUTS, stream].concat();
        fs::write(corpus.join("decoder_any_spec").join(&name), seed)?;
    }
    let mut seed = [spec.as_bytes(), b"\n"].concat();
    for message in MESSAGES.iter().chain([&stream]) {
        seed.push(u8::try_from(message.len()).unwrap_or(u8::MAX));
        seed.extend_from_slice(message);
    }
    fs::write(corpus.join("encoder_round_trip").join(&name), seed)?;
    Ok(())
}

/// The spec with nothing in it that a file system minds.
fn file_name(spec: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    spec.chars().map(kept).take(60).collect()
}
