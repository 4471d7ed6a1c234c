//! R1: a server that has no descriptor left.

use std::time::Duration;

use switchboard::deadline;

use super::super::link::pause;
use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

/// Descriptors that the server is left, and connections that want one.
const SPARE: usize = 8;
const CONNECTIONS: usize = 32;
/// For so long it is watched.
const WATCH: Duration = Duration::from_secs(1);
/// How long it may take until it serves again.
const RECOVERY: Duration = Duration::from_secs(5);

pub(super) static PROBE: Probe = Probe {
    id: "R1",
    name: "descriptors",
    sends: "more connections than the server has descriptors for, then an end to all of them",
    right: "whoever is connected is served, nobody spins, and afterwards new ones are served again",
    bug: "accept fails with EMFILE and is called again at once, for ever, or the loop ends with it",
    cure: "on EMFILE and ENFILE stop accepting until a connection has ended or a moment has passed",
    intrusive: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let child = patient.started()?;
    let mut before = patient.link()?;
    before.exchange(&patient.request()?)?;
    let limit = child.limit_descriptors(SPARE);
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS {
        // Who is refused is none the worse for it.
        crowd.extend(patient.bare_connection().ok());
    }
    before.pause(patient.times.gap)?;
    let used = child.spins(WATCH);
    let served = before.exchange(&patient.some_requests(2)?[1]);
    drop(crowd);
    drop(limit);
    if let Some(used) = used {
        return Err(before.failed(format_args!(
            "with {CONNECTIONS} connections and {SPARE} descriptors for them it used {used:?} of \
             processor time in {WATCH:?}"
        )));
    }
    served.map_err(|found| found.and("that was a client from before it ran out"))?;
    recovers(patient).map_err(|found| {
        found.and(&format!("that was a new client, {RECOVERY:?} after all others had gone"))
    })
}

fn recovers(patient: &Patient) -> Asked {
    let until = deadline::after(RECOVERY);
    loop {
        let alive = patient.is_alive();
        if alive.is_ok() || deadline::has_passed(until) {
            return alive;
        }
        pause(patient.times.gap, patient.stopper())?;
    }
}
