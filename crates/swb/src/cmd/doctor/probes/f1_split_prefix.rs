//! F1: a message cut at each byte of what comes before its body.

use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

/// Of a longer prefix it is not every byte.
const CUTS_MAX: usize = 64;

pub(super) static PROBE: Probe = Probe {
    id: "F1",
    name: "split prefix",
    sends: "two messages, each cut at each byte of its prefix",
    right: "one reply to each",
    bug: "the header is read with one call of recv, which gives what has come so far",
    cure: "read until the whole header is there, however many calls that takes",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(2)?;
    let request = &requests[0];
    if request.prefix_bytes() < 2 {
        return Err(Finding::skipped("the prefix has less than two bytes"));
    }
    let step = request.prefix_bytes().div_ceil(CUTS_MAX);
    for cut in (1..request.prefix_bytes()).step_by(step) {
        let mut link = patient.link()?;
        for request in &requests {
            let (head, rest) = request.bytes.split_at(cut);
            link.give_pieces(&[head, rest])?;
            link.hear_answer(request)?;
        }
    }
    Ok(())
}
