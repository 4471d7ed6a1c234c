//! What is told of a server: a table for people, or JSON; and a file of JUnit beside it.
//!
//! **Invariant:** each probe is told once, in the order of the catalogue, and then all in sum.

use std::io::{IsTerminal, stderr, stdout};
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;
use switchboard::deadline;

use super::causes::Cause;
use super::junit::Junit;
use super::probe::{Finding, Probe, Verdict};
use crate::args::DoctorArgs;
use crate::exit::{Exit, Failure};
use crate::json::Object;
use crate::printer::Printer;
use crate::units;

/// What a run is that comes to no answer at all.
const NOTHING: &str = "nothing was asked: each probe was skipped, or is inconclusive";
/// A terminal that is narrower has its lines wrapped by itself.
const COLUMNS_MIN: usize = 40;
/// Where what is told of a failure begins in a line.
const MARGIN: usize = 13;

/// What a probe came to.
pub(super) struct Result {
    pub(super) probe: &'static Probe,
    pub(super) runs: usize,
    /// Of them, those in which something was not as it should be.
    pub(super) bad: usize,
    pub(super) worst: Option<Finding>,
    /// All runs together.
    pub(super) took: Duration,
}

impl Result {
    /// From what each run since then has found: the worst of it counts.
    pub(super) fn of(
        probe: &'static Probe,
        findings: Vec<Option<Finding>>,
        began: Instant,
    ) -> Result {
        let count = findings.len();
        let is_bad = |found: &&Finding| found.verdict > Verdict::Ok;
        let bad = findings.iter().flatten().filter(is_bad).count();
        let worst = findings.into_iter().flatten().max_by_key(|found| found.verdict);
        // Asking again what cannot be asked is no run.
        let is_skipped = worst.as_ref().is_some_and(|found| found.verdict == Verdict::Skipped);
        let runs = if is_skipped { count.min(1) } else { count };
        Result { probe, runs, bad, worst, took: since(began) }
    }

    /// One that has not come to its end.
    fn interrupted(probe: &'static Probe) -> Result {
        let worst = Some(Finding::skipped("interrupted"));
        Result { probe, runs: 0, bad: 0, worst, took: Duration::ZERO }
    }

    /// What is wrong and how it is cured, as far as it was seen, or else as it usually is.
    fn cause(&self) -> Cause {
        let usual = Cause { bug: self.probe.bug, cure: self.probe.cure };
        self.worst.as_ref().and_then(|finding| finding.cause).unwrap_or(usual)
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.worst.as_ref().map_or(Verdict::Ok, |finding| finding.verdict)
    }
}

pub(super) struct Report<'a> {
    printer: &'a Printer,
    json: bool,
    junit: Option<Junit>,
    /// A line is shown that says what is being done.
    has_terminal: bool,
    /// How wide lines may be, where that is known.
    columns: Option<usize>,
    began: Instant,
    probes: &'a [&'static Probe],
    /// One place for each of them.
    results: Vec<Option<Result>>,
    /// How many of these places have been told.
    told: usize,
}

impl<'a> Report<'a> {
    /// # Errors
    /// The file of JUnit cannot be written.
    pub(super) fn new(
        args: &DoctorArgs,
        probes: &'a [&'static Probe],
        printer: &'a Printer,
    ) -> std::result::Result<Report<'a>, Failure> {
        Ok(Report {
            printer,
            json: args.json,
            junit: args.junit.as_deref().map(Junit::create).transpose()?,
            has_terminal: stderr().is_terminal(),
            columns: columns(),
            began: deadline::now(),
            probes,
            results: probes.iter().map(|_| None).collect(),
            told: 0,
        })
    }

    /// Shows what is done before anything is asked.
    pub(super) fn preparing(&self, what: &str) {
        self.status(what);
    }

    /// Shows which one is being asked.
    pub(super) fn asking(&self, probe: &Probe) {
        self.status(&format!("{} {}", probe.id, probe.name));
    }

    /// Shows that nothing but those beside the others is left.
    pub(super) fn waiting(&self) {
        self.status("waiting for what takes long");
    }

    fn status(&self, what: &str) {
        let left = self.results.iter().filter(|result| result.is_none()).count();
        if self.has_terminal && left > 0 {
            self.printer.status(&format!("{what} ({left} of {} left)", self.results.len()));
        }
    }

    /// Puts down what one came to, and tells all that can be told in order; none is one that was
    /// interrupted.
    pub(super) fn put(
        &mut self,
        place: usize,
        result: Option<Result>,
    ) -> std::result::Result<(), Failure> {
        self.results[place] = result;
        while let Some(Some(result)) = self.results.get(self.told) {
            self.tell(result)?;
            self.told += 1;
        }
        Ok(())
    }

    fn tell(&self, result: &Result) -> std::result::Result<(), Failure> {
        let text = if self.json { as_json(result) } else { as_text(result, self.columns) };
        self.clear();
        self.printer.data_now(text.as_bytes())
    }

    fn clear(&self) {
        if self.has_terminal {
            self.printer.status("");
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.results.iter().flatten().filter(|result| result.verdict() == verdict).count()
    }

    /// Tells what has been waiting for others, and all together. What is not known yet was
    /// interrupted.
    pub(super) fn end(&mut self, interrupted: bool) -> std::result::Result<(), Failure> {
        self.clear();
        for (probe, result) in self.probes.iter().zip(&mut self.results) {
            result.get_or_insert_with(|| Result::interrupted(probe));
        }
        let took = since(self.began);
        let not_asked = interrupted.then(|| {
            let count = self.results.iter().flatten().filter(|result| result.runs == 0).count();
            let all = units::count(self.results.len() as u64, "probe");
            format!("interrupted: {count} of {all} not asked")
        });
        let nothing = (self.exit() == Exit::Usage).then_some(NOTHING);
        // First, so that it is there whatever becomes of stdout.
        self.write_junit(not_asked.as_deref().or(nothing))?;
        for result in self.results[self.told..].iter().flatten() {
            // To a person those are told in one line.
            if self.json || result.runs > 0 {
                self.tell(result)?;
            }
        }
        let text = match self.json {
            true => self.sum_as_json(took, interrupted),
            false => self.sum_as_text(took, not_asked),
        };
        self.printer.data_now(text.as_bytes())
    }

    /// Nothing can be asked, or told, any more.
    pub(super) fn give_up(&self, why: &Failure) -> std::result::Result<(), Failure> {
        self.clear();
        self.write_junit(Some(&why.to_string()))
    }

    fn write_junit(&self, trouble: Option<&str>) -> std::result::Result<(), Failure> {
        let results: Vec<&Result> = self.results.iter().flatten().collect();
        let junit = self.junit.as_ref();
        junit.map_or(Ok(()), |junit| junit.write(&results, since(self.began), trouble))
    }

    fn sum_as_json(&self, took: Duration, interrupted: bool) -> String {
        let object = Object::new("summary")
            .number("probes", self.results.len() as u64)
            .decimal("seconds", took.as_secs_f64())
            .boolean("interrupted", interrupted);
        let counted = |object: Object, verdict: Verdict| {
            object.number(verdict.word(), self.count(verdict) as u64)
        };
        Verdict::ALL.into_iter().fold(object, counted).line()
    }

    fn sum_as_text(&self, took: Duration, not_asked: Option<String>) -> String {
        let asked = || self.results.iter().flatten().filter(|result| result.runs > 0);
        let counts = Verdict::ALL.into_iter().filter_map(|verdict| {
            let count = asked().filter(|result| result.verdict() == verdict).count();
            (count > 0).then(|| format!("{count} {}", verdict.word()))
        });
        let counts: Vec<String> = counts.collect();
        let counts = match counts.is_empty() {
            true => None,
            false => Some(format!("{} in {:.1} s", counts.join(", "), took.as_secs_f64())),
        };
        let parts: Vec<String> = counts.into_iter().chain(not_asked).collect();
        format!("\n{}\n", parts.join("; "))
    }

    pub(super) fn exit(&self) -> Exit {
        if self.count(Verdict::Failed) > 0 {
            Exit::No
        } else if self.count(Verdict::Ok) + self.count(Verdict::Weak) == 0 {
            Exit::Usage
        } else {
            Exit::Done
        }
    }
}

fn as_json(result: &Result) -> String {
    let Result { probe, runs, bad, worst, took } = result;
    let object = Object::new("probe")
        .string("id", probe.id)
        .string("name", probe.name)
        .string("verdict", result.verdict().word())
        .number("runs", *runs as u64)
        .number("bad", *bad as u64)
        .decimal("seconds", took.as_secs_f64());
    let object = match worst {
        None => object,
        Some(Finding { verdict: Verdict::Skipped | Verdict::Inconclusive, came, .. }) => {
            object.string("why", came)
        }
        Some(Finding { sent, came, .. }) => object
            .string("sent", sent)
            .string("right", probe.right)
            .string("came", came)
            .string("bug", result.cause().bug)
            .string("cure", result.cause().cure),
    };
    object.line()
}

/// As a person reads it, in lines of so many columns at the most.
pub(super) fn as_text(result: &Result, columns: Option<usize>) -> String {
    let Result { probe, runs, bad, worst, .. } = result;
    let head = format!("{:<4}{:<24}{}", probe.id, probe.name, result.verdict().word());
    match worst {
        None => as_lines(head, &[], columns),
        Some(Finding { verdict: Verdict::Skipped | Verdict::Inconclusive, came, .. }) => {
            as_lines(format!("{head}: {came}"), &[], columns)
        }
        Some(Finding { sent, came, .. }) => {
            let count = units::count(*runs as u64, "run");
            let head = if *runs > 1 { format!("{head}, {bad} of {count}") } else { head };
            let told = [
                ("sent", sent.as_str()),
                ("right", probe.right),
                ("came", came),
                ("bug", result.cause().bug),
                ("cure", result.cause().cure),
            ];
            as_lines(head, &told, columns)
        }
    }
}

/// A line, and one below it for each thing that there is to say.
fn as_lines(head: String, told: &[(&str, &str)], columns: Option<usize>) -> String {
    let told = told.iter().filter(|(_, what)| !what.is_empty());
    let lines = told.map(|(name, what)| format!("      {name:<6} {what}"));
    let all = std::iter::once(head).chain(lines);
    all.map(|line| wrapped(&line, columns) + "\n").collect()
}

/// With a line end in place of blanks, so that each line has so many columns; what goes on begins
/// at the margin.
fn wrapped(text: &str, columns: Option<usize>) -> String {
    let columns = columns.unwrap_or(usize::MAX);
    let (mut out, mut at) = (String::new(), 0);
    for (index, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if index > 0 && at > MARGIN && at + 1 + width > columns {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', MARGIN));
            at = MARGIN;
        } else if index > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += width;
    }
    out
}

/// How wide the terminal is that is written to; in a file or a pipe lines stay whole.
fn columns() -> Option<usize> {
    let size = tcgetwinsize(stdout()).ok().filter(|_| stdout().is_terminal())?;
    let columns = usize::from(size.ws_col);
    (columns >= COLUMNS_MIN).then_some(columns)
}

fn since(began: Instant) -> Duration {
    deadline::now().saturating_duration_since(began)
}

/// The probes themselves.
pub(super) fn list(
    probes: &[&Probe],
    json: bool,
    printer: &Printer,
) -> std::result::Result<(), Failure> {
    for probe in probes {
        let text = match json {
            true => Object::new("question")
                .string("id", probe.id)
                .string("name", probe.name)
                .string("sends", probe.sends)
                .string("right", probe.right)
                .string("bug", probe.bug)
                .string("cure", probe.cure)
                .boolean("intrusive", probe.intrusive)
                .line(),
            false => {
                let told = [
                    ("sends", probe.sends),
                    ("right", probe.right),
                    ("bug", probe.bug),
                    ("cure", probe.cure),
                ];
                as_lines(format!("{:<4}{}", probe.id, probe.name), &told, columns())
            }
        };
        printer.data(text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_blanks_where_the_width_is_known() {
        let text = "      sent   00 01 02 03 04 05 06 07 08 09";
        assert_eq!(wrapped(text, None), text);
        let expected =
            "      sent   00 01 02\n             03 04 05\n             06 07 08\n             09";
        assert_eq!(wrapped(text, Some(22)), expected);
        // What has no blank stays whole.
        let long = format!("      came   {}", "x".repeat(40));
        assert_eq!(wrapped(&long, Some(40)), long);
    }
}
