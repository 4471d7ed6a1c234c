//! Drawings: nothing panics, no line is wide, the numbers are right.

use switchboard_frame::{Framing, Role, presets};

fn drawn(text: &str) -> String {
    Framing::parse(text).unwrap_or_else(|e| panic!("{e}")).describe()
}

#[test]
fn every_preset_is_drawn_within_its_columns() {
    for preset in presets() {
        for role in [Role::Client, Role::Server] {
            let drawn = drawn(preset.framing(role));
            for line in drawn.lines() {
                assert!(line.chars().count() <= 78, "{}: {line}", preset.name);
            }
            assert!(drawn.contains("delivers"), "{}", preset.name);
        }
    }
}

#[test]
fn a_length_of_the_whole_frame() {
    assert_eq!(
        drawn("len:u32le,frame type:1 tag:2 max=8k"),
        "  \
  +-------+-------+-------+---------+
  | len   | type  | tag   | body    |
  | u32le | bytes | bytes | message |
  | 4     | 1     | 2     | 0-8192  |
  +-------+-------+-------+---------+
  len       counts the whole frame
  body      0 to 8192 bytes
  frame     7 to 8199 bytes
  delivers  the whole frame
  limits    max 8k of body, larger is an error
"
    );
}

#[test]
fn stages_and_cases_are_drawn_one_by_one() {
    let text = drawn("2* u8 ; type{\"$\": chan:1 len:u16be, *: lines}");
    for part in [
        "stage 1, 2 times: u8\n",
        "stage 2, for ever: ",
        "begins with \"$\": chan:1 u16be\n",
        "begins otherwise: lines\n",
        "| \"$\" | chan  | len   | body    |",
        "frame     4 to 65539 bytes",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn wide_framings_are_wrapped() {
    let fields: Vec<String> = (0..60).map(|n| format!("field-number-{n}:4")).collect();
    let text = drawn(&format!("{} u8", fields.join(" ")));
    assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
    assert!(text.contains("field-number-59"));
    let nested = "type{x01:".repeat(16) + "u8" + &"}".repeat(16);
    assert!(drawn(&nested).lines().all(|line| line.chars().count() <= 78));
}
