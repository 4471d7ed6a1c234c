//! What a server died of, and what that is blamed on.
//!
//! The bug that one probe is about is seldom the one that a server dies of in another: what is said
//! of a death says no more than was seen. One mistake often shows in several probes; that the same
//! end has been seen before is told, so that nobody looks for two.

use super::causes::{ALL_DIE, BROKEN_PIPE};
use super::patient::{Death, Patient};
use super::probe::{Finding, Probe, Verdict};

/// Those whose own bug is one that a server dies of.
const DEADLY: &[&str] =
    &["F6", "L1", "L2", "L3", "C5", "C6", "C7", "C9", "B1", "R1", "R2", "R3", "R4", "S2"];

/// All that there have been.
#[derive(Default)]
pub(super) struct Deaths {
    /// Why nothing can be asked for now.
    pub(super) gone: Option<String>,
    /// How it ended, and the first probe in which it did so.
    seen: Vec<(String, &'static str)>,
}

impl Deaths {
    /// Why nothing can be asked: it may serve again by now, where somebody else has started it
    /// again, or where it was busy.
    pub(super) fn gone(&mut self, patient: &Patient) -> Option<String> {
        if self.gone.is_some() && patient.is_alive().is_ok() {
            self.gone = None;
        }
        self.gone.clone()
    }

    /// What a probe found, of a server that has not survived it.
    pub(super) fn blame(
        &mut self,
        probe: &Probe,
        found: Option<Finding>,
        death: &Death,
    ) -> Finding {
        let told = match death.kind().and_then(|kind| self.before(kind, probe.id)) {
            Some(id) => format!("{death}; that is how it died in {id}: see there first"),
            None => death.to_string(),
        };
        // It may have come upon the same by itself.
        let is_told = |found: &Finding| death.ended.is_none() && found.came.ends_with(&death.came);
        let finding = match found {
            Some(found) if found.verdict == Verdict::Failed && is_told(&found) => found,
            Some(found) if found.verdict > Verdict::Ok => {
                Finding { verdict: Verdict::Failed, ..found.and(&told) }
            }
            _ => Finding::failed(told),
        };
        if death.kind().is_some_and(|kind| kind.contains("SIGPIPE")) {
            return Finding { cause: Some(BROKEN_PIPE), ..finding };
        }
        match death.ended.is_some() && !DEADLY.contains(&probe.id) {
            true => Finding { cause: Some(ALL_DIE), ..finding },
            false => finding,
        }
    }

    /// The probe in which it has ended so before, if there was one.
    fn before(&mut self, kind: &str, id: &'static str) -> Option<&'static str> {
        let before = self.seen.iter().find(|(seen, _)| seen == kind).map(|(_, id)| *id);
        if before.is_none() {
            self.seen.push((kind.to_owned(), id));
        }
        before
    }
}
