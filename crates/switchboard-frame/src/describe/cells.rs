//! The box: a cell for each part of a frame, in wire order, in as many rows as it takes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::display::{self, literal};
use crate::framing::{Delimiter, Shape, Stage};
use crate::record::{Item, Record};
use crate::sizes::{self, Span};

/// Three lines: what it is called, how it is written, how many bytes it takes.
pub(super) struct Cell {
    lines: [String; 3],
}

/// No cell is wider, in columns.
const CELL_COLUMNS_MAX: usize = 36;

impl Cell {
    pub(super) fn new(name: impl Into<String>, kind: impl Into<String>, bytes: String) -> Cell {
        let lines = [name.into(), kind.into(), bytes].map(|line| {
            if line.chars().count() <= CELL_COLUMNS_MAX {
                return line;
            }
            line.chars().take(CELL_COLUMNS_MAX - 2).chain("..".chars()).collect()
        });
        Cell { lines }
    }

    fn columns(&self) -> usize {
        self.lines.iter().map(|line| line.chars().count()).max().unwrap_or(0)
    }
}

/// Draws the cells in rows of at most `room` columns.
pub(super) fn draw(out: &mut String, cells: &[Cell], indent: usize, room: usize) {
    let mut rest = cells;
    while !rest.is_empty() {
        let mut columns = 1;
        let fitting = rest
            .iter()
            .take_while(|cell| {
                columns += cell.columns() + 3;
                columns <= room
            })
            .count()
            .max(1);
        let (row, after) = rest.split_at(fitting);
        draw_row(out, row, indent);
        rest = after;
    }
}

fn draw_row(out: &mut String, row: &[Cell], indent: usize) {
    let rule: String =
        row.iter().map(|cell| format!("+{}", "-".repeat(cell.columns() + 2))).collect();
    let margin = " ".repeat(indent);
    out.push_str(&format!("{margin}{rule}+\n"));
    for line in 0..3 {
        out.push_str(&margin);
        for cell in row {
            out.push_str(&format!("| {:<width$} ", cell.lines[line], width = cell.columns()));
        }
        out.push_str("|\n");
    }
    out.push_str(&format!("{margin}{rule}+\n"));
}

/// The cells of a stage, without the keys in front of it.
pub(super) fn of(stage: &Stage, key: usize) -> Vec<Cell> {
    let body = span_text(body_within_limits(stage, key));
    let message = |kind: &str| Cell::new("body", kind, body.clone());
    match &stage.shape {
        Shape::Raw => alloc::vec![Cell::new("bytes", "as they come", "1+".to_string())],
        Shape::Eof => alloc::vec![message("to the end of stream")],
        Shape::Fixed(bytes) => alloc::vec![Cell::new("body", "message", bytes.to_string())],
        Shape::Delimited(delimiter) => alloc::vec![message("message"), delimiter_cell(delimiter)],
        Shape::Header(name) => alloc::vec![
            Cell::new("header", format!("lines, {name}: N"), "0+".to_string()),
            Cell::new("blank line", "CR LF or LF", "1-2".to_string()),
            message("N bytes"),
        ],
        Shape::Resp { .. } => alloc::vec![Cell::new("value", "one whole value", body)],
        Shape::Chunked => alloc::vec![
            Cell::new("size", "hex digits, CR LF", "3+".to_string()),
            message("data"),
            Cell::new("end", "CR LF", "2".to_string()),
        ],
        Shape::Record(record) => record_cells(record, &body),
        Shape::Type(_) => Vec::new(),
    }
}

fn delimiter_cell(delimiter: &Delimiter) -> Cell {
    match delimiter {
        Delimiter::Lines => Cell::new("line end", "LF or CR LF", "1-2".to_string()),
        Delimiter::Literals(literals) => {
            let all: Vec<String> = literals.iter().map(|one| literal::shortest(one)).collect();
            Cell::new("delimiter", all.join("|"), span_text(delimiter_span(delimiter)))
        }
    }
}

fn record_cells(record: &Record, body: &str) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(record.items.len() + 1);
    for (index, item) in record.items.iter().enumerate() {
        if index == record.header_items {
            cells.push(Cell::new("body", "message", body.to_string()));
        }
        let bytes = span_text(sizes::item(item, &record.items));
        let name = item.name().unwrap_or("-");
        cells.push(match item {
            Item::Literal(literal) => Cell::new(literal::shortest(literal), "literal", bytes),
            Item::Opaque { .. } => Cell::new(name, "bytes", bytes),
            Item::Integer { kind, .. } => Cell::new(name, display::integer_text(kind), bytes),
            Item::Until { literal, .. } => {
                Cell::new(name, format!("until{}", literal::shortest(literal)), bytes)
            }
            Item::BerTag { .. } => Cell::new(name, "bertag", bytes),
            Item::Padding { .. } => Cell::new(display::item_text(record, index), "padding", bytes),
        });
    }
    if record.items.len() == record.header_items {
        cells.push(Cell::new("body", "message", body.to_string()));
    }
    cells
}

/// The sizes a body can have, with the limits.
pub(super) fn body_within_limits(stage: &Stage, key: usize) -> Span {
    let body = sizes::body(&stage.shape, key);
    let mut max = i128::from(stage.options.max());
    if let Some(maxframe) = stage.options.maxframe {
        let around = sizes::frame(&stage.shape, key).min - body.min;
        max = max.min(i128::from(maxframe) - around);
    }
    Span::new(body.min, Some(body.max.map_or(max, |said| said.min(max))))
}

/// The sizes a frame can have, with the limits.
pub(super) fn frame_within_limits(stage: &Stage, key: usize) -> Span {
    let free = sizes::frame(&stage.shape, key);
    let around = match &stage.shape {
        Shape::Record(record) => Some(sizes::header(record).and(sizes::trailer(record))),
        Shape::Delimited(delimiter) => Some(delimiter_span(delimiter)),
        Shape::Fixed(_) | Shape::Eof | Shape::Resp { .. } => Some(Span::exact(0)),
        _ => None,
    };
    let body = body_within_limits(stage, key).max;
    let mut max = around
        .and_then(|around| around.max)
        .zip(body)
        .map(|(around, body)| around + body + key as i128);
    if let Some(maxframe) = stage.options.maxframe {
        let maxframe = i128::from(maxframe);
        max = Some(max.map_or(maxframe, |max| max.min(maxframe)));
    }
    Span::new(free.min, max)
}

fn delimiter_span(delimiter: &Delimiter) -> Span {
    match delimiter {
        Delimiter::Lines => Span::new(1, Some(2)),
        Delimiter::Literals(literals) => {
            let sizes = || literals.iter().map(|literal| literal.len() as i128);
            Span::new(sizes().min().unwrap_or(0), sizes().max())
        }
    }
}

pub(super) fn span_text(span: Span) -> String {
    match span.max {
        Some(max) if max == span.min => max.to_string(),
        Some(max) => format!("{}-{max}", span.min),
        None => format!("{}+", span.min),
    }
}
