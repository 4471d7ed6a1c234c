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

pub(super) struct Canary {
    link: Link,
    request: Request,
}

/// What it saw.
pub(super) struct Seen {
    /// What each answer took, the fastest first.
    pub(super) took: Vec<Duration>,
    /// An answer that did not come, or was not right.
    pub(super) lost: Option<Finding>,
}

impl Canary {
    /// One that has been served once.
    pub(super) fn new(patient: &Patient) -> Result<Canary, Finding> {
        let (mut link, request) = (patient.link()?, patient.request()?);
        link.exchange(&request)?;
        Ok(Canary { link, request })
    }

    /// Exchanges for as long as something takes, and once more behind it.
    pub(super) fn beside<T>(mut self, something: impl FnOnce() -> T) -> (T, Seen) {
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
        let mut seen = Seen { took: Vec::new(), lost: None };
        loop {
            let is_last = is_over.load(Ordering::SeqCst);
            let began = deadline::now();
            if let Err(finding) = self.link.exchange(&self.request) {
                seen.lost = Some(finding);
                break;
            }
            seen.took.push(deadline::now().saturating_duration_since(began));
            if is_last {
                break;
            }
            thread::sleep(PAUSE);
        }
        seen.took.sort_unstable();
        seen
    }
}

impl Seen {
    pub(super) fn slowest(&self) -> Duration {
        self.took.last().copied().unwrap_or_default()
    }

    pub(super) fn median(&self) -> Duration {
        self.took.get(self.took.len() / 2).copied().unwrap_or_default()
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
