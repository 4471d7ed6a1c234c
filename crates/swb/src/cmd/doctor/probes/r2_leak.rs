//! R2: conversations that end in every way, again and again.

use std::time::Duration;

use switchboard::deadline;

use super::super::child::Child;
use super::super::link::Link;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::usage::Usage;
use crate::units;

/// How often each way to end is in one round.
const EACH: usize = 50;
/// What grows in each of so many rounds leaks; of memory it takes more, since those who collect
/// garbage take more and more of it until they begin.
const ROUNDS: usize = 3;
const ROUNDS_OF_MEMORY: usize = 10;
/// So much more than before is still as much as before.
const DESCRIPTORS: u64 = 5;
const PROCESSES: u64 = 5;
const ZOMBIES: u64 = 1;
const MEMORY_BYTES: u64 = 384 << 10;
/// How long it takes at the most until all that ends has ended, and for how long nothing has to
/// change until that is believed.
const SETTLE_MAX: Duration = Duration::from_secs(10);
const SETTLED: Duration = Duration::from_secs(1);

pub(super) static PROBE: Probe = Probe {
    id: "R2",
    name: "leak",
    sends: "conversations that end in six ways, whole, cut off and reset, in rounds of 300",
    right: "after a few rounds descriptors, processes and memory stay as they are",
    bug: "what belongs to a connection is given back where it ends well, and forgotten where not",
    cure: "one owner for all that a connection has, released on every way out",
    intrusive: true,
    deadly: true,
    // Of a server that has just been started: what was announced to it before may keep a collector
    // of garbage from its work.
    how: How::Last,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let child = patient.started()?;
    // The first one pays for what is kept for the next.
    round(patient)?;
    let first = settled(child, None);
    let (mut before, mut growing) = (first, THINGS.to_vec());
    for number in 1..=ROUNDS_OF_MEMORY {
        round(patient)?;
        let now = settled(child, Some(&before));
        growing.retain(|thing| (thing.of)(&now) > (thing.of)(&before) + thing.slack);
        if let Some(thing) = growing.iter().find(|thing| number >= thing.rounds) {
            return Err(Finding::failed(thing.told(number, &first, &now)));
        }
        if growing.is_empty() {
            break;
        }
        before = now;
    }
    Ok(())
}

/// Something that is the same after each round.
#[derive(Clone, Copy)]
struct Thing {
    name: &'static str,
    of: fn(&Usage) -> u64,
    slack: u64,
    /// So many rounds in which it grows, each of them, are enough.
    rounds: usize,
}

const THINGS: [Thing; 4] = [
    Thing { name: "descriptors", of: |now| now.descriptors, slack: DESCRIPTORS, rounds: ROUNDS },
    Thing { name: "zombies", of: |now| now.zombies, slack: ZOMBIES, rounds: ROUNDS },
    Thing { name: "processes", of: |now| now.processes, slack: PROCESSES, rounds: ROUNDS },
    Thing { name: MEMORY, of: |now| now.resident, slack: MEMORY_BYTES, rounds: ROUNDS_OF_MEMORY },
];
const MEMORY: &str = "memory";

impl Thing {
    fn told(&self, rounds: usize, first: &Usage, now: &Usage) -> String {
        let shown = |usage| match self.name {
            MEMORY => units::rounded((self.of)(usage)),
            _ => (self.of)(usage).to_string(),
        };
        let (name, first, now) = (self.name, shown(first), shown(now));
        let conversations = units::count((6 * EACH) as u64, "conversation");
        format!("{name} grew from {first} to {now}, in each of {rounds} rounds of {conversations}")
    }
}

/// What is in use once all that ends has ended: it is no more than before, or changes no more.
fn settled(child: &Child, before: Option<&Usage>) -> Usage {
    let counts = |usage: &Usage| [usage.descriptors, usage.zombies, usage.processes];
    let is_as_before = |now: &Usage| {
        before.is_some_and(|before| (0..3).all(|at| counts(now)[at] <= counts(before)[at]))
    };
    let (mut last, mut since) = (Usage::default(), deadline::now());
    child.usage_when(
        |now| {
            if counts(now) != counts(&last) {
                (last, since) = (*now, deadline::now());
            }
            is_as_before(now) || deadline::now().saturating_duration_since(since) >= SETTLED
        },
        SETTLE_MAX,
    )
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
