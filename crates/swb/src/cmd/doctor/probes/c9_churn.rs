//! C9: connections that come and go, and say nothing.

use super::super::child::Child;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::usage::Usage;

const CONNECTIONS: usize = 500;
/// Between two looks at whether the server still serves: no more than a short backlog holds.
const AT_ONCE: usize = 5;
const RESETS: usize = 100;
/// The same, of those that are reset at once.
const RESETS_AT_ONCE: usize = 10;
/// So many more than before are no leak: a pool that has grown.
const LEFT_MAX: u64 = 60;

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
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let before = patient.child().map(Child::usage);
    churn(patient)?;
    match (before, patient.child()) {
        (Some(before), Some(child)) => is_flat(patient, &before, child),
        _ => Ok(()),
    }
}

fn churn(patient: &Patient) -> Asked {
    for number in 1..=CONNECTIONS {
        drop(patient.connection()?);
        if number.is_multiple_of(AT_ONCE) {
            is_alive(patient, number, "closed")?;
        }
    }
    for number in 1..=RESETS {
        // Beneath TLS: there the handshake would come first, and this is about accepting.
        patient.bare_connection()?.reset();
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

/// What was in use before is, more or less, what is in use behind it.
fn is_flat(patient: &Patient, before: &Usage, child: &Child) -> Asked {
    let counts = |usage: &Usage| [usage.descriptors, usage.processes, usage.zombies];
    let before = counts(before).map(|count| count + LEFT_MAX);
    let is_so = |usage: &Usage| counts(usage).iter().zip(before).all(|(now, most)| *now <= most);
    let after = child.usage_when(is_so, patient.times.patience);
    if is_so(&after) {
        return Ok(());
    }
    let [descriptors, processes, zombies] = counts(&after);
    let [of_descriptors, of_processes, of_zombies] = before.map(|most| most - LEFT_MAX);
    Err(Finding::failed(format!(
        "after {} connections: descriptors {descriptors}, {of_descriptors} before; processes \
         {processes}, {of_processes} before; zombies {zombies}, {of_zombies} before",
        CONNECTIONS + RESETS
    )))
}
