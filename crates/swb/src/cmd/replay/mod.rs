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
use crate::printer::Printer;
use crate::recording::{Recorded, Recording};
use crate::signals::Interrupts;
use crate::units;

pub(crate) fn run(args: &ReplayArgs, printer: &Printer) -> Outcome {
    let recording = Recording::open(&args.file)?;
    let protocol: Protocol = recording.framing.parse().map_err(Failure::usage)?;
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

/// Says what came of each.
fn tell(
    args: &ReplayArgs,
    protocol: &Protocol,
    recording: &Recording,
    played: Vec<Result<Played, Failure>>,
    printer: &Printer,
) -> Outcome {
    let (mut differ, mut answered, mut stuck) = (0_u64, 0_u64, None);
    for (recorded, played) in recording.conversations.iter().zip(played) {
        let played = played?;
        answered += played.answered;
        stuck = stuck.or(played.stuck);
        if !args.diff {
            continue;
        }
        let mut before = Talk::new(protocol);
        recorded.events.iter().for_each(|event| before.event(event));
        if let Some(difference) = Difference::first(&before.answers(), &played.answers) {
            differ += 1;
            printer.data(format!("conversation {}: {difference}\n", recorded.n).as_bytes())?;
        }
    }
    printer.flush()?;
    // Where a server fell silent it differs, if that was asked; what it differs in is the news.
    if let (0, Some(stuck)) = (differ, stuck) {
        return Err(stuck);
    }
    let count = units::count(recording.conversations.len() as u64, "conversation");
    let mut text = format!("{count}: {} answered", units::bytes(answered));
    if args.diff {
        text.push_str(&match differ {
            0 => ", as in the recording".to_owned(),
            1 => ", 1 conversation differs".to_owned(),
            more => format!(", {more} conversations differ"),
        });
    }
    printer.talk(&text);
    Ok(if differ > 0 { Exit::No } else { Exit::Done })
}
