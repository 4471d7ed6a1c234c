//! B1: requests without end from a client that reads nothing.

use super::super::flood::{Flood, Stopped};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use crate::units;

/// A server that holds so much for one client, past what the system holds, has no bound: 64 MiB is
/// one that servers are delivered with.
const HELD_BYTES: u64 = 96 << 20;

pub(super) static PROBE: Probe = Probe {
    id: "B1",
    name: "slow reader",
    sends: "requests without end, and reads none of the replies",
    right: "it stops reading, or ends the conversation: what it holds is bounded",
    bug: "replies are queued without a bound, until memory is gone",
    cure: "read no more from a client whose queue is long, or end its conversation",
    intrusive: true,
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let before = patient.memory_bytes();
    let mut flood = Flood::open(patient)?;
    let due = flood.due_bytes(HELD_BYTES);
    let stopped = flood.send_surely(due, patient.times.patience)?;
    // What its processes take is more than what they hold, and with some it is garbage for a while:
    // replies are no more of it than there are to what was taken.
    let grown =
        patient.memory_bytes().zip(before).map_or(0, |(now, then)| now.saturating_sub(then));
    let due = flood.due_to_taken_bytes();
    let grows = |bytes: u64| grown >= bytes && due >= bytes;
    if matches!(stopped, Stopped::Stuck | Stopped::Ended(_)) {
        return match grows(HELD_BYTES) {
            true => Err(flood.link.failed(format_args!(
                "it stopped, but not before its memory had grown by {}",
                units::rounded(grown)
            ))),
            false => Ok(()),
        };
    }
    // It may have taken them and thrown them away: what comes now was there.
    let held = flood.held_bytes()?;
    if held >= HELD_BYTES / 2 {
        let held = units::rounded(held);
        let found = flood.link.failed(format_args!(
            "it took everything, and when it was read at last there came {held} of replies more \
             than the system can hold"
        ));
        return Err(match patient.child() {
            Some(_) => found.and(&format!("its memory had grown by {}", units::rounded(grown))),
            None => found,
        });
    }
    match stopped {
        Stopped::Slow if grows(HELD_BYTES / 2) => Err(flood.link.failed(format_args!(
            "it took {flood}, slowly, and its memory grew by {} while nothing was read",
            units::rounded(grown)
        ))),
        Stopped::Slow => Err(Finding::inconclusive(format!(
            "it takes requests too slowly for that: {flood} until the time was over"
        ))),
        _ => Ok(()),
    }
}
