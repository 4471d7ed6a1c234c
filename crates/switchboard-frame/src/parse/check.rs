//! Refuses what can be written and cannot be: a body short of its own header for every value, a
//! limit below the smallest frame, a flag outside its field.

use alloc::format;
use alloc::string::String;

use super::FIXED_HEADER_BYTES_MAX;
use super::length::{How, HowKind};
use super::lexer::{Fault, Parsed};
use super::options::Written;
use super::record::{RawItem, RawKind};
use crate::framing::{Deliver, Shape, Stage};
use crate::record::{Counts, Integer, Item, Length, More, Record};
use crate::sizes;
pub(crate) use crate::sizes::value_max;

/// A flag's bit lies in its field.
pub(crate) fn flag(at: usize, mask: u64, field: &Item) -> Parsed<()> {
    if mask & !sizes::item_bits(field) == 0 {
        return Ok(());
    }
    Err(Fault::new(at, format!("the bit {mask:x} lies outside of its field"))
        .hint(format!("the field's bits are {:x}", sizes::item_bits(field))))
}

/// The parts of a length agree with each other.
pub(crate) fn length(at: usize, hows: &[How], integer: &Integer, length: &Length) -> Parsed<()> {
    let place = |wanted: fn(&HowKind) -> bool| {
        hows.iter().find(|how| wanted(&how.kind)).map_or(at, |how| how.at)
    };
    let mask_at = place(|kind| matches!(kind, HowKind::Mask(_)));
    let more_at = place(|kind| {
        matches!(kind, HowKind::LastBit(_) | HowKind::LastFlag(..) | HowKind::Continue(_))
    });
    let largest = value_max(integer);
    let bits = match integer {
        Integer::Binary { bytes, .. } => u64::MAX >> (64 - u32::from(*bytes) * 8),
        _ => largest,
    };
    let signed = matches!(integer, Integer::Binary { signed: true, .. });
    let uses_bits = mask_at != at || matches!(length.more, More::LastBit(_));
    if signed && uses_bits {
        let place = if mask_at == at { more_at } else { mask_at };
        return Err(Fault::new(place, "the bits of a signed length have no meaning of their own")
            .hint("write the length unsigned: u in place of i"));
    }
    if length.mask != u64::MAX && length.mask & !bits != 0 {
        return Err(Fault::new(
            mask_at,
            format!("the mask {:x} is wider than its field", length.mask),
        )
        .hint(format!("the field's bits are {bits:x}")));
    }
    match length.more {
        More::LastBit(bit) if bit & !bits != 0 => {
            return Err(Fault::new(
                more_at,
                format!("the bit {bit:x} lies outside of the length field"),
            )
            .hint(format!("the field's bits are {bits:x}")));
        }
        More::LastBit(bit) if bit & length.mask != 0 => {
            return Err(Fault::new(
                more_at,
                "the bit that marks the last fragment is counted as length",
            )
            .hint(format!("take it out with a mask: &{:x}", bits & length.mask & !bit)));
        }
        More::ContinueValue(value) if value > bits => {
            return Err(Fault::new(
                more_at,
                format!("the length field never has the value {value:x}"),
            )
            .hint(format!("its largest is {bits:x}")));
        }
        _ => {}
    }
    if length.short > largest.min(length.mask) {
        let at = place(|kind| matches!(kind, HowKind::Short(_)));
        return Err(Fault::new(
            at,
            format!("every length is below {}, so no frame has a body", length.short),
        )
        .hint("write the first value that is a length: short=4"));
    }
    Ok(())
}

/// What holds for a record whatever its options.
pub(crate) fn record(at: usize, record: &Record, raw: &[RawItem]) -> Parsed<()> {
    for (span, what) in [(sizes::header(record), "header"), (sizes::trailer(record), "trailer")] {
        if span.min > FIXED_HEADER_BYTES_MAX as i128 {
            return Err(Fault::new(
                at,
                format!("a {what} has at most {FIXED_HEADER_BYTES_MAX} bytes"),
            )
            .hint("what is larger is a body: say its size in a length field"));
        }
    }
    let Some(length) = &record.length else {
        return Ok(());
    };
    let variable = record.trailer().iter().position(|item| match item {
        Item::Padding { item } => *item >= record.header_items,
        other => other.fixed_bytes().is_none(),
    });
    if length.counts != Counts::Body && variable.is_some() {
        return Err(Fault::new(
            counts_at(at, raw),
            "this length counts a trailer whose size varies",
        )
        .hint("count the body, or give the trailer a fixed size"));
    }
    Ok(())
}

fn counts_at(at: usize, raw: &[RawItem]) -> usize {
    raw.iter()
        .find_map(|item| match &item.kind {
            RawKind::Integer { hows, .. } => {
                hows.iter().find(|how| matches!(how.kind, HowKind::Counts(_))).map(|how| how.at)
            }
            _ => None,
        })
        .unwrap_or(at)
}

/// A stage with its options; `key` bytes of keys are in front of it in the frame.
pub(crate) fn stage(at: usize, stage: &Stage, written: &Written, key: usize) -> Parsed<()> {
    let shape = &stage.shape;
    if let Shape::Record(record) = shape {
        body_is_possible(at, record, key)?;
        if let Some(said) = written.discard.filter(|said| said.value) {
            discard(said.at, record)?;
        }
    }
    let body = sizes::body(shape, key);
    let frame = sizes::frame(shape, key);
    let max = stage.options.max.unwrap_or(crate::framing::MESSAGE_BYTES_MAX_DEFAULT);
    if !matches!(shape, Shape::Raw) && body.min > i128::from(max) {
        let at = written.max.map_or(at, |said| said.at);
        return Err(Fault::new(
            at,
            format!("every body has {} bytes or more, max is {max}", body.min),
        )
        .hint(format!("write max={}", size_hint(body.min))));
    }
    if let (Some(said), Some(maxframe)) = (written.maxframe, stage.options.maxframe)
        && frame.min > i128::from(maxframe)
    {
        return Err(Fault::new(said.at, format!("every frame has {} bytes or more", frame.min))
            .hint(format!("write maxframe={} or more", size_hint(frame.min))));
    }
    if let (Some(said), Some(Deliver::Without(bytes))) = (written.deliver, stage.options.deliver)
        && bytes as i128 > frame.min
    {
        return Err(Fault::new(
            said.at,
            format!("the smallest frame has {} bytes, fewer than deliver= drops", frame.min),
        )
        .hint(format!("drop at most {}", frame.min)));
    }
    Ok(())
}

fn size_hint(bytes: i128) -> String {
    format!("{bytes}")
}

fn body_is_possible(at: usize, record: &Record, key: usize) -> Parsed<()> {
    let Some(length) = &record.length else {
        return Ok(());
    };
    let said = sizes::body_said(record, length, key);
    match said.max {
        Some(most) if most < 0 => {
            let around = sizes::counted_around(record, length, key).min;
            let message = match around {
                0 => String::from("every length is below 0"),
                _ => format!(
                    "every length is short of the {around} bytes around the body that it counts"
                ),
            };
            Err(Fault::new(at, message)
                .hint("count less (body, rest), add with +N, or widen the length field"))
        }
        _ => Ok(()),
    }
}

/// A frame is skipped only when its end can be told without looking at its trailer.
fn discard(at: usize, record: &Record) -> Parsed<()> {
    let variable = record.trailer().iter().any(|item| {
        matches!(item, Item::Until { .. } | Item::BerTag { .. })
            || matches!(item, Item::Padding { item } if *item >= record.header_items)
            || matches!(item, Item::Integer { kind, .. } if kind.fixed_bytes().is_none())
    });
    if variable {
        return Err(Fault::new(at, "oversize=discard needs a trailer of a known size")
            .hint("leave it out: such a frame cannot be passed over"));
    }
    Ok(())
}
