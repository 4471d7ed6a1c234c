//! What is told of a server: a table for people, JSON, JUnit's XML.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use switchboard::deadline;

use super::causes::Cause;
use super::probe::{Finding, Probe, Verdict};
use crate::args::DoctorArgs;
use crate::exit::{Exit, Failure};
use crate::json::Object;
use crate::printer::Printer;
use crate::units;

/// What a probe came to.
pub(super) struct Result {
    pub(super) probe: &'static Probe,
    pub(super) runs: usize,
    /// Of them, those in which something was not as it should be.
    pub(super) bad: usize,
    pub(super) worst: Option<Finding>,
}

impl Result {
    /// From what each run found: the worst of it counts.
    pub(super) fn of(probe: &'static Probe, findings: Vec<Option<Finding>>) -> Result {
        let count = findings.len();
        let is_bad = |found: &&Finding| found.verdict > Verdict::Ok;
        let bad = findings.iter().flatten().filter(is_bad).count();
        let worst = findings.into_iter().flatten().max_by_key(|found| found.verdict);
        // Asking again what cannot be asked is no run.
        let is_skipped = worst.as_ref().is_some_and(|found| found.verdict == Verdict::Skipped);
        let runs = if is_skipped { count.min(1) } else { count };
        Result { probe, runs, bad, worst }
    }

    /// What is wrong and how it is cured, as far as it was seen, or else as it usually is.
    fn cause(&self) -> Cause {
        let usual = Cause { bug: self.probe.bug, cure: self.probe.cure };
        self.worst.as_ref().and_then(|finding| finding.cause).unwrap_or(usual)
    }

    fn verdict(&self) -> Verdict {
        self.worst.as_ref().map_or(Verdict::Ok, |finding| finding.verdict)
    }
}

pub(super) struct Report<'a> {
    printer: &'a Printer,
    json: bool,
    junit: Option<PathBuf>,
    /// A line is shown that says what is being done.
    has_terminal: bool,
    began: Instant,
    /// One place for each probe, in the order of the catalogue.
    results: Vec<Option<Result>>,
    /// How many of these places have been told.
    told: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(args: &DoctorArgs, probes: &[&Probe], printer: &'a Printer) -> Report<'a> {
        Report {
            printer,
            json: args.json,
            junit: args.junit.clone(),
            has_terminal: stderr().is_terminal(),
            began: deadline::now(),
            results: probes.iter().map(|_| None).collect(),
            told: 0,
        }
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
        let text = if self.json { as_json(result) } else { as_text(result) };
        if self.has_terminal {
            self.printer.status("");
        }
        self.printer.data_now(text.as_bytes())
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.results.iter().flatten().filter(|result| result.verdict() == verdict).count()
    }

    /// Tells what has been waiting for others, which have been interrupted, and all together.
    pub(super) fn end(&self) -> std::result::Result<(), Failure> {
        if self.has_terminal {
            self.printer.status("");
        }
        for result in self.results[self.told..].iter().flatten() {
            self.tell(result)?;
        }
        let took = deadline::now().saturating_duration_since(self.began);
        let counts = Verdict::ALL.map(|verdict| (verdict.word(), self.count(verdict)));
        let text = if self.json {
            let object = Object::new("summary")
                .number("probes", self.results.len() as u64)
                .decimal("seconds", took.as_secs_f64());
            let object = counts
                .iter()
                .fold(object, |object, (word, count)| object.number(word, *count as u64));
            object.line()
        } else {
            let counts: Vec<String> = counts
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(word, count)| format!("{count} {word}"))
                .collect();
            format!("\n{} in {:.1} s\n", counts.join(", "), took.as_secs_f64())
        };
        self.printer.data_now(text.as_bytes())?;
        match &self.junit {
            Some(path) => {
                fs::write(path, junit(self.results.iter().flatten(), took)).map_err(|error| {
                    Failure::usage(format_args!("cannot write {}: {error}", path.display()))
                })
            }
            None => Ok(()),
        }
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
    let Result { probe, runs, bad, worst } = result;
    let object = Object::new("probe")
        .string("id", probe.id)
        .string("name", probe.name)
        .string("verdict", result.verdict().word())
        .number("runs", *runs as u64)
        .number("bad", *bad as u64);
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

fn as_text(result: &Result) -> String {
    let Result { probe, runs, bad, worst } = result;
    let mut text = format!("{:<4}{:<24}{}", probe.id, probe.name, result.verdict().word());
    match worst {
        None => {}
        Some(Finding { verdict: Verdict::Skipped | Verdict::Inconclusive, came, .. }) => {
            text += &format!(": {came}");
        }
        Some(Finding { sent, came, .. }) => {
            if *runs > 1 {
                text += &format!(", {bad} of {}", units::count(*runs as u64, "run"));
            }
            let mut line = |name: &str, what: &str| {
                if !what.is_empty() {
                    text += &format!("\n      {name:<6} {what}");
                }
            };
            line("sent", sent);
            line("right", probe.right);
            line("came", came);
            line("bug", result.cause().bug);
            line("cure", result.cause().cure);
        }
    }
    text.push('\n');
    text
}

/// The probes themselves.
pub(super) fn list(
    probes: &[&Probe],
    json: bool,
    printer: &Printer,
) -> std::result::Result<(), Failure> {
    for probe in probes {
        let text = match json {
            true => Object::new("probe")
                .string("id", probe.id)
                .string("name", probe.name)
                .string("sends", probe.sends)
                .string("right", probe.right)
                .string("bug", probe.bug)
                .string("cure", probe.cure)
                .boolean("intrusive", probe.intrusive)
                .line(),
            false => {
                let Probe { id, name, sends, right, bug, cure, .. } = probe;
                format!(
                    "{id:<4}{name}\n      sends  {sends}\n      right  {right}\n      bug    \
                     {bug}\n      cure   {cure}\n"
                )
            }
        };
        printer.data(text.as_bytes())?;
    }
    Ok(())
}

/// As JUnit writes its results, and what shows them reads.
fn junit<'r>(results: impl Iterator<Item = &'r Result>, took: Duration) -> String {
    let results: Vec<&Result> = results.collect();
    let failed = results.iter().filter(|result| result.verdict() == Verdict::Failed).count();
    let is_skipped = |verdict| matches!(verdict, Verdict::Skipped | Verdict::Inconclusive);
    let skipped = results.iter().filter(|result| is_skipped(result.verdict())).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"swb doctor\" \
         tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\" time=\"{:.3}\">\n",
        results.len(),
        took.as_secs_f64()
    );
    for result in results {
        let name = format!("{} {}", result.probe.id, result.probe.name);
        text += &format!("  <testcase classname=\"doctor\" name=\"{}\">", xml(&name));
        match &result.worst {
            Some(finding) if finding.verdict == Verdict::Failed => {
                text += &format!(
                    "\n    <failure message=\"{}\">{}</failure>\n  ",
                    xml(&finding.came),
                    xml(&as_text(result))
                );
            }
            Some(finding) if is_skipped(finding.verdict) => {
                text += &format!("<skipped message=\"{}\"/>", xml(&finding.came));
            }
            Some(_) => text += &format!("<system-out>{}</system-out>", xml(&as_text(result))),
            None => {}
        }
        text += "</testcase>\n";
    }
    text + "</testsuite>\n"
}

fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no way to write these.
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
