//! F10: a message cut inside what ends it.

use switchboard_frame::{Decoder, Step};

use super::super::exchange::Request;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

/// Pauses between two pieces, in so many times the usual one: here one place is all there is, and a
/// busy server reads both pieces at once.
const PAUSES: [u32; 3] = [1, 2, 4];

pub(super) static PROBE: Probe = Probe {
    id: "F10",
    name: "split delimiter",
    sends: "two messages, each cut inside its delimiter (CR, then LF)",
    right: "one reply to each",
    bug: "the delimiter is looked for in each read by itself, or each half of it ends a line",
    cure: "search what has been kept and what has come together, from a delimiter's length back",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(2)?;
    let long_end = |request| with_long_end(patient, request);
    let whole = requests.iter().map(long_end).collect::<Result<Vec<_>, _>>()?;
    let places = 1..whole[0].len() - requests[0].body.end;
    for (back, times) in places.flat_map(|back| PAUSES.map(|times| (back, times))) {
        let gap = patient.times.gap * times;
        let mut link = patient.link()?;
        // A line that is not there would be answered before the second one.
        for (request, bytes) in requests.iter().zip(&whole) {
            let (head, rest) = bytes.split_at(bytes.len() - back);
            link.give(head)?;
            link.pause(gap)?;
            link.give(rest)?;
            link.hear_answer(request)?;
            // What ended the line is not to be there by itself when the next one comes.
            link.pause(gap)?;
        }
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
