//! C6: a reset inside a request.

use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

/// Conversations that are reset: more than a server has workers, as a rule.
const RESETS: usize = 16;

pub(super) static PROBE: Probe = Probe {
    id: "C6",
    name: "reset in a request",
    sends: "half of a request, then a reset (RST)",
    right: "it goes on serving others",
    bug: "ECONNRESET is caught where a message begins, and not where the rest of it is read",
    cure: "an error of one connection closes that connection, wherever it comes up",
    intrusive: false,
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    let cut = (request.body.start + request.body.len() / 2).max(1);
    for _ in 0..RESETS {
        let mut link = patient.link()?;
        link.give(&request.bytes[..cut])?;
        link.pause(patient.times.gap)?;
        link.reset();
        patient.survives(&link)?;
    }
    Ok(())
}
