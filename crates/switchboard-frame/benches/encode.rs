//! Encoding many messages into one buffer, beside tokio-util's codecs and a plain copy of the same
//! messages. `scripts/bench` prints the table.

mod common;

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use common::{BODY_BYTES, body, criterion, message, messages};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use switchboard_frame::Encoder;
use tokio_util::codec::{self, LengthDelimitedCodec, LinesCodec};

fn encode(criterion: &mut Criterion) {
    for body_bytes in BODY_BYTES {
        let mut group = criterion.benchmark_group(format!("encode {body_bytes}"));
        group.throughput(Throughput::Elements(messages(body_bytes) as u64));
        for framing in ["u32be", "lines", "netstring", "mqtt"] {
            into_one_buffer(&mut group, framing, body_bytes);
        }
        // A `Bytes` is cloned for each message, as a program that sends what it has must.
        let message = Bytes::from(body(body_bytes));
        let length = LengthDelimitedCodec::new();
        tokio(&mut group, "LengthDelimitedCodec", length, body_bytes, || message.clone());
        let line = String::from_utf8(body(body_bytes)).expect("letters");
        tokio(&mut group, "LinesCodec", LinesCodec::new(), body_bytes, || line.as_str());
        memcpy(&mut group, body_bytes);
        group.finish();
    }
}

fn into_one_buffer(group: &mut BenchmarkGroup<'_, WallTime>, framing: &str, body_bytes: usize) {
    let message = message(framing, body_bytes);
    let framing_parsed = framing.parse().expect("a preset");
    let mut encoder = Encoder::new(&framing_parsed).expect("a framing that can be sent");
    let mut out = Vec::new();
    group.bench_function(framing, |bencher| {
        bencher.iter(|| {
            out.clear();
            for _ in 0..messages(body_bytes) {
                encoder.encode(black_box(&message), &mut out).expect("a message that fits");
            }
            black_box(out.as_ptr());
        });
    });
}

fn tokio<I, E: codec::Encoder<I>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut codec: E,
    body_bytes: usize,
    message: impl Fn() -> I,
) where
    E::Error: std::fmt::Debug,
{
    let mut out = BytesMut::new();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            out.clear();
            for _ in 0..messages(body_bytes) {
                codec.encode(black_box(message()), &mut out).expect("a message that fits");
            }
            black_box(out.as_ptr());
        });
    });
}

/// What it costs to copy the messages' bytes, and nothing else.
fn memcpy(group: &mut BenchmarkGroup<'_, WallTime>, body_bytes: usize) {
    let message = body(body_bytes);
    let mut out = Vec::new();
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| {
            out.clear();
            for _ in 0..messages(body_bytes) {
                out.extend_from_slice(black_box(&message));
            }
            black_box(out.as_ptr());
        });
    });
}

fn main() {
    let mut criterion = criterion();
    encode(&mut criterion);
    criterion.final_summary();
}
