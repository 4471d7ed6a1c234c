//! The running state of a framing on the sending side.
//!
//! An [`Encoder`] writes nothing that its framing's [`Decoder`](crate::Decoder) would not read
//! back as the same message. The common forms are right by the way they are built (`fast`); the
//! others are built (`build`, `record`) and then read by a decoder (`check`) before they count as
//! written. A message that cannot be written leaves the output as it was.

mod build;
mod check;
mod custom;
mod fast;
mod fields;
mod leaf;
pub(crate) mod number;
mod record;
mod settled;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use self::build::Built;
use self::check::{Check, Expect};
pub use self::custom::{Encode, EncodeError};
use self::fast::Fast;
pub use self::fields::Fields;
use self::leaf::Leaf;
use crate::Framing;
use crate::framing::{Deliver, Shape, Stage};

/// The running state of a [`Framing`] on the sending side.
///
/// ```text
/// MESSAGE                       BYTES, with the framing `u16be`
/// +-----------+                 +--------+-----------+
/// | h e l l o |  -- encode -->  | 0x0005 | h e l l o |
/// +-----------+                 +--------+-----------+
/// ```
///
/// # Examples
/// ```
/// use switchboard_frame::{Encoder, Fields, Framing};
///
/// let mut out = Vec::new();
/// let mut encoder = Encoder::new(&Framing::parse("u16be")?)?;
/// encoder.encode(b"hello", &mut out)?;
/// assert_eq!(out, b"\x00\x05hello");
///
/// // A frame that matters as a whole is built from its fields and its body.
/// let mut encoder = Encoder::new(&Framing::parse("type:1 len:u16be")?)?;
/// out.clear();
/// encoder.encode_with(&Fields::new().bytes("type", b"Q"), b"hello", &mut out)?;
/// assert_eq!(out, b"Q\x00\x05hello");
/// // Or it is given as it was received, and checked.
/// encoder.encode(b"Q\x00\x05hello", &mut out)?;
/// assert!(encoder.encode(b"Q\x00\x06hello", &mut out).is_err());
/// assert_eq!(out.len(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Encoder {
    /// Of the stage at hand; `None` while the general encoder has to look first.
    fast: Fast,
    framing: Framing,
    stage: usize,
    /// How many frames the stage still takes; the last stage ignores it.
    left: u32,
    state: State,
    check: Option<Check>,
    /// What stands behind a body, kept for its capacity.
    tail: Vec<u8>,
    custom: Option<Box<dyn Encode>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// `encode_head` was called, and `encode_tail` not yet.
    Body,
    /// A raw case of `type{}` was sent: there are no more frames.
    Raw,
    /// The one message of `eof` was sent.
    Ended,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("framing", &self.framing)
            .field("stage", &self.stage)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder at the start of a stream.
    ///
    /// # Errors
    /// The framing drops bytes of a frame that cannot be built again: `deliver=N`, or
    /// `deliver=body` of a `type{}` with several cases. It can receive, not send.
    pub fn new(framing: &Framing) -> Result<Encoder, EncodeError> {
        for stage in framing.stages.iter() {
            sendable(stage)?;
        }
        let mut encoder = Encoder {
            fast: Fast::None,
            framing: framing.clone(),
            stage: 0,
            left: 0,
            state: State::Ready,
            check: None,
            tail: Vec::new(),
            custom: None,
        };
        encoder.enter(0);
        Ok(encoder)
    }

    /// An encoder of one's own, for a format that no framing string can say.
    #[must_use]
    pub fn custom(encode: Box<dyn Encode>) -> Encoder {
        let stage = Stage::once(Shape::Raw);
        Encoder {
            fast: Fast::None,
            framing: Framing::from_stages(alloc::vec![stage]),
            stage: 0,
            left: 0,
            state: State::Ready,
            check: None,
            tail: Vec::new(),
            custom: Some(encode),
        }
    }

    /// Switches to another framing, from the next message on. A custom encoder is given up for it.
    ///
    /// # Errors
    /// The framing cannot be sent, see [`Encoder::new`]; or the body of an
    /// [`Encoder::encode_head`] is still open. The framing in force stays.
    pub fn set_framing(&mut self, framing: &Framing) -> Result<(), EncodeError> {
        if self.state == State::Body {
            return Err(body_is_open());
        }
        *self = Encoder::new(framing)?;
        Ok(())
    }

    /// The names of the fields that [`Encoder::encode_with`] takes for the next message, in wire
    /// order. The length field, which is computed, is not among them.
    #[must_use]
    pub fn field_names(&self) -> Vec<&str> {
        let mut list = Vec::new();
        for leaf in Leaf::all(&self.framing.stages[self.stage]) {
            if let Shape::Record(record) = leaf.shape {
                let length = record.length.as_ref().map(|length| length.item);
                for (index, name) in fields::names(record) {
                    if Some(index) != length && !list.contains(&name) {
                        list.push(name);
                    }
                }
            }
        }
        list
    }

    /// Appends `message`, framed, to `out`. Takes exactly what the decoder gives: a body, for
    /// which the header is built, or a whole frame, whose header is checked and never rewritten.
    ///
    /// # Errors
    /// The message cannot be written so that it decodes to itself; `out` is as it was.
    #[inline]
    pub fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.encode_simple(message, out) {
            return Ok(());
        }
        self.encode_general(message, out)
    }

    /// Appends a frame built from the values of its named fields and from its body, whatever the
    /// framing delivers. The length may be given where it is the one that would be computed, or,
    /// without a body, where it is below `short=`. With `type{}` the case is the one that has
    /// these fields.
    ///
    /// # Errors
    /// A field is missing, unknown, of the wrong size or too large; or as for
    /// [`Encoder::encode`]. `out` is as it was.
    pub fn encode_with(
        &mut self,
        fields: &Fields,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if self.custom.is_some() && !fields.is_empty() {
            return Err(EncodeError::new("a custom encoder takes no fields"));
        }
        if self.custom.is_some() || self.state == State::Raw {
            return self.encode(body, out);
        }
        self.guarded(out, |encoder, out| encoder.with_fields(fields, body, out))
    }

    /// Appends what stands before a body of `len` bytes. The body is for the caller to send, and
    /// [`Encoder::encode_tail`] is to be called behind it.
    ///
    /// # Errors
    /// The framing has to see the body before it can say what stands before it, or delivers more
    /// than the body; the size is over a limit. `out` is as it was.
    ///
    /// # Examples
    /// ```
    /// use switchboard_frame::{Encoder, Framing};
    ///
    /// let mut encoder = Encoder::new(&Framing::parse("len:dec\":\" body \",\"")?)?;
    /// let mut out = Vec::new();
    /// encoder.encode_head(5, &mut out)?;
    /// out.extend_from_slice(b"hello"); // in as many parts as it comes
    /// encoder.encode_tail(&mut out)?;
    /// assert_eq!(out, b"5:hello,");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_head(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.custom.is_some() {
            return Err(EncodeError::new("a custom encoder takes whole messages only"));
        }
        self.guarded(out, |encoder, out| encoder.head(len, out))
    }

    /// Appends what stands behind a body that was begun with [`Encoder::encode_head`].
    ///
    /// # Errors
    /// None was begun.
    pub fn encode_tail(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.state != State::Body {
            return Err(EncodeError::new("no body is open: encode_head comes first"));
        }
        out.extend_from_slice(&self.tail);
        self.state = State::Ready;
        if matches!(self.framing.stages[self.stage].shape, Shape::Eof) {
            self.state = State::Ended;
        }
        self.sent(1);
        Ok(())
    }

    #[inline(never)]
    fn encode_general(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.guarded(out, |encoder, out| match &mut encoder.custom {
            Some(custom) => custom.encode(message, out),
            None => encoder.message(message, out),
        })
    }

    /// Runs `write`, and puts `out` back when it fails.
    fn guarded(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        match self.state {
            State::Ready | State::Raw => {}
            State::Body => return Err(body_is_open()),
            State::Ended => {
                return Err(EncodeError::new(
                    "a second message under eof: the whole stream is one message",
                ));
            }
        }
        let start = out.len();
        let result = write(self, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn message(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.state == State::Raw {
            return raw(message, out);
        }
        let framing = self.framing.clone();
        let stage = &framing.stages[self.stage];
        match Leaf::only(stage) {
            Some(leaf) if leaf.deliver == Deliver::Body && !matches!(leaf.shape, Shape::Raw) => {
                self.body(&leaf, &Fields::new(), message, out)
            }
            _ => self.whole(stage, message, out),
        }
    }

    fn with_fields(
        &mut self,
        fields: &Fields,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let framing = self.framing.clone();
        let leaf = Leaf::by_fields(&framing.stages[self.stage], fields)?;
        self.body(&leaf, fields, body, out)
    }

    /// Builds frames around a body.
    fn body(
        &mut self,
        leaf: &Leaf<'_>,
        fields: &Fields,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let mut tail = core::mem::take(&mut self.tail);
        let built = build::build(leaf, fields, body, &mut tail, out);
        self.tail = tail;
        let Built { mut frames, sure } = built?;
        let by_decoder = match leaf.shape {
            Shape::Raw => false,
            // What a value is made of has no body; the value is the message.
            Shape::Resp { .. } => {
                frames = self.checked(&out[start..], Expect::Message(&out[start..]), false)?;
                false
            }
            _ => !sure || cfg!(debug_assertions),
        };
        if by_decoder {
            let at_end = matches!(leaf.shape, Shape::Eof);
            // A body joined from fragments is one message, whatever else they deliver.
            frames = self.checked(&out[start..], Expect::Body(body), at_end)?;
        }
        self.finish(leaf.shape, leaf.chosen, frames)
    }

    /// Checks a whole frame, or the frames of one message, and appends it as it is.
    fn whole(
        &mut self,
        stage: &Stage,
        message: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let leaf = Leaf::by_key(stage, message);
        let start = out.len();
        out.extend_from_slice(message);
        let (mut frames, mut chosen, mut shape) = (1, false, &stage.shape);
        let mut at_end = false;
        if let Some(leaf) = &leaf {
            (shape, chosen) = (leaf.shape, leaf.chosen);
            at_end = matches!(shape, Shape::Eof);
            if leaf.deliver == Deliver::NoPad {
                self.check().fill(out, start)?;
            }
        }
        if matches!(shape, Shape::Raw) {
            refuse_empty(message)?;
        } else {
            frames = self.checked(&out[start..], Expect::Message(message), at_end)?;
        }
        self.finish(shape, chosen, frames)
    }

    fn head(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let framing = self.framing.clone();
        let leaf = match Leaf::only(&framing.stages[self.stage]) {
            Some(leaf) if !leaf.chosen => leaf,
            _ => return Err(EncodeError::new("type{} takes whole messages only")),
        };
        let partly = match leaf.shape {
            Shape::Raw | Shape::Eof | Shape::Fixed(_) => true,
            _ => leaf.deliver == Deliver::Body,
        };
        if !partly {
            return Err(EncodeError::new(
                "this framing takes whole frames, whose header belongs to the message",
            ));
        }
        let start = out.len();
        self.tail.clear();
        let sure = build::head(&leaf, &Fields::new(), len, &mut self.tail, out)?;
        if !sure {
            return Err(EncodeError::new(
                "this framing has to see a whole body before it is sent, because it may hold what \
                 ends it",
            ));
        }
        let around = (out.len() - start + self.tail.len()) as u64;
        build::limit_frame(&leaf, around.saturating_add(len))?;
        self.fast = Fast::None;
        self.state = State::Body;
        Ok(())
    }

    /// What is done when `frames` frames of a shape have been written.
    fn finish(&mut self, shape: &Shape, chosen: bool, frames: u32) -> Result<(), EncodeError> {
        let last = self.stage + 1 == self.framing.stages.len();
        if !last && frames > self.left {
            return Err(EncodeError::new(format!(
                "a message of {frames} frames, where this stage of the framing takes {} more",
                self.left
            )));
        }
        match shape {
            Shape::Eof => self.state = State::Ended,
            Shape::Raw if chosen => self.state = State::Raw,
            _ => self.sent(frames),
        }
        Ok(())
    }

    /// Counts frames, and goes on to the next stage when this one has had its number.
    fn sent(&mut self, frames: u32) {
        if self.stage + 1 == self.framing.stages.len() {
            if self.state == State::Ready {
                self.fast = Fast::of(&self.framing.stages[self.stage]);
            }
            return;
        }
        self.left = self.left.saturating_sub(frames);
        if self.left == 0 {
            self.enter(self.stage + 1);
        }
    }

    fn enter(&mut self, stage: usize) {
        self.stage = stage;
        self.left = self.framing.stages[stage].times;
        self.check = None;
        self.fast = Fast::None;
        if stage + 1 == self.framing.stages.len() {
            self.fast = Fast::of(&self.framing.stages[stage]);
        }
    }

    fn checked(
        &mut self,
        wire: &[u8],
        expect: Expect<'_>,
        at_end: bool,
    ) -> Result<u32, EncodeError> {
        self.check().run(wire, expect, at_end)
    }

    fn check(&mut self) -> &mut Check {
        let stage = &self.framing.stages[self.stage];
        self.check.get_or_insert_with(|| Check::new(stage))
    }
}

impl Encode for Encoder {
    fn encode(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Encoder::encode(self, message, out)
    }
}

/// Refuses a stage that delivers less than what it takes to build a frame.
fn sendable(stage: &Stage) -> Result<(), EncodeError> {
    let leaves = Leaf::all(stage);
    for leaf in &leaves {
        match leaf.deliver {
            Deliver::Without(bytes) => {
                return Err(EncodeError::new(format!(
                    "deliver={bytes} drops bytes of the frame that cannot be built again: this \
                     framing can receive, not send"
                )));
            }
            Deliver::Body if leaves.len() > 1 && !matches!(leaf.shape, Shape::Raw) => {
                return Err(EncodeError::new(
                    "deliver=body drops the first bytes, which choose among the cases of type{}: \
                     this framing can receive, not send",
                ));
            }
            Deliver::Body | Deliver::Frame | Deliver::NoPad => {}
        }
    }
    Ok(())
}

fn raw(message: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    refuse_empty(message)?;
    out.extend_from_slice(message);
    Ok(())
}

fn refuse_empty(message: &[u8]) -> Result<(), EncodeError> {
    if message.is_empty() {
        return Err(EncodeError::new("an empty message cannot be sent in raw: it is no byte"));
    }
    Ok(())
}

fn body_is_open() -> EncodeError {
    EncodeError::new("the body begun with encode_head is still open: encode_tail ends it")
}
