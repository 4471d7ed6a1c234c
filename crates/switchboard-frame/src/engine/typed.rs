//! `type{..}`: the first bytes choose; the longest literal wins.
//!
//! ```text
//! type{"+": crlf, "$": u32be, *: lines}
//! +-----+---------------------+
//! | key | the case's own frame |      the key belongs to the frame and to its header
//! +-----+---------------------+
//! ```

use alloc::boxed::Box;

use crate::engine::{Input, Out, State};
use crate::framing::{Case, Options};
use crate::{ErrorKind, FrameError};

#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Where the key begins: after the key of an outer `type{}`.
    start: usize,
    /// The case chosen and its state.
    chosen: Option<(usize, Box<State>)>,
    /// The memory of the state before.
    spare: Option<Box<State>>,
}

impl Run {
    pub(crate) fn new(start: usize) -> Run {
        Run { start, chosen: None, spare: None }
    }

    /// Ready for the next frame; keeps its memory.
    pub(crate) fn reset(&mut self, start: usize) {
        let spare = self.chosen.take().map(|(_, state)| state).or(self.spare.take());
        *self = Run { start, chosen: None, spare };
    }

    pub(crate) fn run(
        &mut self,
        cases: &[Case],
        options: &Options,
        input: Input<'_>,
    ) -> Result<Out, FrameError> {
        if self.chosen.is_none() {
            match choose(cases, self.start, input)? {
                Some(case) => {
                    let key = cases[case].key.as_ref().map_or(0, |key| key.len());
                    let (shape, key) = (&cases[case].stage.shape, self.start + key);
                    let state = match self.spare.take() {
                        Some(mut state) => {
                            state.reset(shape, key);
                            state
                        }
                        None => Box::new(State::new(shape, key)),
                    };
                    self.chosen = Some((case, state));
                }
                None => return Ok(Out::need(1)),
            }
        }
        let Some((case, state)) = &mut self.chosen else {
            return Ok(Out::need(1));
        };
        let stage = &cases[*case].stage;
        state.run(stage, &stage.options.within(options), input)
    }

    pub(crate) fn is_raw(&self) -> bool {
        self.chosen.as_ref().is_some_and(|(_, state)| state.is_raw())
    }

    /// The case in force and its state.
    pub(crate) fn chosen(&self) -> Option<(usize, &State)> {
        self.chosen.as_ref().map(|(case, state)| (*case, &**state))
    }
}

/// The case that the bytes choose, or `None` while a longer key may still come.
fn choose(cases: &[Case], start: usize, input: Input<'_>) -> Result<Option<usize>, FrameError> {
    let bytes = &input.bytes[start..];
    let mut best: Option<(usize, usize)> = None;
    let mut matched = 0;
    let mut open = false;
    for (index, case) in cases.iter().enumerate() {
        let key = case.key.as_deref().unwrap_or_default();
        let common = key.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        matched = matched.max(common);
        if common == key.len() {
            if best.is_none_or(|(_, len)| key.len() >= len) {
                best = Some((index, key.len()));
            }
        } else if common == bytes.len() {
            open = true;
        }
    }
    // A frame has at least one byte: `*` is not chosen by nothing.
    if open && !input.at_end || input.bytes.is_empty() {
        return Ok(None);
    }
    match best {
        Some((index, _)) => Ok(Some(index)),
        None if open => Ok(None),
        None => Err(input
            .error(ErrorKind::BadType, start + matched)
            .with_expected("the first bytes of one of the cases of type{}")),
    }
}
