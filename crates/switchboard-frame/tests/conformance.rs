//! The vectors that the engine, the command and the Python package share.

#![expect(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

mod harness;
mod vectors;

use harness::{Event, decode, framing};
use serde_json::{Value, json};
use switchboard_frame::Decoder;

fn rows() -> Vec<Value> {
    let text = include_str!("../../../tests/vectors/decode.json");
    serde_json::from_str(text).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A framing and a stream with all that they come to.
fn row(spec: &str, stream: &[u8]) -> Value {
    let decoded = decode(&mut Decoder::new(&framing(spec)), stream);
    let (name, role) = match spec.rsplit_once(" of ") {
        Some((name, role)) if ["client", "server"].contains(&role) => (name, Some(role)),
        _ => (spec, None),
    };
    let (mut messages, mut discarded) = (Vec::new(), Vec::new());
    for event in &decoded.events {
        match event {
            Event::Message(message) => messages.push(hex(message)),
            Event::Discarded(one) => {
                discarded.push(json!({"offset": one.offset, "frame_bytes": one.frame_bytes}));
            }
        }
    }
    let mut row = json!({
        "framing": name,
        "stream": hex(stream),
        "messages": messages,
        "ending": decoded.ending.as_ref().map_or_else(|e| e.kind().name(), |()| "finished"),
    });
    if let Some(role) = role {
        row["role"] = json!(role);
    }
    if !discarded.is_empty() {
        row["discarded"] = json!(discarded);
    }
    if let Err(error) = &decoded.ending {
        row["offset"] = json!(error.offset());
        row["at"] = json!(error.at());
    }
    row
}

#[test]
fn the_engine_agrees_with_every_row() {
    let rows = rows();
    assert!(rows.len() > 600);
    for expected in rows {
        let framing = expected["framing"].as_str().unwrap();
        let spec = match expected["role"].as_str() {
            Some(role) => format!("{framing} of {role}"),
            None => framing.to_owned(),
        };
        let digits = expected["stream"].as_str().unwrap();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let stream: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        assert_eq!(row(&spec, &stream), expected);
    }
}

#[test]
fn every_row_of_the_tables_is_there() {
    let rows = rows();
    for (spec, stream, _) in vectors::rows() {
        let expected = row(spec, stream);
        assert!(rows.contains(&expected), "add to tests/vectors/decode.json:\n  {expected},");
    }
}
