//! A conversation that exchanges beside what a probe does: is it served, and how fast?
//!
//! It sends nothing but what the server is known to answer. It judges nothing: what it saw is the
//! probe's to judge.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use switchboard::deadline;

use super::exchange::Request;
use super::link::Link;
use super::patient::Patient;
use super::probe::{Asked, Finding};

/// Between two of its exchanges, so that it is no load.
const PAUSE: Duration = Duration::from_millis(5);

/// So many exchanges a server may have enough of, and end the conversation.
const EXCHANGES_MIN: usize = 10;

pub(super) struct Canary<'a> {
    patient: &'a Patient,
    link: Link,
    request: Request,
    /// How many exchanges this conversation has had.
    exchanges: usize,
}

/// What it saw.
pub(super) struct Seen {
    pub(super) took: Took,
    /// An answer that did not come, or was not right.
    pub(super) lost: Option<Finding>,
}

/// What answers took, from the fastest to the slowest.
#[derive(Clone, Debug)]
pub(super) struct Took(Vec<Duration>);

impl<'a> Canary<'a> {
    /// One that has been served once.
    pub(super) fn new(patient: &'a Patient) -> Result<Canary<'a>, Finding> {
        let (link, request) = (patient.link()?, patient.request()?);
        let mut canary = Canary { patient, link, request, exchanges: 0 };
        canary.exchange()?;
        Ok(canary)
    }

    /// A whole exchange; in a new conversation, where the server has had enough of this one.
    pub(super) fn exchange(&mut self) -> Asked {
        if let Err(found) = self.link.exchange(&self.request) {
            if self.exchanges < EXCHANGES_MIN || !self.link.has_ended() {
                return Err(found);
            }
            self.link = self.patient.link()?;
            self.exchanges = 0;
            self.link.exchange(&self.request)?;
        }
        self.exchanges += 1;
        Ok(())
    }

    /// Exchanges for as long as something takes, and once more behind it.
    pub(super) fn beside<T>(&mut self, something: impl FnOnce() -> T) -> (T, Seen) {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watch = scope.spawn(|| self.exchange_until(&is_over));
            let came = something();
            is_over.store(true, Ordering::SeqCst);
            let seen = watch.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (came, seen)
        })
    }

    fn exchange_until(&mut self, is_over: &AtomicBool) -> Seen {
        let mut took = Vec::new();
        let mut lost = None;
        let mut is_last = false;
        while lost.is_none() && !is_last {
            is_last = is_over.load(Ordering::SeqCst);
            let began = deadline::now();
            match self.exchange() {
                Ok(()) => took.push(deadline::now().saturating_duration_since(began)),
                Err(finding) => lost = Some(finding),
            }
            thread::sleep(PAUSE);
        }
        Seen { took: Took::of(took), lost }
    }
}

impl Took {
    pub(super) fn of(mut each: Vec<Duration>) -> Took {
        each.sort_unstable();
        Took(each)
    }

    /// Half of them are no slower.
    pub(super) fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    pub(super) fn slowest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

/// A client is served beside another one that is silent: from the start, or after an exchange.
pub(super) fn serves_beside_a_silent_one(patient: &Patient) -> Asked {
    for has_exchanged in [false, true] {
        let mut silent = patient.link()?;
        if has_exchanged {
            silent.exchange(&patient.request()?)?;
        }
        let what = if has_exchanged { "silent since its last reply" } else { "silent" };
        if let Err(finding) = patient.is_alive() {
            drop(silent);
            let is_served = patient.is_alive().is_ok();
            let again = if is_served { "; without that one it was served" } else { "" };
            return Err(finding.and(&format!("another client was connected, and {what}{again}")));
        }
    }
    Ok(())
}
