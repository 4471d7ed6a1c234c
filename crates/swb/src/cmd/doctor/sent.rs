//! What was sent in one conversation, as it is shown: hex, and where it was cut.

use std::borrow::Cow;
use std::fmt;

/// So many bytes of a piece are shown at its start, and at its end.
const HEAD_BYTES: usize = 24;
const TAIL_BYTES: usize = 8;
/// So many pieces are shown.
const PIECES: usize = 12;

/// Pieces in the order in which they went.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pieces: Vec<Piece>,
    /// More, which are not kept.
    left_out: usize,
}

#[derive(Clone, Debug)]
enum Piece {
    Bytes {
        head: Vec<u8>,
        tail: Vec<u8>,
        len: usize,
    },
    /// A word for what is no byte, `FIN`, or for what is too much to show.
    Word(Cow<'static, str>),
}

impl Sent {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (head, tail) = match bytes.len() > HEAD_BYTES + TAIL_BYTES {
            true => (&bytes[..HEAD_BYTES], &bytes[bytes.len() - TAIL_BYTES..]),
            false => (bytes, &[][..]),
        };
        self.push(Piece::Bytes { head: head.to_vec(), tail: tail.to_vec(), len: bytes.len() });
    }

    pub(super) fn word(&mut self, word: impl Into<Cow<'static, str>>) {
        self.push(Piece::Word(word.into()));
    }

    fn push(&mut self, piece: Piece) {
        if self.pieces.len() < PIECES {
            self.pieces.push(piece);
        } else {
            self.left_out += 1;
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.pieces.iter().enumerate() {
            f.write_str(if index > 0 { " | " } else { "" })?;
            piece.fmt(f)?;
        }
        match self.left_out {
            0 => Ok(()),
            1 => f.write_str(" | and 1 piece more"),
            left_out => write!(f, " | and {left_out} pieces more"),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Piece::Word(word) => f.write_str(word),
            Piece::Bytes { head, tail, len } if tail.is_empty() => {
                debug_assert_eq!(head.len(), *len, "shown whole");
                hex(f, head)
            }
            Piece::Bytes { head, tail, len } => {
                hex(f, head)?;
                write!(f, " .. ")?;
                hex(f, tail)?;
                write!(f, " ({len} bytes)")
            }
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        write!(f, "{}{byte:02x}", if index > 0 { " " } else { "" })?;
    }
    Ok(())
}
