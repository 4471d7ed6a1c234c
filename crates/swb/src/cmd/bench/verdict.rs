//! What a run comes to: whether its numbers are the server's, and what was asked of them.

use super::limits::{BUSY_SHARE, LAG_P99_MAX, SENT_SHARE_MIN};
use super::load::{Outcome, nanoseconds};
use super::plan::{Plan, Rhythm};
use crate::args::{BenchArgs, Objective};

/// The answers.
pub(super) struct Verdict {
    /// Why the numbers are this program's rather than the server's; empty when they are not.
    pub(super) why_invalid: Vec<String>,
    pub(super) objectives: Vec<Answer>,
    /// Where a reply differed from what was sent.
    pub(super) difference: Option<String>,
}

/// What became of an objective.
pub(super) struct Answer {
    pub(super) objective: Objective,
    /// The latency there is, in nanoseconds.
    pub(super) value: u64,
}

impl Answer {
    pub(super) fn is_met(&self) -> bool {
        self.value <= nanoseconds(self.objective.limit)
    }
}

impl Verdict {
    pub(super) fn new(args: &BenchArgs, plan: &Plan, outcome: &Outcome) -> Verdict {
        let latency = &outcome.tally.latency;
        let answer = |objective: &Objective| Answer {
            objective: *objective,
            value: latency.value_at_quantile(objective.percentile / 100.0),
        };
        Verdict {
            why_invalid: match plan.rhythm {
                Rhythm::Open { .. } => why_invalid(plan, outcome),
                Rhythm::Closed { .. } => Vec::new(),
            },
            objectives: args.slo.iter().map(answer).collect(),
            difference: outcome.tally.difference.clone(),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.why_invalid.is_empty()
            && self.objectives.iter().all(Answer::is_met)
            && self.difference.is_none()
    }
}

/// The share of a processor that this program has used.
pub(super) fn busy_share(outcome: &Outcome) -> f64 {
    outcome.used.own as f64 / (nanoseconds(outcome.measured) as f64).max(1.0)
}

/// What kept this program from its schedule.
fn why_invalid(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let tally = &outcome.tally;
    let mut why = Vec::new();
    let lag = tally.lag.value_at_quantile(0.99);
    if lag > nanoseconds(LAG_P99_MAX) {
        let busy = match busy_share(outcome) >= BUSY_SHARE && !plan.spin {
            true => "it was busy all the time: lower --rate",
            false => "it was not woken in time: give it a processor of its own, or --spin",
        };
        why.push(format!(
            "this program sent 1 % of the messages more than {} late, and {:?} are allowed; {busy}",
            super::report::time(lag),
            LAG_P99_MAX
        ));
    }
    let Rhythm::Open { rate } = plan.rhythm else { return why };
    let wanted = (rate * outcome.measured.as_secs_f64()).min(plan.count as f64);
    if (tally.due as f64) < wanted * SENT_SHARE_MIN {
        why.push(format!(
            "this program saw to {} messages of the {wanted:.0} that were due: lower --rate",
            tally.due
        ));
    }
    let lost = plan.connections - outcome.open;
    if lost > 0 {
        why.push(format!(
            "{lost} of {} connections ended, and their share of the rate was not sent",
            plan.connections
        ));
    }
    why
}
