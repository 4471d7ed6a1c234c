//! What was done, a line of JSON for each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use switchboard::transport::fault::{Direction, Fault, Injection, Plan, Record};
use switchboard_frame::Role;

use crate::exit::Failure;
use crate::json::Object;
use crate::printer::Printer;

pub(super) struct Log {
    pub(super) printer: Printer,
    has_times: bool,
    injections: AtomicU64,
}

impl Log {
    pub(super) fn new(printer: &Printer, has_times: bool) -> Log {
        Log { printer: printer.clone(), has_times, injections: AtomicU64::new(0) }
    }

    /// The faults that are in force from here on, and the seed that decides their chance.
    pub(super) fn plan(&self, seed: u64, plan: &Plan) -> Result<(), Failure> {
        let faults: Vec<String> = plan.faults().map(Fault::to_string).collect();
        let line = Object::new("plan").number("seed", seed).strings("faults", &faults).line();
        self.printer.data(line.as_bytes())
    }

    /// What happened in a conversation, between sides of which so and so know resets.
    pub(super) fn records(
        &self,
        conversation: u64,
        records: &[Record],
        know_resets: [bool; 2],
    ) -> Result<(), Failure> {
        for record in records {
            let line = match record {
                Record::Injection(it) => {
                    self.injections.fetch_add(1, Ordering::Relaxed);
                    self.object("injection", conversation, it.writer, it.time)
                        .string("fault", &it.fault)
                        .number_or_null("message", it.message)
                        .number("offset", it.offset)
                        .string("done", &done(it, know_resets))
                        .line()
                }
                Record::Unframed { writer, offset, why, time } => self
                    .object("unframed", conversation, Some(*writer), *time)
                    .number("offset", *offset)
                    .string("why", why)
                    .line(),
                _ => continue,
            };
            self.printer.data(line.as_bytes())?;
        }
        Ok(())
    }

    pub(super) fn flush(&self) -> Result<(), Failure> {
        self.printer.flush()
    }

    pub(super) fn injections(&self) -> u64 {
        self.injections.load(Ordering::Relaxed)
    }

    fn object(
        &self,
        kind: &str,
        conversation: u64,
        writer: Option<Role>,
        time: Duration,
    ) -> Object {
        let direction = writer.map_or(Direction::Both, Direction::of);
        let object = Object::new(kind)
            .number("conversation", conversation)
            .string("direction", direction.name());
        if self.has_times { object.decimal("seconds", time.as_secs_f64()) } else { object }
    }
}

/// What was done, as it is seen.
fn done(it: &Injection, know_resets: [bool; 2]) -> String {
    let mut done = it.done.clone();
    for (writer, knows) in [Role::Client, Role::Server].into_iter().zip(know_resets) {
        if it.resets.contains(&writer) && !knows {
            done.push_str(&format!("; the {writer} sees an end: its socket has no resets"));
        }
    }
    done
}
