//! The interpreter: one running state for each shape, behind one `run`.
//!
//! A run is given all bytes of the frame that are there and looks at each of them once: what it
//! has learned stays in its state. It never waits and never consumes; the [`Decoder`] does.
//! Positions are relative to the first byte of the frame, or, while a frame is being discarded, to
//! the first byte that has not been dropped yet.
//!
//! [`Decoder`]: crate::Decoder

pub(crate) mod chunked;
pub(crate) mod delimited;
pub(crate) mod fast;
pub(crate) mod header;
pub(crate) mod item;
pub(crate) mod record;
pub(crate) mod resp;
pub(crate) mod typed;
pub(crate) mod variable;
pub(crate) mod whole;

use core::ops::Range;

use crate::framing::{Deliver, Options, Shape, Stage};
use crate::{ErrorKind, Frame, FrameError};

/// What a run is given.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at_end: bool,
    /// Offset in the stream of `bytes[0]`.
    pub(crate) offset: u64,
    /// Offset in the stream of the frame's first byte; smaller than `offset` when discarding.
    pub(crate) frame_offset: u64,
    /// The frame is being discarded: no limits, and bytes may be given up as they are passed.
    pub(crate) discarding: bool,
    /// Bytes of body in the fragments before this frame.
    pub(crate) collected: u64,
}

/// What a run found.
pub(crate) enum Out {
    /// So many bytes more at least; and, where it is known, how many there are to be in all.
    Need {
        more: u64,
        need: Option<u64>,
    },
    Frame(Frame),
    Oversize(Oversize),
    /// Only when discarding: the frame's size is known, none of its body has to be looked at.
    Whole {
        bytes: u64,
        more: bool,
    },
    /// Only when discarding: the first so many bytes have been passed and may be dropped; the
    /// run's positions are already counted from behind them.
    Passed(usize),
    /// The stream ended, and that ends the frame without a message.
    Finished,
}

/// A frame that is too large.
pub(crate) struct Oversize {
    /// The last byte that had to be seen to know it.
    pub(crate) at: usize,
    pub(crate) declared: Option<u64>,
    pub(crate) limit: u64,
    pub(crate) frame_bytes: Option<u64>,
    /// What is too large when that is not the body: such a frame cannot be discarded, because its
    /// end is never found.
    pub(crate) fatal: Option<&'static str>,
}

impl Oversize {
    pub(crate) fn body(at: usize, declared: Option<u64>, limit: u64) -> Out {
        Out::Oversize(Oversize { at, declared, limit, frame_bytes: None, fatal: None })
    }

    pub(crate) fn fatal(at: usize, limit: usize, what: &'static str) -> Out {
        let limit = limit as u64;
        Out::Oversize(Oversize { at, declared: None, limit, frame_bytes: None, fatal: Some(what) })
    }
}

impl Out {
    pub(crate) fn need(more: usize) -> Out {
        Out::Need { more: more as u64, need: None }
    }

    /// The frame, or the part of it that is known, ends at `end`; `len` bytes of it are there.
    pub(crate) fn need_until(end: u64, len: usize) -> Out {
        Out::Need { more: end.saturating_sub(len as u64).max(1), need: Some(end) }
    }
}

impl Input<'_> {
    pub(crate) fn error(&self, kind: ErrorKind, at: usize) -> FrameError {
        FrameError::new(kind, self.frame_offset, self.offset + at as u64)
    }
}

/// The running state of a shape inside one frame.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Raw(whole::Raw),
    Eof(whole::Eof),
    Fixed(whole::Fixed),
    Delimited(delimited::Run),
    Header(header::Run),
    Type(typed::Run),
    Resp(resp::Run),
    Chunked(chunked::Run),
    Record(record::Run),
}

impl State {
    /// The state of `shape` when `key` bytes of the frame are passed: the key of a `type{}`.
    pub(crate) fn new(shape: &Shape, key: usize) -> State {
        match shape {
            Shape::Raw => State::Raw(whole::Raw { key }),
            Shape::Eof => State::Eof(whole::Eof { key }),
            Shape::Fixed(_) => State::Fixed(whole::Fixed { key }),
            Shape::Delimited(_) => State::Delimited(delimited::Run::new(key)),
            Shape::Header(_) => State::Header(header::Run::new(key)),
            Shape::Type(_) => State::Type(typed::Run::new(key)),
            Shape::Resp { inline } => State::Resp(resp::Run::new(key, *inline)),
            Shape::Chunked => State::Chunked(chunked::Run::new(key)),
            Shape::Record(_) => State::Record(record::Run::new(key)),
        }
    }

    /// The same state as [`new`](Self::new) gives, in the memory that is there.
    pub(crate) fn reset(&mut self, shape: &Shape, key: usize) {
        match (self, shape) {
            (State::Record(run), Shape::Record(_)) => run.reset(key),
            (State::Resp(run), Shape::Resp { inline }) => run.reset(key, *inline),
            (State::Type(run), Shape::Type(_)) => run.reset(key),
            (state, shape) => *state = State::new(shape, key),
        }
    }

    /// Looks at what is there. `stage` is the one the state was made from, `options` are in force.
    pub(crate) fn run(
        &mut self,
        stage: &Stage,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Out, FrameError> {
        let looks_itself = matches!(self, State::Eof(_) | State::Delimited(_) | State::Type(_));
        let Some(max) = options.maxframe.filter(|_| !input.discarding && !looks_itself) else {
            return self.run_shape(stage, options, input);
        };
        // A frame that is not whole in as many bytes as it may have is too large; what lies behind
        // them is not looked at, so that where the reads cut does not matter.
        let end = usize::try_from(max).unwrap_or(usize::MAX);
        let len = input.bytes.len();
        let within = Input {
            bytes: &input.bytes[..len.min(end)],
            at_end: input.at_end && len <= end,
            ..input
        };
        match self.run_shape(stage, options, within)? {
            Out::Need { .. } if len >= end => Ok(Oversize::body(end.saturating_sub(1), None, max)),
            out => Ok(out),
        }
    }

    fn run_shape(
        &mut self,
        stage: &Stage,
        options: &Options,
        input: Input<'_>,
    ) -> Result<Out, FrameError> {
        match (self, &stage.shape) {
            (State::Raw(run), _) => Ok(run.run(input)),
            (State::Eof(run), _) => Ok(run.run(options, input)),
            (State::Fixed(run), Shape::Fixed(bytes)) => Ok(run.run(*bytes, options, input)),
            (State::Delimited(run), Shape::Delimited(delimiter)) => {
                Ok(run.run(delimiter, options, input))
            }
            (State::Header(run), Shape::Header(name)) => run.run(name, options, input),
            (State::Type(run), Shape::Type(cases)) => run.run(cases, options, input),
            (State::Resp(run), _) => run.run(options, input),
            (State::Chunked(run), _) => run.run(options, input),
            (State::Record(run), Shape::Record(record)) => {
                run.run(record, stage.deliver_with(options), options, input)
            }
            _ => unreachable!("a state runs on the shape it was made from"),
        }
    }

    /// Whether the bytes from here on are raw for ever.
    pub(crate) fn is_raw(&self) -> bool {
        match self {
            State::Raw(_) => true,
            State::Type(run) => run.is_raw(),
            _ => false,
        }
    }
}

/// The part of a frame that is the message. `padding` is how many bytes of it are padding at its
/// end.
pub(crate) fn delivered(
    deliver: Deliver,
    whole: &Range<usize>,
    body: &Range<usize>,
    padding: usize,
) -> Range<usize> {
    match deliver {
        Deliver::Body => body.clone(),
        Deliver::Frame => whole.clone(),
        Deliver::Without(bytes) => whole.start.saturating_add(bytes).min(whole.end)..whole.end,
        Deliver::NoPad => whole.start..whole.end - padding,
    }
}

/// Adds to the count of bytes looked at, which tests compare with the bytes received. Costs
/// nothing in a release build.
#[inline(always)]
pub(crate) fn looked_at(bytes: usize) {
    #[cfg(debug_assertions)]
    work::BYTES.fetch_add(bytes, core::sync::atomic::Ordering::Relaxed);
    #[cfg(not(debug_assertions))]
    let _ = bytes;
}

#[cfg(debug_assertions)]
pub(crate) mod work {
    pub(crate) static BYTES: core::sync::atomic::AtomicUsize =
        core::sync::atomic::AtomicUsize::new(0);
}
