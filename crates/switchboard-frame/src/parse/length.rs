//! What is written behind a length field's comma: what it counts and how it is read.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::lexer::{Cursor, Fault, Parsed, hex_number, number, shortened};
use super::words;
use crate::record::Counts;

/// One `,how` and its place.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) at: usize,
    pub(crate) kind: HowKind,
}

#[derive(Clone, Debug)]
pub(crate) enum HowKind {
    Counts(Counts),
    Add(i64),
    AddField(Box<str>),
    Unit(u64),
    Mask(u64),
    LastBit(u64),
    LastFlag(Box<str>, u64),
    Continue(u64),
    LittleWhen(Box<str>, u64),
    Short(u64),
}

/// Reads `{,how}`.
pub(crate) fn hows(cursor: &mut Cursor<'_>, in_case: bool) -> Parsed<Vec<How>> {
    let mut hows = Vec::new();
    while cursor.peek() == Some(',') {
        if in_case && begins_case(cursor) {
            break;
        }
        cursor.bump();
        let at = cursor.at();
        hows.push(How { at, kind: how(cursor, at)? });
    }
    Ok(hows)
}

/// Whether the comma here parts two cases of `type{}`: a blank, or a key and a colon, follows it.
fn begins_case(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    ahead.bump();
    match ahead.peek() {
        None | Some('"' | '}') => return true,
        Some(c) if c.is_ascii_whitespace() => return true,
        Some('*') => {
            ahead.bump();
        }
        Some('x') if words::is_hex_literal(ahead.peek_word()) => {
            ahead.word();
        }
        _ => return false,
    }
    ahead.skip_blanks();
    ahead.peek() == Some(':')
}

fn how(cursor: &mut Cursor<'_>, at: usize) -> Parsed<HowKind> {
    if cursor.peek().is_some_and(|c| c.is_ascii_whitespace()) {
        return Err(Fault::new(at, "no blank belongs behind this comma")
            .hint("write it as one word: len:u32be,self"));
    }
    match cursor.peek() {
        Some('+') => plus(cursor),
        Some('-') => {
            cursor.bump();
            let value_at = cursor.at();
            let value = number(value_at, cursor.value(), "what is taken off")?;
            signed(value_at, value).map(|value| HowKind::Add(-value))
        }
        Some('*') => {
            cursor.bump();
            let value_at = cursor.at();
            match number(value_at, cursor.value(), "the unit")? {
                0 => Err(Fault::new(value_at, "a unit of 0 bytes makes every body empty")
                    .hint("write how many bytes a unit has: *4")),
                unit => Ok(HowKind::Unit(unit)),
            }
        }
        Some('&') => {
            cursor.bump();
            let value_at = cursor.at();
            match hex_number(value_at, cursor.value(), "a mask")? {
                0 => Err(Fault::new(value_at, "a mask of 0 makes every length 0")
                    .hint("write the bits that are the length: &7fffffff")),
                mask => Ok(HowKind::Mask(mask)),
            }
        }
        _ => word(cursor, at),
    }
}

fn plus(cursor: &mut Cursor<'_>) -> Parsed<HowKind> {
    cursor.bump();
    let at = cursor.at();
    if cursor.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
        return Ok(HowKind::AddField(cursor.word().into()));
    }
    let value = number(at, cursor.value(), "what is added")?;
    signed(at, value).map(HowKind::Add)
}

fn signed(at: usize, value: u64) -> Parsed<i64> {
    i64::try_from(value).map_err(|_| {
        Fault::new(at, format!("{value} is more than can be added"))
            .hint("the largest sum is 9223372036854775807")
    })
}

fn word(cursor: &mut Cursor<'_>, at: usize) -> Parsed<HowKind> {
    let word = cursor.word();
    let counts = match word {
        "body" => Some(Counts::Body),
        "rest" => Some(Counts::Rest),
        "self" => Some(Counts::Itself),
        "frame" => Some(Counts::Frame),
        _ => None,
    };
    if let Some(counts) = counts {
        return Ok(HowKind::Counts(counts));
    }
    if !matches!(word, "last" | "cont" | "le" | "short") {
        return Err(unknown(cursor, at, word));
    }
    if !cursor.eat('=') {
        let example = match word {
            "last" => "last=80000000",
            "cont" => "cont=ffffff",
            "le" => "le=flags&10",
            _ => "short=4",
        };
        return Err(Fault::new(cursor.at(), format!("expected `=` behind {word}"))
            .hint(format!("write for example {example}")));
    }
    let value_at = cursor.at();
    let value = cursor.value();
    match (word, value.split_once('&')) {
        ("short", _) => number(value_at, value, "short=").map(HowKind::Short),
        ("cont", _) => hex_number(value_at, value, "cont=").map(HowKind::Continue),
        (_, Some((field, bit))) => {
            let bit_at = value_at + if cursor.at() == value_at { 0 } else { field.len() + 1 };
            let bit = one_bit(bit_at, bit)?;
            if field.is_empty() {
                return Err(Fault::new(value_at, "expected the name of a field before the `&`"));
            }
            Ok(match word {
                "last" => HowKind::LastFlag(field.into(), bit),
                _ => HowKind::LittleWhen(field.into(), bit),
            })
        }
        ("last", None) => one_bit(value_at, value).map(HowKind::LastBit),
        (_, None) => Err(Fault::new(value_at, "le= names a field and the bit that says it")
            .hint("write for example le=flags&10")),
    }
}

/// A flag is one bit: of several it would be open which of them have to be set.
fn one_bit(at: usize, text: &str) -> Parsed<u64> {
    let bit = hex_number(at, text, "a flag's bit")?;
    if bit.is_power_of_two() {
        return Ok(bit);
    }
    Err(Fault::new(at, format!("`{}` is not one bit", shortened(text)))
        .hint("write the flag's bit in hex: 1, 2, 4, 8, 10, .., 80000000"))
}

fn unknown(cursor: &Cursor<'_>, at: usize, word: &str) -> Fault {
    let found = if word.is_empty() { cursor.found() } else { format!("`{}`", shortened(word)) };
    let fault =
        Fault::new(at, format!("expected what the length counts or how it is read, found {found}"));
    match words::nearest(word, words::HOWS) {
        Some(near) => fault.hint(format!("write {near}")),
        None => fault.hint(
            "write body, rest, self, frame, +N, -N, +field, *N, &HEX, last=, cont=, le= or short=",
        ),
    }
}
