//! `resp`: the Redis serialization protocol, versions 2 and 3. One message is one whole value,
//! however nested.
//!
//! ```text
//! *2 CR LF  $3 CR LF GET CR LF  $1 CR LF k CR LF
//! ^ two values follow
//!           ^ 3 bytes follow
//! ```
//!
//! `resp-command` is what a client writes: an array, or an inline command, which is a line.

use alloc::vec::Vec;

use crate::engine::{Input, Out, Oversize, looked_at};
use crate::framing::{Options, RESP_DEPTH_MAX};
use crate::{ErrorKind, Frame, FrameError};

#[derive(Clone, Debug)]
pub(crate) struct Run {
    start: usize,
    inline: bool,
    /// The next byte to look at.
    pos: usize,
    /// Bytes of this frame passed and dropped, when it is being discarded.
    dropped: u64,
    part: Part,
    /// Values still to come, the innermost last; [`UNTIL_END`] for a streamed aggregate.
    open: Vec<u64>,
}

/// A streamed aggregate of version 3: values until `.`.
const UNTIL_END: u64 = u64::MAX;

/// A streamed string of version 3: chunks until an empty one.
const UNTIL_EMPTY: u64 = u64::MAX - 1;

/// The smallest value on the wire: `_ CR LF`.
const VALUE_BYTES_MIN: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first byte of a value.
    Kind,
    /// A line whose content does not matter, up to CR LF.
    Line,
    /// An inline command, up to LF.
    Inline,
    /// Digits of a length or a count.
    Number { kind: u8, value: u64, digits: u8, negative: bool, streamed: bool },
    /// The LF behind such a number.
    LineFeed { kind: u8, value: u64, negative: bool, streamed: bool },
    /// So many bytes, then CR LF.
    Bytes { left: u64 },
    /// The CR, or the LF, behind them.
    Close { lf: bool },
}

impl Run {
    pub(crate) fn new(start: usize, inline: bool) -> Run {
        Run { start, inline, pos: start, dropped: 0, part: Part::Kind, open: Vec::new() }
    }

    /// Ready for the next value; keeps its memory.
    pub(crate) fn reset(&mut self, start: usize, inline: bool) {
        let mut open = core::mem::take(&mut self.open);
        open.clear();
        *self = Run { open, ..Run::new(start, inline) };
    }

    pub(crate) fn run(&mut self, options: &Options, input: Input<'_>) -> Result<Out, FrameError> {
        let max = options.max().saturating_add(self.start as u64);
        let max = max.min(options.maxframe.unwrap_or(u64::MAX));
        loop {
            if let Some(out) = self.step(max, input)? {
                return Ok(match out {
                    Out::Need { .. } if input.discarding && self.pos > 0 => self.pass(),
                    out => out,
                });
            }
            if self.part == Part::Kind && self.open.is_empty() {
                let (whole, body) = (0..self.pos, self.start.min(self.pos)..self.pos);
                let header = 0..body.start;
                let message = whole.clone();
                return Ok(Out::Frame(Frame { whole, header, body, message, more: false }));
            }
        }
    }

    /// Gives up what has been passed of a value that is being discarded.
    fn pass(&mut self) -> Out {
        let passed = core::mem::take(&mut self.pos);
        self.dropped += passed as u64;
        self.start = 0;
        Out::Passed(passed)
    }

    /// Takes what can be taken at once: a byte, a run of bytes, the rest of a line. `Some` is the
    /// answer of the run.
    fn step(&mut self, max: u64, input: Input<'_>) -> Result<Option<Out>, FrameError> {
        match self.part {
            Part::Line | Part::Inline => return Ok(self.line(max, input)),
            Part::Bytes { left } => return Ok(self.bytes(left, input)),
            _ => {}
        }
        let Some(byte) = input.bytes.get(self.pos).copied() else {
            return Ok(Some(Out::need(1)));
        };
        looked_at(1);
        match self.part {
            Part::Kind => self.kind(byte, input)?,
            Part::Number { .. } => self.number(byte, input)?,
            Part::LineFeed { kind, value, negative, streamed } => {
                if byte != b'\n' {
                    return Err(self.bad(input, ErrorKind::BadPrefix, "LF behind CR"));
                }
                self.pos += 1;
                return self.counted(kind, value, negative, streamed, input);
            }
            Part::Close { lf } => {
                if byte != if lf { b'\n' } else { b'\r' } {
                    let expected = "CR LF behind the bytes of a string";
                    return Err(self.bad(input, ErrorKind::BadTrailer, expected));
                }
                self.pos += 1;
                self.part = Part::Close { lf: true };
                if lf {
                    self.value_over();
                }
            }
            Part::Line | Part::Inline | Part::Bytes { .. } => {}
        }
        Ok(self.over(max, input))
    }

    fn bad(&self, input: Input<'_>, kind: ErrorKind, expected: &'static str) -> FrameError {
        input.error(kind, self.pos).with_expected(expected)
    }

    fn kind(&mut self, byte: u8, input: Input<'_>) -> Result<(), FrameError> {
        let first = self.open.is_empty();
        self.part = match byte {
            b'*' if self.inline && first => number(byte),
            _ if self.inline && first => {
                self.part = Part::Inline;
                return Ok(());
            }
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => Part::Line,
            b';' if self.open.last() == Some(&UNTIL_EMPTY) => number(byte),
            _ if self.open.last() == Some(&UNTIL_EMPTY) => {
                return Err(self.bad(input, ErrorKind::BadPrefix, "a chunk of a string: ;"));
            }
            b'.' if self.open.last() == Some(&UNTIL_END) => {
                // The end of a streamed aggregate is its last value.
                if let Some(open) = self.open.last_mut() {
                    *open = 1;
                }
                Part::Line
            }
            b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|' => number(byte),
            _ => {
                let expected = "the first byte of a value: one of + - : $ * _ , # ( ! = % ~ > |";
                return Err(self.bad(input, ErrorKind::BadPrefix, expected));
            }
        };
        self.pos += 1;
        Ok(())
    }

    fn number(&mut self, byte: u8, input: Input<'_>) -> Result<(), FrameError> {
        let Part::Number { kind, value, digits, negative, streamed } = &mut self.part else {
            return Ok(());
        };
        match byte {
            b'0'..=b'9' if !*streamed => {
                if *digits > 0 && *value == 0 {
                    let expected = "a number without a leading zero";
                    return Err(self.bad(input, ErrorKind::BadPrefix, expected));
                }
                let digit = u64::from(byte - b'0');
                let next = value.checked_mul(10).and_then(|value| value.checked_add(digit));
                let Some(next) = next else {
                    return Err(self.bad(input, ErrorKind::BadLength, "a number within 64 bits"));
                };
                *value = next;
                *digits += 1;
            }
            b'-' if *digits == 0 && !*negative => *negative = true,
            b'?' if *digits == 0 && !*negative => *streamed = true,
            b'\r' if *digits > 0 || *streamed => {
                self.part = Part::LineFeed {
                    kind: *kind,
                    value: *value,
                    negative: *negative,
                    streamed: *streamed,
                };
            }
            _ => return Err(self.bad(input, ErrorKind::BadPrefix, "a decimal digit")),
        }
        self.pos += 1;
        Ok(())
    }

    /// A length or a count is whole.
    fn counted(
        &mut self,
        kind: u8,
        value: u64,
        negative: bool,
        streamed: bool,
        input: Input<'_>,
    ) -> Result<Option<Out>, FrameError> {
        let bad_length = |expected| {
            let error = input.error(ErrorKind::BadLength, self.pos - 1);
            Err(error.with_expected(expected))
        };
        if negative {
            // The nulls of version 2: `$-1` and `*-1`.
            if value != 1 || !matches!(kind, b'$' | b'*') {
                return bad_length("a length of 0 or more, or the null -1 of $ and *");
            }
            self.value_over();
            return Ok(None);
        }
        let values = match kind {
            b'$' | b'=' | b'!' if !streamed => {
                self.part = Part::Bytes { left: value };
                return Ok(None);
            }
            b';' if streamed => return bad_length("a length"),
            b';' if value == 0 => {
                // The empty chunk ends a streamed string.
                self.open.pop();
                self.value_over();
                return Ok(None);
            }
            b';' => {
                self.part = Part::Bytes { left: value };
                return Ok(None);
            }
            _ if streamed && matches!(kind, b'>' | b'|' | b'=' | b'!') => {
                return bad_length("a number: only $ * ~ and % can be streamed");
            }
            b'$' if streamed => UNTIL_EMPTY,
            _ if streamed => UNTIL_END,
            // Attributes are pairs, and the value that they describe comes behind them.
            b'%' | b'|' => {
                let pairs = value.checked_mul(2);
                match pairs.and_then(|values| values.checked_add(u64::from(kind == b'|'))) {
                    Some(values) if values < UNTIL_EMPTY => values,
                    _ => return bad_length("a number of pairs within 64 bits"),
                }
            }
            _ if value >= UNTIL_EMPTY => return bad_length("a number of values within 64 bits"),
            _ => value,
        };
        if values == 0 {
            self.value_over();
            return Ok(None);
        }
        if self.open.len() == RESP_DEPTH_MAX {
            let what = "the depth of nested values";
            return Ok(Some(Oversize::fatal(self.pos - 1, RESP_DEPTH_MAX, what)));
        }
        self.open.push(values);
        self.part = Part::Kind;
        Ok(None)
    }

    /// A value is whole, and with it perhaps those around it.
    fn value_over(&mut self) {
        self.part = Part::Kind;
        while let Some(left) = self.open.last_mut() {
            if *left >= UNTIL_EMPTY {
                return;
            }
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
    }

    fn line(&mut self, max: u64, input: Input<'_>) -> Option<Out> {
        // Within the limit only, so that where the reads cut does not matter.
        let end = match input.discarding {
            true => input.bytes.len(),
            false => input.bytes.len().min(usize::try_from(max).unwrap_or(usize::MAX)),
        };
        let rest = &input.bytes[self.pos.min(end)..end];
        let hit = memchr::memchr(b'\n', rest);
        looked_at(hit.map_or(rest.len(), |hit| hit + 1));
        let Some(hit) = hit else {
            // One byte is kept back when it may be the CR of a CR LF.
            let cr = usize::from(rest.last() == Some(&b'\r'));
            self.pos += rest.len() - cr;
            return Some(self.over_at(end, max, input).unwrap_or(Out::need(1)));
        };
        let at = self.pos + hit;
        self.pos = at + 1;
        let closed = self.part == Part::Inline || at > 0 && input.bytes[at - 1] == b'\r';
        if closed {
            self.value_over();
        }
        self.over(max, input)
    }

    fn bytes(&mut self, left: u64, input: Input<'_>) -> Option<Out> {
        let there = (input.bytes.len() - self.pos) as u64;
        let taken = left.min(there);
        self.pos += usize::try_from(taken).unwrap_or(0);
        self.part = match left - taken {
            0 => Part::Close { lf: false },
            left => Part::Bytes { left },
        };
        match self.part {
            Part::Bytes { left } => Some(Out::Need { more: left.saturating_add(2), need: None }),
            _ => None,
        }
    }

    /// Whether the value is certain to pass the limit, from what has been read of it.
    fn over(&self, max: u64, input: Input<'_>) -> Option<Out> {
        self.over_at(self.pos, max, input)
    }

    fn over_at(&self, passed: usize, max: u64, input: Input<'_>) -> Option<Out> {
        if input.discarding {
            return None;
        }
        let done = self.part == Part::Kind && self.open.is_empty();
        // A number says how many bytes or values follow, and every digit makes it larger.
        let follows = match self.part {
            Part::Number { value, negative: false, kind, .. } => match kind {
                b';' if value == 0 => 2,
                b'$' | b'=' | b'!' | b';' => value.saturating_add(4),
                b'%' | b'|' => value.saturating_mul(2 * VALUE_BYTES_MIN).saturating_add(2),
                _ => value.saturating_mul(VALUE_BYTES_MIN).saturating_add(2),
            },
            _ => u64::from(!done),
        };
        let least = (passed as u64).saturating_add(follows);
        if least <= max {
            return None;
        }
        let declared = (follows > 1).then_some(least);
        Some(Oversize::body(passed.saturating_sub(1), declared, max))
    }
}

fn number(kind: u8) -> Part {
    Part::Number { kind, value: 0, digits: 0, negative: false, streamed: false }
}
