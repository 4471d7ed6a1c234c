//! B1: requests without end from a client that reads nothing.

use super::super::flood::{Flood, Stopped};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use crate::units;

/// A server that holds so much for one client, past what the system holds, has no bound.
const HELD_BYTES: u64 = 32 << 20;

pub(super) static PROBE: Probe = Probe {
    id: "B1",
    name: "slow reader",
    sends: "requests without end, over a small window, and reads none of the replies",
    right: "it stops reading, or ends the conversation: what it holds is bounded",
    bug: "replies are queued without a bound, until memory is gone",
    cure: "read no more from a client whose queue is long, or end its conversation",
    intrusive: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let mut flood = Flood::open(patient)?;
    let due = flood.due_bytes(HELD_BYTES);
    let stopped = flood.send(due, patient.times.patience)?;
    let held = flood.held_bytes();
    match stopped {
        Stopped::Stuck | Stopped::Ended(_) => Ok(()),
        Stopped::Slow if held < HELD_BYTES => Err(Finding::inconclusive(format!(
            "it takes requests too slowly for that: {flood} until the time was over"
        ))),
        Stopped::Slow | Stopped::Taken => {
            let held = units::rounded(held);
            Err(flood.link.failed(format_args!(
                "it took everything: at least {held} wait in its memory for one client"
            )))
        }
    }
}
