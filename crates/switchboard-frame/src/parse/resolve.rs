//! From the tree of what is written to the value that runs: names become indices, options are
//! given to the shapes they apply to, equal meanings get equal values.
//!
//! The options written behind a `type{}` are its cases' defaults; they are moved into the cases
//! here, with the defaults of a case written out, so that a `type{}` has none of its own.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::check;
use super::lexer::{Fault, Parsed};
use super::options::Written;
use super::stage::{RawCase, RawShape, RawStage};
use crate::Framing;
use crate::framing::{Case, Delimiter, Deliver, MESSAGE_BYTES_MAX_DEFAULT, Options, Shape, Stage};
use crate::record::{Integer, Item};

mod record;

/// Where a stage stands.
#[derive(Clone, Copy)]
struct Place {
    /// Bytes of the keys in front of it, in the frame.
    key: usize,
    in_case: bool,
    /// It has a key of its own, not `*`.
    keyed: bool,
    last: bool,
}

pub(crate) fn framing(stages: Vec<RawStage>) -> Parsed<Framing> {
    let count = stages.len();
    let mut resolved = Vec::with_capacity(count);
    for (index, raw) in stages.into_iter().enumerate() {
        let last = index + 1 == count;
        if last && raw.times.is_some() {
            return Err(Fault::new(raw.at, "the last stage applies for ever, not N times")
                .hint("leave the N* out, or write the stage that follows behind a `;`"));
        }
        let place = Place { key: 0, in_case: false, keyed: false, last };
        let times = raw.times.unwrap_or(1);
        let stage = stage(raw, &Written::default(), place)?;
        resolved.push(Stage { times, ..stage });
    }
    Ok(Framing::from_stages(resolved))
}

fn stage(raw: RawStage, outer: &Written, place: Place) -> Parsed<Stage> {
    let RawStage { at, shape, options: written, .. } = raw;
    for (option_at, told) in written.each().into_iter().flatten() {
        if !can_apply(&shape, told) {
            return Err(cannot_apply(option_at, told, &shape));
        }
    }
    let effective = written.or(outer);
    if let RawShape::Type(cases) = shape {
        return type_stage(cases, &effective, place);
    }
    let shape = plain(at, shape, place)?;
    let options = options(&shape, &effective, place)?;
    let stage = Stage { times: 1, shape, options };
    check::stage(at, &stage, &effective, place.key)?;
    Ok(stage)
}

fn type_stage(cases: Vec<RawCase>, outer: &Written, place: Place) -> Parsed<Stage> {
    let mut resolved = Vec::with_capacity(cases.len());
    for RawCase { key, stage: raw } in cases {
        let bytes = key.as_ref().map_or(0, Vec::len);
        let place = Place {
            key: place.key + bytes,
            in_case: true,
            keyed: place.keyed || bytes > 0,
            last: place.last,
        };
        let fitting = only_applicable(outer, &raw.shape);
        let stage = stage(raw, &fitting, place)?;
        resolved.push(Case { key: key.map(Vec::into_boxed_slice), stage });
    }
    Ok(Stage::once(Shape::Type(resolved)))
}

fn plain(at: usize, shape: RawShape, place: Place) -> Parsed<Shape> {
    Ok(match shape {
        RawShape::Raw | RawShape::Eof if !place.last => {
            let word = if matches!(shape, RawShape::Raw) { "raw" } else { "eof" };
            return Err(Fault::new(
                at,
                format!("{word} takes all that follows, so it is the last stage"),
            )
            .hint("leave out the stages behind it, or take another shape"));
        }
        RawShape::Raw => Shape::Raw,
        RawShape::Eof => Shape::Eof,
        RawShape::Fixed(0) if !place.keyed => {
            return Err(Fault::new(at, "a frame of 0 bytes never ends")
                .hint("write how many bytes the frame has; only a key makes 0 more possible"));
        }
        RawShape::Fixed(bytes) => Shape::Fixed(bytes),
        RawShape::Delimited(delimiter) => Shape::Delimited(delimiter),
        RawShape::Header(name) => Shape::Header(name),
        RawShape::Resp { inline } => Shape::Resp { inline },
        RawShape::Chunked => Shape::Chunked,
        RawShape::Record(items) => record::shape(at, items)?,
        // Types are resolved by `type_stage`.
        RawShape::Type(_) => Shape::Type(Vec::new()),
    })
}

/// Whether the option that is told as `told` can apply to `shape`, or to a case of it.
pub(crate) fn can_apply(shape: &RawShape, told: &str) -> bool {
    use super::record::RawKind;
    if let RawShape::Type(cases) = shape {
        return cases.iter().any(|case| can_apply(&case.stage.shape, told));
    }
    let delimited = matches!(shape, RawShape::Delimited(_))
        || matches!(shape, RawShape::Record(items) if record::is_delimiter(items));
    match told {
        "max=" | "maxframe=" => !matches!(shape, RawShape::Raw),
        "oversize=" => !matches!(shape, RawShape::Raw | RawShape::Fixed(_)),
        "deliver=" => !matches!(
            shape,
            RawShape::Raw | RawShape::Eof | RawShape::Resp { .. } | RawShape::Chunked
        ),
        "strip=no" | "eof=" => delimited,
        _ => match shape {
            RawShape::Record(items) => items.iter().any(|item| {
                matches!(
                    &item.kind,
                    RawKind::Integer { integer: Integer::DigitsUntil { base: 10, .. }, .. }
                )
            }),
            _ => false,
        },
    }
}

/// Those of `options` that can apply to `shape`.
pub(crate) fn only_applicable(options: &Written, shape: &RawShape) -> Written {
    let nopad = options.deliver.is_some_and(|said| said.value == Deliver::NoPad);
    Written {
        max: options.max.filter(|_| can_apply(shape, "max=")),
        maxframe: options.maxframe.filter(|_| can_apply(shape, "maxframe=")),
        discard: options.discard.filter(|_| can_apply(shape, "oversize=")),
        deliver: options
            .deliver
            .filter(|_| can_apply(shape, "deliver=") && (!nopad || may_end_in_padding(shape))),
        strip_no: options.strip_no.filter(|_| can_apply(shape, "strip=no")),
        eof_deliver: options.eof_deliver.filter(|_| can_apply(shape, "eof=")),
        leading_zeros: options.leading_zeros.filter(|_| can_apply(shape, "leading-zeros=yes")),
    }
}

fn may_end_in_padding(shape: &RawShape) -> bool {
    use super::record::RawKind;
    match shape {
        RawShape::Type(_) => true,
        RawShape::Record(items) => {
            items.last().is_some_and(|item| matches!(item.kind, RawKind::Padding(_)))
        }
        _ => false,
    }
}

fn cannot_apply(at: usize, told: &str, shape: &RawShape) -> Fault {
    let name = match shape {
        RawShape::Raw => "raw",
        RawShape::Eof => "eof",
        RawShape::Fixed(_) => "a fixed size",
        RawShape::Delimited(_) => "a delimiter",
        RawShape::Header(_) => "header:NAME",
        RawShape::Type(_) => "any case of this type{}",
        RawShape::Resp { .. } => "resp",
        RawShape::Chunked => "chunked",
        RawShape::Record(_) => "this record",
    };
    let hint = match told {
        "strip=no" => "only lines, crlf and delim have it; write deliver=frame for the whole frame",
        "eof=" => "only lines, crlf and delim have it",
        "leading-zeros=yes" => "only digits up to a literal have it, such as dec\":\"",
        _ => "leave it out",
    };
    Fault::new(at, format!("{told} cannot apply to {name}")).hint(hint)
}

/// The options in force, those that are the default left open.
fn options(shape: &Shape, written: &Written, place: Place) -> Parsed<Options> {
    let default = Stage::once(shape.clone()).deliver();
    let mut deliver = written.deliver.map(|said| said.value);
    if matches!(shape, Shape::Delimited(_)) && written.strip_no.is_some() {
        deliver = Some(Deliver::Frame);
    }
    if let Some(said) = written.deliver
        && said.value == Deliver::NoPad
        && !ends_in_padding(shape)
    {
        return Err(Fault::new(said.at, "deliver=nopad needs padding at the end of the frame")
            .hint("write =FIELD as the last item, after body"));
    }
    let deliver = match (shape, deliver) {
        (Shape::Raw | Shape::Eof | Shape::Resp { .. } | Shape::Chunked, _) => None,
        // Without a key in front, all of such a frame is body.
        (Shape::Fixed(_), Some(Deliver::Body)) if place.in_case && !place.keyed => {
            Some(Deliver::Frame)
        }
        (_, deliver) if place.in_case => Some(deliver.unwrap_or(Deliver::Frame)),
        (Shape::Fixed(_), Some(Deliver::Body | Deliver::Frame)) => None,
        (_, deliver) => deliver.filter(|deliver| *deliver != default),
    };
    Ok(Options {
        max: written.max.map(|said| said.value).filter(|max| *max != MESSAGE_BYTES_MAX_DEFAULT),
        maxframe: written.maxframe.map(|said| said.value),
        discard: written.discard.is_some_and(|said| said.value),
        deliver,
        eof_deliver: written.eof_deliver.is_some_and(|said| said.value),
        leading_zeros: written.leading_zeros.is_some(),
    })
}

fn ends_in_padding(shape: &Shape) -> bool {
    matches!(shape, Shape::Record(record)
        if matches!(record.trailer().last(), Some(Item::Padding { .. })))
}

/// A name for a message.
fn told(name: &str) -> alloc::string::String {
    super::lexer::shortened(name).to_string()
}

/// One delimiter as a shape.
fn delimiter(literal: Box<[u8]>) -> Shape {
    Shape::Delimited(Delimiter::Literals(alloc::vec![literal]))
}
