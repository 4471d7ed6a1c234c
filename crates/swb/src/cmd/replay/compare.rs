//! What a server answered: message by message, as it comes, and beside what it had answered before.

use std::fmt;

use switchboard_frame::{Coupler, Protocol, Role};

use crate::json::Object;
use crate::payload;
use crate::pump::{self, Event as Found, Pump};
use crate::recording::{Event, What};

/// Bytes of a message that are shown.
const SHOWN_BYTES: usize = 64;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Message(Vec<u8>),
    /// Bytes that are of no message: why, and they.
    Raw(String, Vec<u8>),
    Finished,
    Broke,
}

/// A conversation as it goes, for the server's answers in it.
pub(super) struct Talk {
    coupler: Coupler,
    client: Side,
    server: Side,
    /// The client has reset it: what ends behind that is no answer.
    reset: bool,
    answers: Vec<Answer>,
}

/// A direction on its way through its framing.
struct Side {
    /// `None`: no messages any more.
    pump: Option<Pump>,
    why: String,
    raw: Vec<u8>,
}

impl Talk {
    pub(super) fn new(protocol: &Protocol) -> Talk {
        let side = |role| Side {
            pump: Some(Pump::new(protocol.framing(role))),
            why: String::new(),
            raw: Vec::new(),
        };
        Talk {
            coupler: protocol.coupler(),
            client: side(Role::Client),
            server: side(Role::Server),
            reset: false,
            answers: Vec::new(),
        }
    }

    /// How far the server has come: its messages, and bytes that are of none.
    pub(super) fn heard(&self) -> (usize, usize) {
        (self.answers.len(), self.server.raw.len())
    }

    /// What was said next.
    pub(super) fn event(&mut self, event: &Event) {
        let writer = event.writer;
        let side = self.side(writer);
        if let What::Bytes(bytes) = &event.what {
            match &mut side.pump {
                Some(pump) => pump.give(bytes),
                None => side.raw.extend_from_slice(bytes),
            }
        }
        while let Some(message) = self.side(writer).next(event.what == What::Finished) {
            for switch in self.coupler.observe(writer, &message) {
                let side = self.side(switch.writer);
                match switch.why {
                    None => side.pump.iter_mut().for_each(|pump| pump.switch(&switch.framing)),
                    Some(why) => side.unframe(why.to_owned()),
                }
            }
            if writer == Role::Server {
                self.answers.push(Answer::Message(message));
            }
        }
        match (writer, &event.what) {
            (Role::Client, What::Broke) => self.reset = true,
            (Role::Server, What::Finished) if !self.reset => self.end(Answer::Finished),
            (Role::Server, What::Broke) if !self.reset => self.end(Answer::Broke),
            _ => {}
        }
    }

    /// All that the server said.
    pub(super) fn answers(mut self) -> Vec<Answer> {
        self.take_raw();
        self.answers
    }

    fn side(&mut self, writer: Role) -> &mut Side {
        match writer {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    fn end(&mut self, how: Answer) {
        self.take_raw();
        self.answers.push(how);
    }

    fn take_raw(&mut self) {
        let raw = std::mem::take(&mut self.server.raw);
        if !raw.is_empty() {
            self.answers.push(Answer::Raw(self.server.why.clone(), raw));
        }
    }
}

impl Side {
    /// The next whole message; what breaks the framing makes the rest raw.
    fn next(&mut self, at_end: bool) -> Option<Vec<u8>> {
        loop {
            let pump = self.pump.as_mut()?;
            let why = match pump.next(at_end) {
                Found::Wait | Found::Finished(_) => return None,
                Found::Discarded(_) => continue,
                Found::Message(message) => return Some(message.bytes.to_vec()),
                Found::Broken(error) => pump::describe(pump, &error),
            };
            self.unframe(why);
        }
    }

    /// From here on there are no messages.
    fn unframe(&mut self, why: String) {
        if let Some(pump) = self.pump.take() {
            self.why = why;
            self.raw.extend_from_slice(pump.unread());
        }
    }
}

/// The first difference between the answers of two conversations.
pub(super) struct Difference {
    /// The answer, from 1 on.
    n: usize,
    recorded: Option<Answer>,
    now: Option<Answer>,
}

impl Difference {
    /// Where the answers part; `None` when they are the same. Of a conversation that `is_open`
    /// nobody knows what came next.
    pub(super) fn first(recorded: &[Answer], now: &[Answer], is_open: bool) -> Option<Difference> {
        let all = recorded.len().max(now.len());
        (0..all).find_map(|at| {
            let (was, is) = (recorded.get(at), now.get(at));
            // A recording may have ended before the server did; that it does then is no answer.
            let is_end = matches!(is, Some(Answer::Finished | Answer::Broke));
            let unended = was.is_none() && (is_open || is_end);
            (was != is && !unended).then(|| Difference {
                n: at + 1,
                recorded: was.cloned(),
                now: is.cloned(),
            })
        })
    }
}

impl Difference {
    /// As it is told to programs.
    pub(super) fn object(&self, conversation: u64) -> Object {
        let answer = |answer: &Option<Answer>| match answer {
            None => Object::new("nothing"),
            Some(Answer::Message(bytes)) => Object::new("message").bytes(bytes, true),
            Some(Answer::Raw(why, raw)) => Object::new("raw").string("why", why).bytes(raw, true),
            Some(Answer::Finished) => Object::new("finished"),
            Some(Answer::Broke) => Object::new("reset"),
        };
        Object::new("difference")
            .number("conversation", conversation)
            .number("answer", self.n as u64)
            .object("recorded", answer(&self.recorded))
            .object("now", answer(&self.now))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |answer: &Option<Answer>| {
            answer.as_ref().map_or_else(|| "nothing more".to_owned(), Answer::to_string)
        };
        let (recorded, now) = (shown(&self.recorded), shown(&self.now));
        write!(f, "answer {} differs\n  recorded: {recorded}\n  now:      {now}", self.n)?;
        if let (Some(Answer::Message(a)), Some(Answer::Message(b))) = (&self.recorded, &self.now) {
            let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            write!(f, "\n  first at byte {at} of {} and {}", a.len(), b.len())?;
        }
        Ok(())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |bytes: &[u8]| {
            let end = bytes.len().min(SHOWN_BYTES);
            let more = if end < bytes.len() { " .." } else { "" };
            format!("{}{more}", payload::escape(&bytes[..end]))
        };
        match self {
            Answer::Message(message) => f.write_str(&bytes(message)),
            Answer::Raw(why, raw) => write!(f, "{} ({why})", bytes(raw)),
            Answer::Finished => f.write_str("the end"),
            Answer::Broke => f.write_str("a reset"),
        }
    }
}
