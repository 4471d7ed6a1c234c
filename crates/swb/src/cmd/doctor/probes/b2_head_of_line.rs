//! B2: a client beside another one that reads nothing.

use std::time::Duration;

use super::super::canary::{Canary, Seen};
use super::super::flood::Flood;
use super::super::link::told;
use super::super::patient::{Patient, Times};
use super::super::probe::{Asked, Finding, How, Probe};

/// So many bytes of replies are due to the one that does not read: more than the system holds.
const DUE_BYTES: u64 = 12 << 20;
/// A server that has taken nothing for so long waits for its replies to be read.
const STUCK: Duration = Duration::from_millis(300);
/// An answer may take so many times what it takes without that client.
const SLOWER: u32 = 3;
/// Below these, slowness is noise: of most answers, and of the slowest.
const USUAL_MIN: Duration = Duration::from_millis(20);
const SLOWEST_MIN: Duration = Duration::from_millis(500);

pub(super) static PROBE: Probe = Probe {
    id: "B2",
    name: "head of line",
    sends: "requests without reading the replies, as in B1, and exchanges over another connection",
    right: "the others are served as fast as ever: at most three times as slowly",
    bug: "a write waits for one client, and with it everyone whom the same loop serves",
    cure: "write without waiting, and keep what is not taken for when the socket is writable",
    intrusive: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    if !patient.serves_side_by_side() {
        return Err(Finding::skipped("one silent client blocks all others: see K1"));
    }
    let canary = Canary::new(patient)?;
    let mut flood = Flood::open(patient)?;
    flood.send(DUE_BYTES, STUCK)?;
    let (paused, seen) = canary.beside(|| flood.link.pause(patient.times.patience));
    paused?;
    judge(&seen, patient.times).map_err(|what| match what {
        Slow::Lost(finding) => {
            flood.link.failed(format_args!("to another client, {}", finding.came))
        }
        Slow::By(text) => flood.link.failed(text).as_weak(),
    })
}

enum Slow<'a> {
    Lost(&'a Finding),
    By(String),
}

fn judge(seen: &Seen, times: Times) -> Result<(), Slow<'_>> {
    if let Some(finding) = &seen.lost {
        return Err(Slow::Lost(finding));
    }
    let (median, slowest) = (seen.median(), seen.slowest());
    if median > (times.usual * SLOWER).max(USUAL_MIN)
        || slowest > SLOWEST_MIN.max(times.slowest * SLOWER)
    {
        return Err(Slow::By(format!(
            "to another client, replies in {}, the slowest in {}; by itself it takes {}",
            told(median),
            told(slowest),
            told(times.usual)
        )));
    }
    Ok(())
}
