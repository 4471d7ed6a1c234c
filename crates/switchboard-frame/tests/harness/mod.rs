//! Drives a decoder over a stream that is cut anywhere, and writes down what came of it.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fmt::Write as _;

use switchboard_frame::{Decoder, Discarded, ErrorKind, FrameError, Framing, Protocol, Role, Step};

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub events: Vec<Event>,
    /// `Ok`: finished.
    pub ending: Result<(), FrameError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Message(Vec<u8>),
    Discarded(Discarded),
}

/// The framing that `spec` says: a framing string, or `PROTOCOL of ROLE`.
pub(crate) fn framing(spec: &str) -> Framing {
    let side = spec.rsplit_once(" of ");
    let role = match side {
        Some((_, "client")) => Role::Client,
        Some((_, "server")) => Role::Server,
        _ => return spec.parse().unwrap_or_else(|e| panic!("{spec}: {e}")),
    };
    let name = side.unwrap().0;
    let protocol: Protocol = name.parse().unwrap_or_else(|e| panic!("{spec}: {e}"));
    protocol.framing(role).clone()
}

/// Everything that comes before the end of the stream is there at once.
pub(crate) fn decode(decoder: &mut Decoder, stream: &[u8]) -> Outcome {
    decode_cut(decoder, stream, &[], true)
}

/// The same, with messages about which nothing is special taken the short way.
pub(crate) fn decode_simply(decoder: &mut Decoder, stream: &[u8]) -> Outcome {
    let mut driver = Driver { simply: true, ..Driver::new(stream) };
    let ending = driver.feed(decoder, stream.len(), true);
    let ending = ending.expect("the stream has ended, so the decoder has an answer");
    driver.outcome(decoder, ending)
}

/// The stream comes in pieces that end at `cuts`. `end_with_last`: the end of the stream is known
/// together with the last piece, else only after it.
pub(crate) fn decode_cut(
    decoder: &mut Decoder,
    stream: &[u8],
    cuts: &[usize],
    end_with_last: bool,
) -> Outcome {
    let ends = cuts.iter().copied().chain([stream.len()]);
    let mut driver = Driver::new(stream);
    for end in ends {
        let at_end = end_with_last && end == stream.len();
        if let Some(ending) = driver.feed(decoder, end, at_end) {
            return driver.outcome(decoder, ending);
        }
    }
    let ending = driver.feed(decoder, stream.len(), true);
    let ending = ending.expect("the stream has ended, so the decoder has an answer");
    driver.outcome(decoder, ending)
}

/// Feeds exactly as many bytes as the decoder asks for. A decoder that asks for more than it needs
/// would take bytes of the next frame before it delivers this one; that is refused here.
///
/// Not `exact`: a key of `type{}` that may go on is only known by the next frame's first bytes.
pub(crate) fn decode_as_asked(decoder: &mut Decoder, stream: &[u8], exact: bool) -> Outcome {
    let mut driver = Driver::new(stream);
    let mut there = 0;
    loop {
        let at_end = there == stream.len();
        if let Some(ending) = driver.feed(decoder, there, at_end) {
            return driver.outcome(decoder, ending);
        }
        there = (there.saturating_add(driver.need)).min(stream.len());
        driver.exact = exact && driver.need <= stream.len() - driver.there;
    }
}

struct Driver<'s> {
    stream: &'s [u8],
    consumed: usize,
    there: usize,
    need: usize,
    /// The bytes there are those that the decoder asked for.
    exact: bool,
    /// [`Decoder::whole`] is asked first.
    simply: bool,
    parts: Vec<u8>,
    events: Vec<Event>,
}

impl<'s> Driver<'s> {
    fn new(stream: &'s [u8]) -> Driver<'s> {
        Driver {
            stream,
            consumed: 0,
            there: 0,
            need: 0,
            exact: false,
            simply: false,
            parts: Vec::new(),
            events: Vec::new(),
        }
    }

    fn outcome(self, decoder: &mut Decoder, ending: Result<(), FrameError>) -> Outcome {
        sticky(decoder, &ending, &self.stream[self.consumed..]);
        Outcome { events: self.events, ending }
    }

    /// Gives the decoder the stream up to `end`; the ending, when it has come.
    fn feed(
        &mut self,
        decoder: &mut Decoder,
        end: usize,
        at_end: bool,
    ) -> Option<Result<(), FrameError>> {
        self.there = end;
        let mut idle = 0;
        loop {
            assert_eq!(decoder.offset(), self.consumed as u64, "offset");
            let bytes = &self.stream[self.consumed..end];
            let before = self.consumed;
            let whole = match self.simply && self.parts.is_empty() {
                true => {
                    let is_there = decoder.has_whole(bytes);
                    let whole = decoder.whole(bytes);
                    assert_eq!(whole.is_some(), is_there, "has_whole");
                    whole
                }
                false => None,
            };
            if let Some(whole) = whole {
                self.events.push(Event::Message(bytes[whole.message].to_vec()));
                self.consumed += whole.end;
                continue;
            }
            match decoder.step(bytes, at_end) {
                Ok(Step::Need(need)) => {
                    assert!(!at_end, "asks for more behind the end of the stream");
                    self.need = need.get();
                    return None;
                }
                Ok(Step::Frame(frame)) => {
                    assert!(frame.whole.end > 0, "a frame consumes at least one byte");
                    assert!(frame.whole.start <= frame.message.start);
                    assert!(frame.message.end <= frame.whole.end);
                    assert_eq!(frame.header.start, frame.whole.start);
                    assert!(frame.header.end <= frame.body.start);
                    assert!(frame.body.end <= frame.whole.end);
                    if self.exact {
                        assert_eq!(frame.whole.end, bytes.len(), "asked past the frame's end");
                        self.exact = false;
                    }
                    self.parts.extend_from_slice(&bytes[frame.message]);
                    self.consumed += frame.whole.end;
                    if !frame.more {
                        let message = std::mem::take(&mut self.parts);
                        self.events.push(Event::Message(message));
                    }
                }
                Ok(Step::Skipped(skipped)) => {
                    self.consumed += skipped.bytes;
                    if let Some(discarded) = skipped.discarded {
                        self.parts.clear();
                        self.events.push(Event::Discarded(discarded));
                    }
                }
                Ok(Step::End) => {
                    assert!(at_end && bytes.is_empty(), "an end before the end");
                    assert!(self.parts.is_empty(), "finished between fragments");
                    return Some(Ok(()));
                }
                Err(error) => return Some(Err(error)),
            }
            idle = if self.consumed == before { idle + 1 } else { 0 };
            assert!(idle <= 2, "the decoder goes round in circles");
        }
    }
}

/// An ending stays what it is, whatever comes after it.
fn sticky(decoder: &mut Decoder, ending: &Result<(), FrameError>, rest: &[u8]) {
    let mut longer = rest.to_vec();
    longer.extend_from_slice(b"0123456789\r\n\r\n");
    for (bytes, at_end) in [(rest, true), (&longer[..], false), (&[], true), (rest, true)] {
        match ending {
            Err(error) => assert_eq!(decoder.step(bytes, at_end).as_ref(), Err(error), "sticky"),
            Ok(()) => assert_eq!(decoder.step(&[], true), Ok(Step::End), "finished stays finished"),
        }
    }
}

impl Outcome {
    /// As the rows of `vectors` write it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for event in &self.events {
            match event {
                Event::Message(message) => write!(text, "<{}> ", message.escape_ascii()),
                Event::Discarded(d) => write!(text, "discard@{}/{} ", d.offset, or(d.frame_bytes)),
            }
            .unwrap();
        }
        text += &match &self.ending {
            Ok(()) => "finished".into(),
            Err(e) if e.kind() == ErrorKind::Truncated => {
                let (have, need) = (e.have().unwrap(), or(e.need()));
                format!("truncated {}@{} {have}/{need}", e.offset(), e.at())
            }
            Err(e) => format!("{} {}@{}", e.kind(), e.offset(), e.at()),
        };
        text
    }

    /// `raw` promises only the concatenation of its messages.
    pub(crate) fn joined(mut self) -> Outcome {
        let mut all = Vec::new();
        self.events.retain(|event| match event {
            Event::Message(message) => {
                all.extend_from_slice(message);
                false
            }
            Event::Discarded(_) => true,
        });
        self.events.push(Event::Message(all));
        self
    }
}

fn or(number: Option<u64>) -> String {
    number.map_or("?".into(), |number| number.to_string())
}
