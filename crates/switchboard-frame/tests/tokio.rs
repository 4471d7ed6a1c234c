//! The framings as codecs of `tokio_util`, over a pipe in memory of a few bytes.
#![cfg(feature = "tokio")]

use std::future::Future;

use bytes::BytesMut;
use futures_util::future::join;
use futures_util::{SinkExt, StreamExt};
use switchboard_frame::{Codec, CodecError, Encoder, ErrorKind, Framing};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_util::codec::{Decoder, Framed};

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

fn framing(spec: &str) -> Framing {
    Framing::parse(spec).unwrap_or_else(|error| panic!("{error}"))
}

fn codec(spec: &str) -> Codec {
    Codec::new(&framing(spec)).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

/// What a `Framed` gives of a stream, and the error that ends it.
fn receive(spec: &str, wire: &'static [u8]) -> (Vec<BytesMut>, Option<CodecError>) {
    run(async move {
        // A pipe of one byte: every read gives one.
        let (mut writer, reader) = duplex(1);
        let send = async move {
            // A reader that found an error is gone before the rest is written.
            let _ = writer.write_all(wire).await;
        };
        let mut framed = Framed::new(reader, codec(spec));
        let read = async move {
            let mut messages = Vec::new();
            while let Some(item) = framed.next().await {
                match item {
                    Ok(message) => messages.push(message),
                    Err(error) => return (messages, Some(error)),
                }
            }
            (messages, None)
        };
        join(send, read).await.1
    })
}

fn kind(error: Option<CodecError>) -> ErrorKind {
    match error {
        Some(CodecError::Frame(error)) => error.kind(),
        other => panic!("no frame error: {other:?}"),
    }
}

#[test]
fn messages_pass_in_both_directions() {
    async fn echo(stream: DuplexStream, spec: &str) {
        let mut framed = Framed::new(stream, codec(spec));
        while let Some(message) = framed.next().await {
            let message = message.expect("whole");
            framed.send(message).await.expect("sent");
        }
    }
    for spec in ["u32be", "lines", "crlf", "u8,cont=03", "chunked", "len:dec\":\" body \",\""] {
        let (here, there) = duplex(3);
        let mut framed = Framed::new(here, codec(spec));
        let talk = async move {
            for message in ["hello", "", "abc", "a longer one"] {
                framed.send(message).await.expect("sent");
                let answer = framed.next().await.expect("an answer").expect("whole");
                assert_eq!(answer, message, "{spec}");
            }
        };
        run(join(echo(there, spec), talk));
    }
}

#[test]
fn a_stream_that_ends_at_a_frames_edge_is_finished() {
    let (messages, error) = receive("u16be", b"\0\x02hi\0\0");
    assert_eq!(messages, ["hi", ""]);
    assert!(error.is_none());
    assert!(receive("u16be", b"").1.is_none());
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_an_error() {
    for wire in [&b"\0\x02hi\0"[..], b"\0\x02hi\0\x05", b"\0\x02hi\0\x05part"] {
        let (messages, error) = receive("u16be", wire);
        assert_eq!(messages, ["hi"]);
        assert_eq!(kind(error), ErrorKind::Truncated);
    }
    let (messages, error) = receive("u8,cont=02", b"\x02hi");
    assert!(messages.is_empty());
    assert_eq!(kind(error), ErrorKind::Truncated);
}

#[test]
fn the_end_of_the_stream_may_end_a_message() {
    assert_eq!(receive("eof", b"all of it").0, ["all of it"]);
    assert_eq!(receive("lines eof=deliver", b"a\nb").0, ["a", "b"]);
    let (messages, error) = receive("lines", b"a\nb");
    assert_eq!(messages, ["a"]);
    assert_eq!(kind(error), ErrorKind::Truncated);
}

#[test]
fn fragments_are_joined() {
    assert_eq!(receive("u8,cont=02", b"\x02hi\x01!\x00").0, ["hi!", ""]);
}

#[test]
fn too_large_is_an_error_or_passed_over() {
    let (messages, error) = receive("u8 max=2", b"\x02hi\x03all\x01x");
    assert_eq!(messages, ["hi"]);
    assert_eq!(kind(error), ErrorKind::Oversize);

    let mut codec = codec("u8 max=2 oversize=discard");
    let mut src = BytesMut::from(&b"\x02hi\x03all\x01x"[..]);
    assert_eq!(codec.decode(&mut src).unwrap().unwrap(), "hi");
    assert_eq!(codec.decode(&mut src).unwrap().unwrap(), "x");
    assert_eq!(codec.discarded(), 1);
}

/// An announcement alone costs no memory.
#[test]
fn room_is_made_for_what_came() {
    let mut codec = codec("u32be max=1g");
    let mut src = BytesMut::from(&b"\x30\0\0\0"[..]);
    assert!(codec.decode(&mut src).unwrap().is_none());
    assert!(src.capacity() <= 128 * 1024, "{}", src.capacity());
}

#[test]
fn directions_may_differ_and_be_switched() {
    let mut codec = Codec::between(&framing("lines"), &framing("u8")).unwrap();
    let mut dst = BytesMut::new();
    tokio_util::codec::Encoder::encode(&mut codec, "hi", &mut dst).unwrap();
    codec.set_writing(&framing("u16be")).unwrap();
    tokio_util::codec::Encoder::encode(&mut codec, "hi", &mut dst).unwrap();
    assert_eq!(dst, &b"\x02hi\0\x02hi"[..]);
    let mut src = BytesMut::from(&b"line\n\x02hi"[..]);
    assert_eq!(codec.decode(&mut src).unwrap().unwrap(), "line");
    codec.set_reading(&framing("u8"));
    assert_eq!(codec.decode(&mut src).unwrap().unwrap(), "hi");
}

#[test]
fn what_cannot_be_sent_is_the_callers_error() {
    let mut dst = BytesMut::from(&b"before"[..]);
    let error = tokio_util::codec::Encoder::encode(&mut codec("lines"), "a\nb", &mut dst);
    assert!(matches!(error, Err(CodecError::Encode(_))));
    let receiving = framing("type:1 len:u8 deliver=1");
    assert!(Encoder::new(&receiving).is_err() && Codec::new(&receiving).is_err());
    let mut codec = Codec::receiving(&receiving);
    let error = tokio_util::codec::Encoder::encode(&mut codec, "a", &mut dst);
    assert!(matches!(error, Err(CodecError::Encode(_))));
    assert_eq!(dst, "before");
    let mut src = BytesMut::from(&b"T\x02hi"[..]);
    assert_eq!(codec.decode(&mut src).unwrap().unwrap(), &b"\x02hi"[..]);
}
