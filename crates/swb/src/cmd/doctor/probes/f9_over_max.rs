//! F9: messages a little larger than allowed.

use super::super::causes::Cause;
use super::super::exchange::SIZED_BYTES_MAX;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, reaction};
use super::f8_max::max;
use crate::units;

/// By so many bytes at most.
const OVER_MAX: usize = 8;

pub(super) static PROBE: Probe = Probe {
    id: "F9",
    name: "over max",
    sends: "messages of 1 to 8 bytes more than --max says, each over a connection of its own",
    right: "the message is refused, by an error or by closing",
    bug: "the limit is off by one, or is compared before the header or the delimiter is taken off",
    cure: "compare the body's size with the limit before the body is read",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

/// And by so many, where it takes those.
const FAR_OVER_MAX: usize = 64 * 1024;

const ANOTHER_LIMIT: Cause = Cause {
    bug: "the limit is not the one that was declared (--max), or there is none",
    cure: "compare the body's size with the limit before the body is read; or declare the other",
};

fn ask(patient: &Patient) -> Asked {
    let max = max(patient)?;
    let next = patient.request()?;
    for over in 1..=OVER_MAX {
        let request = patient.sized_request(max + over)?;
        let mut link = patient.link()?;
        match reaction(patient, &mut link, &request.bytes)? {
            Reaction::Rejects => {}
            Reaction::Takes(_) => {
                let found = link.failed(format_args!("a reply, to {} over the limit", told(over)));
                return Err(match takes_far_more(patient, max)? {
                    Some(far) => found
                        .and(&format!("and one to {} over it", told(far)))
                        .because(ANOTHER_LIMIT),
                    None => found,
                });
            }
            Reaction::Waits(heard) => {
                let came = format!("{heard}, after {} over the limit", told(over));
                let found = link.failed(came);
                // What is passed over without a word is refused too.
                return Err(match link.exchange(&next) {
                    Ok(()) => found.and("the next message was answered").as_weak(),
                    Err(_) => found,
                });
            }
        }
    }
    Ok(())
}

/// By how much a message is over the limit that is taken, too, and is so by no mistake in counting.
fn takes_far_more(patient: &Patient, max: usize) -> Result<Option<usize>, Finding> {
    let most = usize::try_from(SIZED_BYTES_MAX).unwrap_or(usize::MAX);
    let far = (max + FAR_OVER_MAX).min(most).saturating_sub(max);
    if far <= OVER_MAX {
        return Ok(None);
    }
    for over in [OVER_MAX, far] {
        let request = patient.sized_request(max + over)?;
        let mut link = patient.link()?;
        if !matches!(reaction(patient, &mut link, &request.bytes)?, Reaction::Takes(_)) {
            return Ok(None);
        }
    }
    Ok(Some(far))
}

fn told(bytes: usize) -> String {
    units::bytes(bytes as u64)
}
