//! What a server died of, and what that is blamed on.
//!
//! The bug that one probe is about is seldom the one that a server dies of in another: what is said
//! of a death says no more than was seen. One mistake often shows in several probes; that the same
//! end has been seen before is told, so that nobody looks for two.

use std::fmt;

use super::causes::{ALL_DIE, BROKEN_PIPE};
use super::patient::Patient;
use super::probe::{Finding, Probe, Verdict};

/// What is known of a server that does not serve any more.
pub(super) struct Death {
    /// How its processes ended, where they are known and have ended.
    pub(super) ended: Option<String>,
    /// What a new client was given in the place of an answer.
    pub(super) came: String,
}

impl Death {
    /// Whether it ended with an error that a client makes by going away, and that nobody caught.
    fn is_of_one_connection(&self) -> bool {
        let ended = self.ended.as_deref().unwrap_or_default().to_lowercase();
        GONE.iter().any(|words| ended.contains(words))
    }

    /// How it ended: what two deaths of one reason have in common.
    pub(super) fn kind(&self) -> Option<String> {
        let ended = self.ended.as_deref()?;
        let (how, words) = ended.split_once(';').unwrap_or((ended, ""));
        Some(match how.split_once(',') {
            Some((signal, _)) => signal.to_owned(),
            None if how.contains("signal: ") => how.to_owned(),
            // An exit status by itself is the same for everything that nobody has caught. In the
            // words ports and addresses are others each time.
            None => how.chars().chain(words.chars().filter(|c| !c.is_ascii_digit())).collect(),
        })
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ended {
            Some(ended) => write!(f, "the server did not survive it: {ended}"),
            None => write!(f, "after it a new conversation was not served: {}", self.came),
        }
    }
}

/// What runtimes call it that a client is gone, in small letters.
const GONE: &[&str] =
    &["econnreset", "connection reset", "connectionreset", "epipe", "broken pipe", "brokenpipe"];

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
        let kind = death.kind();
        let before = kind.as_deref().and_then(|kind| self.before(kind, probe.id));
        let before = before.map(|id| format!("that is how it died in {id}: see there first"));
        let told = match &before {
            Some(before) => format!("{death}; {before}"),
            None => death.to_string(),
        };
        // It may have come upon the same by itself.
        let is_told = |found: &Finding| match &death.ended {
            Some(ended) => found.came.contains(ended.as_str()),
            None => found.came.ends_with(&death.came),
        };
        let finding = match found {
            Some(found) if found.verdict == Verdict::Failed && is_told(&found) => {
                before.iter().fold(found, |found, before| found.and(before))
            }
            Some(found) if found.verdict > Verdict::Ok => {
                Finding { verdict: Verdict::Failed, ..found.and(&told) }
            }
            _ => Finding { sent: probe.sends.to_owned(), ..Finding::failed(told) },
        };
        if kind.is_some_and(|kind| kind.contains("SIGPIPE")) {
            return Finding { cause: Some(BROKEN_PIPE), ..finding };
        }
        let is_known = probe.deadly && !death.is_of_one_connection();
        match death.ended.is_some() && !is_known {
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
