//! The framing as a value: what a framing string says, parsed.
//!
//! A [`Framing`] is cheap to clone and never changes. It owns no running state: that is the
//! [`Decoder`](crate::Decoder) and the [`Encoder`](crate::Encoder). It is made by
//! [`parse`](crate::parse) or by the builders here; what it cannot be is refused there, so every
//! `Framing` that exists describes a possible stream.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::record::Record;

/// The bound on a message's body where the string gives none, in bytes (16 MiB).
pub const MESSAGE_BYTES_MAX_DEFAULT: u64 = 16 * 1024 * 1024;

/// The bound on a header of variable size (`until`, `header:NAME`, a chunk's size line), in bytes.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The bound on how deep values of `resp` may nest.
pub const RESP_DEPTH_MAX: usize = 128;

/// How a stream of bytes is cut into messages, in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Framing {
    pub(crate) stages: Arc<[Stage]>,
}

/// One stage of a framing: a shape, how often it applies, and its options.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stage {
    /// How many frames this stage takes; the last stage of a framing ignores it and goes on.
    pub(crate) times: u32,
    pub(crate) shape: Shape,
    pub(crate) options: Options,
}

/// The shapes of the grammar.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// `raw`: bytes as they come.
    Raw,
    /// `eof`: the whole stream is one message.
    Eof,
    /// `fixed:N`: N is not zero. A bare number in a case of `type{}` is this shape too, and may be
    /// zero there, because the key is not.
    Fixed(usize),
    /// `lines`, `crlf`, `delim:..`.
    Delimited(Delimiter),
    /// `header:NAME`: a block of header lines, then as many bytes as the header says.
    Header(Box<str>),
    /// `type{..}`: the first bytes choose.
    Type(Vec<Case>),
    /// `resp` (`inline: false`), `resp-command` (`inline: true`: an array or an inline command).
    Resp { inline: bool },
    /// `chunked`.
    Chunked,
    /// Header fields, body, trailer.
    Record(Record),
}

/// What ends a delimited message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Delimiter {
    /// `lines`: LF, and one CR before it.
    Lines,
    /// `crlf`, or one literal, or several: the one that ends first wins, then the longer. In the
    /// order written; the first is the one that is sent. `crlf` is one literal CR LF.
    Literals(Vec<Box<[u8]>>),
}

/// One case of `type{}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Case {
    /// The first bytes; `None` is `*`.
    pub(crate) key: Option<Box<[u8]>>,
    /// `times` is 1.
    pub(crate) stage: Stage,
}

/// What is written behind a shape. `None` is the default; an option that cannot apply to the shape
/// is refused by the parser, so none is ever ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    /// `max=SIZE`
    pub(crate) max: Option<u64>,
    /// `maxframe=SIZE`
    pub(crate) maxframe: Option<u64>,
    /// `oversize=discard`
    pub(crate) discard: bool,
    /// `deliver=..`; `strip=no` of a delimited shape is [`Deliver::Frame`].
    pub(crate) deliver: Option<Deliver>,
    /// `eof=deliver`
    pub(crate) eof_deliver: bool,
    /// `leading-zeros=yes`
    pub(crate) leading_zeros: bool,
}

/// Which part of a frame is the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deliver {
    Body,
    Frame,
    /// The frame without its first bytes. Not zero: that is `Frame`.
    Without(usize),
    /// The frame without the padding at its end.
    NoPad,
}

impl Options {
    /// These options of a case, with what is written outside the `type{}` for what they leave
    /// open. A case delivers the whole frame unless something else is written.
    pub(crate) fn within(&self, outer: &Options) -> Options {
        Options {
            max: self.max.or(outer.max),
            maxframe: self.maxframe.or(outer.maxframe),
            discard: self.discard || outer.discard,
            deliver: self.deliver.or(outer.deliver).or(Some(Deliver::Frame)),
            eof_deliver: self.eof_deliver || outer.eof_deliver,
            leading_zeros: self.leading_zeros || outer.leading_zeros,
        }
    }

    /// The bound on a body, in bytes.
    pub(crate) fn max(&self) -> u64 {
        self.max.unwrap_or(MESSAGE_BYTES_MAX_DEFAULT)
    }
}

impl Stage {
    pub(crate) fn once(shape: Shape) -> Stage {
        Stage { times: 1, shape, options: Options::default() }
    }

    /// What this stage delivers.
    pub(crate) fn deliver(&self) -> Deliver {
        self.deliver_with(&self.options)
    }

    /// What this stage delivers with `options` in force.
    pub(crate) fn deliver_with(&self, options: &Options) -> Deliver {
        options.deliver.unwrap_or(match &self.shape {
            Shape::Record(record) if record.is_length_and_literals() => Deliver::Body,
            Shape::Record(_) | Shape::Header(_) | Shape::Type(_) | Shape::Resp { .. } => {
                Deliver::Frame
            }
            _ => Deliver::Body,
        })
    }
}

impl Framing {
    pub(crate) fn from_stages(stages: Vec<Stage>) -> Framing {
        debug_assert!(!stages.is_empty());
        Framing { stages: stages.into() }
    }

    /// This framing with another bound on every message's body, in bytes: a limit given from
    /// outside replaces the string's.
    #[must_use]
    pub fn with_max(&self, bytes: u64) -> Framing {
        fn apply(stage: &mut Stage, bytes: u64) {
            match &mut stage.shape {
                // It has no messages of its own to bound.
                Shape::Raw => {}
                Shape::Type(cases) => {
                    cases.iter_mut().for_each(|case| apply(&mut case.stage, bytes));
                }
                _ => stage.options.max = (bytes != MESSAGE_BYTES_MAX_DEFAULT).then_some(bytes),
            }
        }
        let mut stages = self.stages.to_vec();
        for stage in &mut stages {
            apply(stage, bytes);
        }
        Framing::from_stages(stages)
    }
}
