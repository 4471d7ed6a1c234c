//! F4: two messages in one write.

use super::super::causes::ONE_READ;
use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "F4",
    name: "two in one",
    sends: "two messages in one write",
    right: "two replies, in order, without more input",
    bug: "what comes after the first message waits in a buffer for the next read",
    cure: "handle every whole message in the buffer before reading again",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(2)?;
    let mut link = patient.link()?;
    link.give(&[&requests[0].bytes[..], &requests[1].bytes[..]].concat())?;
    // Whatever comes first, there was more than one read should be taken for.
    link.hear_answer(&requests[0]).map_err(|found| found.because(ONE_READ))?;
    link.hear_answer(&requests[1])
}
