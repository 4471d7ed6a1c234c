//! A framing drawn for a person: the parts of a frame in wire order, in a box, and below it what
//! the length counts, what sizes are possible, what is delivered and what limits it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Framing;
use crate::display::{self, literal};
use crate::framing::{Case, Delimiter, Deliver, HEADER_BYTES_MAX, Shape, Stage};
use crate::record::{Counts, Item, Length, More, Record};
use crate::sizes::{self, Span};

mod cells;

use cells::Cell;

/// No line is wider, in columns.
const COLUMNS_MAX: usize = 78;

impl Framing {
    /// Draws this framing as text of at most 78 columns: each stage and each case of `type{}` as a
    /// box of its fields in wire order, with sizes in bytes, and what is counted, delivered and
    /// bounded. The string itself is not repeated. Ends with a line end.
    ///
    /// ```
    /// use switchboard_frame::Framing;
    ///
    /// let drawn = Framing::u16_be().describe();
    /// assert_eq!(drawn, "\x20\x20\
    ///   +-------+---------+
    ///   | len   | body    |
    ///   | u16be | message |
    ///   | 2     | 0-65535 |
    ///   +-------+---------+
    ///   len       counts the body
    ///   body      0 to 65535 bytes
    ///   frame     2 to 65537 bytes
    ///   delivers  the body
    ///   limits    max 16m of body, larger is an error
    /// ");
    /// ```
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = String::new();
        let count = self.stages.len();
        for (index, stage) in self.stages.iter().enumerate() {
            let number = index + 1;
            let applies = match stage.times {
                _ if number == count => "for ever".to_string(),
                1 => "once".to_string(),
                times => format!("{times} times"),
            };
            if count > 1 {
                let text = display::stage_text(stage);
                push_wrapped(&mut out, 0, "", &format!("stage {number}, {applies}: {text}"));
            }
            draw(&mut out, stage, 2, &[]);
        }
        out
    }
}

/// Draws a stage; `keys` are the first bytes that led to it.
fn draw(out: &mut String, stage: &Stage, indent: usize, keys: &[&[u8]]) {
    if let Shape::Type(cases) = &stage.shape {
        for case in cases {
            draw_case(out, case, indent, keys);
        }
        return;
    }
    let key: usize = keys.iter().map(|key| key.len()).sum();
    let mut row: Vec<Cell> = keys
        .iter()
        .map(|key| Cell::new(literal::shortest(key), "key", key.len().to_string()))
        .collect();
    row.extend(cells::of(stage, key));
    cells::draw(out, &row, indent, COLUMNS_MAX - indent);
    for (name, text) in facts(stage, key) {
        push_wrapped(out, indent, name, &text);
    }
}

fn draw_case(out: &mut String, case: &Case, indent: usize, keys: &[&[u8]]) {
    let keyed = !keys.is_empty() || case.key.is_some();
    let text = display::case_text(&case.stage, keyed);
    let begins = match &case.key {
        Some(key) => format!("begins with {}", literal::shortest(key)),
        None => "begins otherwise".to_string(),
    };
    push_wrapped(out, indent, "", &format!("{begins}: {text}"));
    let mut keys = keys.to_vec();
    keys.extend(case.key.as_deref());
    draw(out, &case.stage, indent + 2, &keys);
}

/// What is said below the box: a word, and what it says.
fn facts(stage: &Stage, key: usize) -> Vec<(&'static str, String)> {
    let shape = &stage.shape;
    let mut facts = Vec::new();
    match shape {
        Shape::Record(record) => record_facts(record, &mut facts),
        Shape::Delimited(delimiter) => facts.push(("ends with", ends_with(delimiter))),
        Shape::Header(name) => facts.push((
            "length",
            format!("the header line {name} says how many bytes follow the blank line; none: 0"),
        )),
        Shape::Chunked => facts.push((
            "length",
            "hex digits on a line of their own before each chunk; 0 is the last".into(),
        )),
        Shape::Resp { inline } => {
            let or = if *inline { ", or a line of words" } else { "" };
            facts.push(("length", format!("the first byte chooses, values nest{or}")));
        }
        _ => {}
    }
    if matches!(shape, Shape::Raw) {
        facts.push(("delivers", "bytes as they come; only their order is promised".into()));
        return facts;
    }
    if has_body(shape) {
        facts.push(("body", bytes_text(cells::body_within_limits(stage, key))));
    }
    facts.push(("frame", bytes_text(cells::frame_within_limits(stage, key))));
    facts.push(("delivers", delivers(stage)));
    if stage.options.eof_deliver {
        facts.push(("at the end", "what no delimiter ends is the last message".into()));
    }
    if stage.options.leading_zeros {
        facts.push(("digits", "may begin with zeros".into()));
    }
    facts.push(("limits", limits(stage)));
    facts
}

/// Whether a body is something else than the frame.
fn has_body(shape: &Shape) -> bool {
    matches!(shape, Shape::Record(_) | Shape::Delimited(_) | Shape::Header(_) | Shape::Chunked)
}

fn record_facts(record: &Record, facts: &mut Vec<(&'static str, String)>) {
    let Some(length) = &record.length else {
        if let Some(Item::Literal(end)) = record.trailer().first() {
            facts.push((
                "ends with",
                format!("the first {} after the header", literal::shortest(end)),
            ));
        }
        return;
    };
    facts.push(("len", counted(record, length)));
    if let Some(flag) = length.little_when {
        let name = name_of(record, flag.item);
        facts.push(("order", format!("little-endian when {name} has the bit {:x}", flag.mask)));
    }
    match length.more {
        More::Never => {}
        More::LastBit(bit) => facts
            .push(("fragments", format!("joined up to the frame whose len has the bit {bit:x}"))),
        More::LastFlag(flag) => {
            let name = name_of(record, flag.item);
            facts.push((
                "fragments",
                format!("joined up to the frame whose {name} has the bit {:x}", flag.mask),
            ));
        }
        More::ContinueValue(value) => facts.push((
            "fragments",
            format!("a frame whose len is {value:x} (hex) goes on in the next, they are joined"),
        )),
    }
}

fn counted(record: &Record, length: &Length) -> String {
    let what = match length.counts {
        Counts::Body => "the body",
        Counts::Rest => "what follows the length field",
        Counts::Itself => "from the length field to the end of the frame",
        Counts::Frame => "the whole frame",
    };
    let mut text = format!("counts {what}");
    if length.unit > 1 {
        text.push_str(&format!(", in units of {} bytes", length.unit));
    }
    if length.mask != u64::MAX {
        text.push_str(&format!("; only its bits {:x} are the length", length.mask));
    }
    if length.add != 0 {
        let (more, word) = match length.add {
            add if add > 0 => (add.unsigned_abs(), "more"),
            add => (add.unsigned_abs(), "less"),
        };
        text.push_str(&format!(", and {more} {word} than it says"));
    }
    for item in &length.add_items {
        text.push_str(&format!(", plus {}", name_of(record, *item)));
    }
    if length.short > 0 {
        text.push_str(&format!("; below {} there is no body", length.short));
    }
    text
}

fn name_of(record: &Record, index: usize) -> &str {
    record.items.get(index).and_then(Item::name).unwrap_or("?")
}

fn ends_with(delimiter: &Delimiter) -> String {
    match delimiter {
        Delimiter::Lines => "LF, with one CR before it or without".to_string(),
        Delimiter::Literals(literals) => {
            let all: Vec<String> = literals.iter().map(|one| literal::shortest(one)).collect();
            match all.len() {
                1 => all.concat(),
                _ => format!("{}: what ends first, then the longer", all.join(" or ")),
            }
        }
    }
}

fn delivers(stage: &Stage) -> String {
    let what = match stage.deliver() {
        _ if matches!(stage.shape, Shape::Eof) => "the whole stream, as one message",
        Deliver::Body => "the body",
        Deliver::Frame => "the whole frame",
        Deliver::NoPad => "the frame without the padding at its end",
        Deliver::Without(bytes) => return format!("the frame without its first {bytes} bytes"),
    };
    what.to_string()
}

fn limits(stage: &Stage) -> String {
    let max = stage.options.max();
    let mut text = format!("max {} of body", display::size_text(max));
    if let Some(maxframe) = stage.options.maxframe {
        text.push_str(&format!(", {} of frame", display::size_text(maxframe)));
    }
    if let Shape::Record(record) = &stage.shape
        && record.length.as_ref().is_some_and(|length| length.more != More::Never)
    {
        text.push_str(", of all fragments together");
    }
    text.push_str(match stage.options.discard {
        true => ", larger is passed over",
        false => ", larger is an error",
    });
    let varies = match &stage.shape {
        Shape::Header(_) => true,
        Shape::Record(record) => sizes::header(record).max.is_none(),
        _ => false,
    };
    if varies {
        text.push_str(&format!("; header at most {}", display::size_text(HEADER_BYTES_MAX as u64)));
    }
    text
}

fn bytes_text(span: Span) -> String {
    let plural = |n: i128| if n == 1 { "byte" } else { "bytes" };
    match span.max {
        Some(max) if max == span.min => format!("{max} {}", plural(max)),
        Some(max) => format!("{} to {max} {}", span.min, plural(max)),
        None => format!("{} {} or more", span.min, plural(span.min)),
    }
}

/// Appends `name  text`, cut at blanks into lines of at most 78 columns; a word that is longer is
/// cut where the line ends.
fn push_wrapped(out: &mut String, indent: usize, name: &str, text: &str) {
    const NAME_COLUMNS: usize = 10;
    let lead = if name.is_empty() { indent } else { indent + NAME_COLUMNS };
    let room = COLUMNS_MAX - lead;
    let mut first = true;
    let mut rest: Vec<char> = text.chars().collect();
    while first || !rest.is_empty() {
        let cut = match rest.len() {
            len if len <= room => len,
            _ => match rest[..=room].iter().rposition(|c| *c == ' ') {
                Some(blank) if blank > 0 => blank,
                _ => room,
            },
        };
        let line: String = rest.drain(..cut).collect();
        while rest.first() == Some(&' ') {
            rest.remove(0);
        }
        let label = if first { name } else { "" };
        let head = format!("{:indent$}{label:<width$}", "", width = lead - indent);
        out.push_str(&head);
        out.push_str(&line);
        out.push('\n');
        first = false;
    }
}
