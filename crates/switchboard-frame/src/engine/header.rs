//! `header:NAME`: a block of header lines up to a blank line, then as many bytes as the header
//! NAME says.
//!
//! ```text
//! Content-Length: 5 CR LF
//! CR LF                        the block, to the end of the blank line
//! h e l l o                    the body
//! ```
//!
//! Lines end with LF, a CR before it or not; names are compared without regard to case; blanks
//! around the number are passed over (RFC 9112, section 5). The same header twice must say the
//! same; a blank before its colon is refused, because others read such a line differently.

use core::ops::Range;

use crate::engine::{Input, Out, Oversize, delivered, looked_at};
use crate::framing::{Deliver, HEADER_BYTES_MAX, Options};
use crate::{ErrorKind, Frame, FrameError};

/// How much of an unfinished line is looked at behind the header's name.
const VALUE_BYTES: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Run {
    start: usize,
    /// The line at hand begins here.
    line: usize,
    scanned: usize,
    /// What the header says, once it has been read, and where its value lies.
    length: Option<(u64, Range<usize>)>,
    /// The end of the block, once the blank line has been read.
    block_end: Option<usize>,
}

impl Run {
    pub(crate) fn new(start: usize) -> Run {
        Run { start, line: start, scanned: start, length: None, block_end: None }
    }

    /// The number that the header says, and where it lies.
    pub(crate) fn length_at(&self) -> Option<(u64, Range<usize>)> {
        self.length.clone()
    }

    fn length(&self) -> Option<u64> {
        self.length.as_ref().map(|(length, _)| *length)
    }

    /// Where the body begins and how large the frame is, once the block has been read.
    pub(crate) fn announced(&self) -> Option<(u64, u64)> {
        let body = self.block_end? as u64;
        Some((body, body.checked_add(self.length().unwrap_or(0))?))
    }

    pub(crate) fn run(
        &mut self,
        name: &str,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Out, FrameError> {
        while self.block_end.is_none() {
            if let Some(out) = self.next_line(name, options, input)? {
                return Ok(out);
            }
        }
        let block_end = self.block_end.unwrap_or(self.scanned);
        let body = self.length().unwrap_or(0);
        let whole = (block_end as u64).saturating_add(body);
        if input.discarding {
            return Ok(Out::Whole { bytes: whole, more: false });
        }
        if let Some(limit) = options.maxframe.filter(|max| whole > *max) {
            let (at, declared) = (block_end - 1, Some(whole));
            let frame_bytes = declared;
            return Ok(Out::Oversize(Oversize { at, declared, limit, frame_bytes, fatal: None }));
        }
        if (input.bytes.len() as u64) < whole {
            return Ok(Out::need_until(whole, input.bytes.len()));
        }
        let end = usize::try_from(whole).unwrap_or(usize::MAX);
        let (whole, body) = (0..end, block_end..end);
        let message = delivered(options.deliver.unwrap_or(Deliver::Frame), &whole, &body, 0);
        Ok(Out::Frame(Frame { whole, header: 0..block_end, body, message, more: false }))
    }

    /// Reads a line of the block when it is whole.
    fn next_line(
        &mut self,
        name: &str,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Option<Out>, FrameError> {
        let end = input.bytes.len().min(self.start + HEADER_BYTES_MAX);
        let rest = &input.bytes[self.scanned.min(end)..end];
        let Some(hit) = memchr::memchr(b'\n', rest) else {
            looked_at(rest.len());
            self.scanned = end;
            if end == self.start + HEADER_BYTES_MAX {
                let what = "a block of header lines";
                return Ok(Some(Oversize::fatal(end - 1, HEADER_BYTES_MAX, what)));
            }
            return Ok(Some(self.unfinished(name, options, input).unwrap_or(Out::need(1))));
        };
        looked_at(hit + 1);
        let (from, line_end) = (self.line, self.scanned + hit);
        let line = &input.bytes[from..line_end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.scanned = line_end + 1;
        self.line = self.scanned;
        if line.is_empty() {
            self.block_end = Some(self.scanned);
            return Ok(None);
        }
        let Some(value) = value_of(line, name).map_err(|at| {
            let error = input.error(ErrorKind::BadPrefix, from + at);
            error.with_expected("a colon straight behind the header's name")
        })?
        else {
            return Ok(None);
        };
        let range = from + value.start..from + value.end;
        if let Some(out) = over(range.clone(), options, input) {
            // The line is read again for its number if the frame is to be discarded.
            (self.line, self.scanned) = (from, from);
            return Ok(Some(out));
        }
        let length = self.number(range.clone(), input)?;
        self.length = Some((length, range));
        Ok(None)
    }

    /// Whether a line that has not ended yet is certain to say too much already. Only its
    /// beginning is looked at, so that a line fed byte by byte costs no more than its length.
    fn unfinished(&self, name: &str, options: &Options, input: Input<'_>) -> Option<Out> {
        let line = &input.bytes[self.line..];
        let line = &line[..line.len().min(name.len() + VALUE_BYTES)];
        let value = value_of(line, name).ok()??;
        over(self.line + value.start..self.line + value.end, options, input)
    }

    /// Reads the header's value.
    fn number(&self, range: Range<usize>, input: Input<'_>) -> Result<u64, FrameError> {
        let text = &input.bytes[range.clone()];
        let bad = |at: usize, expected: &str| {
            input.error(ErrorKind::BadPrefix, range.start + at).with_expected(expected)
        };
        if text.is_empty() {
            return Err(bad(0, "a decimal number"));
        }
        let mut number: u64 = 0;
        for (at, byte) in text.iter().enumerate() {
            if !byte.is_ascii_digit() {
                return Err(bad(at, "a decimal digit"));
            }
            let digit = u64::from(byte - b'0');
            let next = number.checked_mul(10).and_then(|number| number.checked_add(digit));
            number = next.ok_or_else(|| {
                let error = input.error(ErrorKind::BadLength, range.start + at);
                error.with_expected("a number within 64 bits")
            })?;
        }
        if self.length().is_some_and(|before| before != number) {
            let error = input.error(ErrorKind::BadLength, range.end - 1);
            return Err(error.with_expected("the same number as the header said before"));
        }
        Ok(number)
    }
}

/// The digit that passes the limit, as with every other length in digits; what comes behind it
/// does not matter any more.
fn over(digits: Range<usize>, options: &Options, input: Input<'_>) -> Option<Out> {
    let max = options.max();
    let mut number: u64 = 0;
    for at in digits.filter(|_| !input.discarding) {
        let digit = input.bytes.get(at).filter(|byte| byte.is_ascii_digit())?;
        number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        if number > max {
            return Some(Oversize::body(at, Some(number), max));
        }
    }
    None
}

/// Where in `line` the value of the header `name` lies, without blanks around it. `Err` is the
/// place of a blank between the name and its colon.
fn value_of(line: &[u8], name: &str) -> Result<Option<Range<usize>>, usize> {
    let len = name.len();
    if line.len() <= len || !line[..len].eq_ignore_ascii_case(name.as_bytes()) {
        return Ok(None);
    }
    if line[len] != b':' {
        let colon = line[len..].iter().position(|byte| !matches!(byte, b' ' | b'\t'));
        return match colon {
            Some(at) if at > 0 && line[len + at] == b':' => Err(len),
            _ => Ok(None),
        };
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let value = &line[len + 1..];
    let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
    Ok(Some(len + 1 + start..len + 1 + end))
}
