//! The beginning of a request, and the end of input behind it.

use super::causes::{Cause, END_UNSEEN};
use super::exchange::Request;
use super::link::{Heard, Link};
use super::patient::Patient;
use super::probe::{Asked, Finding};

/// So many messages are taken for a way to say what is wrong.
const COMPLAINTS_MAX: usize = 8;
/// By so much of its beginning an echo of half a message is known.
const KNOWN_BYTES: usize = 4;

const ENDLESS: Cause = Cause {
    bug: "at the end of input recv gives 0 bytes for ever, and each time that is handled",
    cure: "recv's 0 is no message and no part of one: stop reading, close",
};

/// A right server ends too, and handles nothing: it may say what is wrong before.
pub(super) fn ask(patient: &Patient, request: &Request, cut: usize) -> Asked {
    match handled(patient, request, cut, Link::finish)? {
        None => Ok(()),
        // Many take what stands behind the last delimiter for a line, and say so.
        Some(finding) if patient.is_delimited(request) => Err(finding.as_weak()),
        Some(finding) => Err(finding),
    }
}

/// That it is handled all the same, if it is, with an end of any kind.
pub(super) fn handled(
    patient: &Patient,
    request: &Request,
    cut: usize,
    end: fn(&mut Link),
) -> Result<Option<Finding>, Finding> {
    let mut link = patient.link()?;
    link.give(&request.bytes[..cut])?;
    link.pause(patient.times.gap)?;
    end(&mut link);
    for _ in 0..COMPLAINTS_MAX {
        match link.hear()? {
            heard @ Heard::End(..) => {
                let rest = link.rest();
                let is_handled =
                    patient.is_echo() && !rest.is_empty() && is_handled(request, cut, rest);
                return match is_handled && !echoes_bytes(patient, request, cut)? {
                    true => Ok(Some(link.failed(heard).and("half a message was handled"))),
                    false => Ok(None),
                };
            }
            Heard::Message(reply) if is_handled(request, cut, &reply) => {
                let finding = link.failed(Heard::Message(reply));
                return Ok(Some(finding.and("half a message was handled")));
            }
            Heard::Message(_) => {}
            // That, too, may be words about what is wrong.
            Heard::Unframed(..) if link.hear_close()?.is_some() => return Ok(None),
            heard => return Err(link.failed(heard).because(END_UNSEEN)),
        }
    }
    Err(link.failed("messages without end").because(ENDLESS))
}

/// Whether bytes come back before anything has ended: one that echoes bytes knows of no messages.
fn echoes_bytes(patient: &Patient, request: &Request, cut: usize) -> Result<bool, Finding> {
    let mut link = patient.link()?;
    link.give(&request.bytes[..cut])?;
    link.begins_to_come()
}

/// Whether this is what a handler answers, rather than a word about what is wrong.
fn is_handled(request: &Request, cut: usize, reply: &[u8]) -> bool {
    let body = &request.bytes[request.body.start.min(cut)..cut];
    let known = &body[..body.len().min(KNOWN_BYTES)];
    match &request.reply {
        _ if reply.is_empty() => true,
        Some(expected) if expected.is(reply) => true,
        _ => !known.is_empty() && reply.starts_with(known),
    }
}

#[cfg(test)]
mod tests {
    use super::super::exchange::Reply;
    use super::*;

    #[test]
    fn half_an_echo_is_handled_and_a_complaint_is_not() {
        let request = Request {
            bytes: b"\0\0\0\x08abcdefgh".to_vec(),
            body: 4..12,
            length: None,
            reply: Some(Reply::new(b"abcdefgh".to_vec())),
        };
        for (cut, reply, handled) in [
            (2, "", true),
            (2, "abcdefgh", true),
            (2, "error: cut off", false),
            (8, "abcd", true),
            (8, "abcd\0\0\0\0", true),
            (8, "", true),
            (8, "error: cut off", false),
            (5, "a", true),
        ] {
            assert_eq!(is_handled(&request, cut, reply.as_bytes()), handled, "{cut} {reply:?}");
        }
    }
}
