//! F6: many messages in one burst.

use super::super::link::Heard;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use crate::units;

/// More than a handler that calls itself for each survives.
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
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(MESSAGES)?;
    let burst: Vec<u8> = requests.iter().flat_map(|request| request.bytes.clone()).collect();
    let mut link = patient.link()?;
    link.give(&burst)?;
    for (index, request) in requests.iter().enumerate() {
        match link.hear()? {
            Heard::Message(reply) if request.is_answered_by(&reply) => {}
            Heard::End(..) if index > 0 && patient.ends_after(index)? => {
                return Err(Finding::inconclusive(format!(
                    "it ends any conversation after {}",
                    units::count(index as u64, "reply")
                )));
            }
            heard => return Err(link.failed(heard).and(&format!("that was reply {}", index + 1))),
        }
    }
    Ok(())
}
