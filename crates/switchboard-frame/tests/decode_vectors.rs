//! Every shape, every way to count, every limit: what goes in and what must come out.

#![allow(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

mod harness;
mod vectors;

use switchboard_frame::Decoder;

use harness::{decode, decode_simply, framing};

/// Runs a table with both kinds of decoder and tells all rows that are wrong at once.
fn check(table: &str) {
    let (_, rows) = vectors::TABLES.iter().find(|t| t.0 == table).unwrap();
    let mut wrong = String::new();
    for (spec, stream, expected) in *rows {
        let parsed = std::panic::catch_unwind(|| framing(spec));
        let Ok(framing) = parsed else {
            wrong += &format!("\n{spec}  does not parse");
            continue;
        };
        let fast = std::panic::catch_unwind(|| decode(&mut Decoder::new(&framing), stream).text());
        let slow =
            std::panic::catch_unwind(|| decode(&mut Decoder::interpreted(&framing), stream).text());
        let simple =
            std::panic::catch_unwind(|| decode_simply(&mut Decoder::new(&framing), stream).text());
        for (which, got) in [("new", fast), ("interpreted", slow), ("simple", simple)] {
            let got = got.unwrap_or_else(|_| "a panic".into());
            if got != *expected {
                let input = stream.escape_ascii();
                wrong += &format!("\n{spec}  {input}\n  expected {expected}\n  {which:8} {got}");
            }
        }
    }
    assert!(wrong.is_empty(), "{table}:{wrong}");
}

#[test]
fn records() {
    check("records");
}

#[test]
fn hows() {
    check("hows");
}

#[test]
fn delimited() {
    check("delimited");
}

#[test]
fn shapes() {
    check("shapes");
}

#[test]
fn limits() {
    check("limits");
}

#[test]
fn discard() {
    check("discard");
}

#[test]
fn presets() {
    check("presets");
}

#[test]
fn there_are_enough_rows() {
    assert!(vectors::rows().count() >= 250, "{}", vectors::rows().count());
}
