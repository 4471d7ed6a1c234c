//! `lines`, `crlf` and `delim:..`: messages ended by a delimiter.
//!
//! ```text
//! delim:"ab"|"b"      x x x a b y b        the delimiter that ends first wins, then the longer
//!                     \___/     ^ "y"
//! ```
//!
//! The search looks for the last byte of each delimiter and then backwards, so that the first hit
//! is the delimiter that ends first, wherever the reads happened to cut.

use alloc::boxed::Box;

use memchr::{memchr, memchr2, memchr3};

use crate::Frame;
use crate::engine::{Input, Out, Oversize, delivered, looked_at};
use crate::framing::{Delimiter, Deliver, Options};

#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Where the body begins: after the key of a `type{}`.
    start: usize,
    /// Up to here no delimiter ends.
    scanned: usize,
}

/// What ends a body.
#[derive(Clone, Copy)]
pub(crate) enum Ends<'a> {
    Lines,
    Literals(&'a [Box<[u8]>]),
    Literal(&'a [u8]),
}

/// What a search came to.
pub(crate) enum Search {
    Found { body_end: usize, end: usize },
    Out(Out),
}

impl<'a> Ends<'a> {
    fn literals(self) -> impl Iterator<Item = &'a [u8]> {
        let (one, many): (Option<&[u8]>, &[Box<[u8]>]) = match self {
            Ends::Lines => (None, &[]),
            Ends::Literals(list) => (None, list),
            Ends::Literal(literal) => (Some(literal), &[]),
        };
        one.into_iter().chain(many.iter().map(|literal| &**literal))
    }

    fn longest(self) -> usize {
        self.literals().map(<[u8]>::len).max().unwrap_or(1)
    }
}

impl Run {
    pub(crate) fn new(start: usize) -> Run {
        Run { start, scanned: start }
    }

    pub(crate) fn run(
        &mut self,
        delimiter: &Delimiter,
        options: &Options,
        input: Input<'_>,
    ) -> Out {
        let ends = match delimiter {
            Delimiter::Lines => Ends::Lines,
            Delimiter::Literals(list) => Ends::Literals(list),
        };
        match self.search(ends, options, input) {
            Search::Found { body_end, end } => {
                self.frame(options, self.start.min(body_end)..body_end, end)
            }
            Search::Out(out) => out,
        }
    }

    /// Looks for the end of a body that begins at `start`.
    pub(crate) fn search(&mut self, ends: Ends<'_>, options: &Options, input: Input<'_>) -> Search {
        let limit = if input.discarding { usize::MAX } else { self.end_max(ends, options) };
        let bytes = &input.bytes[..input.bytes.len().min(limit)];
        while let Some(end) = find(ends, bytes, self.scanned) {
            self.scanned = end;
            let Some(len) = ends_with(ends, &bytes[self.start..end]) else {
                continue;
            };
            let excess = match input.discarding {
                true => None,
                false => self.excess(ends, options, input, Some((end, len))),
            };
            return match excess {
                Some(out) => {
                    // Discarding goes on from here, and must find this delimiter again.
                    self.scanned = end - 1;
                    Search::Out(out)
                }
                None => Search::Found { body_end: end - len, end },
            };
        }
        self.scanned = bytes.len().max(self.scanned);
        if input.discarding {
            return Search::Out(self.pass(ends, options, input));
        }
        if let Some(out) = self.excess(ends, options, input, None) {
            return Search::Out(out);
        }
        if input.at_end && options.eof_deliver {
            return Search::Out(self.last(ends, options, input.bytes));
        }
        Search::Out(Out::need(1))
    }

    /// One past the last byte at which a frame within the limits may end.
    fn end_max(&self, ends: Ends<'_>, options: &Options) -> usize {
        let body = usize::try_from(options.max()).unwrap_or(usize::MAX);
        self.start.saturating_add(body).saturating_add(ends.longest())
    }

    /// Whether the message is certain to be too large, and at which byte that is first so. `found`
    /// is the delimiter that ends it: where it ends and how long it is.
    ///
    /// The limit is passed when no delimiter that begins within it can still come. That is looked
    /// at one byte after the other from the first byte past the limit on, so the answer does not
    /// depend on how the bytes were cut.
    fn excess(
        &self,
        ends: Ends<'_>,
        options: &Options,
        input: Input<'_>,
        found: Option<(usize, usize)>,
    ) -> Option<Out> {
        let len = found.map_or(input.bytes.len(), |(end, _)| end);
        let mut first: Option<(usize, u64)> = None;
        let max = options.max();
        let start_max = usize::try_from(max).unwrap_or(usize::MAX).saturating_add(self.start);
        for end in start_max.saturating_add(1)..=len {
            if let Some((found_end, found_len)) = found
                && end == found_end
            {
                // The CR of `lines` counts as body.
                let counted = if matches!(ends, Ends::Lines) { 1 } else { found_len };
                if end - counted > start_max {
                    first = Some((end - 1, max));
                }
                break;
            }
            if !may_begin_by(ends, &input.bytes[self.start..end], start_max - self.start) {
                first = Some((end - 1, max));
                break;
            }
        }
        if let Some(max) = options.maxframe {
            // Without a delimiter yet the frame is at least a byte longer, but for `eof=deliver`.
            let pending = !options.eof_deliver;
            let least = len as u64 + u64::from(pending && found.is_none());
            let at = usize::try_from(max).unwrap_or(usize::MAX) - usize::from(pending && max > 0);
            if least > max && first.is_none_or(|(first, _)| at < first) {
                first = Some((at, max));
            }
        }
        first.map(|(at, limit)| Oversize::body(at, None, limit))
    }

    fn frame(&self, options: &Options, body: core::ops::Range<usize>, end: usize) -> Out {
        let whole = 0..end;
        let message = delivered(options.deliver.unwrap_or(Deliver::Body), &whole, &body, 0);
        Out::Frame(Frame { whole, header: 0..body.start, body, message, more: false })
    }

    /// `eof=deliver`: what stands after the last delimiter is the last message.
    fn last(&self, ends: Ends<'_>, options: &Options, bytes: &[u8]) -> Out {
        let end = bytes.len();
        let mut body = self.start..end;
        if matches!(ends, Ends::Lines) && bytes[body.clone()].last() == Some(&b'\r') {
            body.end -= 1;
            if body.is_empty() && self.start == 0 {
                return Out::Finished;
            }
        }
        if end == 0 {
            return Out::Finished;
        }
        if body.len() as u64 > options.max() {
            let at = self.start + usize::try_from(options.max()).unwrap_or(usize::MAX);
            return Oversize::body(at, None, options.max());
        }
        self.frame(options, body, end)
    }

    /// Gives up what cannot be part of the delimiter any more.
    fn pass(&mut self, ends: Ends<'_>, options: &Options, input: Input<'_>) -> Out {
        let len = input.bytes.len();
        if input.at_end && options.eof_deliver {
            return if len == 0 { Out::Finished } else { Out::Passed(len) };
        }
        let keep = (ends.longest() - 1).min(len);
        let passed = len - keep;
        if passed == 0 {
            return Out::need(1);
        }
        self.start = self.start.saturating_sub(passed);
        self.scanned = keep.max(self.scanned.saturating_sub(passed));
        Out::Passed(passed)
    }
}

/// One past the next byte, from `from` on, that is the last byte of some delimiter.
fn find(ends: Ends<'_>, bytes: &[u8], from: usize) -> Option<usize> {
    let haystack = bytes.get(from..)?;
    let last = |literal: &[u8]| literal.last().copied().unwrap_or_default();
    let hit = match ends {
        Ends::Lines => memchr(b'\n', haystack),
        Ends::Literal(literal) => memchr(last(literal), haystack),
        Ends::Literals([a]) => memchr(last(a), haystack),
        Ends::Literals([a, b]) => memchr2(last(a), last(b), haystack),
        Ends::Literals([a, b, c]) => memchr3(last(a), last(b), last(c), haystack),
        Ends::Literals(list) => {
            haystack.iter().position(|byte| list.iter().any(|literal| last(literal) == *byte))
        }
    };
    looked_at(hit.map_or(haystack.len(), |hit| hit + 1));
    hit.map(|hit| from + hit + 1)
}

/// How many bytes at the end of `bytes` are no body: the longest delimiter that ends there.
fn ends_with(ends: Ends<'_>, bytes: &[u8]) -> Option<usize> {
    match ends {
        Ends::Lines if bytes.ends_with(b"\r\n") => Some(2),
        Ends::Lines => Some(1),
        _ => ends.literals().filter(|l| bytes.ends_with(l)).map(<[u8]>::len).max(),
    }
}

/// Whether a delimiter that has begun at or before `start_max` may still be completed by the
/// bytes that follow.
fn may_begin_by(ends: Ends<'_>, bytes: &[u8], start_max: usize) -> bool {
    ends.literals().any(|literal| {
        let first = (bytes.len() + 1).saturating_sub(literal.len());
        (first..=start_max.min(bytes.len() - 1)).any(|at| literal.starts_with(&bytes[at..]))
    })
}
