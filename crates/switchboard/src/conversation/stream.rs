//! Messages larger than memory: their bytes pass through a small buffer.

use super::Conversation;
use super::receive::Waits;
use crate::session::Event;
use crate::{Error, limits};
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroUsize;

impl Conversation {
    /// Sends one message of `len` bytes that are read from `reader` as they go, so that a message
    /// may be larger than memory. The framing must say its length in front and nothing else that
    /// depends on it, as `u32be` does; and its `max` must allow it.
    ///
    /// # Errors
    /// The framing cannot do it, or `len` does not fit it: nothing is sent. The reader fails or
    /// ends early, or the peer takes nothing in time: half a message is out, so nothing can be sent
    /// behind it any more.
    pub fn send_from(&mut self, reader: &mut impl Read, len: u64) -> Result<(), Error> {
        self.append(|session| session.outbound.queue_head(len))?;
        let done = self.copy_from(reader, len).and_then(|()| self.flush());
        done.map_err(|error| {
            let advice = "half a message is sent, so nothing can be sent behind it; close the \
                          conversation";
            let error = error.with_advice(advice);
            self.send_error = Some(error.clone());
            error
        })
    }

    fn copy_from(&mut self, reader: &mut impl Read, len: u64) -> Result<(), Error> {
        let chunk = usize::try_from(len).unwrap_or(usize::MAX).min(limits::STREAM_CHUNK_BYTES);
        let mut chunk = vec![0; chunk];
        let mut left = len;
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            let read = match reader.read(&mut chunk[..size]) {
                Ok(0) => {
                    let what = format!("the reader ended {left} bytes before the message does");
                    return Err(Error::caller(what));
                }
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::caller("cannot read").with_source(error)),
            };
            left -= read as u64;
            self.session.outbound.queue_raw(&chunk[..read]);
            self.flush()?;
        }
        self.append_tail()
    }

    fn append_tail(&mut self) -> Result<(), Error> {
        let tail = self.session.outbound.queue_tail();
        tail.map_err(|error| Error::caller("cannot send").with_source(error))
    }

    /// Receives one message and writes its bytes to `writer` as they come, so that a message may
    /// be larger than memory: of a framing that says the length in front, no more than a small
    /// buffer is held. `max` is a bound here too; raise it for such messages. Other framings are
    /// received whole first.
    ///
    /// Returns how many bytes the message had, or `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`recv`](Self::recv). The writer fails: the message is lost in part, and so the
    /// conversation receives no more. A timeout in the middle is the same: what has been written
    /// cannot be taken back.
    pub fn recv_to(&mut self, writer: &mut impl Write) -> Result<Option<u64>, Error> {
        if let Some(error) = &self.receive_error {
            return Err(error.clone());
        }
        loop {
            match self.session.poll() {
                Ok(Event::Need(need)) => {
                    if let Some(message) = self.session.inbound.stream() {
                        return self.pass_to(writer, message).map(Some);
                    }
                    self.fill(need, Waits::Here)?;
                }
                Ok(Event::Discarded(_)) => {}
                Ok(Event::Finished) => return Ok(None),
                Ok(Event::Message) => {
                    let message = self.session.message();
                    let len = message.len() as u64;
                    let written = writer.write_all(&message);
                    return written.map(|()| Some(len)).map_err(|error| {
                        let error = Error::caller("cannot write a message").with_source(error);
                        self.ended(error)
                    });
                }
                Err(error) => {
                    return Err(self.broken_frame(error, self.session.inbound.messages() + 1));
                }
            }
        }
    }

    /// Writes the bytes of the frame at hand that belong to its message, as they come.
    fn pass_to(
        &mut self,
        writer: &mut impl Write,
        message: std::ops::Range<u64>,
    ) -> Result<u64, Error> {
        loop {
            match self.session.inbound.streamed(&message) {
                Ok(None) => break,
                Ok(Some([])) => {
                    self.fill(NonZeroUsize::MIN, Waits::Here).map_err(|error| self.ended(error))?;
                }
                Ok(Some(bytes)) => {
                    let passed = bytes.len() as u64;
                    if let Err(error) = writer.write_all(bytes) {
                        let error = Error::caller("cannot write a message").with_source(error);
                        return Err(self.ended(error));
                    }
                    self.session.inbound.pass_streamed(passed);
                }
                Err(error) => {
                    return Err(self.broken_frame(error, self.session.inbound.messages()));
                }
            }
        }
        Ok(message.end - message.start)
    }
}
