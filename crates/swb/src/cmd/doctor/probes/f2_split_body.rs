//! F2: a message cut inside its body.

use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "F2",
    name: "split body",
    sends: "two messages, each cut after its body's first byte, in the middle, and before the \
            last one",
    right: "one reply to each",
    bug: "a short read is taken for the whole message",
    cure: "read until as many bytes are there as the length says, or until the delimiter",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(2)?;
    let request = &requests[0];
    if request.body.len() < 2 {
        return Err(Finding::skipped("the body has less than two bytes"));
    }
    for cut in [1, request.body.len() / 2, request.body.len() - 1] {
        let mut link = patient.link()?;
        // Twice: what was left over of the first, if something was, would come before the second.
        for request in &requests {
            let (head, rest) = request.bytes.split_at(request.body.start + cut);
            link.give_pieces(&[head, rest])?;
            link.hear_answer(request)?;
        }
    }
    Ok(())
}
