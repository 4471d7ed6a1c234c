//! `chunked`: HTTP's chunked transfer coding (RFC 9112, section 7.1).
//!
//! ```text
//! 5 [;ext] CR LF  h e l l o  CR LF       a chunk: its data is the message
//! 0 [;ext] CR LF  [trailers]  CR LF      the last chunk: one empty message
//! ```
//!
//! Lines end with CR LF and nothing else, as the RFC asks: a bare LF in a size line is how
//! requests are smuggled.

use crate::engine::{Input, Out, Oversize, looked_at};
use crate::framing::{HEADER_BYTES_MAX, Options};
use crate::{ErrorKind, Frame, FrameError};

#[derive(Clone, Debug)]
pub(crate) struct Run {
    start: usize,
    /// The next byte to look at.
    pos: usize,
    part: Part,
    size: u64,
    header_end: usize,
    /// The line of the trailer section at hand begins here.
    line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The digits of the size; at least one must come.
    Size,
    /// Blanks and extensions behind it.
    Extension,
    /// The LF of the size line.
    LineFeed,
    Data,
    Trailers,
}

const BAD_LINE: &str = "CR LF at the end of the line";

impl Run {
    pub(crate) fn new(start: usize) -> Run {
        Run { start, pos: start, part: Part::Size, size: 0, header_end: 0, line: 0 }
    }

    pub(crate) fn run(&mut self, options: &Options, input: Input<'_>) -> Result<Out, FrameError> {
        let max = options.max();
        loop {
            match self.part {
                Part::Data if self.size > 0 => return self.data(options, input),
                Part::Data => {
                    self.part = Part::Trailers;
                    self.line = self.pos;
                }
                Part::Trailers => return self.trailers(options, input),
                Part::Size | Part::Extension | Part::LineFeed => {
                    let Some(byte) = input.bytes.get(self.pos) else {
                        return Ok(Out::need(1));
                    };
                    looked_at(1);
                    self.size_line(*byte, input)?;
                    if self.part == Part::Size && self.size > max && !input.discarding {
                        return Ok(Oversize::body(self.pos - 1, Some(self.size), max));
                    }
                    if self.pos - self.start > HEADER_BYTES_MAX {
                        let what = "the line with a chunk's size";
                        return Ok(Oversize::fatal(self.pos - 1, HEADER_BYTES_MAX, what));
                    }
                }
            }
        }
    }

    /// Takes a byte of the size line.
    fn size_line(&mut self, byte: u8, input: Input<'_>) -> Result<(), FrameError> {
        let bad =
            |expected| Err(input.error(ErrorKind::BadPrefix, self.pos).with_expected(expected));
        let digits = self.pos > self.start;
        self.part = match (self.part, byte) {
            (Part::Size, byte) if byte.is_ascii_hexdigit() => {
                let digit = u64::from(char::from(byte).to_digit(16).unwrap_or(0));
                if self.size >> 60 != 0 {
                    let error = input.error(ErrorKind::BadLength, self.pos);
                    return Err(error.with_expected("a size within 64 bits"));
                }
                self.size = self.size << 4 | digit;
                Part::Size
            }
            (Part::Size, _) if !digits => return bad("a hexadecimal digit"),
            (Part::Size, b' ' | b'\t' | b';') => Part::Extension,
            (Part::Size | Part::Extension, b'\r') => Part::LineFeed,
            (Part::Size, _) => return bad("a hexadecimal digit, \";\" or CR LF"),
            (Part::Extension, b'\n') => return bad(BAD_LINE),
            (Part::Extension, _) => Part::Extension,
            (_, b'\n') => {
                self.header_end = self.pos + 1;
                Part::Data
            }
            _ => return bad(BAD_LINE),
        };
        self.pos += 1;
        Ok(())
    }

    fn data(&mut self, options: &Options, input: Input<'_>) -> Result<Out, FrameError> {
        let body_end = (self.header_end as u64).saturating_add(self.size);
        let whole = body_end.saturating_add(2);
        if input.discarding {
            return Ok(Out::Whole { bytes: whole, more: false });
        }
        if let Some(limit) = options.maxframe.filter(|max| whole > *max) {
            let at = self.header_end - 1;
            let frame_bytes = Some(whole);
            let declared = frame_bytes;
            return Ok(Out::Oversize(Oversize { at, declared, limit, frame_bytes, fatal: None }));
        }
        let end = usize::try_from(body_end).unwrap_or(usize::MAX);
        for (at, want) in (end..).zip(b"\r\n") {
            match input.bytes.get(at) {
                None => return Ok(Out::need_until(whole, input.bytes.len())),
                Some(byte) if byte == want => {}
                Some(_) => {
                    let error = input.error(ErrorKind::BadTrailer, at);
                    return Err(error.with_expected("CR LF behind the chunk's data"));
                }
            }
        }
        Ok(self.frame(end, end + 2))
    }

    /// Passes the trailer section of the last chunk.
    fn trailers(&mut self, options: &Options, input: Input<'_>) -> Result<Out, FrameError> {
        let limit = self.header_end + HEADER_BYTES_MAX;
        loop {
            let end = input.bytes.len().min(limit);
            let rest = &input.bytes[self.pos.min(end)..end];
            let Some(hit) = memchr::memchr(b'\n', rest) else {
                looked_at(rest.len());
                self.pos = end;
                if end == limit {
                    let what = "a chunked body's trailer section";
                    return Ok(Oversize::fatal(end - 1, HEADER_BYTES_MAX, what));
                }
                return Ok(Out::need(1));
            };
            looked_at(hit + 1);
            let line_end = self.pos + hit;
            if line_end == self.line || input.bytes[line_end - 1] != b'\r' {
                let error = input.error(ErrorKind::BadTrailer, line_end);
                return Err(error.with_expected(BAD_LINE));
            }
            self.pos = line_end + 1;
            if line_end == self.line + 1 {
                let whole = self.pos as u64;
                let limit = options.maxframe.filter(|max| whole > *max && !input.discarding);
                if let Some(max) = limit {
                    return Ok(Oversize::body(self.pos - 1, Some(whole), max));
                }
                return Ok(self.frame(self.header_end, self.pos));
            }
            self.line = self.pos;
        }
    }

    fn frame(&self, body_end: usize, end: usize) -> Out {
        let body = self.header_end..body_end;
        let message = body.clone();
        Out::Frame(Frame { whole: 0..end, header: 0..self.header_end, body, message, more: false })
    }
}
