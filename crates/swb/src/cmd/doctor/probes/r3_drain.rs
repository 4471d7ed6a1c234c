//! R3: SIGTERM while a reply is under way.

use std::time::Duration;

use super::super::causes::{Cause, ONE_READ};
use super::super::flood::Kernel;
use super::super::link::{Heard, Went};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use crate::units;

/// The reply: more than the buffers of the system hold of it.
const REPLY_BYTES: u64 = 8 << 20;
const REPLY_BYTES_MIN: u64 = 1 << 20;
const SEND_BYTES: usize = 1 << 20;
/// How long a server that does not care has to die.
const PAUSE: Duration = Duration::from_millis(300);
/// How long one that does may take to end once its reply has been read.
const END: Duration = Duration::from_secs(10);

pub(super) static PROBE: Probe = Probe {
    id: "R3",
    name: "drain",
    sends: "a request with a reply larger than the system's buffers; SIGTERM to the server while \
            that is under way, and only then reads it",
    right: "the reply comes whole, and the server ends",
    bug: "SIGTERM ends the process at once, and with it every reply that is being written",
    cure: "on SIGTERM stop accepting, finish what is under way within a deadline, then end",
    intrusive: true,
    deadly: true,
    how: How::Last,
    ask,
};

const STAYS: Cause = Cause {
    bug: "SIGTERM is ignored, or stops the accepting alone: it waits for clients that stay",
    cure: "on SIGTERM finish what is under way, close what is idle, and end within a deadline",
};

fn ask(patient: &Patient) -> Asked {
    let child = patient.started()?;
    let bytes = patient.max.unwrap_or(REPLY_BYTES).min(REPLY_BYTES);
    if bytes < REPLY_BYTES_MIN {
        return Err(Finding::inconclusive("a reply of --max bytes fits into the system's buffers"));
    }
    let request = patient.sized_request(usize::try_from(bytes).unwrap_or(usize::MAX))?;
    let size = units::rounded(bytes);
    let mut link = patient.link()?;
    link.set_send_buffer(SEND_BYTES);
    match link.send(&request.bytes)? {
        Went::All => {}
        Went::Stuck(_) => {
            let why = "it answers before it has read the whole of a request";
            return Err(Finding::inconclusive(why));
        }
        Went::Refused(..) => {
            let why = format!("it takes no message of {size}: --max says how large one may be");
            return Err(Finding::inconclusive(why));
        }
    }
    if !link.begins_to_come()? {
        return Err(Finding::inconclusive(format!("no reply to a message of {size}")));
    }
    child.terminate();
    let paused = link.pause(PAUSE);
    let heard = link.hear_within(patient.times.patience * 10);
    let may_have_fitted = bytes <= Kernel::of(&link).replies_bytes;
    let ended = child.usage_when(|usage| usage.processes == 0, END).processes == 0;
    let failed = match heard {
        Ok(Heard::Message(reply)) if request.is_answered_by(&reply) => None,
        // It has been handled in parts, and that is not what SIGTERM did.
        Ok(Heard::Message(reply)) if request.is_answered_in_part_by(&reply) => {
            Some(link.failed(Heard::Message(reply)).because(ONE_READ))
        }
        Ok(heard) => Some(link.failed(heard).and(&format!("the reply has {size}"))),
        Err(found) => Some(found),
    };
    patient.restart(false)?;
    match failed {
        None if !ended => {
            let late =
                format!("the reply came whole, and {END:?} later the server was still there");
            Err(Finding::failed(late).as_weak().because(STAYS))
        }
        // It was the system's then, and would have come without the server.
        None if may_have_fitted => Err(Finding::inconclusive(format!(
            "a reply of {size} came whole, and may have fitted into the system's buffers: --max"
        ))),
        None => paused,
        Some(found) => Err(found),
    }
}
