//! What goes in and what must come out, written from the grammar of framings by hand.
//!
//! A row is a framing, a stream and what becomes of it: messages in `<..>`, `discard@OFFSET/BYTES`
//! (`?`: not known yet), and the ending: `finished`, or the kind, `OFFSET@AT` of the frame at fault
//! and of the byte where it showed, and for `truncated` `HAVE/NEED`.

mod delimited;
mod discard;
mod hows;
mod limits;
mod presets;
mod records;
mod shapes;

/// Framing (`NAME of ROLE` for a protocol's side), stream, messages and ending.
pub(crate) type Row = (&'static str, &'static [u8], &'static str);

/// Every table with its name.
pub(crate) const TABLES: &[(&str, &[Row])] = &[
    ("records", records::ROWS),
    ("hows", hows::ROWS),
    ("delimited", delimited::ROWS),
    ("shapes", shapes::ROWS),
    ("limits", limits::ROWS),
    ("discard", discard::ROWS),
    ("presets", presets::ROWS),
];

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    TABLES.iter().flat_map(|(_, rows)| rows.iter().copied())
}
