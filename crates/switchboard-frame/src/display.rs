//! The shortest string that says a framing, in the grammar's own words.
//!
//! Reading what is printed here gives an equal [`Framing`]. Names of presets are not used: the
//! string shows what is on the wire.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};

use crate::Framing;
use crate::framing::{Delimiter, Deliver, Shape, Stage};
use crate::record::{Counts, Integer, Item, Length, More, Record};

pub(crate) mod literal;
mod options;

use options::{DEFAULTS, Inherited};

impl fmt::Display for Framing {
    /// The shortest string that says this framing.
    ///
    /// ```
    /// use switchboard_frame::Framing;
    ///
    /// let framing: Framing = "len:u32be,body max=16MiB".parse()?;
    /// assert_eq!(framing.to_string(), "u32be");
    /// # Ok::<(), switchboard_frame::FramingError>(())
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        for (index, stage) in self.stages.iter().enumerate() {
            if index > 0 {
                out.push(';');
            }
            if stage.times > 1 && index + 1 < self.stages.len() {
                out.push_str(&format!("{}*", stage.times));
            }
            write_stage(&mut out, stage)?;
        }
        f.pad(&out)
    }
}

/// One stage as a string: `describe` shows each by itself.
pub(crate) fn stage_text(stage: &Stage) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_stage(&mut out, stage);
    out
}

/// The stage of a case, without the options that are the default of a case.
pub(crate) fn case_text(stage: &Stage, keyed: bool) -> String {
    let mut out = String::new();
    let _ = write_case_stage(&mut out, stage, keyed, &options::case_defaults());
    out
}

fn write_stage(out: &mut String, stage: &Stage) -> fmt::Result {
    match &stage.shape {
        Shape::Type(_) => write_case_stage(out, stage, false, &options::case_defaults()),
        shape => {
            write_shape(out, shape)?;
            options::write_own(out, stage, &DEFAULTS.map(String::from));
            Ok(())
        }
    }
}

/// A stage in a case, or a `type{}`, for whose cases `inherited` is in force.
fn write_case_stage(
    out: &mut String,
    stage: &Stage,
    keyed: bool,
    inherited: &Inherited,
) -> fmt::Result {
    let Shape::Type(cases) = &stage.shape else {
        match &stage.shape {
            Shape::Fixed(bytes) => write!(out, "{bytes}")?,
            shape => write_shape(out, shape)?,
        }
        options::write_case(out, stage, keyed, inherited);
        return Ok(());
    };
    let (inner, outside) = options::hoist(stage, keyed, inherited);
    out.push_str("type{");
    for (index, case) in cases.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match &case.key {
            Some(key) => out.push_str(&literal::shortest(key)),
            None => out.push('*'),
        }
        out.push(':');
        write_case_stage(out, &case.stage, keyed || case.key.is_some(), &inner)?;
    }
    out.push('}');
    out.push_str(&outside);
    Ok(())
}

fn write_shape(out: &mut String, shape: &Shape) -> fmt::Result {
    match shape {
        Shape::Raw => out.push_str("raw"),
        Shape::Eof => out.push_str("eof"),
        Shape::Fixed(bytes) => write!(out, "fixed:{bytes}")?,
        Shape::Delimited(Delimiter::Lines) => out.push_str("lines"),
        Shape::Delimited(Delimiter::Literals(literals)) => write_delimiters(out, literals),
        Shape::Header(name) => write!(out, "header:{name}")?,
        Shape::Resp { inline: false } => out.push_str("resp"),
        Shape::Resp { inline: true } => out.push_str("resp-command"),
        Shape::Chunked => out.push_str("chunked"),
        Shape::Record(record) => write_record(out, record)?,
        Shape::Type(_) => {}
    }
    Ok(())
}

fn write_delimiters(out: &mut String, literals: &[alloc::boxed::Box<[u8]>]) {
    if let [literal] = literals
        && **literal == *b"\r\n"
    {
        out.push_str("crlf");
        return;
    }
    out.push_str("delim:");
    for (index, literal) in literals.iter().enumerate() {
        if index > 0 {
            out.push('|');
        }
        out.push_str(&literal::shortest(literal));
    }
}

fn write_record(out: &mut String, record: &Record) -> fmt::Result {
    for (index, _) in record.items.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        if index == record.header_items {
            out.push_str("body ");
        }
        out.push_str(&item_text(record, index));
    }
    Ok(())
}

/// An item as it is written in the string.
pub(crate) fn item_text(record: &Record, index: usize) -> String {
    let item = &record.items[index];
    let length = record.length.as_ref().filter(|length| length.item == index);
    let name = match item.name() {
        Some(_) if length.is_some() && is_only_integer_to_name(record, index) => String::new(),
        Some(name) => format!("{name}:"),
        None => String::new(),
    };
    match item {
        Item::Literal(bytes) => literal::in_pieces(bytes),
        Item::Opaque { bytes, .. } => format!("{name}{bytes}"),
        Item::Integer { kind, .. } => {
            let how = length.map(|length| how_text(record, length)).unwrap_or_default();
            format!("{name}{}{how}", integer_text(kind))
        }
        Item::Until { literal, .. } => format!("{name}until{}", literal::shortest(literal)),
        Item::BerTag { .. } => format!("{name}bertag"),
        Item::Padding { item } => format!("={}", name_of(record, *item)),
    }
}

/// Whether the length field needs no name: no other integer is without one.
fn is_only_integer_to_name(record: &Record, length: usize) -> bool {
    record
        .items
        .iter()
        .enumerate()
        .all(|(index, item)| index == length || !matches!(item, Item::Integer { name: None, .. }))
}

fn name_of(record: &Record, index: usize) -> &str {
    record.items.get(index).and_then(Item::name).unwrap_or_default()
}

pub(crate) fn integer_text(integer: &Integer) -> String {
    match integer {
        Integer::Binary { bytes, little, signed } => {
            let sign = if *signed { 'i' } else { 'u' };
            let order = match (bytes, little) {
                (1, _) => "",
                (_, true) => "le",
                (_, false) => "be",
            };
            format!("{sign}{}{order}", u32::from(*bytes) * 8)
        }
        Integer::Uleb { bytes_max: 10 } => "uleb".to_string(),
        Integer::Uleb { bytes_max } => format!("uleb{bytes_max}"),
        Integer::Vlq { bytes_max: 10 } => "vlq".to_string(),
        Integer::Vlq { bytes_max } => format!("vlq{bytes_max}"),
        Integer::Ber => "ber".to_string(),
        Integer::Digits { base, digits } => format!("{}{digits}", base_text(*base)),
        Integer::DigitsUntil { base, literal } => {
            format!("{}{}", base_text(*base), literal::shortest(literal))
        }
    }
}

fn base_text(base: u8) -> &'static str {
    if base == 16 { "hex" } else { "dec" }
}

/// What is written behind the length field's commas, in the order it is applied.
pub(crate) fn how_text(record: &Record, length: &Length) -> String {
    let mut out = String::new();
    out.push_str(match length.counts {
        Counts::Body => "",
        Counts::Rest => ",rest",
        Counts::Itself => ",self",
        Counts::Frame => ",frame",
    });
    if let Some(flag) = length.little_when {
        out.push_str(&format!(",le={}&{:x}", name_of(record, flag.item), flag.mask));
    }
    if length.mask != u64::MAX {
        out.push_str(&format!(",&{:x}", length.mask));
    }
    if length.short > 0 {
        out.push_str(&format!(",short={}", length.short));
    }
    if length.unit > 1 {
        out.push_str(&format!(",*{}", length.unit));
    }
    if length.add != 0 {
        out.push_str(&format!(",{:+}", length.add));
    }
    for item in &length.add_items {
        out.push_str(&format!(",+{}", name_of(record, *item)));
    }
    match length.more {
        More::Never => {}
        More::LastBit(bit) => out.push_str(&format!(",last={bit:x}")),
        More::LastFlag(flag) => {
            out.push_str(&format!(",last={}&{:x}", name_of(record, flag.item), flag.mask));
        }
        More::ContinueValue(value) => out.push_str(&format!(",cont={value:x}")),
    }
    out
}

/// A size in the shortest way to write it.
pub(crate) fn size_text(bytes: u64) -> String {
    let units = [(1u64 << 10, 'k'), (1 << 20, 'm'), (1 << 30, 'g')];
    let mut best = bytes.to_string();
    for (unit, letter) in units {
        if bytes > 0 && bytes.is_multiple_of(unit) {
            let text = format!("{}{letter}", bytes / unit);
            if text.len() < best.len() {
                best = text;
            }
        }
    }
    best
}

/// `deliver=..` as it is written.
pub(crate) fn deliver_text(deliver: Deliver) -> String {
    match deliver {
        Deliver::Body => "deliver=body".to_string(),
        Deliver::Frame => "deliver=frame".to_string(),
        Deliver::Without(bytes) => format!("deliver={bytes}"),
        Deliver::NoPad => "deliver=nopad".to_string(),
    }
}
