//! The faults that were asked for: on the command line, and in a file that may be read again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use switchboard::Stopper;
use switchboard::transport::fault::{Fault, FaultError, Kind, Matcher, Plan};
use switchboard_frame::Protocol;

use crate::args::ChaosArgs;
use crate::cmd::chaos::dead;
use crate::exit::Failure;
use crate::printer::Printer;

/// The one key of the file.
const KEY: &str = "faults";

/// Where faults come from.
pub(super) struct Script {
    given: Vec<Fault>,
    file: Option<PathBuf>,
    protocol: Option<Protocol>,
    dead: dead::Place,
    printer: Printer,
}

impl Script {
    /// # Errors
    /// A fault of the command line cannot be read: the column.
    pub(super) fn new(
        args: &ChaosArgs,
        protocol: Option<Protocol>,
        printer: &Printer,
    ) -> Result<Script, Failure> {
        let read = |text: &String| {
            fault(text).map_err(|why| Failure::usage(format_args!("--fault '{text}': {why}")))
        };
        Ok(Script {
            given: args.fault.iter().map(read).collect::<Result<_, _>>()?,
            file: args.config.clone(),
            protocol,
            dead: dead::Place::of(&args.between.listen, &args.between.upstream()?),
            printer: printer.clone(),
        })
    }

    /// The plan, as the file is now.
    ///
    /// # Errors
    /// The file cannot be read or says no faults; a fault cannot be carried out.
    pub(super) fn read(&self) -> Result<Plan, String> {
        let mut faults = self.given.clone();
        if let Some(path) = &self.file {
            let shown = path.display();
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {shown}: {error}"))?;
            faults.extend(of_file(&text).map_err(|why| format!("{shown}: {why}"))?);
        }
        // What cannot be done here is told each time, and left out.
        let mut told = None;
        for fault in faults.iter().filter(|fault| fault.kind == Kind::Dead) {
            self.dead.check(fault.direction)?;
            told = told.or_else(dead::missing);
        }
        if let Some(why) = told {
            self.printer.talk(&format!("swb: skipped: dead: {why}"));
            faults.retain(|fault| fault.kind != Kind::Dead);
        }
        Plan::new(faults, self.protocol.as_ref()).map_err(|error| error.to_string())
    }
}

fn fault(text: &str) -> Result<Fault, FaultError> {
    Fault::parse_with(text, &|pattern| {
        let found = regex::bytes::Regex::new(pattern).map_err(|error| one_line(&error))?;
        let matcher: Matcher = Arc::new(move |message: &[u8]| found.is_match(message));
        Ok(matcher)
    })
}

/// Errors of patterns are drawn over several lines; the last says what is wrong.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The faults of a file.
fn of_file(text: &str) -> Result<Vec<Fault>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let text = error.to_string();
        text.trim_end().to_owned()
    })?;
    if let Some(other) = table.keys().find(|key| *key != KEY) {
        return Err(format!("there is no key '{other}'; write {KEY} = ['delay(50ms)@s2c']"));
    }
    let wrong = || format!("{KEY} is a list of faults: {KEY} = ['delay(50ms)@s2c']");
    let list = table.get(KEY).ok_or_else(wrong)?.as_array().ok_or_else(wrong)?;
    let read = |(index, value): (usize, &toml::Value)| {
        let text = value.as_str().ok_or_else(wrong)?;
        fault(text).map_err(|why| format!("fault {}, '{text}': {why}", index + 1))
    };
    list.iter().enumerate().map(read).collect()
}

/// The plan in force, for who is in the middle of a conversation.
pub(super) struct Editions {
    current: Mutex<Arc<Edition>>,
}

/// A plan, for as long as there is no other.
pub(super) struct Edition {
    pub(super) plan: Plan,
    /// Stopped once there is another.
    pub(super) replaced: Stopper,
}

impl Editions {
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new(plan: Plan) -> Result<Editions, Failure> {
        let replaced = Stopper::new().map_err(Failure::usage)?;
        Ok(Editions { current: Mutex::new(Arc::new(Edition { plan, replaced })) })
    }

    pub(super) fn current(&self) -> Arc<Edition> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everyone has this plan from here on.
    pub(super) fn set(&self, plan: Plan, printer: &Printer) {
        match Stopper::new() {
            Ok(replaced) => {
                let next = Arc::new(Edition { plan, replaced });
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::replace(&mut *current, next).replaced.stop();
            }
            Err(error) => {
                printer.talk(&format!("swb: conversations keep the faults they have: {error}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_list_of_faults() {
        let faults = of_file("# none\nfaults = ['reset msg:7', \"drop match:/^a/\"]\n").unwrap();
        let texts: Vec<String> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(texts, ["reset msg:7", "drop match:/^a/"]);
    }

    #[test]
    fn what_is_no_list_of_faults_is_told_with_its_place() {
        for (text, expected) in [
            ("faults = ['reset'", "TOML parse error at line 1, column 18"),
            ("fault = []", "there is no key 'fault'; write faults = ['delay(50ms)@s2c']"),
            ("faults = 'reset'", "faults is a list of faults: "),
            ("faults = [1]", "faults is a list of faults: "),
            ("", "faults is a list of faults: "),
            ("faults = ['reset', 'rest']", "fault 2, 'rest': column 1: there is no fault 'rest'"),
            ("faults = ['drop match:/(/']", "fault 1, 'drop match:/(/': column 12: no pattern: "),
        ] {
            let told = of_file(text).unwrap_err();
            assert!(told.starts_with(expected), "{text}: {told}");
        }
    }
}
