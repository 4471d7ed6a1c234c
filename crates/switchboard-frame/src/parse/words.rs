//! The words of the grammar, and the nearest one to what was written.

use alloc::string::String;
use alloc::vec::Vec;

/// Shapes that are one word.
pub(crate) const PLAIN_SHAPES: [&str; 7] =
    ["raw", "eof", "lines", "crlf", "resp", "resp-command", "chunked"];

/// Shapes that take something behind a colon.
pub(crate) const COLON_SHAPES: [&str; 3] = ["fixed", "delim", "header"];

/// Framings that have a name in the grammar and no decoder yet.
pub(crate) const NOT_YET: [&str; 15] = [
    "stomp",
    "websocket",
    "zmtp",
    "json",
    "dot",
    "smtp-reply",
    "nats",
    "memcached",
    "socks5",
    "capnp",
    "journal",
    "dbus",
    "bencode",
    "x11-server",
    "proxy",
];

/// More of them, and the two protocols that are made of them.
pub(crate) const NOT_YET_OTHERS: [(&str, &str); 4] =
    [("slip", "slip"), ("cobs", "cobs"), ("smtp", "smtp-reply"), ("pop3", "dot")];

/// The names of the options.
pub(crate) const OPTIONS: [&str; 7] =
    ["max", "maxframe", "oversize", "deliver", "eof", "strip", "leading-zeros"];

/// The words behind a comma that say what a length counts or how it is read.
pub(crate) const HOWS: [&str; 8] = ["body", "rest", "self", "frame", "last", "cont", "le", "short"];

/// Integers and other items, as examples of what can be written.
const ITEMS: [&str; 27] = [
    "u8", "u16be", "u16le", "u24be", "u24le", "u32be", "u32le", "u64be", "u64le", "i8", "i16be",
    "i16le", "i32be", "i32le", "i64be", "i64le", "uleb", "vlq", "ber", "dec", "hex", "until",
    "bertag", "body", "uleb4", "dec5", "hex4",
];

/// Words that have a meaning of their own and stand for nothing else.
const OTHERS: [&str; 12] = [
    "until", "bertag", "ber", "dec", "hex", "uleb", "vlq", "fail", "discard", "nopad", "error",
    "yes",
];

/// The missing framing that `word` needs, when `word` is a name of the grammar that has no
/// decoder yet.
pub(crate) fn not_yet(word: &str) -> Option<&'static str> {
    NOT_YET
        .iter()
        .find(|name| **name == word)
        .copied()
        .or_else(|| NOT_YET_OTHERS.iter().find(|(name, _)| *name == word).map(|(_, why)| *why))
}

/// Whether `word` means something in the grammar and so cannot name a field. `type` and `len` can:
/// the grammar's own presets use them so.
pub(crate) fn is_reserved(word: &str) -> bool {
    PLAIN_SHAPES.contains(&word)
        || COLON_SHAPES.contains(&word)
        || NOT_YET.contains(&word)
        || matches!(word, "slip" | "cobs")
        || OPTIONS.contains(&word)
        || HOWS.contains(&word)
        || OTHERS.contains(&word)
        || is_hex_literal(word)
        || is_numbered(word)
        || is_with_literal(word)
}

/// `x0aff`: a word that is a literal.
pub(crate) fn is_hex_literal(word: &str) -> bool {
    word.strip_prefix('x').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `u16be`, `i5`, `dec5`, `uleb4`: a word and a number, perhaps a byte order.
fn is_numbered(word: &str) -> bool {
    let bare = word.strip_suffix("be").or_else(|| word.strip_suffix("le")).unwrap_or(word);
    ["uleb", "vlq", "dec", "hex", "u", "i"].iter().any(|start| {
        bare.strip_prefix(start)
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// `decx3a`, `untilx0a`.
fn is_with_literal(word: &str) -> bool {
    ["dec", "hex", "until"]
        .iter()
        .any(|start| word.strip_prefix(start).is_some_and(|l| l.len() > 1 && is_hex_literal(l)))
}

/// The nearest word that can begin a stage or stand as an item.
pub(crate) fn nearest_stage_word(word: &str) -> Option<&'static str> {
    let presets = crate::presets::presets().iter().map(|preset| preset.name);
    nearest(
        word,
        PLAIN_SHAPES
            .iter()
            .chain(&COLON_SHAPES)
            .chain(&ITEMS)
            .copied()
            .chain(["type"])
            .chain(presets),
    )
}

/// The candidate with the smallest edit distance, when it is near enough to be meant: at most a
/// third of the word's letters differ, and one is always forgiven.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Beyond this no word of the grammar is near; the bound keeps the work small on hostile input.
    if word.is_empty() || word.len() > 32 {
        return None;
    }
    let word: String = word.to_ascii_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The smallest number of letters put in, taken out, replaced, or swapped with their neighbour.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for j in 0..b.len() {
            let mut best =
                (above[j] + usize::from(a[i] != b[j])).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = core::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_forgives_a_slip_and_not_another_word() {
        assert_eq!(nearest_stage_word("u32eb"), Some("u32be"));
        assert_eq!(nearest_stage_word("U32BE"), Some("u32be"));
        assert_eq!(nearest_stage_word("line"), Some("lines"));
        assert_eq!(nearest_stage_word("qqqqqq"), None);
        assert_eq!(nearest("discrad", ["fail", "discard"]), Some("discard"));
    }

    #[test]
    fn names_of_the_grammar_are_reserved() {
        for word in
            ["raw", "u16be", "i5", "dec5", "x0a", "x", "decx3a", "body", "le", "max", "slip"]
        {
            assert!(is_reserved(word), "{word}");
        }
        for word in ["type", "len", "seq", "xid", "dns", "u", "until2", "decimal"] {
            assert!(!is_reserved(word), "{word}");
        }
    }
}
