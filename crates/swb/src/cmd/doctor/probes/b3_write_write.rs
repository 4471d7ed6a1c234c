//! B3: requests without reading, until the server takes no more; then reading.

use super::super::flood::{Flood, Stopped};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "B3",
    name: "write-write",
    sends: "requests without reading until no more are taken, then the rest while replies are read",
    right: "every reply, and it reads on",
    bug: "it stops reading when its queue is long, and never begins again",
    cure: "when the queue is short again, read on: first what is in the buffer already",
    intrusive: true,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let mut flood = Flood::open(patient)?;
    if let Stopped::Ended(close) = flood.fill_up()? {
        return Err(Finding::inconclusive(format!(
            "{close}, of a client that does not read: see B1"
        )));
    }
    flood.drain(false)?;
    flood.exchange()
}
