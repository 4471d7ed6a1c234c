//! The items of a record, as written.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::length::{self, How};
use super::lexer::{Cursor, Fault, Parsed, number, shortened};
use super::stage::field_name;
use super::{FIXED_HEADER_BYTES_MAX, words};
use crate::record::Integer;

/// An item as written.
#[derive(Clone, Debug)]
pub(crate) struct RawItem {
    pub(crate) at: usize,
    pub(crate) name: Option<Box<str>>,
    pub(crate) kind: RawKind,
}

#[derive(Clone, Debug)]
pub(crate) enum RawKind {
    Body,
    Literal(Vec<u8>),
    Opaque(usize),
    Integer { integer: Integer, hows: Vec<How> },
    Until(Vec<u8>),
    BerTag,
    Padding(Box<str>),
}

impl RawItem {
    /// How many bytes a number without a name says.
    pub(crate) fn bare_number(&self) -> Option<usize> {
        match (&self.name, &self.kind) {
            (None, RawKind::Opaque(bytes)) => Some(*bytes),
            _ => None,
        }
    }
}

/// Reads items up to the options or the end of the stage. There is at least one.
pub(crate) fn items(cursor: &mut Cursor<'_>, in_case: bool) -> Parsed<Vec<RawItem>> {
    let mut items = Vec::new();
    loop {
        let item = item(cursor, in_case, items.is_empty())?;
        items.push(item);
        match cursor.peek() {
            None | Some(';' | ',' | '}') => break,
            Some(c) if c.is_ascii_whitespace() => {}
            Some(_) => {
                let found = cursor.found();
                return Err(Fault::new(cursor.at(), format!("expected a blank, found {found}"))
                    .hint("items are parted by blanks"));
            }
        }
        cursor.skip_blanks();
        if matches!(cursor.peek(), None | Some(';' | ',' | '}')) {
            break;
        }
        let (word, next) = cursor.peek_word_and_next();
        if next == Some('=') && !word.is_empty()
            || words::OPTIONS.contains(&word) && next != Some(':')
        {
            // `eof` behind an item is no option without its `=`; the options say so.
            break;
        }
    }
    if items.len() > 1
        && let Some(none) = items.iter().find(|item| item.bare_number() == Some(0))
    {
        return Err(empty_field(none.at));
    }
    if let [item] = &items[..]
        && !in_case
        && let Some(bytes) = item.bare_number()
    {
        return Err(Fault::new(item.at, "a number alone is no framing")
            .hint(format!("write fixed:{bytes}")));
    }
    Ok(items)
}

fn item(cursor: &mut Cursor<'_>, in_case: bool, first: bool) -> Parsed<RawItem> {
    let at = cursor.at();
    if cursor.eat('=') {
        let name = cursor.word();
        if name.is_empty() {
            return Err(Fault::new(cursor.at(), "padding names the field that says how much")
                .hint("write =pad after a field such as pad:1"));
        }
        return Ok(RawItem { at, name: None, kind: RawKind::Padding(name.into()) });
    }
    let (word, next) = cursor.peek_word_and_next();
    let mut name = None;
    if next == Some(':') && !word.is_empty() {
        field_name(at, word)?;
        cursor.word();
        cursor.eat(':');
        name = Some(Box::from(word));
    }
    let kind = kind(cursor, in_case, name.as_deref(), first)?;
    Ok(RawItem { at, name, kind })
}

fn kind(
    cursor: &mut Cursor<'_>,
    in_case: bool,
    name: Option<&str>,
    first: bool,
) -> Parsed<RawKind> {
    let at = cursor.at();
    if cursor.at_literal() || cursor.peek() == Some('\'') || looks_like_hex(cursor.peek_word()) {
        let literal = cursor.literal()?;
        return match name {
            None => Ok(RawKind::Literal(literal)),
            Some(name) => Err(Fault::new(at, "a literal has no name: it is always the same")
                .hint(format!("leave `{}:` out", shortened(name)))),
        };
    }
    let word = cursor.word();
    if word == "body" && name.is_none() {
        return Ok(RawKind::Body);
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return opaque(at, word, name, in_case);
    }
    if word == "bertag" {
        return Ok(RawKind::BerTag);
    }
    if let Some(literal) = behind(cursor, word, "until")? {
        return match literal {
            Some(literal) => Ok(RawKind::Until(literal)),
            None => Err(Fault::new(at, "until needs the literal that ends the text")
                .hint("write until\"\\n\" or untilx0a")),
        };
    }
    match integer(cursor, at, word)? {
        Some(integer) => {
            let hows = length::hows(cursor, in_case)?;
            Ok(RawKind::Integer { integer, hows })
        }
        None => Err(unknown(cursor, at, word, name, first)),
    }
}

/// `x` and digits of which one is wrong, rather than a name such as `xid`: it is told as a literal.
fn looks_like_hex(word: &str) -> bool {
    word.strip_prefix('x')
        .is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()) && digits.len() >= 2)
}

fn opaque(at: usize, word: &str, name: Option<&str>, in_case: bool) -> Parsed<RawKind> {
    if let Some(hex) = word.strip_prefix("0x") {
        return Err(Fault::new(at, "a literal in hex begins with x alone")
            .hint(format!("write x{}", shortened(hex))));
    }
    let bytes = number(at, word, "a field of opaque bytes")?;
    match usize::try_from(bytes) {
        Ok(0) if !in_case || name.is_some() => Err(empty_field(at)),
        Ok(bytes) if bytes <= FIXED_HEADER_BYTES_MAX || in_case => Ok(RawKind::Opaque(bytes)),
        _ => Err(Fault::new(at, format!("a header has at most {FIXED_HEADER_BYTES_MAX} bytes"))
            .hint("what is larger is a body: say its size in a length field, or fixed:N")),
    }
}

fn empty_field(at: usize) -> Fault {
    Fault::new(at, "a field of 0 bytes is none")
        .hint("leave it out, or write how many bytes it has")
}

/// For `dec":"`, `hexx0a`, `untilLIT`: the literal behind `start`. The outer `None` says that the
/// word is another; the inner, that nothing follows it.
fn behind(cursor: &mut Cursor<'_>, word: &str, start: &str) -> Parsed<Option<Option<Vec<u8>>>> {
    let Some(tail) = word.strip_prefix(start) else {
        return Ok(None);
    };
    if tail.is_empty() {
        return match cursor.peek() {
            Some('"' | '\'') => cursor.literal().map(|literal| Some(Some(literal))),
            _ => Ok(Some(None)),
        };
    }
    if !words::is_hex_literal(tail) {
        return Ok(None);
    }
    let place = cursor.at().saturating_sub(tail.len());
    let mut inner = Cursor::new(tail, Some(place));
    inner.literal().map(|literal| Some(Some(literal)))
}

/// The integer that `word` and what follows it say.
fn integer(cursor: &mut Cursor<'_>, at: usize, word: &str) -> Parsed<Option<Integer>> {
    for (start, base) in [("dec", 10), ("hex", 16)] {
        match behind(cursor, word, start)? {
            None => {}
            Some(Some(literal)) => {
                let literal = literal.into_boxed_slice();
                check_terminator(at, base, &literal)?;
                return Ok(Some(Integer::DigitsUntil { base, literal }));
            }
            Some(None) => {
                return Err(Fault::new(
                    at,
                    format!("{start} needs how many digits, or what ends them"),
                )
                .hint(format!("write {start}5, or {start}\":\"")));
            }
        }
    }
    match word {
        "ber" => return Ok(Some(Integer::Ber)),
        "uleb" => return Ok(Some(Integer::Uleb { bytes_max: 10 })),
        "vlq" => return Ok(Some(Integer::Vlq { bytes_max: 10 })),
        _ => {}
    }
    for (start, largest) in [("uleb", 10), ("vlq", 10), ("dec", 20), ("hex", 16)] {
        let Some(digits) = word.strip_prefix(start) else {
            continue;
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let what = if matches!(start, "uleb" | "vlq") { "bytes" } else { "digits" };
        let count = digits.parse::<u8>().ok().filter(|n| (1..=largest).contains(n));
        let Some(count) = count else {
            return Err(Fault::new(
                at,
                format!("{start} has 1 to {largest} {what}, not {}", shortened(digits)),
            )
            .hint(match digits.trim_start_matches('0').is_empty() {
                true => format!("write {start}1, or more"),
                false => format!("a number has at most 64 bits: write {start}{largest}"),
            }));
        };
        return Ok(Some(match start {
            "uleb" => Integer::Uleb { bytes_max: count },
            "vlq" => Integer::Vlq { bytes_max: count },
            "dec" => Integer::Digits { base: 10, digits: count },
            _ => Integer::Digits { base: 16, digits: count },
        }));
    }
    binary(at, word)
}

/// A literal that ends digits and begins with a digit would never be seen to begin.
fn check_terminator(at: usize, base: u8, literal: &[u8]) -> Parsed<()> {
    match literal.first() {
        Some(first) if char::from(*first).is_digit(base.into()) => {
            Err(Fault::new(at, "what ends the digits begins with a digit itself")
                .hint("write a count of digits, such as dec5"))
        }
        _ => Ok(()),
    }
}

/// `u8`, `u16be`, `i64le`, ...
fn binary(at: usize, word: &str) -> Parsed<Option<Integer>> {
    let signed = word.starts_with('i');
    let Some(tail) = word.strip_prefix(['u', 'i']) else {
        return Ok(None);
    };
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let (bits, order) = tail.split_at(digits);
    if bits.is_empty() || !matches!(order, "" | "be" | "le") {
        return Ok(None);
    }
    let sign = &word[..1];
    let width = bits.parse::<u8>().ok().filter(|n| n % 8 == 0 && (8..=64).contains(n));
    let Some(width) = width else {
        return Err(Fault::new(at, format!("no integer has {} bits here", shortened(bits)))
            .hint(format!("the widths are 8, 16, 24, 32, 40, 48, 56 and 64: {sign}32be")));
    };
    match (width, order) {
        (8, "") => {}
        (8, _) => {
            return Err(Fault::new(at, "one byte has no byte order").hint(format!("write {sign}8")));
        }
        (_, "") => {
            return Err(Fault::new(at, format!("{word} needs its byte order"))
                .hint(format!("write {word}be or {word}le")));
        }
        _ => {}
    }
    Ok(Some(Integer::Binary { bytes: width / 8, little: order == "le", signed }))
}

fn unknown(cursor: &Cursor<'_>, at: usize, word: &str, name: Option<&str>, first: bool) -> Fault {
    if word.is_empty() {
        let found = cursor.found();
        let expected = if name.is_some() { "a number, an integer or until" } else { "an item" };
        return Fault::new(at, format!("expected {expected}, found {found}"))
            .hint("an item is a literal, a number of bytes, or an integer such as u32be");
    }
    if !first && (words::PLAIN_SHAPES.contains(&word) || words::COLON_SHAPES.contains(&word)) {
        return Fault::new(at, format!("{word} is a stage of its own"))
            .hint("stages are parted by `;`");
    }
    if !first && crate::presets::side(word).is_some() {
        return Fault::new(at, format!("{word} is a preset and stands alone"))
            .hint("stages are parted by `;`");
    }
    let near: Option<String> = match words::nearest_stage_word(word) {
        Some("type") => {
            Some("write type{ and its cases, or type:1 for a field of that name".into())
        }
        Some(near) => Some(format!("write {near}")),
        None => Some("write an integer such as u32be, a literal, or the name of a preset".into()),
    };
    Fault::new(at, format!("`{}` is no word of the grammar and no preset", shortened(word)))
        .maybe_hint(near)
}
