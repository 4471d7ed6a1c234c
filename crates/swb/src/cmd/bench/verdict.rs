//! What a run comes to: whether its numbers are the server's, and what was asked of them.

use super::clock::nanoseconds;
use super::limits::{BUSY_SHARE, KEPT_SHARE_MIN, LAG_P99_MAX};
use super::load::Outcome;
use super::plan::{Plan, Rhythm};
use super::report::{errors, time};
use super::tally::{Tally, at};
use crate::args::{BenchArgs, Objective};
use crate::units;

/// The answers.
pub(super) struct Verdict {
    /// Why the numbers are not the server's; empty when they are.
    pub(super) why_invalid: Vec<String>,
    pub(super) objectives: Vec<Answer>,
    /// Where a reply differed from what was sent.
    pub(super) difference: Option<String>,
    /// What else went wrong, where each reply was to be looked at.
    pub(super) unverified: Option<String>,
}

/// What became of an objective.
pub(super) struct Answer {
    pub(super) objective: Objective,
    /// The latency there is, in nanoseconds; none where nothing was measured.
    pub(super) value: Option<u64>,
}

impl Answer {
    pub(super) fn is_met(&self) -> bool {
        self.value.is_some_and(|value| value <= nanoseconds(self.objective.limit))
    }
}

impl Verdict {
    pub(super) fn new(args: &BenchArgs, plan: &Plan, outcome: &Outcome) -> Verdict {
        let latency = &outcome.tally.latency;
        let answer = |objective: &Objective| Answer {
            objective: *objective,
            value: at(latency, objective.percentile / 100.0),
        };
        Verdict {
            why_invalid: why_invalid(plan, outcome),
            objectives: args.slo.iter().map(answer).collect(),
            difference: outcome.tally.difference.clone(),
            unverified: (args.verify && !outcome.tally.errors.is_empty())
                .then(|| errors(&outcome.tally)),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.why_invalid.is_empty()
            && self.objectives.iter().all(Answer::is_met)
            && self.difference.is_none()
            && self.unverified.is_none()
    }
}

/// The share of a processor that this program has used.
pub(super) fn busy_share(outcome: &Outcome) -> f64 {
    outcome.used.own as f64 / (nanoseconds(outcome.measured) as f64).max(1.0)
}

/// What makes the numbers say nothing of the server.
fn why_invalid(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    if !outcome.has_begun {
        return vec!["it ended in the warm-up, and nothing was measured".to_owned()];
    }
    let mut why = what_had_no_reply(plan, &outcome.tally);
    if let Rhythm::Open { rate } = plan.rhythm {
        why.extend(what_was_not_kept(plan, rate, outcome));
    }
    why
}

/// Where requests and replies do not belong together, what is counted is something else.
fn what_had_no_reply(plan: &Plan, tally: &Tally) -> Vec<String> {
    let mut why = Vec::new();
    if tally.silent_connections > 0 {
        let (silent, all) = (tally.silent_connections, plan.connections);
        why.push(format!("{silent} of {} had no reply", units::count(all as u64, "connection")));
    } else if tally.received == 0 && tally.unknown_number.is_none() {
        why.push("no reply came in the time that was measured".to_owned());
    }
    if let Some((count, first)) =
        tally.errors.get("unknown-number").zip(tally.unknown_number.as_ref())
    {
        let replies = units::count(*count, "reply");
        why.push(format!("{replies} had a number that no request waited for; {first}"));
    }
    if let Some(count) = tally.errors.get("unexpected") {
        why.push(match count {
            1 => "1 reply was not asked for".to_owned(),
            _ => format!("{count} replies were not asked for"),
        });
    }
    why
}

/// What kept this program from its schedule, or makes it unknown whether it did.
fn what_was_not_kept(plan: &Plan, rate: f64, outcome: &Outcome) -> Vec<String> {
    let tally = &outcome.tally;
    let mut why = Vec::new();
    let is_busy = !plan.spin && busy_share(outcome) >= BUSY_SHARE;
    let lag = tally.lag.value_at_quantile(0.99);
    if lag > nanoseconds(LAG_P99_MAX) {
        let advice = match busy_share(outcome) >= BUSY_SHARE {
            true => "it was busy all the time: lower --rate",
            false if plan.spin => "it had not all of a processor: give it one of its own (taskset)",
            false => "it was not woken in time: give it a processor of its own, or --spin",
        };
        let (lag, most) = (time(lag), time(nanoseconds(LAG_P99_MAX)));
        why.push(format!(
            "this program saw to 1 % of the messages {lag} or more after they were due, and {most} \
             is the most; {advice}"
        ));
    }
    let (due, received) = (tally.due as f64, tally.received as f64);
    if is_busy && received < due * KEPT_SHARE_MIN {
        let percent = received / due * 100.0;
        why.push(format!(
            "replies to {percent:.1} % of the messages came in time, and this program was busy all \
             the time: it may be what is too slow; lower --rate"
        ));
    }
    let wanted = (rate * outcome.measured.as_secs_f64()).min(plan.count as f64);
    if due < wanted * KEPT_SHARE_MIN {
        why.push(format!("this program saw to {due} messages, and {wanted:.0} were due"));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};
    use crate::cmd::bench::load::Used;

    /// A second of 1000 messages a second on two connections, a nanosecond of lag each, which used
    /// half of a processor; `change` makes it another run.
    fn check(more: &[&str], change: impl Fn(&mut Outcome), expected: &[&str]) {
        let args = ["swb", "bench", "localhost:1", "-f", "u8", "-c", "2"];
        let cli = Cli::try_parse_from(args.iter().chain(more)).unwrap();
        let Verb::Bench(args) = cli.verb else { panic!("another verb") };
        let mut tally = Tally::new(0..1_000_000_000).unwrap();
        (tally.due, tally.received) = (1000, 1000);
        tally.lag.record_n(1, 1000).unwrap();
        let mut outcome = Outcome {
            tally,
            measured: Duration::from_secs(1),
            used: Used { own: 500_000_000, server: None },
            has_begun: true,
            gave_up: None,
            open: 2,
            was_interrupted: false,
            was_silent: false,
        };
        change(&mut outcome);
        let verdict = Verdict::new(&args, &Plan::new(&args).unwrap(), &outcome);
        assert_eq!(verdict.is_good(), expected.is_empty());
        let why = verdict.why_invalid;
        assert_eq!(why.len(), expected.len(), "{why:?}");
        for (why, part) in why.iter().zip(expected) {
            assert!(why.contains(part), "{part} in {why}");
        }
    }

    #[test]
    fn a_run_is_invalid_when_this_program_was_what_limited_it() {
        let open = &["-r", "1000"][..];
        let late = |outcome: &mut Outcome| outcome.tally.lag.record_n(2_000_000, 20).unwrap();
        let busy = |outcome: &mut Outcome| outcome.used.own = 999_000_000;
        let behind = |outcome: &mut Outcome| outcome.tally.received = 900;
        check(open, |_| {}, &[]);
        check(open, |outcome| outcome.tally.lag.record_n(2_000_000, 9).unwrap(), &[]);
        check(open, late, &["it was not woken in time"]);
        let late_and_busy = |outcome: &mut Outcome| {
            late(outcome);
            busy(outcome);
        };
        check(open, late_and_busy, &["it was busy all the time"]);
        let spin = &["-r", "1000", "--spin"][..];
        check(spin, late, &["it had not all of a processor"]);
        check(spin, late_and_busy, &["it was busy all the time"]);
        // A server that is behind is what is measured, unless it may not be the server.
        check(open, behind, &[]);
        check(open, busy, &[]);
        let busy_and_behind = |outcome: &mut Outcome| {
            busy(outcome);
            behind(outcome);
        };
        check(open, busy_and_behind, &["replies to 90.0 % of the messages"]);
        check(spin, busy_and_behind, &[]);
        check(open, |outcome| outcome.tally.due = 980, &["saw to 980 messages, and 1000 were due"]);
        check(open, |outcome| outcome.open = 1, &["1 of 2 connections ended"]);
    }

    #[test]
    fn a_closed_loop_has_no_schedule_to_keep() {
        let late = |outcome: &mut Outcome| outcome.tally.lag.record_n(2_000_000, 20).unwrap();
        check(&[], late, &[]);
        check(&[], |outcome| (outcome.open, outcome.tally.due) = (1, 0), &[]);
    }

    #[test]
    fn a_run_is_invalid_when_replies_are_not_those_of_the_requests() {
        for load in [&[][..], &["-r", "1000"]] {
            check(load, |outcome| outcome.tally.silent_connections = 1, &["1 of 2 connections"]);
            check(load, |outcome| outcome.tally.error("unexpected", 7), &["7 replies were not"]);
            check(load, |outcome| outcome.tally.received = 0, &["no reply came in the time"]);
            check(load, |outcome| outcome.has_begun = false, &["it ended in the warm-up"]);
            check(load, |outcome| outcome.tally.error("unanswered", 1), &[]);
        }
    }
}
