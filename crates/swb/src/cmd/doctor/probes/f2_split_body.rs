//! F2: a message cut inside its body.

use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "F2",
    name: "split body",
    sends: "a message, cut in the middle of its body",
    right: "one reply",
    bug: "a short read is taken for the whole message",
    cure: "read until as many bytes are there as the length says, or until the delimiter",
    intrusive: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    if request.body.len() < 2 {
        return Err(Finding::skipped("the body has less than two bytes"));
    }
    let mut link = patient.link()?;
    let (head, rest) = request.bytes.split_at(request.body.start + request.body.len() / 2);
    link.give_pieces(&[head, rest])?;
    link.hear_answer(&request)?;
    // What was left over, if something was, would come before the next.
    link.exchange(&patient.some_requests(2)?[1])
}
