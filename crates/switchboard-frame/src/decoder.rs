//! The running state of a framing on the receiving side.

use alloc::boxed::Box;
use core::fmt;
use core::num::NonZeroUsize;

use crate::engine::fast::{Fast, Found};
use crate::engine::{Input, Out, Oversize, State};
use crate::framing::{Shape, Stage};
use crate::{Decode, Discarded, ErrorKind, Frame, FrameError, Framing, Skipped, Step};

/// The running state of a [`Framing`] on the receiving side.
///
/// # Examples
/// ```
/// use switchboard_frame::{Decoder, Framing, Step};
///
/// let mut decoder = Decoder::new(&Framing::parse("u16be")?);
/// let bytes = b"\x00\x05hello\x00";
/// let Step::Frame(frame) = decoder.step(bytes, false)? else { panic!() };
/// assert_eq!(&bytes[frame.message], b"hello");
/// // The next frame has only begun.
/// assert!(matches!(decoder.step(&bytes[frame.whole.end..], false)?, Step::Need(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Decoder {
    pub(crate) framing: Framing,
    /// The stage in force, and how many frames of it are still to come.
    pub(crate) stage: usize,
    pub(crate) left: u32,
    pub(crate) fast: Fast,
    /// Never use a fast form.
    interpreted: bool,
    /// For the fast forms: up to here no delimiter ends.
    pub(crate) scanned: usize,
    /// The interpreter has looked at the frame at hand and must go on with it.
    pub(crate) busy: bool,
    /// The last frame came from the fast form.
    pub(crate) was_fast: bool,
    /// Offset in the stream of the byte that the next step is given first.
    pub(crate) offset: u64,
    pub(crate) run: Option<Box<Run>>,
    pub(crate) custom: Option<Box<dyn Decode>>,
}

/// What only the interpreter needs.
pub(crate) struct Run {
    pub(crate) state: State,
    /// The state is of a frame that has been delivered: kept for its fields.
    pub(crate) done: bool,
    /// The frame at hand is being discarded: where it began, and how it is passed over.
    pub(crate) discarding: Option<Discarding>,
    /// The fragments of a message so far.
    pub(crate) open: Option<Open>,
    error: Option<FrameError>,
}

/// A frame that is being discarded.
#[derive(Clone, Copy)]
pub(crate) struct Discarding {
    frame_offset: u64,
    /// So many bytes still to drop; `None` while the frame's size is not known.
    left: Option<u64>,
    /// Its whole size, when it is known.
    whole: Option<u64>,
    /// The message goes on in the next frame.
    more: bool,
}

/// Fragments of a message that is not whole yet.
#[derive(Clone, Copy)]
pub(crate) struct Open {
    offset: u64,
    body_bytes: u64,
    /// The message is too large: its other fragments are passed over too.
    dropped: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(framing: &Framing) -> Decoder {
        let mut decoder = Decoder::interpreted(framing);
        decoder.interpreted = false;
        decoder.fast = decoder.fast_form();
        decoder
    }

    /// A decoder that uses the interpreter for every framing. It gives the same results as
    /// [`Decoder::new`] and is slower; the tests compare the two.
    #[doc(hidden)]
    #[must_use]
    pub fn interpreted(framing: &Framing) -> Decoder {
        Decoder {
            framing: framing.clone(),
            stage: 0,
            left: framing.stages[0].times,
            fast: Fast::None,
            interpreted: true,
            scanned: 0,
            busy: false,
            was_fast: false,
            offset: 0,
            run: None,
            custom: None,
        }
    }

    /// A decoder of one's own, for a format that no framing string can say.
    #[must_use]
    pub fn custom(decode: Box<dyn Decode>) -> Decoder {
        let framing = Framing::from_stages(alloc::vec![Stage::once(Shape::Raw)]);
        let mut decoder = Decoder::interpreted(&framing);
        decoder.interpreted = false;
        decoder.custom = Some(decode);
        decoder
    }

    /// A decoder in the middle of a stream, `offset` bytes into it, at a frame's edge and in the
    /// framing's last stage: what a [settled](Self::is_settled) one is.
    ///
    /// ```
    /// use switchboard_frame::{Decoder, Framing, Step};
    ///
    /// let framing = Framing::parse("fixed:8 ; u16be")?;
    /// let mut decoder = Decoder::new(&framing);
    /// let bytes = b"8 bytes.\x00\x02hi";
    /// decoder.step(bytes, false)?;
    /// assert!(!decoder.is_settled());
    /// decoder.step(&bytes[8..], false)?;
    /// assert!(decoder.is_settled());
    /// // All that has to be kept of it while nothing comes is how far it got.
    /// let mut again = Decoder::settled(&framing, decoder.offset());
    /// assert!(matches!(again.step(b"\x00\x01!", false)?, Step::Frame(_)));
    /// assert_eq!(again.offset(), 15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn settled(framing: &Framing, offset: u64) -> Decoder {
        let mut decoder = Decoder::interpreted(framing);
        decoder.interpreted = false;
        decoder.stage = framing.stages.len() - 1;
        decoder.fast = decoder.fast_form();
        decoder.offset = offset;
        decoder
    }

    /// Whether all that matters of the stream so far is how long it is: the decoder is at a frame's
    /// edge, between two messages, in the last stage of its framing.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.custom.is_none()
            && !self.busy
            && self.scanned == 0
            && self.stage + 1 == self.framing.stages.len()
            && self.run.as_ref().is_none_or(|run| run.error.is_none() && !run.state.is_raw())
    }

    /// Goes on `offset` bytes into another stream of the same framing, where that one's decoder had
    /// settled. Only for a decoder that has settled itself.
    pub fn resume_at(&mut self, offset: u64) {
        debug_assert!(self.is_settled(), "{self:?} is in the middle of a stream");
        self.offset = offset;
    }

    /// The offset in the stream, in bytes, of the byte that the next step is given first.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether a frame that was too large is being passed over.
    #[must_use]
    pub fn is_discarding(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.discarding.is_some())
    }

    /// The framing this decoder was made with, or switched to.
    #[must_use]
    pub fn framing(&self) -> &Framing {
        &self.framing
    }

    /// Switches to another framing, from the next byte on. What has been collected of a message
    /// of several fragments is forgotten.
    ///
    /// To be called at a frame's edge: behind a [`Step::Frame`], before the first step, or behind
    /// a [`Step::Need`] given for no bytes at all.
    pub fn set_framing(&mut self, framing: &Framing) {
        let offset = self.offset;
        let fresh = if self.interpreted { Decoder::interpreted } else { Decoder::new };
        *self = Decoder { offset, ..fresh(framing) };
    }

    /// Looks at the bytes received and not yet consumed; see [`Decode::step`].
    ///
    /// # Errors
    /// The stream breaks the framing, or ended inside a frame. The same error again at every later
    /// call.
    #[inline]
    pub fn step(&mut self, bytes: &[u8], at_end: bool) -> Result<Step, FrameError> {
        if !self.busy {
            match self.fast.step(bytes, &mut self.scanned) {
                Found::Frame(frame) => {
                    self.offset += frame.whole.end as u64;
                    self.was_fast = true;
                    return Ok(Step::Frame(frame));
                }
                Found::Need(more) if !at_end => {
                    // Never zero; one is as good an answer as any if it were.
                    let more = NonZeroUsize::new(more).unwrap_or(NonZeroUsize::MIN);
                    return Ok(Step::Need(more));
                }
                Found::Need(_) | Found::Unsure => {}
            }
        }
        self.step_interpreted(bytes, at_end)
    }

    fn fast_form(&self) -> Fast {
        let last = self.stage + 1 == self.framing.stages.len();
        if last && !self.interpreted {
            Fast::of(&self.framing.stages[self.stage])
        } else {
            Fast::None
        }
    }

    #[cold]
    fn interpreter(&mut self) -> Box<Run> {
        let shape = &self.framing.stages[self.stage].shape;
        Box::new(Run {
            state: State::new(shape, 0),
            done: false,
            discarding: None,
            open: None,
            error: None,
        })
    }

    #[inline(never)]
    fn step_interpreted(&mut self, bytes: &[u8], at_end: bool) -> Result<Step, FrameError> {
        if let Some(custom) = &mut self.custom {
            let step = custom.step(bytes, at_end)?;
            self.offset += match &step {
                Step::Frame(frame) => frame.whole.end as u64,
                Step::Skipped(skipped) => skipped.bytes as u64,
                Step::Need(_) | Step::End => 0,
            };
            return Ok(step);
        }
        self.was_fast = false;
        self.scanned = 0;
        let mut run = match self.run.take() {
            Some(run) => run,
            None => self.interpreter(),
        };
        let result = match run.error.clone() {
            Some(error) => Err(error),
            None => self.interpret(&mut run, bytes, at_end),
        };
        if let Err(error) = &result {
            run.error = Some(error.clone());
        }
        // Without a byte of the next frame there is nothing to go on with.
        let is_edge = bytes.is_empty() && matches!(result, Ok(Step::Need(_)));
        self.busy = !is_edge && !matches!(result, Ok(Step::Frame(_) | Step::End));
        self.busy |= run.open.is_some() || run.discarding.is_some();
        self.run = Some(run);
        result
    }

    fn interpret(&mut self, run: &mut Run, bytes: &[u8], at_end: bool) -> Result<Step, FrameError> {
        if core::mem::take(&mut run.done) {
            self.next_frame(run);
        }
        if bytes.is_empty() && run.discarding.is_none() {
            return self.nothing(run, at_end);
        }
        loop {
            if let Some(discarding) = run.discarding
                && let Some(left) = discarding.left
            {
                return self.drop_bytes(run, discarding, left, bytes.len(), at_end);
            }
            if run.discarding.is_none() && run.open.is_some_and(|open| open.dropped) {
                run.discarding = Some(Discarding::at(self.offset));
            }
            let input = Input {
                bytes,
                at_end,
                offset: self.offset,
                frame_offset: run.discarding.map_or(self.offset, |d| d.frame_offset),
                discarding: run.discarding.is_some(),
                collected: run.open.map_or(0, |open| open.body_bytes),
            };
            let stage = &self.framing.stages[self.stage];
            match run.state.run(stage, &stage.options, input)? {
                Out::Need { more, need } => {
                    return if at_end { Err(truncated(input, need)) } else { Ok(need_step(more)) };
                }
                Out::Frame(frame) => return Ok(self.frame(run, frame)),
                Out::Finished => {
                    run.discarding = None;
                    run.done = true;
                    return Ok(match bytes.len() {
                        0 => Step::End,
                        bytes => {
                            self.offset += bytes as u64;
                            Step::Skipped(Skipped { bytes, discarded: None })
                        }
                    });
                }
                Out::Passed(bytes) => {
                    self.offset += bytes as u64;
                    return Ok(Step::Skipped(Skipped { bytes, discarded: None }));
                }
                Out::Whole { bytes: whole, more } => {
                    let passed = self.offset - input.frame_offset;
                    let left = Some(whole.saturating_sub(passed));
                    let frame_offset = input.frame_offset;
                    let whole = Some(whole);
                    run.discarding = Some(Discarding { frame_offset, left, whole, more });
                }
                Out::Oversize(oversize) => return self.oversize(run, &oversize, input),
            }
        }
    }

    /// No bytes and no frame begun.
    fn nothing(&self, run: &Run, at_end: bool) -> Result<Step, FrameError> {
        match run.open {
            _ if !at_end => Ok(need_step(1)),
            None => Ok(Step::End),
            Some(open) => {
                let error = FrameError::new(ErrorKind::Truncated, open.offset, self.offset);
                Err(error.with_progress(self.offset - open.offset, None))
            }
        }
    }

    /// Drops what is there of a frame whose size is known.
    fn drop_bytes(
        &mut self,
        run: &mut Run,
        discarding: Discarding,
        left: u64,
        len: usize,
        at_end: bool,
    ) -> Result<Step, FrameError> {
        if len == 0 && left > 0 {
            if !at_end {
                return Ok(need_step(1));
            }
            let error = FrameError::new(ErrorKind::Truncated, discarding.frame_offset, self.offset);
            let have = self.offset - discarding.frame_offset;
            return Err(error.with_progress(have, discarding.whole));
        }
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(len);
        self.offset += bytes as u64;
        let left = left - bytes as u64;
        run.discarding = Some(Discarding { left: Some(left), ..discarding });
        if left == 0 {
            self.dropped(run, discarding.more);
        }
        Ok(Step::Skipped(Skipped { bytes, discarded: None }))
    }

    /// A frame has been discarded to its end.
    fn dropped(&mut self, run: &mut Run, more: bool) {
        run.discarding = None;
        run.done = true;
        run.open = match run.open {
            // The rest of its message goes the same way.
            _ if more => {
                let open = Open { offset: self.offset, body_bytes: 0, dropped: true };
                Some(run.open.map_or(open, |before| Open { dropped: true, ..before }))
            }
            _ => None,
        };
    }

    /// A frame is whole.
    fn frame(&mut self, run: &mut Run, frame: Frame) -> Step {
        let offset = self.offset;
        self.offset += frame.whole.end as u64;
        if run.discarding.is_some() {
            let bytes = frame.whole.end;
            self.dropped(run, frame.more);
            return Step::Skipped(Skipped { bytes, discarded: None });
        }
        run.done = true;
        run.open = frame.more.then(|| {
            let open = run.open.unwrap_or(Open { offset, body_bytes: 0, dropped: false });
            let body_bytes = open.body_bytes.saturating_add(frame.body.len() as u64);
            Open { body_bytes, ..open }
        });
        Step::Frame(frame)
    }

    fn oversize(
        &mut self,
        run: &mut Run,
        oversize: &Oversize,
        input: Input<'_>,
    ) -> Result<Step, FrameError> {
        let discard = oversize.fatal.is_none() && self.discards(run);
        if !discard {
            let error = input.error(ErrorKind::Oversize, oversize.at);
            let error = error.with_sizes(oversize.declared, Some(oversize.limit));
            return Err(match oversize.fatal {
                Some(what) => error.with_expected(alloc::format!("{what} within its limit")),
                None => error,
            });
        }
        let offset = run.open.map_or(self.offset, |open| open.offset);
        run.discarding = Some(Discarding::at(self.offset));
        Ok(Step::Skipped(Skipped {
            bytes: 0,
            discarded: Some(Discarded {
                offset,
                frame_bytes: oversize.frame_bytes,
                declared: oversize.declared,
                limit: oversize.limit,
            }),
        }))
    }

    /// Whether the options in force say `oversize=discard`.
    fn discards(&self, run: &Run) -> bool {
        let mut stage = &self.framing.stages[self.stage];
        let mut discard = stage.options.discard;
        let mut state = &run.state;
        while let (State::Type(typed), Shape::Type(cases)) = (state, &stage.shape) {
            let Some((case, inner)) = typed.chosen() else {
                break;
            };
            stage = &cases[case].stage;
            discard |= stage.options.discard;
            state = inner;
        }
        discard
    }

    /// Makes ready for the frame behind one that is over; goes to the next stage when it is time.
    fn next_frame(&mut self, run: &mut Run) {
        if run.state.is_raw() {
            return;
        }
        // A stage counts messages: one of several fragments is not cut by the next stage.
        if self.stage + 1 < self.framing.stages.len() && run.open.is_none() {
            self.left -= 1;
            if self.left == 0 {
                self.stage += 1;
                self.left = self.framing.stages[self.stage].times;
                self.fast = self.fast_form();
            }
        }
        run.state.reset(&self.framing.stages[self.stage].shape, 0);
    }
}

impl Discarding {
    fn at(frame_offset: u64) -> Discarding {
        Discarding { frame_offset, left: None, whole: None, more: false }
    }
}

impl Decode for Decoder {
    fn step(&mut self, bytes: &[u8], at_end: bool) -> Result<Step, FrameError> {
        Decoder::step(self, bytes, at_end)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("framing", &self.framing)
            .field("stage", &self.stage)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

fn need_step(more: u64) -> Step {
    let more = usize::try_from(more).unwrap_or(usize::MAX);
    Step::Need(NonZeroUsize::new(more).unwrap_or(NonZeroUsize::MIN))
}

/// The stream ended inside a frame.
fn truncated(input: Input<'_>, need: Option<u64>) -> FrameError {
    let end = input.offset + input.bytes.len() as u64;
    let error = FrameError::new(ErrorKind::Truncated, input.frame_offset, end);
    error.with_progress(end - input.frame_offset, need)
}
