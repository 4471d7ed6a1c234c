//! The last word on what is sent: a decoder that reads it.

use alloc::format;
use alloc::vec::Vec;

use super::EncodeError;
use crate::framing::{HEADER_BYTES_MAX, Shape, Stage};
use crate::{Decoder, Framing, Step};

/// Decodes what was built, so that nothing is sent that does not decode to itself.
pub(super) struct Check {
    /// The stage at hand, for ever.
    framing: Framing,
    decoder: Decoder,
}

/// What the bytes built must decode to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect<'a> {
    /// This body, of which the frames were built.
    Body(&'a [u8]),
    /// This message, which is what the framing delivers.
    Message(&'a [u8]),
}

impl Check {
    pub(super) fn new(stage: &Stage) -> Check {
        let framing = Framing::from_stages(alloc::vec![told(stage)]);
        Check { decoder: Decoder::new(&framing), framing }
    }

    /// Reads `wire`, which must be one message and nothing else; `at_end` says that the stream
    /// ends with it. Returns the number of frames.
    pub(super) fn run(
        &mut self,
        wire: &[u8],
        expect: Expect<'_>,
        at_end: bool,
    ) -> Result<u32, EncodeError> {
        let result = self.read(wire, expect, at_end);
        if result.is_err() || at_end {
            self.decoder = Decoder::new(&self.framing);
        }
        result
    }

    fn read(&mut self, wire: &[u8], expect: Expect<'_>, at_end: bool) -> Result<u32, EncodeError> {
        let (Expect::Body(expected) | Expect::Message(expected)) = expect;
        let mut frames = 0;
        let (mut read, mut rest) = (0, expected);
        loop {
            let bytes = &wire[read..];
            let frame = match self.decoder.step(bytes, at_end) {
                Ok(Step::Frame(frame)) if frame.whole.start == 0 => frame,
                Ok(Step::Need(more)) => return Err(expect.unfinished(more.get())),
                Ok(_) => return Err(expect.blank()),
                Err(error) => return Err(expect.wrong(&error)),
            };
            frames += 1;
            let part = match expect {
                Expect::Body(_) => &bytes[frame.body],
                Expect::Message(_) => &bytes[frame.message],
            };
            read += frame.whole.end;
            match rest.strip_prefix(part) {
                Some(behind) => rest = behind,
                None => return Err(expect.other()),
            }
            if !frame.more {
                break;
            }
        }
        if read < wire.len() || !rest.is_empty() {
            return Err(expect.early(expected.len() - rest.len()));
        }
        Ok(frames)
    }

    /// `deliver=nopad`: appends to the frame that begins at `start` the padding that its header
    /// announces.
    pub(super) fn fill(&mut self, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let mut filled = 0_usize;
        while let Ok(Step::Need(more)) = self.decoder.step(&out[start..], false) {
            filled = filled.saturating_add(more.get());
            if filled > HEADER_BYTES_MAX {
                self.decoder = Decoder::new(&self.framing);
                return Err(EncodeError::new(format!(
                    "the message lacks {filled} bytes that its header announces, and padding is \
                     limited to {HEADER_BYTES_MAX}"
                )));
            }
            out.resize(out.len() + more.get(), 0);
        }
        self.decoder = Decoder::new(&self.framing);
        Ok(())
    }
}

/// What people run into who send a body where a whole frame is the message.
const WHOLE_FRAME: &str = "; a message here is the whole frame, or a body and the header's fields";

impl Expect<'_> {
    fn len(self) -> usize {
        let (Expect::Body(bytes) | Expect::Message(bytes)) = self;
        bytes.len()
    }

    fn wrong(self, error: &crate::FrameError) -> EncodeError {
        let what = match self {
            Expect::Body(_) => "the message cannot be sent in this framing",
            Expect::Message(_) => "the message is no frame of this framing",
        };
        let hint = match self {
            Expect::Body(_) => "",
            Expect::Message(_) => WHOLE_FRAME,
        };
        EncodeError::new(format!("{what}: {error}{hint}"))
    }

    fn unfinished(self, more: usize) -> EncodeError {
        let bytes = if more == 1 { "byte" } else { "bytes" };
        EncodeError::new(format!(
            "the message of {} bytes is no whole frame: at least {more} {bytes} more belong to \
             it{WHOLE_FRAME}",
            self.len()
        ))
    }

    fn blank(self) -> EncodeError {
        EncodeError::new("the message begins with bytes that belong to no frame")
    }

    fn other(self) -> EncodeError {
        EncodeError::new("the message would not be received as it is: the framing cuts it")
    }

    fn early(self, at: usize) -> EncodeError {
        let len = self.len();
        EncodeError::new(match self {
            Expect::Body(_) => format!("the message would end after {at} of its {len} bytes"),
            Expect::Message(_) => {
                format!("the message is more than a frame: that ends after {at} of {len} bytes")
            }
        })
    }
}

/// The stage with an error for what is too large, in place of passing it over.
fn told(stage: &Stage) -> Stage {
    let mut stage = stage.clone();
    stage.times = 1;
    stage.options.discard = false;
    if let Shape::Type(cases) = &mut stage.shape {
        for case in cases {
            case.stage = told(&case.stage);
        }
    }
    stage
}
