//! What a probe is, and what it may find.

use super::causes::Cause;
use super::patient::Patient;

/// One question to a server.
pub(super) struct Probe {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// What is sent.
    pub(super) sends: &'static str,
    /// What a right server does.
    pub(super) right: &'static str,
    /// What is usually wrong with one that does not.
    pub(super) bug: &'static str,
    pub(super) cure: &'static str,
    /// May harm a server that others use.
    pub(super) intrusive: bool,
    /// Its bug is one that a server dies of.
    pub(super) deadly: bool,
    pub(super) how: How,
    pub(super) ask: fn(&Patient) -> Asked,
}

impl Probe {
    /// Asks it, where that harms nobody else.
    pub(super) fn ask_once(&self, patient: &Patient) -> Asked {
        match self.intrusive && !patient.may_be_harmed {
            true => Err(Finding::skipped(
                "it may harm a server that others use, and this one may be such: --intrusive",
            )),
            false => (self.ask)(patient),
        }
    }
}

/// Beside what a probe can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Beside nothing that does anything.
    InTurn,
    /// Beside all others, and several times at once: it does little but wait.
    Beside,
    /// When all others are over: it ends the server and starts it again, or wants it fresh.
    Last,
}

/// All is well, or what was found. Whoever asks gives up with `?` at the first thing that is not as
/// it should be.
pub(super) type Asked = Result<(), Finding>;

/// What was found, where it is not that all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// What was sent, as it is shown; empty where nothing was.
    pub(super) sent: String,
    /// What came, or why there is no verdict.
    pub(super) came: String,
    /// What is wrong then, where what was seen says more of it than the probe can.
    pub(super) cause: Option<Cause>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Not asked, for a reason that is told.
    Skipped,
    Ok,
    /// Nothing follows from what happened.
    Inconclusive,
    /// It works, and not as it should.
    Weak,
    Failed,
}

impl Verdict {
    pub(super) const ALL: [Verdict; 5] =
        [Verdict::Ok, Verdict::Weak, Verdict::Failed, Verdict::Inconclusive, Verdict::Skipped];

    pub(super) fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Weak => "weak",
            Verdict::Failed => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Skipped => "skipped",
        }
    }
}

impl Finding {
    pub(super) fn skipped(why: impl Into<String>) -> Finding {
        Finding::new(Verdict::Skipped, why)
    }

    pub(super) fn inconclusive(why: impl Into<String>) -> Finding {
        Finding::new(Verdict::Inconclusive, why)
    }

    /// A failure of which nothing is to be shown but the words.
    pub(super) fn failed(what: impl Into<String>) -> Finding {
        Finding::new(Verdict::Failed, what)
    }

    fn new(verdict: Verdict, came: impl Into<String>) -> Finding {
        Finding { verdict, sent: String::new(), came: came.into(), cause: None }
    }

    /// The same as no more than a weakness.
    pub(super) fn as_weak(&self) -> Finding {
        let verdict = self.verdict.min(Verdict::Weak);
        Finding { verdict, ..self.clone() }
    }

    /// The same, where it is known what is wrong; what is known already stays.
    pub(super) fn because(self, cause: Cause) -> Finding {
        Finding { cause: self.cause.or(Some(cause)), ..self }
    }

    /// The same, with more said of what came.
    pub(super) fn and(self, more: &str) -> Finding {
        Finding { came: format!("{}; {more}", self.came), ..self }
    }
}
