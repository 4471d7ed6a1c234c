//! `swb decode` over the vectors that it shares with the engine and the Python package.

use crate::support::{run, unhex};
use serde_json::{Value, json};

/// What `swb decode --json --hex` prints, as a row has it.
fn decoded(row: &Value) -> Value {
    let framing = row["framing"].as_str().expect("a framing");
    let role = row["role"].as_str().unwrap_or("client");
    let stream = unhex(row["stream"].as_str().expect("a stream"));
    let args = ["decode", "--json", "--hex", "--role", role, "--frame", framing];
    let ran = run(&args, &stream);
    let (mut messages, mut discarded) = (Vec::new(), Vec::new());
    let mut found = row.clone();
    found
        .as_object_mut()
        .expect("an object")
        .retain(|name, _| ["framing", "role", "stream"].contains(&name.as_str()));
    for line in ran.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        match line["type"].as_str() {
            Some("message") => messages.push(line["hex"].clone()),
            Some("discarded") => {
                let (offset, bytes) = (&line["offset"], &line["frame_bytes"]);
                discarded.push(json!({"offset": offset, "frame_bytes": bytes}));
            }
            Some("end") => {
                found["ending"] = line["ending"].clone();
                if line["ending"] != "finished" {
                    found["offset"] = line["offset"].clone();
                    found["at"] = line["at"].clone();
                }
            }
            _ => panic!("an unknown line: {line}"),
        }
    }
    found["messages"] = json!(messages);
    if !discarded.is_empty() {
        found["discarded"] = json!(discarded);
    }
    found
}

#[test]
fn every_row_comes_out_as_it_says() {
    let text = include_str!("../../../../tests/vectors/decode.json");
    let rows: Vec<Value> = serde_json::from_str(text).expect("the vectors are JSON");
    for row in &rows {
        assert_eq!(&decoded(row), row);
    }
}
