//! F6: many messages in one burst.

use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

/// Messages, and how many bytes they have at least together.
const MESSAGES: usize = 1000;

pub(super) static PROBE: Probe = Probe {
    id: "F6",
    name: "pipeline",
    sends: "1,000 messages in one burst",
    right: "1,000 replies, in order",
    bug: "messages are lost, a handler calls itself for each, or an edge-triggered loop stops \
          before all is read",
    cure: "a loop over the buffer until no whole message is left, and over the socket until it \
           says EAGAIN",
    intrusive: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(MESSAGES)?;
    let burst: Vec<u8> = requests.iter().flat_map(|request| request.bytes.clone()).collect();
    let mut link = patient.link()?;
    link.give(&burst)?;
    for (index, request) in requests.iter().enumerate() {
        link.hear_answer(request)
            .map_err(|finding| finding.and(&format!("that was reply {}", index + 1)))?;
    }
    Ok(())
}
