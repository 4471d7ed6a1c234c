//! R2: conversations that end in every way, again and again.

use super::super::child::Child;
use super::super::link::{Link, pause};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::usage::Usage;
use crate::units;

/// Rounds that are compared, and how often each way to end is in one.
const ROUNDS: usize = 3;
const EACH: usize = 50;
/// So much more than before is still as much as before.
const DESCRIPTORS: u64 = 5;
const PROCESSES: u64 = 5;
const ZOMBIES: u64 = 1;
/// Memory that is more by so much after each round is never given back.
const ROUND_BYTES: u64 = 384 << 10;

pub(super) static PROBE: Probe = Probe {
    id: "R2",
    name: "leak",
    sends: "conversations that end in six ways, whole, cut off and reset, in rounds of 300",
    right: "descriptors, processes and memory are the same after each round",
    bug: "what belongs to a connection is given back where it ends well, and forgotten where not",
    cure: "one owner for all that a connection has, released on every way out",
    intrusive: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let child = patient.started()?;
    // The first one pays for what is kept for the next.
    round(patient)?;
    pause(patient.times.gap * 5, patient.stopper())?;
    let before = child.usage();
    let mut after = vec![before];
    for _ in 0..ROUNDS {
        round(patient)?;
        after.push(settled(child, &before, patient));
    }
    judge(&after)
}

/// What is in use once all that ends has ended.
fn settled(child: &Child, before: &Usage, patient: &Patient) -> Usage {
    child.usage_when(|now| more(before, now).is_none(), patient.times.patience)
}

/// What there is more of than there was.
fn more(before: &Usage, now: &Usage) -> Option<String> {
    let things = [
        ("descriptors", before.descriptors, now.descriptors, DESCRIPTORS),
        ("zombies", before.zombies, now.zombies, ZOMBIES),
        ("processes", before.processes, now.processes, PROCESSES),
    ];
    let (name, before, now, _) =
        things.into_iter().find(|(_, before, now, slack)| *now > before + slack)?;
    Some(format!("it had {before} {name}, and then {now}"))
}

fn judge(after: &[Usage]) -> Asked {
    let (first, last) = (&after[0], &after[after.len() - 1]);
    let conversations = units::count((6 * EACH * ROUNDS) as u64, "conversation");
    if let Some(more) = more(first, last) {
        return Err(Finding::failed(format!("over {conversations} {more}")));
    }
    let grows = |pair: &[Usage]| pair[1].resident > pair[0].resident + ROUND_BYTES;
    if after.windows(2).all(grows) {
        return Err(Finding::failed(format!(
            "over {conversations} its memory grew from {} to {}, in each round",
            units::rounded(first.resident),
            units::rounded(last.resident)
        )));
    }
    Ok(())
}

/// A number of conversations, each way to end the same number of times.
fn round(patient: &Patient) -> Asked {
    let request = patient.request()?;
    let half = request.body.start + request.body.len() / 2;
    for _ in 0..EACH {
        let mut whole = patient.link()?;
        whole.exchange(&request)?;
        drop(whole);
        drop(patient.link()?);
        part(patient, &[], Link::reset)?;
        part(patient, &request.bytes[..half], Link::finish)?;
        part(patient, &request.bytes[..half], Link::reset)?;
        part(patient, &request.bytes, Link::reset)?;
    }
    Ok(())
}

fn part(patient: &Patient, bytes: &[u8], end: fn(&mut Link)) -> Asked {
    let mut link = patient.link()?;
    if !bytes.is_empty() {
        link.give(bytes)?;
    }
    end(&mut link);
    Ok(())
}
