//! Any framing as a codec of `tokio_util`: for programs that live there already.
//!
//! This file owns no framing of its own: it hands the bytes of a `BytesMut` to a [`Decoder`] and
//! the messages to an [`Encoder`], and tells the endings as they tell them.

extern crate std;

use alloc::vec::Vec;
use core::fmt;
use std::io;

use bytes::{Buf, BufMut, BytesMut};
use tokio_util::codec;

use crate::{Assembler, Decoder, EncodeError, Encoder, FrameError, Framing, Step};

/// How much room is made at once for bytes that were announced and have not come, in bytes.
const ROOM_BYTES_MAX: usize = 64 * 1024;

/// A [`Framing`] as a `tokio_util` codec. It gives whole messages, fragments joined, and takes what
/// it gives.
///
/// A stream that ends inside a frame is an error ([`ErrorKind::Truncated`]), never a silent end. A
/// message of one frame is not copied.
///
/// [`ErrorKind::Truncated`]: crate::ErrorKind::Truncated
///
/// # Examples
/// ```
/// use futures_util::{SinkExt, StreamExt};
/// use switchboard_frame::{Codec, Framing};
/// use tokio_util::codec::Framed;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let framing = Framing::parse("len:dec\":\" body \",\"")?;
/// let (here, there) = tokio::io::duplex(64);
/// let mut here = Framed::new(here, Codec::new(&framing)?);
/// let mut there = Framed::new(there, Codec::new(&framing)?);
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// here.send("hello").await?; // 5:hello,
/// drop(here);
/// assert_eq!(there.next().await.unwrap()?, "hello");
/// assert!(there.next().await.is_none());
/// # Ok::<(), switchboard_frame::CodecError>(()) })?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Codec {
    decoder: Decoder,
    assembler: Assembler,
    /// `None` when the framing can only receive.
    encoder: Option<Encoder>,
    /// Kept for its capacity.
    wire: Vec<u8>,
    discarded: u64,
}

impl Codec {
    /// A codec that reads and writes `framing`.
    ///
    /// # Errors
    /// The framing can receive and not send, see [`Encoder::new`].
    pub fn new(framing: &Framing) -> Result<Codec, EncodeError> {
        Codec::between(framing, framing)
    }

    /// A codec that reads one framing and writes another: the side of a protocol whose directions
    /// differ.
    ///
    /// # Errors
    /// `writes` can receive and not send, see [`Encoder::new`].
    pub fn between(reads: &Framing, writes: &Framing) -> Result<Codec, EncodeError> {
        Ok(Codec { encoder: Some(Encoder::new(writes)?), ..Codec::receiving(reads) })
    }

    /// A codec that only reads. Sending is an error.
    #[must_use]
    pub fn receiving(framing: &Framing) -> Codec {
        Codec {
            decoder: Decoder::new(framing),
            assembler: Assembler::new(),
            encoder: None,
            wire: Vec::new(),
            discarded: 0,
        }
    }

    /// Switches what is read, from behind the message that was given last. Bytes that a `Framed`
    /// holds already are framed anew.
    pub fn set_reading(&mut self, framing: &Framing) {
        self.decoder.set_framing(framing);
        self.assembler.reset();
    }

    /// Switches what is written, from the next message on.
    ///
    /// # Errors
    /// The framing can receive and not send; the one in force stays.
    pub fn set_writing(&mut self, framing: &Framing) -> Result<(), EncodeError> {
        self.encoder = Some(Encoder::new(framing)?);
        Ok(())
    }

    /// How many frames, or messages of several, were passed over because they are too large
    /// (`oversize=discard`).
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.discarded
    }

    /// The next whole message, if it is there.
    fn next(&mut self, src: &mut BytesMut, at_end: bool) -> Result<Option<BytesMut>, CodecError> {
        loop {
            match self.decoder.step(src, at_end)? {
                Step::Need(more) => {
                    let room = ROOM_BYTES_MAX.max(src.len());
                    src.reserve(more.get().min(room));
                    return Ok(None);
                }
                Step::Frame(frame) => {
                    let mut part = src.split_to(frame.whole.end);
                    part.truncate(frame.message.end);
                    part.advance(frame.message.start);
                    if !frame.more && !self.assembler.is_open() {
                        return Ok(Some(part));
                    }
                    if let Some(message) = self.assembler.push(&part, frame.more) {
                        return Ok(Some(BytesMut::from(message)));
                    }
                }
                Step::Skipped(skipped) => {
                    src.advance(skipped.bytes);
                    if skipped.discarded.is_some() {
                        self.discarded += 1;
                        self.assembler.reset();
                    }
                }
                Step::End => return Ok(None),
            }
        }
    }
}

impl codec::Decoder for Codec {
    type Item = BytesMut;
    type Error = CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<BytesMut>, CodecError> {
        self.next(src, false)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<BytesMut>, CodecError> {
        self.next(src, true)
    }
}

impl<B: AsRef<[u8]>> codec::Encoder<B> for Codec {
    type Error = CodecError;

    fn encode(&mut self, message: B, dst: &mut BytesMut) -> Result<(), CodecError> {
        let Some(encoder) = &mut self.encoder else {
            return Err(CodecError::Encode(EncodeError::new(
                "this codec was made to receive only",
            )));
        };
        self.wire.clear();
        encoder.encode(message.as_ref(), &mut self.wire)?;
        dst.put_slice(&self.wire);
        // One large message is no reason to hold its size for ever.
        self.wire.clear();
        self.wire.shrink_to(ROOM_BYTES_MAX);
        Ok(())
    }
}

/// What can go wrong with a [`Codec`].
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// The peer broke the framing, or left inside a frame.
    Frame(FrameError),
    /// The message cannot be sent in this framing.
    Encode(EncodeError),
    /// The transport failed.
    Io(io::Error),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Frame(error) => error.fmt(f),
            CodecError::Encode(error) => error.fmt(f),
            CodecError::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CodecError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        // The text is theirs already; what is below them is not.
        match self {
            CodecError::Frame(error) => error.source(),
            CodecError::Encode(error) => error.source(),
            CodecError::Io(error) => error.source(),
        }
    }
}

impl From<FrameError> for CodecError {
    fn from(error: FrameError) -> CodecError {
        CodecError::Frame(error)
    }
}

impl From<EncodeError> for CodecError {
    fn from(error: EncodeError) -> CodecError {
        CodecError::Encode(error)
    }
}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> CodecError {
        CodecError::Io(error)
    }
}
