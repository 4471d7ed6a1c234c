//! `swb doctor`: asks a server what socket code usually gets wrong.
//!
//! `probes` has the questions, one a file; `patient` is the server, `link` one conversation with
//! it, `exchange` what it is known to answer; `child` the server where it is started here, `usage`
//! what its processes have in use; `schedule` is when each is asked, `report` what is told.

mod canary;
mod causes;
mod child;
mod cut_off;
mod deaths;
mod exchange;
mod flood;
mod junit;
mod link;
mod patient;
mod probe;
mod probes;
mod report;
mod schedule;
mod sent;
mod silence;
mod unheard;
mod usage;
mod whereabouts;
mod words;
mod wrong;

use std::time::Duration;

use crate::args::DoctorArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;
use crate::signals::Interrupts;

use patient::Patient;
use probe::{Asked, Finding, Probe};
use report::Report;
use schedule::Schedule;

/// A server that dies ends its conversations a moment before it is gone.
const DEATH: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &DoctorArgs, printer: &Printer) -> Outcome {
    let probes = chosen(&args.only)?;
    if args.list {
        report::list(&probes, args.json, printer)?;
        return Ok(Exit::Done);
    }
    let interrupts = Interrupts::watch("telling what was found so far", printer)?;
    let mut report = Report::new(args, &probes, printer)?;
    match ask(args, &probes, &mut report, &interrupts, printer) {
        // What an interrupt has made of what was under way is of no matter.
        _ if interrupts.came() => {
            report.end(true)?;
            Ok(interrupts.exit())
        }
        Ok(()) => {
            report.end(false)?;
            Ok(report.exit())
        }
        Err(failure) => {
            report.give_up(&failure)?;
            Err(failure)
        }
    }
}

/// Starts the server if need be, finds out how it answers, and asks.
fn ask(
    args: &DoctorArgs,
    probes: &[&'static Probe],
    report: &mut Report<'_>,
    interrupts: &Interrupts,
    printer: &Printer,
) -> Result<(), Failure> {
    let endpoint = &args.connection.endpoint;
    if args.exec.is_none() && child::is_chosen(endpoint) {
        return Err(Failure::usage(format_args!(
            "{endpoint}: nobody listens on port 0: write the server's port, or have it started \
             with --exec"
        )));
    }
    report.preparing("waiting for the server");
    let mut patient = Patient::new(args, interrupts.stopper(), printer)?;
    let calibrated = patient.calibrate();
    if calibrated.as_ref().map_or(true, Asked::is_err)
        && let Some(ended) = patient.child().and_then(|child| child.ended_within(DEATH))
    {
        return Err(no_survivor(&ended, calibrated.ok().and_then(Asked::err)));
    }
    match calibrated? {
        Ok(()) => {
            if let Some(how) = patient.judges_answers_by() {
                printer.talk(&format!("note: {how}"));
            }
            Schedule::new(&patient, probes, args.runs).run(report)
        }
        Err(finding) => Err(no_baseline(&patient, &finding)),
    }
}

/// The probes that are asked for, in their order.
fn chosen(only: &[String]) -> Result<Vec<&'static Probe>, Failure> {
    let is_named = |probe: &Probe, name: &String| name.eq_ignore_ascii_case(probe.id);
    for name in only {
        if !probes::ALL.iter().any(|probe| is_named(probe, name)) {
            let all: Vec<&str> = probes::ALL.iter().map(|probe| probe.id).collect();
            let all = all.join(" ");
            let text = format_args!("there is no probe {name}; there are {all}");
            return Err(Failure::usage(text));
        }
    }
    let wanted = |probe: &&Probe| only.is_empty() || only.iter().any(|name| is_named(probe, name));
    Ok(probes::ALL.iter().copied().filter(wanted).collect())
}

/// One that was started here, and has ended before anything could be asked.
fn no_survivor(ended: &str, found: Option<Finding>) -> Failure {
    match found {
        Some(found) => Failure::usage(format_args!(
            "the server did not survive the first messages, so nothing was asked: {ended}{}",
            exchanged(&found)
        )),
        None => Failure::usage(format_args!(
            "the server did not survive a connection that sent nothing, so nothing was asked: \
             {ended}"
        )),
    }
}

/// Nothing can be asked of a server that does not answer as it was said to.
fn no_baseline(patient: &Patient, finding: &Finding) -> Failure {
    if patient.answers_at_the_end() {
        return Failure::new(
            Exit::No,
            format_args!(
                "a reply came only after the end of input: it waits for more than the message, or \
                 for the end of the stream, before it answers\n  sent   {}",
                finding.sent
            ),
        );
    }
    Failure::usage(format_args!(
        "the server does not answer as expected, so nothing was asked{}\n  check --frame and \
         --send, --expect or --echo; a server that speaks first: --greeting N",
        exchanged(finding)
    ))
}

/// What was sent, if anything was, and what came, each in a line of its own.
fn exchanged(finding: &Finding) -> String {
    let lines = [("sent", &finding.sent), ("came", &finding.came)];
    let told = lines.iter().filter(|(_, what)| !what.is_empty());
    told.map(|(name, what)| format!("\n  {name:<6} {what}")).collect()
}
