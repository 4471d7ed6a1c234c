//! `swb`: whole messages over any stream socket, from the command line.
//!
//! A thin face over the libraries: `args` is what may be written, `cmd` has a file for each verb,
//! `printer` is the only place that prints and `exit` the only place that knows exit codes.

mod args;
mod between;
mod capture;
mod cmd;
mod dialogue;
mod exit;
mod json;
mod lines;
mod listening;
mod payload;
mod printer;
mod privileges;
mod pump;
mod recording;
mod sides;
mod signals;
mod time;
mod units;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => Err(Failure::Usage(Box::new(error))),
    };
    let exit = match outcome {
        Ok(exit) => exit,
        Err(Failure::Told { exit, text }) => {
            printer::complain(&text);
            exit
        }
        // Help and version come this way too: to stdout, and they are no error.
        Err(Failure::Usage(error)) => {
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Done }
        }
        Err(Failure::ClosedStdout) => Exit::Done,
    };
    exit.into()
}

fn run(cli: Cli) -> Outcome {
    let printer = Printer::new()?;
    let outcome = cmd::run(cli.verb, &printer);
    // What was found before a failure is shown all the same.
    let flushed = printer.flush();
    let exit = outcome?;
    flushed?;
    Ok(exit)
}
