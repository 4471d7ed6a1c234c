//! Bytes as people write them: escapes, hex, files.
//!
//! What [`escape`] shows, [`unescape`] reads back to the same bytes.

use std::fs;
use std::io::{self, Read};

use crate::exit::Failure;

/// Bytes as text on one line: printable UTF-8 as it is; `\n`, `\r`, `\t`, `\\`; every other byte
/// as `\xNN`.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\\' => out.push_str("\\\\"),
                c if c.is_control() || reorders(c) => {
                    push_escapes(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                c => out.push(c),
            }
        }
        push_escapes(&mut out, chunk.invalid());
    }
    out
}

/// Characters that make a terminal show text in another order than it is sent in.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push_escapes(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str("\\x");
        push_hex(out, &[*byte]);
    }
}

/// Reads the escapes `\n` `\r` `\t` `\0` `\\` `\"` `\xNN`; every other byte is itself.
///
/// # Errors
/// A backslash with something else behind it; the text says in which column.
pub(crate) fn unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
            continue;
        }
        let (value, length) = match text.get(at + 1) {
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'0') => (0, 2),
            Some(b'\\') => (b'\\', 2),
            Some(b'"') => (b'"', 2),
            Some(b'x') => match (digit(text.get(at + 2)), digit(text.get(at + 3))) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => return Err(format!("column {}: two hex digits belong after \\x", at + 1)),
            },
            _ => {
                return Err(format!(
                    "column {}: no such escape; there are \\n \\r \\t \\0 \\\\ \\\" \\xNN",
                    at + 1
                ));
            }
        };
        out.push(value);
        at += length;
    }
    Ok(out)
}

/// Reads pairs of hex digits; blanks may stand between the pairs.
///
/// # Errors
/// A byte that is no hex digit, or a digit without its pair; the text says in which column.
pub(crate) fn unhex(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut high: Option<(u8, usize)> = None;
    for (index, byte) in text.iter().enumerate() {
        let column = index + 1;
        if byte.is_ascii_whitespace() && high.is_none() {
            continue;
        }
        let Some(value) = digit(Some(byte)) else {
            return Err(match high {
                Some((_, column)) => format!("column {column}: a hex digit without its pair"),
                None => format!("column {column}: {} is no hex digit", shown(*byte)),
            });
        };
        high = match high.take() {
            None => Some((value, column)),
            Some((high, _)) => {
                out.push(high << 4 | value);
                None
            }
        };
    }
    match high {
        Some((_, column)) => Err(format!("column {column}: a hex digit without its pair")),
        None => Ok(out),
    }
}

/// Appends two hex digits a byte.
pub(crate) fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// A message on a line of its own: with escapes, or in hex.
pub(crate) fn line(bytes: &[u8], hex: bool) -> String {
    let mut line = String::new();
    if hex {
        push_hex(&mut line, bytes);
    } else {
        line = escape(bytes);
    }
    line.push('\n');
    line
}

/// A field's bytes: as text where that is all printable ASCII, else in hex.
pub(crate) fn field_text(bytes: &[u8]) -> String {
    if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic) {
        return format!("'{}'", escape(bytes));
    }
    let mut text = String::from("x");
    push_hex(&mut text, bytes);
    text
}

/// A payload from the command line: `@file`, `@-` for stdin, else the text itself with its escapes
/// (or hex digits). A file's bytes are taken as they are.
pub(crate) fn read(argument: &str, hex: bool) -> Result<Vec<u8>, Failure> {
    match argument.strip_prefix('@') {
        Some("-") => {
            let mut bytes = Vec::new();
            io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|e| Failure::usage(format_args!("cannot read stdin: {e}")))?;
            Ok(bytes)
        }
        Some(path) => {
            fs::read(path).map_err(|e| Failure::usage(format_args!("cannot read {path}: {e}")))
        }
        None => text(argument.as_bytes(), hex)
            .map_err(|e| Failure::usage(format_args!("in the payload '{argument}', {e}"))),
    }
}

/// Text with escapes, or hex digits.
pub(crate) fn text(argument: &[u8], hex: bool) -> Result<Vec<u8>, String> {
    if hex { unhex(argument) } else { unescape(argument) }
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    let value = char::from(*byte?).to_digit(16)?;
    u8::try_from(value).ok()
}

fn shown(byte: u8) -> String {
    format!("'{}'", escape(&[byte]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_read_back_to_the_same_bytes() {
        let mut all: Vec<u8> = (0..=255).collect();
        all.extend("häß ☃ \u{202e}\u{85}".as_bytes());
        all.extend(b"\\x41 \\n");
        let shown = escape(&all);
        assert!(!shown.contains(|c: char| c.is_control()), "{shown}");
        assert_eq!(unescape(shown.as_bytes()).unwrap(), all);
        for byte in 0..=255 {
            assert_eq!(unescape(escape(&[byte]).as_bytes()).unwrap(), [byte]);
        }
    }

    #[test]
    fn wrong_escapes_name_their_column() {
        assert!(unescape(b"ab\\q").unwrap_err().starts_with("column 3: no such escape"));
        assert!(unescape(b"\\x4").unwrap_err().starts_with("column 1: two hex digits"));
        assert!(unescape(b"\\").unwrap_err().starts_with("column 1: no such escape"));
    }

    #[test]
    fn hex_takes_blanks_between_pairs_only() {
        assert_eq!(unhex(b"00ff 0A\t1b\r").unwrap(), [0, 255, 10, 27]);
        assert_eq!(unhex(b"").unwrap(), []);
        assert_eq!(unhex(b"0 0").unwrap_err(), "column 1: a hex digit without its pair");
        assert_eq!(unhex(b"00f").unwrap_err(), "column 3: a hex digit without its pair");
        assert_eq!(unhex(b"00g0").unwrap_err(), "column 3: 'g' is no hex digit");
    }
}
