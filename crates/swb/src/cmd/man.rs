//! `swb man`: the manual pages, from the same definitions as the help.

use std::path::Path;

use clap::CommandFactory;

use crate::args::{Cli, ManArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;

pub(crate) fn run(args: &ManArgs, printer: &Printer) -> Outcome {
    let mut command = Cli::command();
    command.build();
    if let Some(dir) = &args.dir {
        return write_all(command, dir, printer);
    }
    let page = match &args.verb {
        None => command,
        Some(verb) => match command.find_subcommand(verb) {
            Some(page) => page.clone(),
            None => {
                let verbs: Vec<&str> =
                    command.get_subcommands().map(clap::Command::get_name).collect();
                return Err(Failure::usage(format_args!(
                    "no verb '{verb}'; there are {}",
                    verbs.join(", ")
                )));
            }
        },
    };
    printer.data(&render(page)?)?;
    Ok(Exit::Done)
}

fn write_all(command: clap::Command, dir: &Path, printer: &Printer) -> Outcome {
    clap_mangen::generate_to(command, dir).map_err(|e| {
        Failure::usage(format_args!("cannot write manual pages into {}: {e}", dir.display()))
    })?;
    printer.talk(&format!("manual pages written into {}", dir.display()));
    Ok(Exit::Done)
}

fn render(page: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut out)
        .map_err(|e| Failure::usage(format_args!("cannot write the manual page: {e}")))?;
    Ok(out)
}
