//! C5: a reset between two messages.

use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

/// Conversations that are reset: more than a server has workers, as a rule.
const RESETS: usize = 16;

pub(super) static PROBE: Probe = Probe {
    id: "C5",
    name: "reset when idle",
    sends: "a request, and after its reply a reset (RST)",
    right: "it goes on serving others",
    bug: "recv's ECONNRESET is not caught, and ends the server or one of its workers",
    cure: "an error of one connection closes that connection",
    intrusive: false,
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    for _ in 0..RESETS {
        let mut link = patient.link()?;
        if !link.has_resets() {
            return Err(Finding::skipped("there are no resets over this transport"));
        }
        link.exchange(&request)?;
        link.reset();
        patient.survives(&link)?;
    }
    Ok(())
}
