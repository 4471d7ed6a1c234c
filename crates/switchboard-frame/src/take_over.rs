//! Handing a frame over to the caller before it is whole, for messages larger than memory.

use core::ops::Range;

use crate::Decoder;
use crate::decoder::Run;
use crate::engine::State;
use crate::framing::{Deliver, Shape, Stage};

/// A frame whose header is whole and whose bytes the caller takes care of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Where its message lies, counted from the frame's first byte.
    pub message: Range<u64>,
    /// How many bytes the frame has.
    pub whole: u64,
}

impl Decoder {
    /// Hands the frame at hand over to the caller, who then passes its `whole` bytes from the
    /// front of `bytes` and of what comes behind; the decoder goes on with the next frame. To be
    /// called behind a [`Step::Need`](crate::Step::Need), with the same bytes.
    ///
    /// `None`, and nothing is changed, when the header is not whole yet, or the frame is not of a
    /// kind that can be passed without looking at it: one with a trailer, a fragment, a delimiter,
    /// a value of `resp`.
    ///
    /// # Examples
    /// ```
    /// use switchboard_frame::{Decoder, Framing, Step};
    ///
    /// let mut decoder = Decoder::new(&Framing::parse("u32be max=1g")?);
    /// let bytes = b"\x3b\x9a\xca\x00the first of a billion bytes";
    /// assert!(matches!(decoder.step(bytes, false)?, Step::Need(_)));
    /// let taken = decoder.take_over(bytes).expect("the header is whole");
    /// assert_eq!((taken.message, taken.whole), (4..1_000_000_004, 1_000_000_004));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_over(&mut self, bytes: &[u8]) -> Option<Taken> {
        let taken = match &self.run {
            Some(run) if self.busy => {
                let stage = self.framing.stages.get(self.stage)?;
                in_run(stage, run)?
            }
            _ => self.fast.announced(bytes)?,
        };
        if let Some(run) = self.run.as_mut().filter(|_| self.busy) {
            run.done = true;
            self.busy = false;
        }
        self.offset += taken.whole;
        Some(taken)
    }
}

fn in_run(stage: &Stage, run: &Run) -> Option<Taken> {
    if run.discarding.is_some() || run.open.is_some() || run.done {
        return None;
    }
    let (body, whole) = match (&stage.shape, &run.state) {
        (Shape::Record(record), State::Record(state)) => state.announced(record)?,
        (Shape::Header(_), State::Header(state)) => state.announced()?,
        (Shape::Fixed(bytes), State::Fixed(_)) => (0, *bytes as u64),
        _ => return None,
    };
    let start = match stage.deliver() {
        Deliver::Body => body,
        Deliver::Frame => 0,
        Deliver::Without(_) | Deliver::NoPad => return None,
    };
    Some(Taken { message: start..whole, whole })
}
