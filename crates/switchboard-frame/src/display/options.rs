//! Options in the fewest characters. Behind a plain shape they are what differs from the default;
//! in a `type{}`, an option that many cases share is written once, behind the closing brace.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{deliver_text, size_text};
use crate::framing::{Deliver, Shape, Stage};
use crate::record::{Integer, Item, Record};

/// The options, in the order they are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Max,
    Maxframe,
    Oversize,
    Deliver,
    Eof,
    LeadingZeros,
}

const KINDS: [Kind; 6] =
    [Kind::Max, Kind::Maxframe, Kind::Oversize, Kind::Deliver, Kind::Eof, Kind::LeadingZeros];

/// What is in force where nothing is written; empty where that cannot be written.
pub(super) const DEFAULTS: [&str; 6] = ["max=16m", "", "oversize=fail", "", "eof=error", ""];

/// The text of each option that is in force where a stage does not write it.
pub(super) type Inherited = [String; 6];

/// What is in force in a case when nothing is written anywhere.
pub(super) fn case_defaults() -> Inherited {
    let mut defaults = DEFAULTS.map(String::from);
    defaults[3] = deliver_text(Deliver::Frame);
    defaults
}

/// More characters than any string has: "cannot be written".
const NEVER: usize = 1 << 30;

/// Appends the options of a stage that is in no case.
pub(super) fn write_own(out: &mut String, stage: &Stage, inherited: &Inherited) {
    write(out, stage, false, inherited);
}

/// Appends the options of a case's stage.
pub(super) fn write_case(out: &mut String, stage: &Stage, keyed: bool, inherited: &Inherited) {
    write(out, stage, keyed, inherited);
}

fn write(out: &mut String, stage: &Stage, keyed: bool, inherited: &Inherited) {
    for (kind, inherited) in KINDS.into_iter().zip(inherited) {
        let Some(value) = value(kind, stage) else { continue };
        if value != effective(kind, stage, keyed, inherited) {
            out.push(' ');
            out.push_str(&written(kind, stage, &value));
        }
    }
}

/// The option's value as text; `None` where it cannot apply.
fn value(kind: Kind, stage: &Stage) -> Option<String> {
    let options = &stage.options;
    let shape = &stage.shape;
    let is_raw = matches!(shape, Shape::Raw);
    let choice = |applies: bool, on: bool, on_text: &str, off: &str| {
        applies.then(|| (if on { on_text } else { off }).to_string())
    };
    match kind {
        Kind::Max if is_raw => None,
        Kind::Max => Some(
            options.max.map_or(DEFAULTS[0].to_string(), |max| format!("max={}", size_text(max))),
        ),
        Kind::Maxframe if is_raw => None,
        Kind::Maxframe => Some(
            options.maxframe.map(|max| format!("maxframe={}", size_text(max))).unwrap_or_default(),
        ),
        Kind::Oversize => choice(
            !is_raw && !matches!(shape, Shape::Fixed(_)),
            options.discard,
            "oversize=discard",
            "oversize=fail",
        ),
        Kind::Deliver if delivers_one_way(shape) => None,
        Kind::Deliver => Some(options.deliver.map(deliver_text).unwrap_or_default()),
        Kind::Eof => choice(
            matches!(shape, Shape::Delimited(_)),
            options.eof_deliver,
            "eof=deliver",
            "eof=error",
        ),
        Kind::LeadingZeros => {
            choice(has_open_digits(shape), options.leading_zeros, "leading-zeros=yes", "")
        }
    }
}

/// Shapes of which there is one thing to deliver.
fn delivers_one_way(shape: &Shape) -> bool {
    matches!(shape, Shape::Raw | Shape::Eof | Shape::Resp { .. } | Shape::Chunked)
}

fn has_open_digits(shape: &Shape) -> bool {
    let is_open = |item: &Item| {
        matches!(item, Item::Integer { kind: Integer::DigitsUntil { base: 10, .. }, .. })
    };
    matches!(shape, Shape::Record(record) if record.items.iter().any(is_open))
}

/// What is in force for `stage` when it writes nothing and `inherited` is written outside.
fn effective<'a>(kind: Kind, stage: &Stage, keyed: bool, inherited: &'a str) -> &'a str {
    if kind != Kind::Deliver {
        return inherited;
    }
    let has_padding =
        |record: &Record| matches!(record.trailer().last(), Some(Item::Padding { .. }));
    let falls_back = match (&stage.shape, inherited) {
        (Shape::Record(record), "deliver=nopad") => !has_padding(record),
        (_, "deliver=nopad") => true,
        // Without a key, the body is all of the frame.
        (Shape::Fixed(_), "deliver=body") => !keyed,
        _ => false,
    };
    if falls_back { "deliver=frame" } else { inherited }
}

/// How a value is written: `strip=no` is shorter than `deliver=frame` where both say the same.
fn written(kind: Kind, stage: &Stage, value: &str) -> String {
    let delimited = matches!(stage.shape, Shape::Delimited(_));
    if kind == Kind::Deliver && delimited && value == "deliver=frame" {
        return "strip=no".to_string();
    }
    value.to_string()
}

/// For the cases of a `type{}`: what they inherit when the best options are written behind it,
/// and these options as text.
pub(super) fn hoist(stage: &Stage, keyed: bool, inherited: &Inherited) -> (Inherited, String) {
    let mut inner = inherited.clone();
    let mut outside = String::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        let mut values = alloc::vec![inherited[index].clone()];
        collect(kind, stage, &mut values);
        if let Some(chosen) = inside(kind, stage, keyed, &values).1 {
            let cost = costs(kind, stage, keyed, &values);
            // Written outside only where that is shorter than leaving it to the cases.
            if cost[0] < inside(kind, stage, keyed, &values).0[0] {
                outside.push(' ');
                outside.push_str(&values[chosen]);
                inner[index].clone_from(&values[chosen]);
            }
        }
    }
    (inner, outside)
}

/// The values that the stages below have.
fn collect(kind: Kind, stage: &Stage, values: &mut Vec<String>) {
    if let Shape::Type(cases) = &stage.shape {
        for case in cases {
            collect(kind, &case.stage, values);
        }
    } else if let Some(value) = value(kind, stage)
        && !values.contains(&value)
    {
        values.push(value);
    }
}

/// How many characters the option takes in this stage, for each of the values inherited.
fn costs(kind: Kind, stage: &Stage, keyed: bool, values: &[String]) -> Vec<usize> {
    if matches!(stage.shape, Shape::Type(_)) {
        let (below, chosen) = inside(kind, stage, keyed, values);
        let outside = chosen.map_or(NEVER, |v| below[v].saturating_add(1 + values[v].len()));
        return below.into_iter().map(|cost| cost.min(outside)).collect();
    }
    let Some(own) = value(kind, stage) else { return alloc::vec![0; values.len()] };
    values
        .iter()
        .map(|inherited| match effective(kind, stage, keyed, inherited) {
            same if same == own => 0,
            _ if own.is_empty() => NEVER,
            _ => 1 + written(kind, stage, &own).len(),
        })
        .collect()
}

/// For a `type{}`: what its cases take for each value inherited, and the value that is the best
/// to write behind it.
fn inside(
    kind: Kind,
    stage: &Stage,
    keyed: bool,
    values: &[String],
) -> (Vec<usize>, Option<usize>) {
    let mut below = alloc::vec![0usize; values.len()];
    if let Shape::Type(cases) = &stage.shape {
        for case in cases {
            let costs = costs(kind, &case.stage, keyed || case.key.is_some(), values);
            for (sum, cost) in below.iter_mut().zip(costs) {
                *sum = sum.saturating_add(cost).min(NEVER);
            }
        }
    }
    let chosen = (0..values.len())
        .filter(|index| !values[*index].is_empty())
        .min_by_key(|index| below[*index] + values[*index].len());
    (below, chosen)
}
