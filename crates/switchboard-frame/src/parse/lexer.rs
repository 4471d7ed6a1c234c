//! Characters, words, numbers, literals: the lowest layer of the parser. It knows where it is, so
//! that every refusal has a column, and it never looks at a byte twice to find its end.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A refusal: where in the text (a byte offset), what is wrong, what to write.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

pub(crate) type Parsed<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Fault {
        self.hint = hint;
        self
    }
}

/// A place in the text.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    position: usize,
    /// What every place is told as: set while the text of a preset is read, whose faults (an
    /// option that cannot apply) belong to the preset's name.
    fixed_at: Option<usize>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, fixed_at: Option<usize>) -> Cursor<'a> {
        Cursor { text, position: 0, fixed_at }
    }

    /// Where this is, for a [`Fault`].
    pub(crate) fn at(&self) -> usize {
        self.fixed_at.unwrap_or(self.position)
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        Some(c)
    }

    pub(crate) fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.position += wanted.len_utf8();
        }
        found
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            self.position += 1;
        }
    }

    /// Whether a blank stands right before this place.
    pub(crate) fn is_after_blank(&self) -> bool {
        self.text[..self.position].ends_with(|c: char| c.is_ascii_whitespace())
    }

    /// The word here, which may be empty, without going past it.
    pub(crate) fn peek_word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(rest.len());
        &rest[..end]
    }

    /// The word here, and the character behind it.
    pub(crate) fn peek_word_and_next(&self) -> (&'a str, Option<char>) {
        let word = self.peek_word();
        (word, self.rest()[word.len()..].chars().next())
    }

    pub(crate) fn word(&mut self) -> &'a str {
        let word = self.peek_word();
        self.position += word.len();
        word
    }

    /// Everything up to a blank or one of `;,}|`.
    pub(crate) fn value(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, ';' | ',' | '}'))
            .unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    /// Goes over `bytes` bytes that the caller has looked at.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.position += bytes;
    }

    /// What is here, for a message: a word, a character, or the end.
    pub(crate) fn found(&self) -> String {
        let word = self.peek_word();
        if !word.is_empty() {
            return format!("`{}`", shortened(word));
        }
        match self.peek() {
            Some(c) if c.is_control() => format!("the character U+{:04X}", u32::from(c)),
            Some(c) => format!("`{c}`"),
            None => "the end".to_string(),
        }
    }

    /// Whether a literal begins here: a quote, or `x` and hex digits.
    pub(crate) fn at_literal(&self) -> bool {
        self.peek() == Some('"') || super::words::is_hex_literal(self.peek_word())
    }

    /// `"text"` or `x0aff`. Not empty.
    pub(crate) fn literal(&mut self) -> Parsed<Vec<u8>> {
        let at = self.at();
        match self.peek() {
            Some('"') => {
                let bytes = self.quoted()?;
                if bytes.is_empty() {
                    return Err(Fault::new(at, "an empty literal matches everywhere")
                        .hint("write the bytes that must be there, such as \"\\n\" or x0a"));
                }
                Ok(bytes)
            }
            Some('x') => self.hex_literal(),
            Some('\'') => Err(Fault::new(at, "a literal is written in double quotes")
                .hint("write \"text\" or x0aff")),
            _ => Err(Fault::new(at, format!("expected a literal, found {}", self.found()))
                .hint("write \"text\" or x0aff")),
        }
    }

    fn hex_literal(&mut self) -> Parsed<Vec<u8>> {
        let at = self.at();
        let word = self.word();
        let digits = &word[1..];
        if digits.is_empty() {
            return Err(Fault::new(at, "an empty literal: `x` without hex digits")
                .hint("write two hex digits a byte, such as x0a"));
        }
        if let Some(wrong) = digits.find(|c: char| !c.is_ascii_hexdigit()) {
            let at = self.fixed_at.unwrap_or(self.position - digits.len() + wrong);
            return Err(Fault::new(at, format!("`{}` is no hex digit", &digits[wrong..=wrong]))
                .hint("write two hex digits a byte, such as x0a, or the text in double quotes"));
        }
        if digits.len() % 2 == 1 {
            return Err(Fault::new(
                at,
                format!("`{}` has an odd number of hex digits", shortened(word)),
            )
            .hint(format!("write two digits a byte: x0{}", shortened(digits))));
        }
        let pairs = digits.as_bytes().chunks_exact(2);
        Ok(pairs.map(|pair| hex_value(pair[0]) << 4 | hex_value(pair[1])).collect())
    }

    fn quoted(&mut self) -> Parsed<Vec<u8>> {
        let start = self.at();
        self.bump();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4];
        loop {
            let at = self.at();
            match self.bump() {
                None => {
                    return Err(Fault::new(start, "this literal has no closing quote")
                        .hint("close it with \"; a quote inside is written \\\""));
                }
                Some('"') => return Ok(bytes),
                Some('\\') => bytes.push(self.escape(at)?),
                Some(c) => bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes()),
            }
        }
    }

    fn escape(&mut self, at: usize) -> Parsed<u8> {
        let known = "the escapes are \\n \\r \\t \\0 \\\\ \\\" and \\xNN";
        match self.bump() {
            Some('n') => Ok(b'\n'),
            Some('r') => Ok(b'\r'),
            Some('t') => Ok(b'\t'),
            Some('0') => Ok(0),
            Some('\\') => Ok(b'\\'),
            Some('"') => Ok(b'"'),
            Some('x') => {
                let digits = self.rest().as_bytes();
                match digits {
                    [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                        self.advance(2);
                        Ok(hex_value(*a) << 4 | hex_value(*b))
                    }
                    _ => Err(Fault::new(at, "`\\x` needs two hex digits").hint("write \\x0a")),
                }
            }
            Some(c) if !c.is_control() => {
                Err(Fault::new(at, format!("`\\{c}` is no escape")).hint(known))
            }
            _ => Err(Fault::new(at, "an escape without its letter").hint(known)),
        }
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// A word for a message: long ones are cut, so that a message stays a line.
pub(crate) fn shortened(word: &str) -> String {
    const CHARS_MAX: usize = 24;
    if word.chars().count() <= CHARS_MAX {
        return word.to_string();
    }
    word.chars().take(CHARS_MAX).chain("...".chars()).collect()
}

/// A number of decimal digits.
pub(crate) fn number(at: usize, digits: &str, what: &str) -> Parsed<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let found = if digits.is_empty() {
            "nothing".to_string()
        } else {
            format!("`{}`", shortened(digits))
        };
        let sized = parse_size(digits).map(|n| format!("write {n}"));
        return Err(Fault::new(at, format!("{what} is a number of decimal digits, found {found}"))
            .maybe_hint(sized));
    }
    digits.parse().map_err(|_| {
        Fault::new(at, format!("{} is beyond 64 bits", shortened(digits)))
            .hint("the largest number is 18446744073709551615")
    })
}

/// A number of hex digits: a mask, a bit, a value.
pub(crate) fn hex_number(at: usize, digits: &str, what: &str) -> Parsed<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        let found = if digits.is_empty() {
            "nothing".to_string()
        } else {
            format!("`{}`", shortened(digits))
        };
        let bare = digits.strip_prefix("0x").or_else(|| digits.strip_prefix('x'));
        return Err(Fault::new(at, format!("{what} is a number of hex digits, found {found}"))
            .maybe_hint(bare.map(|bare| format!("write {} without the x", shortened(bare)))));
    }
    let significant = digits.trim_start_matches('0');
    if significant.len() > 16 {
        return Err(Fault::new(at, format!("{} is beyond 64 bits", shortened(digits)))
            .hint("sixteen hex digits at most"));
    }
    Ok(significant.bytes().fold(0, |sum, digit| sum << 4 | u64::from(hex_value(digit))))
}

/// `64k`, `16MiB`, `1000`: bytes.
pub(crate) fn size(at: usize, text: &str, what: &str) -> Parsed<u64> {
    if let Some(bytes) = parse_size(text) {
        return Ok(bytes);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && unit(&text[digits..]).is_some() {
        return Err(Fault::new(at, format!("{} is beyond 64 bits", shortened(text)))
            .hint("the largest size is 18446744073709551615 bytes"));
    }
    let found =
        if text.is_empty() { "nothing".to_string() } else { format!("`{}`", shortened(text)) };
    Err(Fault::new(at, format!("{what} is a size in bytes, found {found}"))
        .hint("write digits, with k, m, g or KiB, MiB, GiB for powers of 1024: 64k"))
}

/// Reads a size in bytes as framings write it: digits and nothing, `k`, `m` or `g`, or `KiB`, `MiB`
/// or `GiB`, in either case, which are powers of 1024.
///
/// `None`: it is none, or beyond 64 bits. There is no `MB`, which means a thousand thousand to some
/// and not to others.
///
/// ```
/// use switchboard_frame::parse_size;
///
/// assert_eq!(parse_size("64k"), Some(65_536));
/// assert_eq!(parse_size("1M"), parse_size("1MiB"));
/// assert_eq!(parse_size("1MB"), None);
/// ```
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let factor = unit(&text[digits..])?;
    text[..digits].parse::<u64>().ok()?.checked_mul(factor)
}

fn unit(text: &str) -> Option<u64> {
    match text {
        "" => Some(1),
        _ if text.eq_ignore_ascii_case("k") || text.eq_ignore_ascii_case("kib") => Some(1 << 10),
        _ if text.eq_ignore_ascii_case("m") || text.eq_ignore_ascii_case("mib") => Some(1 << 20),
        _ if text.eq_ignore_ascii_case("g") || text.eq_ignore_ascii_case("gib") => Some(1 << 30),
        _ => None,
    }
}
