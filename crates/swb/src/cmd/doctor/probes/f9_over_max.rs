//! F9: messages a little larger than allowed.

use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};
use super::super::wrong::{Reaction, reaction};
use super::f8_max::max;

/// By so many bytes at most.
const OVER_MAX: usize = 8;

pub(super) static PROBE: Probe = Probe {
    id: "F9",
    name: "over max",
    sends: "messages of 1 to 8 bytes more than --max says, each over a connection of its own",
    right: "the message is refused, by an error or by closing",
    bug: "the limit is off by one, or is compared before the header or the delimiter is taken off",
    cure: "compare the body's size with the limit before the body is read",
    intrusive: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let max = max(patient)?;
    let next = patient.request()?;
    for over in 1..=OVER_MAX {
        let request = patient.sized_request(max + over)?;
        let mut link = patient.link()?;
        match reaction(patient, &mut link, &request.bytes)? {
            Reaction::Rejects => {}
            Reaction::Takes(_) => {
                return Err(link.failed(format_args!("a reply, to {over} bytes over the limit")));
            }
            Reaction::Waits(heard) => {
                let came = format!("{heard}, after {over} bytes over the limit");
                let found = link.failed(came);
                // What is passed over without a word is refused too.
                return Err(match link.exchange(&next) {
                    Ok(()) => found.and("the next message was answered").as_weak(),
                    Err(_) => found,
                });
            }
        }
    }
    Ok(())
}
