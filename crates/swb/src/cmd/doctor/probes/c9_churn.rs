//! C9: connections that come and go, and say nothing.

use super::super::link::Link;
use super::super::patient::Patient;
use super::super::probe::{Asked, Probe};

const CONNECTIONS: usize = 500;
/// Between two looks at whether the server still serves: no more than a short backlog holds.
const AT_ONCE: usize = 5;
const RESETS: usize = 100;
/// The same, of those that are reset at once.
const RESETS_AT_ONCE: usize = 10;

pub(super) static PROBE: Probe = Probe {
    id: "C9",
    name: "churn",
    sends: "500 connections that are closed at once, then 100 that are reset at once",
    right: "it goes on serving others, with no more descriptors and children than before",
    bug: "an error of accept, or of the first look at a connection, ends the accept loop; a \
          descriptor or a child is left of each",
    cure: "go on accepting after an error of one connection; close what was accepted, on every \
           way; reap children",
    intrusive: false,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    for number in 1..=CONNECTIONS {
        let link = patient.connection()?;
        if number.is_multiple_of(AT_ONCE) {
            drop(link);
            is_alive(patient, number, "closed")?;
        }
    }
    for number in 1..=RESETS {
        let mut link: Link = patient.connection()?;
        link.reset();
        if number.is_multiple_of(RESETS_AT_ONCE) {
            is_alive(patient, number, "reset")?;
        }
    }
    Ok(())
}

fn is_alive(patient: &Patient, number: usize, how: &str) -> Asked {
    patient.is_alive().map_err(|finding| {
        finding.and(&format!("before it, {number} connections had been {how} at once"))
    })
}
