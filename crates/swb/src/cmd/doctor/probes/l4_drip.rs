//! L4: a large message that comes one byte at a time, and never whole.

use std::time::Duration;

use switchboard::deadline;

use super::super::causes::Cause;
use super::super::exchange::Request;
use super::super::link::{Heard, Went, told};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::is_echoed;

/// The length that is announced; less where `--max` is.
const BYTES: u64 = 16 * 1024 * 1024;
/// Between two bytes; less where `--idle` is not much more.
const PACE: Duration = Duration::from_secs(1);
/// So many bytes come within `--idle`: a clock that begins anew with each never runs out.
const BYTES_AN_IDLE_TIME: u32 = 4;
/// How long a server is watched that has said nothing of when it gives up.
const WATCHED: Duration = Duration::from_secs(10);

pub(super) static PROBE: Probe = Probe {
    id: "L4",
    name: "drip",
    sends: "the beginning of a large message, then one byte a second",
    right: "the conversation is ended when the time for a message (--idle) is over",
    bug: "there is no time-out, or it begins anew with each byte, so that a slow client keeps a \
          thread or a slot for ever",
    cure: "one deadline for the whole message, from its first byte",
    intrusive: true,
    deadly: false,
    how: How::Beside,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let (beginning, bytes) = beginning(patient, &patient.request()?)?;
    let (pace, watched) = match patient.idle {
        Some(idle) => {
            let watched = idle + idle / 2 + PACE + patient.times.patience;
            (PACE.min(idle / BYTES_AN_IDLE_TIME), watched)
        }
        None => (PACE, WATCHED),
    };
    // A short message is not to be whole by then.
    let pace = pace.max(watched * 2 / u32::try_from(bytes.max(1)).unwrap_or(u32::MAX));
    let mut link = patient.link()?;
    link.give(&beginning)?;
    let until = deadline::after(watched);
    while until.is_none_or(|until| deadline::now() < until) {
        match link.hear_within(pace)? {
            Heard::Silence(..) => {}
            Heard::Message(reply) if is_handled(patient, &beginning, &reply)? => {
                return Err(link.failed(Heard::Message(reply)).because(HALF));
            }
            _ => return Ok(()),
        }
        if let Went::Refused(..) = link.send(b"x")? {
            return Ok(());
        }
    }
    let came = format!("it goes on waiting, after {}", told(watched));
    Err(match patient.idle {
        Some(_) => link.failed(came),
        None => Finding::inconclusive(format!(
            "{came}, as it may: how long the server waits for a message is not known: --idle TIME"
        )),
    })
}

const HALF: Cause = Cause {
    bug: "half a message is handled as if it were whole",
    cure: "wait until as many bytes are there as the length says, or for the delimiter",
};

/// Whether it answers what is not whole yet, rather than saying what is wrong.
fn is_handled(patient: &Patient, beginning: &[u8], reply: &[u8]) -> Result<bool, Finding> {
    let expected = patient.request()?.reply;
    let is_echo = patient.is_echo() && is_echoed(reply, &[beginning, b"xxxx"].concat());
    Ok(is_echo || expected.is_some_and(|expected| expected.is(reply)))
}

/// What announces a message that does not come, and how many bytes it would have.
fn beginning(patient: &Patient, request: &Request) -> Result<(Vec<u8>, u64), Finding> {
    let bytes = BYTES.min(patient.max.unwrap_or(BYTES));
    if let Some(field) = &request.length {
        let bytes = bytes.min(field.length_max());
        let Some(written) = field.written(bytes) else {
            return Err(Finding::skipped("the length field does not hold a large length"));
        };
        return Ok((request.forged_prefix(field, &written), bytes));
    }
    match patient.is_delimited(request) {
        true => Ok(([&request.bytes[..request.body.start], b"x"].concat(), bytes)),
        false => Err(Finding::skipped("a message announces nothing and ends with no delimiter")),
    }
}
