//! `swb serve`: small servers of whole messages, and a program for each conversation.

mod exec;
mod lookout;
mod messages;
mod stats;

use crate::args::{ServeAction, ServeArgs};
use crate::exit::{Failure, Outcome};
use crate::printer::Printer;

pub(crate) fn run(args: &ServeArgs, printer: &Printer) -> Outcome {
    match &args.action {
        ServeAction::Exec { command } => exec::run(args, command, printer),
        ServeAction::Other(words) => Err(Failure::usage(format_args!(
            "cannot serve '{}': WHAT is echo, discard, reply or exec",
            words.first().map_or_else(String::new, |word| word.display().to_string())
        ))),
        ServeAction::Echo => messages::run(args, &messages::Action::Echo, printer),
        ServeAction::Discard => messages::run(args, &messages::Action::Discard, printer),
        ServeAction::Reply { text } => {
            let reply = crate::payload::read(text, false)?;
            messages::run(args, &messages::Action::Reply(reply.into()), printer)
        }
    }
}
