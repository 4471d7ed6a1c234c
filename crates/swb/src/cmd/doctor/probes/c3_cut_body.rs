//! C3: the end of input inside a body.

use super::super::cut_off;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "C3",
    name: "end in the body",
    sends: "a message up to the middle of its body, then the end of input (SHUT_WR)",
    right: "it closes, and handles nothing",
    bug: "a message that was cut off is handled as if it were whole",
    cure: "the end of input before the body is whole is an error: close, call no handler",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    if request.body.len() < 2 {
        return Err(Finding::skipped("the body has less than two bytes"));
    }
    let cut = request.body.start + request.body.len() / 2;
    if patient.is_whole(&request.bytes[..cut]) {
        return Err(Finding::skipped("in this framing a message may end with the stream"));
    }
    cut_off::ask(patient, &request, cut)
}
