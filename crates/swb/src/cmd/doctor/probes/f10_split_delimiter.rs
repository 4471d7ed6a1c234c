//! F10: a message cut inside what ends it.

use switchboard_frame::{Decoder, Step};

use super::super::exchange::Request;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "F10",
    name: "split delimiter",
    sends: "a message, cut inside its delimiter (CR, then LF), and another one",
    right: "one reply to each",
    bug: "the delimiter is looked for in each read by itself, or each half of it ends a line",
    cure: "search what has been kept and what has come together, from a delimiter's length back",
    intrusive: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(2)?;
    let (request, next) = (&requests[0], &requests[1]);
    let bytes = with_long_end(patient, request)?;
    for cut in request.body.end + 1..bytes.len() {
        let mut link = patient.link()?;
        let (head, rest) = bytes.split_at(cut);
        link.give_pieces(&[head, rest])?;
        link.hear_answer(request)?;
        // A line that is not there would be answered before it.
        link.exchange(next)?;
    }
    Ok(())
}

/// The request with an end of two bytes at the least: of a line CR LF means the same as LF.
fn with_long_end(patient: &Patient, request: &Request) -> Result<Vec<u8>, Finding> {
    if request.trailer_bytes() > 1 {
        return Ok(request.bytes.clone());
    }
    let (line, end) = request.bytes.split_at(request.body.end);
    let bytes = [line, b"\r", end].concat();
    match Decoder::new(patient.framing()).step(&bytes, false) {
        Ok(Step::Frame(frame)) if frame.body == request.body && end == b"\n" => Ok(bytes),
        _ => Err(Finding::skipped("no delimiter of two bytes or more")),
    }
}
