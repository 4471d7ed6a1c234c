//! `swb doctor` against servers: those that are broken on purpose, and our own.
//!
//! Each probe has to find its mutant, and nothing to blame in the reference server. Every server is
//! started for one run alone, as often as `SWITCHBOARD_MUTANT_RUNS` says (once).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod baseline;
mod bounds;
mod causes;
mod exec;
mod intrusive;
mod junit;
mod manners;
mod mutants;
mod page;
mod piecemeal;
mod reference;
mod refusals;
mod report;
mod right;
mod scratch;
mod servers;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a run of `swb doctor` came to.
struct Told {
    exit: i32,
    /// Without `--json`, what is for people.
    stdout: String,
    stderr: String,
}

impl Told {
    /// What it told of each probe, and at last in sum.
    fn objects(&self) -> Vec<Value> {
        let line =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(line).collect()
    }
}

fn doctor(endpoint: &str, args: &[&str]) -> Told {
    command(endpoint, args).output().expect("swb starts").into()
}

fn command(endpoint: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swb"));
    command.args(["doctor", endpoint]).args(args).stdin(Stdio::null());
    command
}

impl From<Output> for Told {
    fn from(output: Output) -> Told {
        Told {
            exit: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// How often each is asked.
fn runs() -> usize {
    std::env::var("SWITCHBOARD_MUTANT_RUNS").map_or(1, |runs| runs.parse().unwrap())
}
