//! C2: the end of input inside a prefix.

use super::super::cut_off;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "C2",
    name: "end in the prefix",
    sends: "half of a prefix, then the end of input (SHUT_WR)",
    right: "it closes, and handles nothing",
    bug: "a short read of the prefix is taken for a length, or for an empty message",
    cure: "the end of input before the prefix is whole is an error: close, call no handler",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    if request.prefix_bytes() < 2 {
        return Err(Finding::skipped("the prefix has less than two bytes"));
    }
    cut_off::ask(patient, &request, request.prefix_bytes() / 2)
}
