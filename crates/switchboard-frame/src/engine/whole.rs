//! `raw`, `eof` and `fixed:N`: shapes that look at no byte.

use crate::Frame;
use crate::engine::{Input, Out, Oversize, delivered};
use crate::framing::{Deliver, Options};

#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) key: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Eof {
    pub(crate) key: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) key: usize,
}

impl Raw {
    /// Whatever is there is a message. The key of a `type{}` belongs to the first.
    pub(crate) fn run(&mut self, input: Input<'_>) -> Out {
        let len = input.bytes.len();
        if len == 0 {
            return if input.at_end { Out::Finished } else { Out::need(1) };
        }
        let key = core::mem::take(&mut self.key);
        Out::Frame(Frame {
            whole: 0..len,
            header: 0..key,
            body: key..len,
            message: 0..len,
            more: false,
        })
    }
}

impl Eof {
    pub(crate) fn run(&mut self, options: &Options, input: Input<'_>) -> Out {
        let len = input.bytes.len();
        if input.discarding {
            return match len {
                0 if input.at_end => Out::Finished,
                0 => Out::need(1),
                _ => Out::Passed(len),
            };
        }
        let excess = over(options, self.key, (len - self.key) as u64);
        if let Some((limit, at)) = excess {
            return Oversize::body(at, None, limit);
        }
        if !input.at_end {
            return Out::need(1);
        }
        let (whole, body) = (0..len, self.key..len);
        let message = delivered(options.deliver.unwrap_or(Deliver::Body), &whole, &body, 0);
        Out::Frame(Frame { whole, header: 0..self.key, body, message, more: false })
    }
}

/// The limit that a frame with a body of `body` bytes so far passes, and the byte that passes it.
fn over(options: &Options, key: usize, body: u64) -> Option<(u64, usize)> {
    let at = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let whole = body + key as u64;
    let by_frame = options.maxframe.filter(|max| whole > *max).map(|max| (max, at(max)));
    let max = options.max();
    let by_body = (body > max).then(|| (max, at(max).saturating_add(key)));
    match (by_body, by_frame) {
        (Some(a), Some(b)) => Some(if a.1 <= b.1 { a } else { b }),
        (a, b) => a.or(b),
    }
}

impl Fixed {
    pub(crate) fn run(&mut self, bytes: usize, options: &Options, input: Input<'_>) -> Out {
        let end = self.key + bytes;
        if !input.discarding {
            let limit = match options.maxframe {
                Some(max) if end as u64 > max => Some(max),
                _ => (bytes as u64 > options.max()).then(|| options.max()),
            };
            if let Some(limit) = limit {
                // Nothing has to be seen to know it; the first byte shows that a frame is coming.
                let frame_bytes = Some(end as u64);
                let declared = Some(bytes as u64);
                let at = self.key.saturating_sub(1);
                return Out::Oversize(Oversize { at, declared, limit, frame_bytes, fatal: None });
            }
        } else {
            return Out::Whole { bytes: end as u64, more: false };
        }
        if input.bytes.len() < end {
            return Out::need_until(end as u64, input.bytes.len());
        }
        let (whole, body) = (0..end, self.key..end);
        let message = delivered(options.deliver.unwrap_or(Deliver::Body), &whole, &body, 0);
        Out::Frame(Frame { whole, header: 0..self.key, body, message, more: false })
    }
}
