//! R1: a server that has no descriptor left.

use std::time::Duration;

use switchboard::deadline;

use super::super::child::Child;
use super::super::link::pause;
use super::super::patient::{ONE_AT_A_TIME, Patient};
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::usage::Process;

/// Descriptors that the server is left beyond those it has now, and connections that want one.
const SPARE: u64 = 64;
const CONNECTIONS: usize = 96;
/// It is full when its descriptors have been as many for so long, or it has had time enough.
const FULL: Duration = Duration::from_millis(500);
const FULL_MAX: Duration = Duration::from_secs(5);
/// For so long it is watched.
const WATCH: Duration = Duration::from_secs(1);
/// How long it may take until it serves again.
const RECOVERY: Duration = Duration::from_secs(5);

pub(super) static PROBE: Probe = Probe {
    id: "R1",
    name: "descriptors",
    sends: "starts it with few descriptors; more connections than that, then an end to all of them",
    right: "whoever is connected is served, nobody spins, and afterwards new ones are served again",
    bug: "accept fails with EMFILE and is called again at once, for ever, or the loop ends with it",
    cure: "on EMFILE and ENFILE stop accepting until a connection has ended or a moment has passed",
    intrusive: true,
    deadly: true,
    how: How::Last,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let child = patient.started()?;
    if !patient.serves_side_by_side() {
        return Err(Finding::skipped(ONE_AT_A_TIME));
    }
    // From its start, so that it can know.
    let limit = SPARE + child.processes().iter().map(Process::descriptors).max().unwrap_or(0);
    let asked = match child.restart_limited(limit) {
        Ok(()) => {
            patient.await_serving();
            ask_limited(patient, child)
        }
        Err(why) => Err(Finding::inconclusive(format!("with {limit} descriptors: {why}"))),
    };
    // Told before it is gone for good, unless it was.
    let asked = asked.map_err(|found| match child.ended() {
        Some(ended) if !found.came.contains(&ended) => found.and(&ended),
        _ => found,
    });
    patient.restart(false)?;
    asked
}

fn ask_limited(patient: &Patient, child: &Child) -> Asked {
    let mut before = patient.link()?;
    before.exchange(&patient.request()?)?;
    let since = deadline::now();
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS {
        // Nobody is let in any more, nor into the backlog: each further one would wait in vain.
        let Ok(link) = patient.bare_connection() else { break };
        crowd.push(link);
    }
    await_fullness(child);
    let used = child.spins(WATCH);
    let served = before.exchange(&patient.some_requests(2)?[1]);
    let connections = crowd.len();
    drop(crowd);
    if let Some(used) = used {
        return Err(before.failed(format_args!(
            "with {connections} connections and {SPARE} descriptors for them it spins: \
             {used}"
        )));
    }
    let silent = deadline::now().saturating_duration_since(since);
    // One that has been silent for too long by then may be shown the door.
    if patient.idle.is_none_or(|idle| silent < idle) {
        served.map_err(|found| found.and("that was a client from before it ran out"))?;
    }
    recovers(patient).map_err(|found| {
        found.and(&format!("that was a new client, {RECOVERY:?} after all others had gone"))
    })
}

/// Waits until it accepts no more, as its descriptors tell: on a busy machine that takes a while.
fn await_fullness(child: &Child) {
    let (mut descriptors, mut since) = (0, deadline::now());
    child.usage_when(
        |now| {
            if now.descriptors != descriptors {
                (descriptors, since) = (now.descriptors, deadline::now());
            }
            deadline::now().saturating_duration_since(since) >= FULL
        },
        FULL_MAX,
    );
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
