//! Where messages begin and end in one direction, seen from beside it.
//!
//! It has two ways. Either its bytes pass by themselves, and it says where the message under way
//! ends once that is known; or it *keeps* what it was given, and gives it back message by message.

use switchboard_frame::{Assembler, Decoder, Frame, FrameError, Framing, ReceiveBuffer, Step};

pub(super) struct Framer {
    decoder: Decoder,
    buffer: ReceiveBuffer,
    assembler: Assembler,
    keeps: bool,
    /// Of a message of several frames those that came, as they lay on the wire.
    wire: Vec<u8>,
    /// And it was found: the next call begins another.
    spent: bool,
    /// Bytes of `buffer` that were found last; dropped at the next call.
    used: usize,
}

/// What was found next.
pub(super) enum Found<'a> {
    /// Nothing before more bytes come.
    Wait,
    Message(Whole<'a>),
    /// Bytes that are of no message, where they are kept.
    Between(&'a [u8]),
    /// The stream breaks its framing, and is not framed from here on.
    Broken(FrameError),
}

/// A message that has come whole.
pub(super) struct Whole<'a> {
    /// Where it ends in the stream.
    pub(super) end: u64,
    /// All its frames, where they are kept.
    pub(super) wire: &'a [u8],
    /// What the framing delivers.
    pub(super) content: &'a [u8],
    /// Its last frame, and the bytes in which that lies.
    pub(super) frame: Frame,
    pub(super) frame_at: &'a [u8],
    pub(super) decoder: &'a Decoder,
}

impl Framer {
    pub(super) fn new(framing: &Framing, keeps: bool) -> Framer {
        Framer {
            decoder: Decoder::new(framing),
            buffer: ReceiveBuffer::default(),
            assembler: Assembler::default(),
            keeps,
            wire: Vec::new(),
            spent: false,
            used: 0,
        }
    }

    /// Whether what it was given comes out of it again.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// To be called between two messages.
    pub(super) fn set_keeps(&mut self, keeps: bool) {
        self.drop_used();
        self.keeps = keeps;
        if !keeps {
            self.wire.clear();
        }
    }

    pub(super) fn give(&mut self, bytes: &[u8]) {
        self.drop_used();
        self.buffer.extend(bytes);
    }

    /// What was kept and not given back yet.
    pub(super) fn copy_of_rest(&mut self) -> Vec<u8> {
        self.drop_used();
        [&self.wire, self.buffer.unread()].concat()
    }

    /// Gives up: what is held of the message under way, and what is behind it.
    pub(super) fn rest(mut self) -> Vec<u8> {
        self.drop_used();
        let mut rest = std::mem::take(&mut self.wire);
        rest.extend_from_slice(self.buffer.unread());
        rest
    }

    /// Another framing behind the message found last.
    pub(super) fn switch(&mut self, framing: &Framing) {
        self.decoder.set_framing(framing);
    }

    /// `at_end` says that no more will come.
    pub(super) fn next(&mut self, at_end: bool) -> Found<'_> {
        loop {
            self.drop_used();
            match self.decoder.step(self.buffer.unread(), at_end) {
                Err(error) => return Found::Broken(error),
                Ok(Step::Need(_) | Step::End) => return Found::Wait,
                Ok(Step::Skipped(skipped)) => {
                    self.used = skipped.bytes;
                    if skipped.discarded.is_some() {
                        self.assembler = Assembler::default();
                        self.spent = true;
                    }
                    let skipped = &self.buffer.unread()[..skipped.bytes];
                    if self.spent && !self.wire.is_empty() {
                        // Fragments of what is discarded came before.
                        self.wire.extend_from_slice(skipped);
                        return Found::Between(&self.wire);
                    }
                    if self.keeps && !skipped.is_empty() {
                        return Found::Between(&self.buffer.unread()[..self.used]);
                    }
                }
                Ok(Step::Frame(frame)) => {
                    self.used = frame.whole.end;
                    if frame.more {
                        let bytes = self.buffer.unread();
                        self.assembler.push(&bytes[frame.message.clone()], true);
                        if self.keeps {
                            self.wire.extend_from_slice(&bytes[..frame.whole.end]);
                        }
                        continue;
                    }
                    return Found::Message(self.whole(frame));
                }
            }
        }
    }

    /// The message that ends with this frame.
    fn whole(&mut self, frame: Frame) -> Whole<'_> {
        let frame_at = self.buffer.unread();
        let is_joined = !self.wire.is_empty();
        self.spent = is_joined;
        if is_joined {
            self.wire.extend_from_slice(&frame_at[..frame.whole.end]);
        }
        let wire = if is_joined { &self.wire[..] } else { &frame_at[..frame.whole.end] };
        let content = self.assembler.push(&frame_at[frame.message.clone()], false);
        Whole {
            end: self.decoder.offset(),
            wire,
            content: content.unwrap_or_default(),
            frame,
            frame_at,
            decoder: &self.decoder,
        }
    }

    fn drop_used(&mut self) {
        self.buffer.consume(self.used);
        self.used = 0;
        if std::mem::take(&mut self.spent) {
            self.wire.clear();
        }
    }
}
