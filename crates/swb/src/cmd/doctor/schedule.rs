//! When each probe is asked, and when what it came to is told.
//!
//! One is asked after the other, so that what one does to the server is not laid at the door of the
//! next; those that do little but wait are asked beside them, several runs at once. Results are
//! told in the order of the catalogue, each as soon as all before it are known.
//!
//! **Invariant:** after each run of a probe the server has been seen alive, or the probe is blamed
//! for it. What came beside a death counts for nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use switchboard::deadline;

use super::deaths::Deaths;
use super::patient::Patient;
use super::probe::{Finding, How, Probe, Verdict};
use super::report::{Report, Result};
use crate::exit::Failure;

/// So many runs of one probe wait beside each other.
const AT_ONCE: usize = 8;
/// How long all of them may take that are asked in turn, for each time that they are asked. A
/// server that is as slow as one may be takes longer, and nobody waits for that.
const ROUND_MAX: Duration = Duration::from_secs(600);

pub(super) struct Schedule<'a> {
    patient: &'a Patient,
    probes: &'a [&'static Probe],
    runs: usize,
    /// When nothing more is asked in turn.
    until: Option<Instant>,
    /// How many probes have been asked in turn.
    turn: AtomicUsize,
    /// The first of them that the server did not survive.
    deadly: AtomicUsize,
}

/// What came of one that was asked beside the others.
struct Beside {
    place: usize,
    /// None when it was interrupted.
    result: Option<Result>,
    /// The turn in which it ended.
    turn: usize,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(
        patient: &'a Patient,
        probes: &'a [&'static Probe],
        runs: usize,
    ) -> Schedule<'a> {
        let (turn, deadly) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let rounds = u32::try_from(runs).unwrap_or(u32::MAX);
        let until = deadline::after(ROUND_MAX.saturating_mul(rounds));
        Schedule { patient, probes, runs, until, turn, deadly }
    }

    /// Asks all of them, and tells what they come to. An interrupt ends it; what is known by then
    /// is told.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub(super) fn run(&self, report: &mut Report<'_>) -> std::result::Result<(), Failure> {
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            for (place, probe) in self.probes.iter().enumerate() {
                if self.is_beside(probe) {
                    let tell = tell.clone();
                    scope.spawn(move || self.ask_beside(place, probe, &tell));
                }
            }
            drop(tell);
            self.ask_all(&told, report).inspect_err(|_| self.patient.stopper().stop())
        })
    }

    fn is_beside(&self, probe: &Probe) -> bool {
        probe.how == How::Beside && self.patient.serves_side_by_side()
    }

    fn ask_all(
        &self,
        told: &Receiver<Beside>,
        report: &mut Report<'_>,
    ) -> std::result::Result<(), Failure> {
        let all = || self.probes.iter().copied().enumerate();
        let mut deaths = Deaths::default();
        let gone = &mut deaths;
        for (place, probe) in all().filter(|(_, probe)| !self.is_beside(probe)) {
            if probe.how != How::Last {
                report.asking(probe);
                report.put(place, self.ask_in_turn(probe, gone))?;
                self.take(told.try_iter(), report, gone)?;
            }
        }
        report.waiting();
        self.take(told.iter(), report, gone)?;
        for (place, probe) in all().filter(|(_, probe)| probe.how == How::Last) {
            report.asking(probe);
            report.put(place, self.ask_in_turn(probe, gone))?;
        }
        Ok(())
    }

    /// Puts down what has come of those beside the others.
    fn take(
        &self,
        told: impl Iterator<Item = Beside>,
        report: &mut Report<'_>,
        deaths: &mut Deaths,
    ) -> std::result::Result<(), Failure> {
        for Beside { place, result, turn } in told {
            let is_sound = turn < self.deadly.load(Ordering::SeqCst);
            // It is asked again by itself where something else has ended the server, and where it
            // may have done so.
            let result = match is_sound && self.patient.death().is_none() {
                true => result,
                false => self.ask_in_turn(self.probes[place], deaths),
            };
            report.put(place, result)?;
        }
        Ok(())
    }

    /// Asks one, several of its runs at once.
    fn ask_beside(&self, place: usize, probe: &'static Probe, tell: &Sender<Beside>) {
        let (mut findings, began) = (Vec::new(), deadline::now());
        while findings.len() < self.runs && !self.patient.stopper().is_stopped() {
            let count = AT_ONCE.min(self.runs - findings.len());
            thread::scope(|scope| {
                let ask = || probe.ask_once(self.patient).err();
                let runs: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
                findings.extend(runs.into_iter().map(|run| match run.join() {
                    Ok(finding) => finding,
                    Err(panic) => std::panic::resume_unwind(panic),
                }));
            });
        }
        let turn = self.turn.load(Ordering::SeqCst);
        let is_over = self.patient.stopper().is_stopped();
        let result = (!is_over).then(|| Result::of(probe, findings, began));
        // Nobody listens any more when stdout is gone.
        let _ = tell.send(Beside { place, result, turn });
    }

    /// Asks one so many times; none when it was interrupted.
    fn ask_in_turn(&self, probe: &'static Probe, deaths: &mut Deaths) -> Option<Result> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst) + 1;
        let began = deadline::now();
        if let Some(why) = deaths.gone(self.patient) {
            return Some(Result::of(probe, vec![Some(Finding::skipped(why))], began));
        }
        let mut findings = Vec::new();
        for _ in 0..self.runs {
            if self.patient.stopper().is_stopped() {
                break;
            }
            if deadline::has_passed(self.until) {
                let minutes = ROUND_MAX.as_secs() / 60 * self.runs as u64;
                let why = format!("not asked: the whole has taken {minutes} minutes already");
                findings.extend(findings.is_empty().then(|| Some(Finding::skipped(why))));
                break;
            }
            let found = probe.ask_once(self.patient).err();
            if self.patient.stopper().is_stopped() {
                break;
            }
            let is_skipped = found.as_ref().is_some_and(|found| found.verdict == Verdict::Skipped);
            if is_skipped {
                findings.push(found);
                break;
            }
            match self.patient.death() {
                None => {
                    let has_failed = found.as_ref().is_some_and(|it| it.verdict == Verdict::Failed);
                    findings.push(found);
                    if has_failed && self.patient.child().is_some() {
                        // What it has kept of that, as the memory of a length, is not for others
                        // to answer for, nor is it there already in the next run.
                        self.deadly.fetch_min(turn, Ordering::SeqCst);
                        deaths.gone = self.revive(probe);
                        if deaths.gone.is_some() {
                            break;
                        }
                    }
                }
                Some(death) => {
                    self.deadly.fetch_min(turn, Ordering::SeqCst);
                    findings.push(Some(deaths.blame(probe, found, &death)));
                    deaths.gone = self.revive(probe);
                    return Some(Result::of(probe, findings, began));
                }
            }
        }
        (!findings.is_empty()).then(|| Result::of(probe, findings, began))
    }

    /// Starts the server again, where that can be; else why nothing can be asked any more.
    fn revive(&self, probe: &Probe) -> Option<String> {
        let id = probe.id;
        match self.patient.child() {
            None if self.patient.is_gone() => {
                Some(format!("not asked: the server is gone since {id}"))
            }
            None => Some(format!(
                "not asked: the server lives, but serves no new client as it did before {id}"
            )),
            Some(_) => {
                let why = self.patient.restart(false).err()?.came;
                Some(format!("not asked: the server is gone since {id}: {why}"))
            }
        }
    }
}
