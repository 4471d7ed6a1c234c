//! What is to be done, built from what was written: the message, framed as often as one write may
//! want it, and the rhythm that it is sent in.

use std::time::Duration;

use switchboard::Endpoint;
use switchboard_frame::{Decoder, EncodeError, Encoder, Fields, Framing, Protocol, Role};

use super::expected::Expected;
use super::limits::{BLOCK_BYTES, DURATION, RATE_MAX, WARM_UP};
use crate::args::{BenchArgs, Matching};
use crate::exit::Failure;
use crate::payload;

/// Tried for numbers in a field, the widest that it takes is used.
const NUMBER_BITS: [u32; 9] = [63, 32, 31, 24, 16, 15, 8, 7, 4];

/// A run.
pub(super) struct Plan {
    pub(super) protocol: Protocol,
    pub(super) connections: usize,
    pub(super) rhythm: Rhythm,
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    /// The most messages in all.
    pub(super) count: u64,
    pub(super) message: Message,
    pub(super) requests: Requests,
    pub(super) expected: Expected,
    /// A connection has one request and one reply, and the next request has the next connection:
    /// where only the end of a stream says where a message ends.
    pub(super) is_one_shot: bool,
    /// The end of the stream belongs to the request.
    pub(super) half_closes: bool,
    /// A conversation that the server has ended is followed by another one.
    pub(super) reconnects: bool,
    pub(super) spin: bool,
}

/// What decides when the next message is sent.
#[derive(Clone, Copy)]
pub(super) enum Rhythm {
    /// A reply, with so many requests in flight on a connection.
    Closed { depth: u64 },
    /// A schedule of so many messages a second in all.
    Open { rate: f64 },
}

/// The message that is sent over and over.
pub(super) struct Message {
    fields: Fields,
    body: Vec<u8>,
    /// The field that has its number, when replies are matched by it.
    pub(super) number: Option<String>,
}

/// How requests become bytes.
pub(super) enum Requests {
    /// All are the same: as many as one write may want, framed once. A frame has so many bytes.
    Same { block: Vec<u8>, frame_bytes: usize },
    /// Each has its number, below the bound; or what was sent before matters.
    Each { numbers: u64 },
}

impl Plan {
    /// # Errors
    /// The framing cannot carry the message, or has no answer to each.
    pub(super) fn new(args: &BenchArgs) -> Result<Plan, Failure> {
        if args.count.is_some() && args.warm_up.is_some_and(|time| !time.is_zero()) {
            return Err(Failure::usage(
                "--count is of the messages that are measured: there is no --warm-up beside it",
            ));
        }
        let protocol = args.framing.protocol()?;
        refuse_what_has_no_replies(&protocol)?;
        let message = Message::new(args)?;
        let framing = protocol.framing(Role::Client);
        let half_closes = is_eof(framing);
        let is_one_shot = half_closes || is_eof(protocol.framing(Role::Server));
        let rhythm = match args.rate {
            Some(rate) if rate > RATE_MAX => {
                return Err(Failure::usage(format_args!(
                    "--rate {rate}: at most {RATE_MAX} messages a second"
                )));
            }
            Some(rate) => Rhythm::Open { rate },
            None => Rhythm::Closed { depth: args.depth as u64 },
        };
        let refused = |error: EncodeError| {
            let advice = match (&args.data, args.fields.fields.is_empty()) {
                (None, true) => {
                    ": --size SIZE says how large the message is, --data what it is, --field \
                     NAME=VALUE what its header has"
                }
                // As in Redis, where a line is a command.
                (Some(data), true) if !data.contains('\\') && !data.starts_with('@') => {
                    ": bytes that end a line are written \\r\\n in --data"
                }
                _ => "",
            };
            let text = format_args!("the message cannot be sent: {error}{advice}");
            Failure::usage(text)
        };
        let requests = Requests::new(framing, &message, rhythm).map_err(refused)?;
        if is_one_shot && (args.depth > 1 || message.number.is_some()) {
            return Err(Failure::usage(
                "only the end of the stream ends a message here, so a connection has one request: \
                 --depth and --match have no place",
            ));
        }
        if args.reconnect {
            refuse_what_is_not_opened_again(args, is_one_shot)?;
        }
        let expected = match args.verify {
            true => Expected::new(framing, &message).map_err(refused)?,
            false => Expected::Anything,
        };
        if let (Requests::Each { numbers }, Rhythm::Closed { depth }) = (&requests, rhythm)
            && depth > *numbers
        {
            return Err(Failure::usage(format_args!(
                "--depth {depth}: the field has only {numbers} numbers to tell replies apart by"
            )));
        }
        let (warm_up, duration) = match args.count {
            Some(_) => (Duration::ZERO, Duration::MAX),
            None => (WARM_UP, DURATION),
        };
        Ok(Plan {
            protocol,
            connections: args.connections,
            rhythm,
            warm_up: args.warm_up.unwrap_or(warm_up),
            duration: args.duration.unwrap_or(duration),
            count: args.count.unwrap_or(u64::MAX),
            message,
            requests,
            expected,
            is_one_shot,
            half_closes,
            reconnects: args.reconnect,
            spin: args.spin,
        })
    }

    /// Whether each reply is looked at, and not only counted.
    pub(super) fn looks_at_replies(&self) -> bool {
        !matches!(self.expected, Expected::Anything) || self.message.number.is_some()
    }
}

impl Message {
    fn new(args: &BenchArgs) -> Result<Message, Failure> {
        let fields = args.fields.build()?;
        let body = match &args.data {
            Some(text) => payload::read(text, args.hex)?,
            None => {
                let size = usize::try_from(args.size).map_err(Failure::usage)?;
                (b'a'..=b'z').cycle().take(size).collect()
            }
        };
        let number = match &args.matching {
            Matching::Order => None,
            Matching::Field(name) => Some(name.clone()),
        };
        Ok(Message { fields, body, number })
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// Appends the message of this number, framed.
    pub(super) fn encode(
        &self,
        number: u64,
        encoder: &mut Encoder,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match &self.number {
            Some(name) => {
                let fields = self.fields.clone().integer(name.as_str(), number);
                encoder.encode_with(&fields, &self.body, out)
            }
            None if self.fields.is_empty() => encoder.encode(&self.body, out),
            None => encoder.encode_with(&self.fields, &self.body, out),
        }
    }
}

impl Requests {
    fn new(framing: &Framing, message: &Message, rhythm: Rhythm) -> Result<Requests, EncodeError> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(framing)?;
        if message.number.is_some() {
            return Requests::numbered(framing, message);
        }
        let is_settled = encoder.is_settled();
        message.encode(0, &mut encoder, &mut out)?;
        let frame_bytes = out.len();
        if frame_bytes == 0 {
            return Err(EncodeError::new("it is empty, and nothing would be sent of it"));
        }
        // What the second one is refused for should be known before anybody is connected to.
        if !is_eof(framing) {
            message.encode(1, &mut encoder, &mut out)?;
        }
        if !is_settled {
            return Ok(Requests::Each { numbers: u64::MAX });
        }
        let wanted = match rhythm {
            Rhythm::Closed { depth } => usize::try_from(depth).unwrap_or(usize::MAX),
            Rhythm::Open { .. } => usize::MAX,
        };
        // One more than are in flight, so that any part of a frame and all others behind it stand
        // in one piece.
        let frames = wanted.saturating_add(1).min(BLOCK_BYTES / frame_bytes).max(1);
        out.truncate(frame_bytes);
        let block = out.repeat(frames);
        Ok(Requests::Same { block, frame_bytes })
    }

    fn numbered(framing: &Framing, message: &Message) -> Result<Requests, EncodeError> {
        let takes = |bits: u32| {
            let mut out = Vec::new();
            let mut encoder = Encoder::new(framing)?;
            message.encode(0, &mut encoder, &mut out)?;
            message.encode((1 << bits) - 1, &mut encoder, &mut out)
        };
        for bits in NUMBER_BITS {
            if takes(bits).is_ok() {
                return Ok(Requests::Each { numbers: 1 << bits });
            }
        }
        takes(0).map(|()| Requests::Each { numbers: 1 })
    }
}

/// Some protocols have no reply to each message, whatever the message is.
fn refuse_what_has_no_replies(protocol: &Protocol) -> Result<(), Failure> {
    if protocol.is_coupled() {
        return Err(Failure::usage(
            "bench takes each message that comes for a reply, and in this protocol a request has \
             several, which change what comes next",
        ));
    }
    let framing = protocol.framing(Role::Server);
    if Decoder::new(framing).ends_with_stream() && !is_eof(framing) {
        return Err(Failure::usage(
            "bench needs a framing that says where a reply ends, and in this one nothing does",
        ));
    }
    Ok(())
}

fn refuse_what_is_not_opened_again(args: &BenchArgs, is_one_shot: bool) -> Result<(), Failure> {
    let endpoint = &args.connection.endpoint;
    if is_one_shot {
        return Err(Failure::usage(
            "only the end of the stream ends a message here, so each request has a connection of \
             its own: --reconnect has no place",
        ));
    }
    if matches!(endpoint, Endpoint::Fd(_)) {
        return Err(Failure::usage(format_args!(
            "{endpoint} is open once: --reconnect has no place"
        )));
    }
    Ok(())
}

/// Whether the whole stream is one message: there is no second one.
fn is_eof(framing: &Framing) -> bool {
    let two = |mut encoder: Encoder| {
        let mut out = Vec::new();
        encoder.encode(b"one", &mut out).is_ok() && encoder.encode(b"two", &mut out).is_ok()
    };
    Decoder::new(framing).ends_with_stream() && !Encoder::new(framing).is_ok_and(two)
}
