//! F7: a message without a body.

use super::super::causes::Cause;
use super::super::link::Heard;
use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "F7",
    name: "empty",
    sends: "an empty message, then another one",
    right: "an answer to each; a server that has no use for empty messages may refuse or ignore \
            them, but one that sends every message back sends this one back",
    bug: "an empty message is taken for the end of the stream, because both are an empty string",
    cure: "tell them apart: the end of the stream is a value of its own, no message",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

const PASSED_OVER: Cause = Cause {
    bug: "an empty message is passed over, as if nothing had been sent: its client waits for ever",
    cure: "handle it as any other; of a length of 0 the body is there already",
};

fn ask(patient: &Patient) -> Asked {
    let empty = patient.empty_request()?;
    let next = patient.request()?;
    let mut link = patient.link()?;
    link.give(&empty.bytes)?;
    match link.hear()? {
        Heard::Message(reply) if patient.is_echo() && empty.is_answered_by(&reply) => {
            link.exchange(&next)
        }
        // It says that something is wrong, and may end the conversation behind that.
        Heard::Message(_) => Ok(()),
        // To ignore it is an answer too, where it is not to be sent back.
        silence @ Heard::Silence(..) => {
            let came = format!("{silence}; the next message was answered");
            link.exchange(&next).map_err(|finding| finding.and("the empty one had no answer"))?;
            match patient.is_echo() {
                true => Err(link.failed(came).as_weak().because(PASSED_OVER)),
                false => Ok(()),
            }
        }
        Heard::End(..) | Heard::Unframed(..) if !patient.is_echo() => Ok(()),
        heard => Err(link.failed(heard)),
    }
}
