//! How a run is told: as text for a person, or as lines of JSON.

use std::fs::File;
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;

use hdrhistogram::Histogram;

use super::clock::nanoseconds;
use super::limits::BUSY_SHARE;
use super::load::Outcome;
use super::plan::{Plan, Rhythm};
use super::tally::{Second, Tally, at};
use super::verdict::{Answer, Verdict, busy_share};
use super::{hgrm, svg};
use crate::args::BenchArgs;
use crate::exit::Failure;
use crate::json::Object;
use crate::printer::{Printer, in_flags};
use crate::units;

/// The percentiles that are told.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// The most seconds that stand in the text.
const SECONDS_MAX: usize = 30;

/// Tells of a run.
pub(super) struct Report<'a> {
    args: &'a BenchArgs,
    plan: &'a Plan,
    printer: &'a Printer,
    has_terminal: bool,
    hgrm: Option<File>,
    svg: Option<File>,
}

impl<'a> Report<'a> {
    /// # Errors
    /// A file that was asked for cannot be written: better known now than after the run.
    pub(super) fn new(
        args: &'a BenchArgs,
        plan: &'a Plan,
        printer: &'a Printer,
    ) -> Result<Report<'a>, Failure> {
        let (hgrm, svg) = (create(args.hgrm.as_deref())?, create(args.svg.as_deref())?);
        Ok(Report { args, plan, printer, has_terminal: stderr().is_terminal(), hgrm, svg })
    }

    /// A second is over.
    pub(super) fn second(&self, second: &Second) -> Result<(), Failure> {
        if self.has_terminal {
            self.printer.status(&line(second));
        }
        if !self.args.json {
            return Ok(());
        }
        let latency = Object::plain()
            .number_or_null("p50", second.p50)
            .number_or_null("p99", second.p99)
            .number_or_null("max", second.max);
        let object = Object::new("second")
            .number("second", second.number)
            .decimal("seconds", second.seconds)
            .number("messages_received", second.received)
            .object("latency_ns", latency);
        self.printer.data_now(object.line().as_bytes())
    }

    /// The run is over.
    pub(super) fn end(&self, outcome: &Outcome, verdict: &Verdict) -> Result<(), Failure> {
        if self.has_terminal {
            self.printer.status("");
        }
        let text = match self.args.json {
            true => self.summary(outcome, verdict).line(),
            false => self.text(outcome, verdict),
        };
        self.printer.data_now(text.as_bytes())
    }

    /// The files that were asked for.
    ///
    /// # Errors
    /// One cannot be written.
    pub(super) fn files(&self, outcome: &Outcome) -> Result<(), Failure> {
        let tally = &outcome.tally;
        if tally.latency.is_empty() {
            if self.hgrm.is_some() || self.svg.is_some() {
                self.printer.talk("swb: nothing was measured: --hgrm and --svg stay empty");
            }
            return Ok(());
        }
        if let Some(file) = self.hgrm.as_ref().zip(self.args.hgrm.as_deref()) {
            write(file, &hgrm::text(&tally.latency))?;
        }
        if let Some(file) = self.svg.as_ref().zip(self.args.svg.as_deref()) {
            let mut curves = vec![("latency", &tally.latency)];
            if matches!(self.plan.rhythm, Rhythm::Open { .. }) {
                curves.push(("service", &tally.service));
            }
            let rate = rate(tally.received, outcome.measured.as_secs_f64());
            let [what, load] = self.what();
            let below = [what, format!("{load}; {rate} replies a second")];
            let text = svg::text("Latency by percentile", &below, &curves);
            write(file, &text)?;
        }
        Ok(())
    }

    fn summary(&self, outcome: &Outcome, verdict: &Verdict) -> Object {
        let (plan, tally) = (self.plan, &outcome.tally);
        let seconds = outcome.measured.as_secs_f64();
        let (mode, depth) = match plan.rhythm {
            Rhythm::Closed { depth } => ("closed", depth),
            Rhythm::Open { .. } => ("open", 0),
        };
        let mut object = Object::new("summary")
            .string("mode", mode)
            .string("endpoint", &self.args.connection.endpoint.to_string())
            .string("framing", &self.args.framing.frame)
            .number("connections", plan.connections as u64)
            .number_or_null("depth", (depth > 0).then_some(depth))
            .number("size", plan.message.body_bytes() as u64);
        if let Rhythm::Open { rate } = plan.rhythm {
            object = object.decimal("rate", rate);
        }
        let mut errors = Object::plain();
        for (kind, count) in &tally.errors {
            errors = errors.number(kind, *count);
        }
        object = object
            .decimal("seconds", seconds)
            .number("messages_sent", tally.sent)
            .number("messages_received", tally.received)
            .decimal_or_null("messages_per_second", per(tally.received as f64, seconds))
            .number("bytes_sent", tally.bytes_sent)
            .number("bytes_received", tally.bytes_received)
            .object("errors", errors)
            .number("reconnects", tally.reconnects)
            .object("latency_ns", histogram(&tally.latency));
        if matches!(plan.rhythm, Rhythm::Open { .. }) {
            object = object
                .object("service_ns", histogram(&tally.service))
                .object("lag_ns", histogram(&tally.lag));
        }
        object = object.object("connect_ns", histogram(&tally.connect));
        let messages = tally.received as f64;
        if self.args.server_pid.is_some() {
            let used = outcome.used.server;
            let each = used.and_then(|used| per(used as f64, messages));
            object = object
                .number_or_null("server_cpu_ns", used)
                .decimal_or_null("server_cpu_ns_per_message", each);
        }
        let objectives = verdict.objectives.iter().map(|answer| {
            Object::plain()
                .decimal("percentile", answer.objective.percentile)
                .number("limit_ns", nanoseconds(answer.objective.limit))
                .number_or_null("value_ns", answer.value)
                .boolean("met", answer.is_met())
        });
        object = object
            .number("client_cpu_ns", outcome.used.own)
            .decimal_or_null("client_cpu_ns_per_message", per(outcome.used.own as f64, messages))
            .boolean("valid", verdict.why_invalid.is_empty())
            .strings("why_invalid", &verdict.why_invalid)
            .objects("slo", objectives);
        let said = [
            ("first_reply", &tally.first_reply),
            ("unknown_number", &tally.unknown_number),
            ("difference", &verdict.difference),
            ("unverified", &verdict.unverified),
        ];
        for (name, text) in said.iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
            object = object.string(name, text);
        }
        object
    }

    fn text(&self, outcome: &Outcome, verdict: &Verdict) -> String {
        let (plan, tally) = (self.plan, &outcome.tally);
        let seconds = outcome.measured.as_secs_f64();
        let mut text = self.heading();
        if !outcome.has_begun {
            // Nothing else is known, and why is all that there is to tell.
            text.extend(verdict.why_invalid.iter().map(|why| format!("INVALID: {why}\n")));
            return text;
        }
        let mut add = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        for second in tally.seconds.iter().take(SECONDS_MAX) {
            add(line(second));
        }
        if tally.seconds.len() > SECONDS_MAX {
            add(format!("   .. and so on to {}; --json has all", tally.seconds.len()));
        }
        add(format!(
            "{} in {seconds:.2} s: {} a second; {} out, {} in",
            units::count(tally.received, "reply"),
            rate(tally.received, seconds),
            units::rounded(tally.bytes_sent),
            units::rounded(tally.bytes_received),
        ));
        add(format!("{:<10}{}", "", heads()));
        add(format!("{:<10}{}", "latency", columns(&tally.latency)));
        if matches!(plan.rhythm, Rhythm::Open { .. }) {
            add(format!("{:<10}{}", "service", columns(&tally.service)));
            add(format!("{:<10}{}", "lag", columns(&tally.lag)));
        }
        add(format!("{:<10}{}", "connect", columns(&tally.connect)));
        if plan.reconnects {
            let ended = units::count(tally.reconnects, "conversation");
            add(format!("{:<10}{ended} that the server had ended", "opened"));
        }
        add(format!("{:<10}{}", "cpu", self.processors(outcome)));
        if let Some(first) = &tally.first_reply {
            add(format!("{:<10}{first} (the first one)", "reply"));
        }
        if !tally.errors.is_empty() {
            add(format!("{:<10}{}", "errors", errors_and_why(outcome)));
        }
        if matches!(plan.rhythm, Rhythm::Closed { .. }) && busy_share(outcome) >= BUSY_SHARE {
            add("this program was busy all the time: the rate may be its own limit".to_owned());
        }
        for answer in &verdict.objectives {
            add(objective(answer));
        }
        if let Some(difference) = &verdict.difference {
            add(format!("DIFFERENT: {difference}"));
        }
        if let Some(errors) = &verdict.unverified {
            add(format!("NOT VERIFIED: not each request had its reply: {errors}"));
        }
        for why in &verdict.why_invalid {
            add(format!("INVALID: {why}"));
        }
        text
    }

    /// What a reply took of the processors here and in the server.
    fn processors(&self, outcome: &Outcome) -> String {
        let a_reply = |used: u64| {
            let share = used as f64 / (outcome.measured.as_nanos() as f64).max(1.0) * 100.0;
            match used.checked_div(outcome.tally.received) {
                Some(each) => format!("{} a reply ({share:.0} % of a processor)", time(each)),
                None => format!("{} and no reply", time(used)),
            }
        };
        let own = format!("here {}", a_reply(outcome.used.own));
        match outcome.used.server {
            Some(used) => format!("server {}, {own}", a_reply(used)),
            None if self.args.server_pid.is_some() => {
                format!("server unknown, for its process has ended, {own}")
            }
            None => own,
        }
    }

    /// What is run, and how its numbers are to be read.
    fn heading(&self) -> String {
        let how = match self.plan.rhythm {
            Rhythm::Closed { .. } => {
                "what would have been sent while the server stalled is not in the latencies: \
                 --rate R puts it there"
            }
            Rhythm::Open { .. } => {
                "latency counts from when a message was due, service from when it was sent"
            }
        };
        let [what, load] = self.what();
        format!("{what}, {load}\n{how}\n")
    }

    /// What is run, and with which load.
    fn what(&self) -> [String; 2] {
        let plan = self.plan;
        let (endpoint, frame) = (&self.args.connection.endpoint, &self.args.framing.frame);
        let size = units::bytes(plan.message.body_bytes() as u64);
        let connections = units::count(plan.connections as u64, "connection");
        let (mode, load) = match plan.rhythm {
            Rhythm::Closed { depth } => ("closed", format!("{depth} in flight on each")),
            Rhythm::Open { rate } => ("open", format!("{rate} messages a second in all")),
        };
        [
            format!("{mode} loop: {endpoint}, {frame}, {size} a message"),
            format!("{connections}, {load}"),
        ]
    }
}

/// A time in nanoseconds, in three or four digits.
pub(super) fn time(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.1} us", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}

fn time_or_none(nanoseconds: Option<u64>) -> String {
    nanoseconds.map_or("-".to_owned(), time)
}

/// Whether an objective was met, and by how much not.
fn objective(answer: &Answer) -> String {
    let limit = nanoseconds(answer.objective.limit);
    let percentile = answer.objective.percentile;
    let Some(value) = answer.value else {
        return format!("MISSED: p{percentile} has no value: nothing was measured");
    };
    let over = value.checked_sub(limit);
    let value = time(value);
    match over {
        None | Some(0) => format!("met: p{percentile} is {value}, {} allowed", time(limit)),
        Some(over) => {
            let (over, limit) = (time(over), time(limit));
            format!("MISSED: p{percentile} is {value}, {over} more than the {limit} allowed")
        }
    }
}

fn line(second: &Second) -> String {
    format!(
        "{:>4} s: {} a second, p50 {}, p99 {}, max {}",
        second.number,
        rate(second.received, second.seconds),
        time_or_none(second.p50),
        time_or_none(second.p99),
        time_or_none(second.max)
    )
}

fn heads() -> String {
    let mut heads: String = PERCENTILES.iter().map(|(name, _)| format!("{name:>11}")).collect();
    heads.push_str(&format!("{:>11}{:>11}", "max", "mean"));
    heads
}

fn columns(histogram: &Histogram<u64>) -> String {
    let mut times: Vec<_> = PERCENTILES.iter().map(|(_, part)| at(histogram, *part)).collect();
    times.extend([at(histogram, 1.0), mean(histogram)]);
    times.into_iter().map(|value| format!("{:>11}", time_or_none(value))).collect()
}

fn histogram(histogram: &Histogram<u64>) -> Object {
    let mut object = Object::plain()
        .number("count", histogram.len())
        .number_or_null("min", at(histogram, 0.0))
        .number_or_null("mean", mean(histogram));
    for (name, quantile) in PERCENTILES {
        object = object.number_or_null(name, at(histogram, quantile));
    }
    object.number_or_null("max", at(histogram, 1.0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
fn mean(histogram: &Histogram<u64>) -> Option<u64> {
    (!histogram.is_empty()).then(|| histogram.mean() as u64)
}

/// What went wrong, and how often.
pub(super) fn errors(tally: &Tally) -> String {
    let counts = tally.errors.iter().map(|(kind, count)| format!("{kind} {count}"));
    counts.collect::<Vec<_>>().join(", ")
}

fn errors_and_why(outcome: &Outcome) -> String {
    let tally = &outcome.tally;
    let mut text = errors(tally);
    // With none left, it is what the run has ended of, and told as such.
    if let Some(error) =
        tally.last_error.as_ref().filter(|_| outcome.open > 0 && outcome.gave_up.is_none())
    {
        let error = in_flags(&error.to_string());
        text.push_str(&format!("; the last connection to end: {error}"));
    }
    text
}

fn create(path: Option<&Path>) -> Result<Option<File>, Failure> {
    path.map(|path| File::create(path).map_err(|error| refused(path, error))).transpose()
}

fn write((mut file, path): (&File, &Path), text: &str) -> Result<(), Failure> {
    file.write_all(text.as_bytes()).map_err(|error| refused(path, error))
}

fn refused(path: &Path, error: std::io::Error) -> Failure {
    Failure::usage(format_args!("cannot write {}: {error}", path.display()))
}

/// A quotient; of nothing there is none.
fn per(what: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| what / of)
}

/// How many a second.
fn rate(count: u64, seconds: f64) -> String {
    per(count as f64, seconds).map_or("-".to_owned(), |rate| format!("{rate:.0}"))
}
