//! Decoding many messages that lie back to back in one buffer, beside tokio-util's codecs and a
//! plain copy of the same messages. `scripts/bench` prints the table.

mod common;

use std::hint::black_box;

use bytes::BytesMut;
use common::{BODY_BYTES, body, criterion, message, messages};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use switchboard_frame::{Decoder, Encoder, Framing, Step};
use tokio_util::codec::{self, LengthDelimitedCodec, LinesCodec};

fn decode(criterion: &mut Criterion) {
    for body_bytes in BODY_BYTES {
        let mut group = criterion.benchmark_group(format!("decode {body_bytes}"));
        group.throughput(Throughput::Elements(messages(body_bytes) as u64));
        for framing in ["u32be", "lines", "netstring", "mqtt"] {
            in_place(&mut group, framing, body_bytes);
        }
        tokio(&mut group, "LengthDelimitedCodec", "u32be", body_bytes, LengthDelimitedCodec::new);
        tokio(&mut group, "LinesCodec", "lines", body_bytes, LinesCodec::new);
        memcpy(&mut group, body_bytes);
        group.finish();
    }
}

fn stream(name: &str, body_bytes: usize) -> Vec<u8> {
    let framing: Framing = name.parse().expect("a preset");
    let mut encoder = Encoder::new(&framing).expect("a framing that can be sent");
    let message = message(name, body_bytes);
    let mut stream = Vec::new();
    for _ in 0..messages(body_bytes) {
        encoder.encode(&message, &mut stream).expect("a message that fits");
    }
    stream
}

/// Messages as slices of the buffer.
fn in_place(group: &mut BenchmarkGroup<'_, WallTime>, framing: &str, body_bytes: usize) {
    let stream = stream(framing, body_bytes);
    let mut decoder = Decoder::new(&framing.parse().expect("a preset"));
    group.bench_function(framing, |bencher| {
        bencher.iter(|| {
            let mut rest = black_box(&stream[..]);
            while !rest.is_empty() {
                match decoder.step(rest, false) {
                    Ok(Step::Frame(frame)) => {
                        black_box(&rest[frame.message]);
                        rest = &rest[frame.whole.end..];
                    }
                    other => panic!("not a frame: {other:?}"),
                }
            }
        });
    });
}

/// The same stream through a codec. The copy into its buffer is not counted.
fn tokio<D: codec::Decoder>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    framing: &str,
    body_bytes: usize,
    codec: impl Fn() -> D,
) where
    D::Error: std::fmt::Debug,
{
    let stream = stream(framing, body_bytes);
    let mut codec = codec();
    let mut decode_all = |mut buffer: BytesMut| {
        let mut decoded = 0;
        while let Some(message) = codec.decode(&mut buffer).expect("a stream that is right") {
            black_box(message);
            decoded += 1;
        }
        assert_eq!(decoded, messages(body_bytes));
        buffer
    };
    group.bench_function(name, |bencher| {
        let buffer = || BytesMut::from(&stream[..]);
        bencher.iter_batched(buffer, &mut decode_all, BatchSize::SmallInput);
    });
}

/// What it costs to copy the messages' bytes, and nothing else.
fn memcpy(group: &mut BenchmarkGroup<'_, WallTime>, body_bytes: usize) {
    let stream = body(body_bytes * messages(body_bytes));
    let mut out = Vec::with_capacity(stream.len());
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| {
            out.clear();
            for message in black_box(&stream).chunks_exact(body_bytes) {
                out.extend_from_slice(message);
            }
            black_box(out.as_ptr());
        });
    });
}

fn main() {
    let mut criterion = criterion();
    decode(&mut criterion);
    criterion.final_summary();
}
