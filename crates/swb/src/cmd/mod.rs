//! The verbs, one file each.

mod bench;
mod chaos;
mod completions;
mod decode;
mod demo;
mod doctor;
mod encode;
mod frames;
mod man;
mod replay;
mod send;
mod serve;
mod talk;
mod tap;

use crate::args::Verb;
use crate::exit::Outcome;
use crate::printer::Printer;

pub(crate) fn run(verb: Verb, printer: &Printer) -> Outcome {
    match verb {
        Verb::Talk(args) => talk::run(&args, printer),
        Verb::Send(args) => send::run(&args, printer),
        Verb::Serve(args) => serve::run(&args, printer),
        Verb::Tap(args) => tap::run(&args, printer),
        Verb::Chaos(args) => chaos::run(&args, printer),
        Verb::Replay(args) => replay::run(&args, printer),
        Verb::Bench(args) => bench::run(&args, printer),
        Verb::Doctor(args) => doctor::run(&args, printer),
        Verb::Decode(args) => decode::run(&args, printer),
        Verb::Encode(args) => encode::run(&args, printer),
        Verb::Frames(args) => frames::run(&args, printer),
        Verb::Demo(args) => demo::run(&args, printer),
        Verb::Completions(args) => completions::run(&args, printer),
        Verb::Man(args) => man::run(&args, printer),
    }
}
