//! Literals in the fewest characters: as text, in hex, or in pieces of both where neighbouring
//! literals are read as one.

use alloc::string::String;
use alloc::vec::Vec;

/// Characters weigh most. Among equals: fewer pieces, then text that needs no escape, then hex.
const CHARACTER: u64 = 1 << 20;
const PIECE: u64 = 20;
const ESCAPE: u64 = 10;
const HEX: u64 = 5;

/// The shorter of `"text"` and `xHEX`.
pub(crate) fn shortest(bytes: &[u8]) -> String {
    let text: u64 = bytes.iter().map(|byte| text_cost(*byte)).sum::<u64>() + 2 * CHARACTER;
    let hex = (1 + 2 * bytes.len() as u64) * CHARACTER + HEX;
    let mut out = String::new();
    write_piece(&mut out, bytes, text <= hex);
    out
}

/// The shortest of all ways to write `bytes` as neighbouring literals.
pub(crate) fn in_pieces(bytes: &[u8]) -> String {
    // For each end: the cost of what is before it when the last piece is text, or hex, and
    // where that piece began and of which kind the one before it was.
    #[derive(Clone, Copy)]
    struct Best {
        cost: u64,
        from: usize,
        after_text: bool,
    }
    let mut best: [Option<Best>; 2] = [None, None];
    let mut steps: Vec<[Option<Best>; 2]> = Vec::with_capacity(bytes.len());
    for (index, byte) in bytes.iter().enumerate() {
        let costs = [2 * CHARACTER, text_cost(*byte)];
        let openings = [CHARACTER + HEX, 2 * CHARACTER];
        let mut next = [None, None];
        for kind in 0..2 {
            let go_on = best[kind].map(|b| Best { cost: b.cost + costs[kind], ..b });
            let other = best[1 - kind];
            let before = match (index, other) {
                (0, _) => Some(0),
                (_, Some(other)) => Some(other.cost + CHARACTER + PIECE),
                (_, None) => None,
            };
            let open = before.map(|before| Best {
                cost: before + openings[kind] + costs[kind],
                from: index,
                after_text: kind == 0,
            });
            next[kind] = match (go_on, open) {
                (Some(a), Some(b)) => Some(if b.cost < a.cost { b } else { a }),
                (a, b) => a.or(b),
            };
        }
        best = next;
        steps.push(next);
    }
    let cost = |kind: usize| best[kind].map_or(u64::MAX, |b| b.cost);
    let mut text = cost(1) <= cost(0);
    let mut end = bytes.len();
    let mut pieces = Vec::new();
    while end > 0 {
        let Some(piece) = steps[end - 1][usize::from(text)] else { break };
        pieces.push((piece.from, end, text));
        end = piece.from;
        text = piece.after_text;
    }
    let mut out = String::new();
    for (from, to, text) in pieces.into_iter().rev() {
        if !out.is_empty() {
            out.push(' ');
        }
        write_piece(&mut out, &bytes[from..to], text);
    }
    out
}

fn text_cost(byte: u8) -> u64 {
    match byte {
        b'\n' | b'\r' | b'\t' | 0 | b'\\' | b'"' => 2 * CHARACTER + ESCAPE,
        b' '..=b'~' => CHARACTER,
        _ => 4 * CHARACTER + ESCAPE,
    }
}

fn write_piece(out: &mut String, bytes: &[u8], text: bool) {
    if !text {
        out.push('x');
        for byte in bytes {
            push_hex(out, *byte);
        }
        return;
    }
    out.push('"');
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0 => out.push_str("\\0"),
            b'\\' => out.push_str("\\\\"),
            b'"' => out.push_str("\\\""),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => {
                out.push_str("\\x");
                push_hex(out, *byte);
            }
        }
    }
    out.push('"');
}

fn push_hex(out: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        out.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_way_is_taken_and_text_on_a_tie() {
        for (bytes, want) in [
            (&b","[..], "\",\""),
            (b"\n", "x0a"),
            (b"\r\n", "x0d0a"),
            (b"a\n", "x610a"),
            (b"ab\n", "\"ab\\n\""),
            (b"\xff", "xff"),
        ] {
            assert_eq!(shortest(bytes), want);
        }
    }

    #[test]
    fn pieces_are_taken_where_they_are_shorter() {
        assert_eq!(in_pieces(b"abcdefgh\x01\x02\x03\x04"), "\"abcdefgh\" x01020304");
        assert_eq!(in_pieces(b"abc\x01"), "x61626301");
        assert_eq!(in_pieces(b"8="), "\"8=\"");
    }
}
