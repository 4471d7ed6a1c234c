//! What a server answered, beside what it had answered when it was recorded.

use std::fmt;

use switchboard_frame::{Protocol, Role};

use crate::payload;
use crate::pump::{self, Event as Found, Pump};
use crate::recording::{Event, What};

/// Bytes of a message that are shown.
const SHOWN_BYTES: usize = 64;

/// The first difference between two conversations.
pub(super) struct Difference {
    /// The answer, from 1 on.
    n: usize,
    recorded: Option<Answer>,
    now: Option<Answer>,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Message(Vec<u8>),
    /// Bytes that are of no message: why, and they.
    Raw(String, Vec<u8>),
    Finished,
    Broke,
}

impl Difference {
    /// Where the server's answers part; `None` when they are the same.
    pub(super) fn first(
        protocol: &Protocol,
        recorded: &[Event],
        now: &[Event],
    ) -> Option<Difference> {
        let (recorded, now) = (answers(protocol, recorded), answers(protocol, now));
        // A recording may have been ended before the server had; what it does then is no answer.
        let all = recorded.len().max(now.len());
        (0..all).find_map(|at| {
            let (was, is) = (recorded.get(at), now.get(at));
            let unended = was.is_none() && matches!(is, Some(Answer::Finished | Answer::Broke));
            (was != is && !unended).then(|| Difference {
                n: at + 1,
                recorded: was.cloned(),
                now: is.cloned(),
            })
        })
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

/// A direction on its way through its framing.
struct Side {
    /// `None`: no messages any more.
    pump: Option<Pump>,
    why: String,
    raw: Vec<u8>,
}

/// The server's messages and its end, in their order.
fn answers(protocol: &Protocol, events: &[Event]) -> Vec<Answer> {
    let side = |role| Side {
        pump: Some(Pump::new(protocol.framing(role))),
        why: String::new(),
        raw: Vec::new(),
    };
    let mut sides = [side(Role::Client), side(Role::Server)];
    let mut coupler = protocol.coupler();
    let mut answers = Vec::new();
    for event in events {
        let at = usize::from(event.writer == Role::Server);
        let at_end = match &event.what {
            What::Bytes(bytes) => {
                match &mut sides[at].pump {
                    Some(pump) => pump.give(bytes),
                    None => sides[at].raw.extend_from_slice(bytes),
                }
                false
            }
            What::Finished => true,
            What::Broke => false,
        };
        while let Some(message) = next(&mut sides[at], at_end) {
            for switch in coupler.observe(event.writer, &message) {
                let other = &mut sides[usize::from(switch.writer == Role::Server)];
                match switch.why {
                    None => other.pump.iter_mut().for_each(|pump| pump.switch(&switch.framing)),
                    Some(why) => unframe(other, why),
                }
            }
            if event.writer == Role::Server {
                answers.push(Answer::Message(message));
            }
        }
        if event.writer == Role::Server && !matches!(event.what, What::Bytes(_)) {
            let side = &mut sides[at];
            if !side.raw.is_empty() {
                answers.push(Answer::Raw(side.why.clone(), std::mem::take(&mut side.raw)));
            }
            let finished = event.what == What::Finished;
            answers.push(if finished { Answer::Finished } else { Answer::Broke });
        }
    }
    let [_, server] = sides;
    if !server.raw.is_empty() {
        answers.push(Answer::Raw(server.why, server.raw));
    }
    answers
}

/// The next whole message; what breaks the framing makes the rest raw.
fn next(side: &mut Side, at_end: bool) -> Option<Vec<u8>> {
    loop {
        let pump = side.pump.as_mut()?;
        let why = match pump.next(at_end) {
            Found::Wait | Found::Finished(_) => return None,
            Found::Discarded(_) => continue,
            Found::Message(message) => return Some(message.bytes.to_vec()),
            Found::Broken(error) => pump::describe(pump, &error),
        };
        unframe(side, &why);
    }
}

/// From here on there are no messages.
fn unframe(side: &mut Side, why: &str) {
    if let Some(pump) = side.pump.take() {
        side.why = why.to_owned();
        side.raw.extend_from_slice(pump.unread());
    }
}
