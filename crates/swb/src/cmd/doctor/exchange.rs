//! What the server is asked with, and what it has to answer: requests on the wire.

use std::ops::Range;

use switchboard_frame::{Decoder, Encoder, Fields, LengthField, Protocol, Role, Step};

use super::probe::Finding;
use crate::args::DoctorArgs;
use crate::exit::Failure;
use crate::payload;

/// The largest message that is made up here.
pub(super) const SIZED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An exchange that the server is known to answer.
pub(super) enum Exchange {
    /// Every message comes back.
    Echo,
    /// One request, and its reply; `None` is any one message.
    Fixed { request: Vec<u8>, reply: Option<Reply> },
}

impl Exchange {
    pub(super) fn new(args: &DoctorArgs) -> Result<Exchange, Failure> {
        let read = |text: &String| payload::read(text, args.hex);
        Ok(match &args.send {
            None => Exchange::Echo,
            Some(text) => Exchange::Fixed {
                request: read(text)?,
                reply: match (&args.expect, &args.expect_start) {
                    (Some(text), _) => Some(Reply::new(read(text)?)),
                    (None, Some(text)) => Some(Reply { goes_on: true, ..Reply::new(read(text)?) }),
                    (None, None) => None,
                },
            },
        })
    }

    /// Whether an answer is known to its last byte, and is the same each time.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Exchange::Fixed { reply: Some(Reply { goes_on: false, .. }), .. })
    }
}

/// So much of a beginning is told.
const SHARED_BYTES_MAX: usize = 200;

/// What answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    bytes: Vec<u8>,
    /// That is how it begins.
    goes_on: bool,
}

impl Reply {
    pub(super) fn new(bytes: Vec<u8>) -> Reply {
        Reply { bytes, goes_on: false }
    }

    pub(super) fn is(&self, reply: &[u8]) -> bool {
        match self.goes_on {
            true => reply.starts_with(&self.bytes),
            false => reply == self.bytes,
        }
    }

    /// Where another message is another one, and what may be expected instead.
    pub(super) fn difference(&self, came: &[u8]) -> String {
        let at = self.bytes.iter().zip(came).take_while(|(one, other)| one == other).count();
        // Numbers that have begun the same may be others the next time.
        let same = &came[..at];
        let shared = match same.iter().rposition(|byte| *byte == b'\n') {
            Some(line) => &same[..=line],
            None => {
                let digits = same.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
                &same[..at - digits]
            }
        };
        let advice = match shared {
            [] => "if it is another one each time, leave --expect out: any one message counts then"
                .to_owned(),
            shared => format!(
                "if the rest is another one each time: --expect-start '{}'",
                payload::escape(&shared[..shared.len().min(SHARED_BYTES_MAX)])
            ),
        };
        format!("it is not what was expected from its byte {at} on; {advice}")
    }

    /// How many bytes it has at the least.
    fn bytes_min(&self) -> usize {
        self.bytes.len()
    }
}

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) body: Range<usize>,
    /// Where it says how long it is, if a number does.
    pub(super) length: Option<LengthField>,
    /// What the server has to answer; `None` is any one message.
    pub(super) reply: Option<Reply>,
}

impl Request {
    /// How many bytes it has before its body.
    pub(super) fn prefix_bytes(&self) -> usize {
        self.body.start
    }

    /// How many bytes it has behind its body.
    pub(super) fn trailer_bytes(&self) -> usize {
        self.bytes.len() - self.body.end
    }

    /// Where it says how long it is.
    ///
    /// # Errors
    /// No number does: there is nothing to be asked.
    pub(super) fn length_field(&self) -> Result<&LengthField, Finding> {
        let none = || Finding::skipped("no length field: messages end otherwise");
        self.length.as_ref().ok_or_else(none)
    }

    /// What comes before its body, with these bytes in the place of its length.
    pub(super) fn forged_prefix(&self, field: &LengthField, length: &[u8]) -> Vec<u8> {
        let at = field.at();
        [&self.bytes[..at.start], length, &self.bytes[at.end..self.body.start]].concat()
    }

    /// The whole, with these bytes in the place of its length.
    pub(super) fn forged(&self, field: &LengthField, length: &[u8]) -> Vec<u8> {
        [&self.forged_prefix(field, length), &self.bytes[self.body.start..]].concat()
    }

    /// How many bytes of message its answer has, at the least.
    pub(super) fn reply_bytes_min(&self) -> usize {
        self.reply.as_ref().map_or(0, Reply::bytes_min)
    }

    /// Whether this is an answer to it.
    pub(super) fn is_answered_by(&self, reply: &[u8]) -> bool {
        self.reply.as_ref().is_none_or(|expected| expected.is(reply))
    }

    /// Whether this is how the answer begins, as a message of its own: so much one read gave.
    pub(super) fn is_answered_in_part_by(&self, reply: &[u8]) -> bool {
        let expected = self.reply.as_ref().map_or(&[][..], |expected| &expected.bytes);
        !reply.is_empty() && reply.len() < expected.len() && expected.starts_with(reply)
    }
}

/// Frames requests, one behind the other, of one conversation.
pub(super) struct Requests<'a> {
    exchange: &'a Exchange,
    fields: &'a Fields,
    encoder: Encoder,
    decoder: Decoder,
    /// How many there were.
    number: usize,
}

impl<'a> Requests<'a> {
    /// # Errors
    /// The framing can receive and not send.
    pub(super) fn new(
        exchange: &'a Exchange,
        fields: &'a Fields,
        protocol: &Protocol,
    ) -> Result<Requests<'a>, Failure> {
        let framing = protocol.framing(Role::Client);
        let encoder = Encoder::new(framing).map_err(Failure::usage)?;
        Ok(Requests { exchange, fields, encoder, decoder: Decoder::new(framing), number: 0 })
    }

    /// The next one: of an echo each is another one, so that none is taken for the next.
    ///
    /// # Errors
    /// The framing cannot carry it.
    pub(super) fn next(&mut self) -> Result<Request, String> {
        self.number += 1;
        match self.exchange {
            Exchange::Echo => {
                let body = format!("swb doctor {:05}", self.number);
                self.frame(body.as_bytes(), None)
            }
            Exchange::Fixed { request, reply } => self.frame(request, reply.clone()),
        }
    }

    /// One with a body of so many bytes; of an echo alone.
    ///
    /// # Errors
    /// The framing cannot carry it, or the exchange is a fixed one.
    pub(super) fn sized(&mut self, bytes: usize) -> Result<Request, String> {
        if bytes as u64 > SIZED_BYTES_MAX {
            return Err(format!("it needs a message of {bytes} bytes, too large to be made up"));
        }
        match self.exchange {
            Exchange::Echo => {
                let text = b"whole messages over stream sockets, done right. ";
                let body: Vec<u8> = text.iter().copied().cycle().take(bytes).collect();
                self.frame(&body, None)
            }
            Exchange::Fixed { .. } => Err("it needs messages of any size: --echo".to_owned()),
        }
    }

    /// One without a body. Of a fixed exchange nobody knows what answers it.
    ///
    /// # Errors
    /// The framing has no empty messages.
    pub(super) fn empty(&mut self) -> Result<Request, String> {
        self.frame(b"", None)
    }

    /// Frames a message. Without a `reply` the answer is the message itself.
    fn frame(&mut self, message: &[u8], reply: Option<Reply>) -> Result<Request, String> {
        let mut bytes = Vec::new();
        let encoded = match self.fields.is_empty() {
            true => self.encoder.encode(message, &mut bytes),
            false => self.encoder.encode_with(self.fields, message, &mut bytes),
        };
        encoded.map_err(|error| error.to_string())?;
        match self.decoder.step(&bytes, false) {
            Ok(Step::Frame(frame)) => {
                let is_echo = matches!(self.exchange, Exchange::Echo);
                let echo = || is_echo.then(|| Reply::new(bytes[frame.message].to_vec()));
                let reply = reply.or_else(echo);
                let length = self.decoder.length_field(&bytes);
                Ok(Request { body: frame.body, length, bytes, reply })
            }
            Ok(other) => Err(format!("a request is no single frame: {other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}
