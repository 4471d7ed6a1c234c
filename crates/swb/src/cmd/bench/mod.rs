//! `swb bench`: loads a server with messages and measures how it answers.
//!
//! One thread and one loop, as lean as can be, for it is not to be what limits the server. `plan`
//! is what is to be done, `load` the loop, `link` a connection in it, `tally` what is counted,
//! `verdict` what it comes to and `report` how that is told.
//!
//! **Invariant:** in the open loop a latency counts from when its message was due, and nothing that
//! the server does makes a message due later.

mod clock;
mod connecting;
mod cpu;
mod descriptors;
mod expected;
mod flight;
mod hgrm;
mod limits;
mod link;
mod load;
mod outgoing;
mod plan;
mod ready;
mod report;
mod schedule;
mod svg;
mod tally;
mod verdict;

use switchboard::Ending;

use crate::args::BenchArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;
use crate::signals::Interrupts;

use clock::nanoseconds;
use limits::SILENCE_MAX;
use load::Load;
use plan::{Plan, Rhythm};
use ready::Ready;
use report::Report;
use tally::Tally;
use verdict::Verdict;

pub(crate) fn run(args: &BenchArgs, printer: &Printer) -> Outcome {
    let plan = Plan::new(args)?;
    let server = args.server_pid.map(cpu::Server::new).transpose()?;
    let report = Report::new(args, &plan, printer)?;
    let interrupts = Interrupts::watch("ending the run", printer)?;
    // Before the connections take all descriptors there are.
    let is_open_loop = matches!(plan.rhythm, Rhythm::Open { .. });
    let ready = Ready::new(is_open_loop).map_err(load::cannot_watch)?;
    let start = nanoseconds(plan.warm_up);
    let mut tally = Tally::new(start..start.saturating_add(nanoseconds(plan.duration)))?;
    let connected = connecting::connect(
        &args.connection,
        plan.connections,
        interrupts.stopper(),
        printer,
        &mut |time| tally.connect.saturating_record(time),
    );
    let (dialer, transports) = match connected {
        Err(failure) => return interrupts.outcome(Err(failure)),
        Ok(connected) => connected,
    };
    let (stopper, server) = (interrupts.stopper(), server.as_ref());
    let load = Load::new(&plan, ready, (&dialer, transports), tally, stopper, server)?;
    let outcome = load.run(&mut |second| report.second(second))?;
    let verdict = Verdict::new(args, &plan, &outcome);
    report.end(&outcome, &verdict)?;
    report.files(&outcome)?;
    exit(&outcome, &verdict, &interrupts)
}

/// The exit code: an interrupt before anything, then what kept it from being measured, then the
/// answer.
fn exit(outcome: &load::Outcome, verdict: &Verdict, interrupts: &Interrupts) -> Outcome {
    let tally = &outcome.tally;
    if outcome.was_interrupted {
        return Ok(interrupts.exit());
    }
    let (prefix, error) = match &outcome.gave_up {
        Some(error) => ("--reconnect gave up: ", Some(error)),
        None => ("", tally.last_error.as_ref().filter(|_| outcome.open == 0)),
    };
    if let Some(error) = error {
        let exit = match error.ending() {
            // It ended between two messages, and owed replies.
            Some(Ending::Finished) => Exit::BadFrame,
            // The next connection was not made.
            None if !error.is_caller() => Exit::Unreachable,
            _ => Exit::of(error),
        };
        return Err(Failure::new(exit, format_args!("{prefix}{error}")));
    }
    if outcome.was_silent && tally.unknown_number.is_none() {
        let text = format!("timed out: no reply came for {SILENCE_MAX:?}");
        return Err(Failure::new(Exit::TimedOut, text));
    }
    if !tally.has_replies && tally.unknown_number.is_none() {
        return Err(Failure::new(Exit::TimedOut, "timed out: no reply came"));
    }
    Ok(if verdict.is_good() { Exit::Done } else { Exit::No })
}
