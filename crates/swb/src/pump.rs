//! Bytes in, messages out: the decoder, its buffer and its assembler driven as one.
//!
//! `decode` and `tap` both use it, so offsets, numbers and endings are the same in both. It does
//! no input or output. Messages are numbered from 1 and a message of several fragments counts once.

use std::ops::Range;

use switchboard::limits::AROUND_BYTES_MAX;
use switchboard_frame::{
    Assembler, Decoder, Discarded, Field, Frame, FrameError, Framing, ReceiveBuffer, Step,
};

/// The receiving side of one direction.
pub(crate) struct Pump {
    decoder: Decoder,
    buffer: ReceiveBuffer,
    assembler: Assembler,
    /// Bytes of `buffer` that the event last returned refers to; dropped at the next call.
    used: usize,
    /// Where the message under way begins on the wire.
    start: Option<u64>,
    messages: u64,
}

/// What a pump found.
pub(crate) enum Event<'a> {
    Message(Message<'a>),
    Discarded(Discarded),
    /// Nothing more until bytes are given or the end is told.
    Wait,
    /// The stream ended at a frame's edge, at this offset.
    Finished(u64),
    Broken(FrameError),
}

/// A whole message.
pub(crate) struct Message<'a> {
    /// Counted from 1.
    pub(crate) n: u64,
    /// Where its first frame begins in the stream, in bytes.
    pub(crate) offset: u64,
    /// What it takes on the wire, all its fragments together, in bytes.
    pub(crate) frame_bytes: u64,
    pub(crate) bytes: &'a [u8],
    decoder: &'a Decoder,
    frame_at: &'a [u8],
}

impl Message<'_> {
    /// The named fields of its (last) frame, in wire order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, Field<'_>)> {
        let names = self.decoder.field_names().into_iter();
        names.filter_map(|name| Some((name, self.decoder.field(name, self.frame_at)?)))
    }
}

impl Pump {
    pub(crate) fn new(framing: &Framing) -> Pump {
        Pump {
            decoder: Decoder::new(framing),
            buffer: ReceiveBuffer::default(),
            assembler: Assembler::default(),
            used: 0,
            start: None,
            messages: 0,
        }
    }

    /// Where the caller puts bytes, at most `bytes` of them; [`Pump::filled`] says how many came.
    pub(crate) fn spare(&mut self, bytes: usize) -> &mut [u8] {
        self.drop_used();
        let spare = self.buffer.spare_mut(bytes);
        let end = spare.len().min(bytes);
        &mut spare[..end]
    }

    pub(crate) fn filled(&mut self, bytes: usize) {
        self.buffer.filled(bytes);
    }

    /// Copies bytes in.
    pub(crate) fn give(&mut self, bytes: &[u8]) {
        self.drop_used();
        self.buffer.extend(bytes);
    }

    /// The next thing in the bytes given. `at_end` says that no more will come.
    pub(crate) fn next(&mut self, at_end: bool) -> Event<'_> {
        loop {
            self.drop_used();
            let front = self.decoder.offset();
            match self.decoder.step(self.buffer.unread(), at_end) {
                Err(error) => return Event::Broken(error),
                Ok(Step::Need(_)) => return Event::Wait,
                Ok(Step::End) => return Event::Finished(front),
                Ok(Step::Skipped(skipped)) => {
                    self.used = skipped.bytes;
                    if let Some(discarded) = skipped.discarded {
                        self.assembler = Assembler::default();
                        self.start = None;
                        return Event::Discarded(discarded);
                    }
                }
                Ok(Step::Frame(frame)) => {
                    self.used = frame.whole.end;
                    if let Some(whole) = self.frame(front, &frame) {
                        return self.message(whole, frame.message);
                    }
                }
            }
        }
    }

    /// Takes a frame in; where its message lies on the wire when it is the last of it.
    fn frame(&mut self, front: u64, frame: &Frame) -> Option<Range<u64>> {
        let start = *self.start.get_or_insert(front + frame.whole.start as u64);
        if frame.more {
            self.assembler.push(&self.buffer.unread()[frame.message.clone()], true);
            return None;
        }
        self.start = None;
        self.messages += 1;
        Some(start..front + frame.whole.end as u64)
    }

    fn message(&mut self, whole: Range<u64>, last: Range<usize>) -> Event<'_> {
        let frame_at = self.buffer.unread();
        let bytes = self.assembler.push(&frame_at[last], false).unwrap_or_default();
        Event::Message(Message {
            n: self.messages,
            offset: whole.start,
            frame_bytes: whole.end - whole.start,
            bytes,
            decoder: &self.decoder,
            frame_at,
        })
    }

    /// Another framing from the byte behind the last message on.
    pub(crate) fn switch(&mut self, framing: &Framing) {
        self.decoder.set_framing(framing);
    }

    /// What was given and belongs to no message yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer.unread()[self.used..]
    }

    /// The number of the message that is under way or comes next.
    pub(crate) fn next_number(&self) -> u64 {
        self.messages + 1
    }

    fn drop_used(&mut self) {
        self.buffer.consume(self.used);
        self.used = 0;
    }
}

/// What a frame error means to a person: kind, message, offset, the bytes around it.
pub(crate) fn describe(pump: &Pump, error: &FrameError) -> String {
    let mut text = format!("message {}: {error}", pump.next_number());
    if let Some(around) = around(pump.buffer.unread(), pump.decoder.offset(), error.at()) {
        text.push_str("; bytes around it: ");
        text.push_str(&around);
    }
    text
}

/// The bytes around the one at offset `at` of a stream, in hex, that one in brackets. `bytes` begin
/// at offset `front`.
pub(crate) fn around(bytes: &[u8], front: u64, at: u64) -> Option<String> {
    let at = usize::try_from(at.checked_sub(front)?).ok()?;
    let from = at.min(bytes.len()).saturating_sub(AROUND_BYTES_MAX);
    let to = at.saturating_add(1 + AROUND_BYTES_MAX).min(bytes.len());
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate().take(to).skip(from) {
        if !text.is_empty() {
            text.push(' ');
        }
        if index == at {
            text.push_str(&format!("[{byte:02x}]"));
        } else {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    (!text.is_empty()).then_some(text)
}
