//! `swb doctor`: asks a server what socket code usually gets wrong.
//!
//! `probes` has the questions, one a file; `patient` is the server, `link` one conversation with
//! it, `exchange` what it is known to answer; `child` the server where it is started here, `usage`
//! what its processes have in use; `report` is what is told.

mod canary;
mod child;
mod cut_off;
mod exchange;
mod flood;
mod link;
mod patient;
mod probe;
mod probes;
mod report;
mod sent;
mod usage;
mod wrong;

use crate::args::DoctorArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;
use crate::signals::Interrupts;

use patient::Patient;
use probe::{Finding, Probe, Verdict};
use report::{Report, Result};

pub(crate) fn run(args: &DoctorArgs, printer: &Printer) -> Outcome {
    let probes = chosen(&args.only)?;
    if args.list {
        report::list(&probes, args.json, printer)?;
        return Ok(Exit::Done);
    }
    let interrupts = Interrupts::watch("telling what was found so far", printer)?;
    let mut patient = Patient::new(args, interrupts.stopper(), printer)?;
    if let Err(finding) = patient.calibrate()? {
        return no_baseline(&patient, &finding);
    }
    let mut report = Report::new(args, printer);
    for probe in probes {
        if interrupts.came() {
            break;
        }
        report.add(ask(&patient, probe, args))?;
    }
    report.end()?;
    Ok(match interrupts.came() {
        true => interrupts.exit(),
        false => report.exit(),
    })
}

/// The probes that are asked for, in their order.
fn chosen(only: &[String]) -> std::result::Result<Vec<&'static Probe>, Failure> {
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

/// Nothing can be asked of a server that does not answer as it was said to.
fn no_baseline(patient: &Patient, finding: &Finding) -> Outcome {
    let Finding { sent, came, .. } = finding;
    if patient.answers_at_the_end() {
        return Err(Failure::new(
            Exit::No,
            format_args!(
                "a reply came only after the end of input: it waits for more than the message, or \
                 for the end of the stream, before it answers\n  sent   {sent}"
            ),
        ));
    }
    Err(Failure::usage(format_args!(
        "the server does not answer as expected, so nothing was asked\n  sent   {sent}\n  \
         came   {came}\n  check --frame and --send, --expect or --echo; a server that speaks \
         first: --greeting N"
    )))
}

/// Asks one so many times, and says what they come to: the worst that was seen.
fn ask(patient: &Patient, probe: &'static Probe, args: &DoctorArgs) -> Result {
    let mut findings = Vec::new();
    for _ in 0..args.runs {
        let asked = probe.asked(patient);
        let is_skipped = asked.as_ref().is_err_and(|found| found.verdict == Verdict::Skipped);
        let is_over = is_skipped || patient.lost().is_some();
        findings.push(asked.err());
        if is_over {
            break;
        }
    }
    let runs = findings.len();
    let is_bad = |found: &Finding| found.verdict > Verdict::Ok;
    let bad = findings.iter().flatten().filter(|found| is_bad(found)).count();
    let worst = findings.into_iter().flatten().max_by_key(|found| found.verdict);
    Result { probe, runs, bad, worst }
}
