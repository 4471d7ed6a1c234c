//! `swb replay`: says to a server what was said in a recording, and compares what it answers.

mod compare;
mod play;

use std::thread;

use switchboard::deadline;
use switchboard_frame::Protocol;

use crate::args::{ReplayArgs, not_connected};
use crate::cmd::replay::compare::{Difference, Talk};
use crate::cmd::replay::play::{Pace, Played, play};
use crate::exit::{Exit, Failure, Outcome};
use crate::json::Object;
use crate::listening::CONVERSATIONS_MAX;
use crate::printer::Printer;
use crate::recording::{Recorded, Recording};
use crate::signals::Interrupts;
use crate::units;

pub(crate) fn run(args: &ReplayArgs, printer: &Printer) -> Outcome {
    let recording = Recording::open(&args.file)?;
    let mut protocol: Protocol = recording.framing.parse().map_err(Failure::usage)?;
    if let Some(max) = args.max {
        protocol = protocol.with_max(max);
    }
    let count = recording.conversations.len();
    if !args.fast && count > CONVERSATIONS_MAX {
        return Err(Failure::usage(format_args!(
            "there are {count} conversations in {}, and with their pauses at most \
             {CONVERSATIONS_MAX}: use --fast",
            args.file.display()
        )));
    }
    if let Some(cut) = recording.cut_text() {
        printer.talk(&format!("swb: {}: {cut}", args.file.display()));
    }
    let interrupts = Interrupts::watch_to_end(printer)?;
    let tls = args.connection.tls(printer)?;
    let options = args.connection.options(tls, interrupts.stopper())?;
    let endpoint = &args.connection.endpoint;
    let began = deadline::now();
    let one = |recorded: &Recorded| {
        let pace = if args.fast { Pace::AsAnswered } else { Pace::AsRecorded(began) };
        play::wait_for_turn(recorded, pace, interrupts.stopper())?;
        let transport = endpoint.connect(&options).map_err(not_connected)?;
        let stopper = interrupts.stopper();
        Ok(play(recorded, &protocol, &*transport, pace, args.timeout, stopper))
    };
    let played: Vec<Result<Played, Failure>> = if args.fast {
        recording.conversations.iter().map(one).collect()
    } else {
        thread::scope(|scope| {
            let one = &one;
            let begin = |it| scope.spawn(move || one(it));
            let threads: Vec<_> = recording.conversations.iter().map(begin).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
        })
    };
    interrupts.outcome(tell(args, &protocol, &recording, played, printer))
}

/// What came of all.
#[derive(Default)]
struct Totals {
    /// Conversations that were had.
    played: u64,
    /// Bytes of answers.
    answered: u64,
    /// Answers in the recording.
    compared: usize,
    differ: u64,
    /// The first that did not come to its end.
    stuck: Option<Failure>,
    /// Why the first that was not had was not.
    missed: Option<Failure>,
}

/// Says what came of each.
fn tell(
    args: &ReplayArgs,
    protocol: &Protocol,
    recording: &Recording,
    played: Vec<Result<Played, Failure>>,
    printer: &Printer,
) -> Outcome {
    let mut totals = Totals::default();
    for (recorded, played) in recording.conversations.iter().zip(played) {
        let played = match played {
            Ok(played) => played,
            Err(failure) => {
                totals.missed.get_or_insert(failure);
                continue;
            }
        };
        totals.played += 1;
        let n = recorded.n;
        if args.json {
            let line = Object::new("conversation").number("conversation", n);
            let line = line.number("answers", played.answers.len() as u64);
            printer.data(line.number("bytes", played.answered).line().as_bytes())?;
        }
        totals.answered += played.answered;
        totals.stuck = totals.stuck.or(played.stuck);
        if !args.diff {
            continue;
        }
        let mut before = Talk::new(protocol);
        recorded.events.iter().for_each(|event| before.event(event));
        let before = before.answers();
        totals.compared += before.len();
        if let Some(found) = Difference::first(&before, &played.answers, recorded.is_open()) {
            totals.differ += 1;
            let text = if args.json {
                found.object(n).line()
            } else {
                format!("conversation {n}: {found}\n")
            };
            printer.data(text.as_bytes())?;
        }
    }
    conclude(args, recording, totals, printer)
}

/// Says what came of all.
fn conclude(
    args: &ReplayArgs,
    recording: &Recording,
    totals: Totals,
    printer: &Printer,
) -> Outcome {
    let Totals { played, answered, compared, differ, stuck, missed } = totals;
    let all = recording.conversations.len() as u64;
    if args.json {
        let line = Object::new("summary").number("conversations", played);
        let line = line.number("bytes", answered);
        let line = if args.diff { line.number("differ", differ) } else { line };
        printer.data(line.line().as_bytes())?;
    }
    printer.flush()?;
    // Where a server fell silent it differs, if that was asked; what it differs in is the news.
    if let (0, None, Some(stuck)) = (differ, &missed, stuck) {
        return Err(stuck);
    }
    if args.diff && compared == 0 && differ == 0 && missed.is_none() {
        return Err(Failure::usage("nothing to compare: the recording has no answers"));
    }
    let part = if played < all { format!("{played} of ") } else { String::new() };
    let count = units::count(all, "conversation");
    let mut text = format!("{part}{count}: {} answered", units::bytes(answered));
    if args.diff {
        text.push_str(&match differ {
            0 if played == 0 => ", nothing compared".to_owned(),
            0 => ", as in the recording".to_owned(),
            1 => ", 1 conversation differs".to_owned(),
            more => format!(", {more} conversations differ"),
        });
    }
    printer.talk(&text);
    if let Some(missed) = missed {
        return Err(missed);
    }
    Ok(match (differ, recording.cut) {
        (0, None) => Exit::Done,
        (0, Some(_)) => Exit::BadFrame,
        _ => Exit::No,
    })
}
