//! What a person is told while a server of messages goes on: that descriptors have run out, who is
//! still awaited at the end, and with `--stats` what is done. One look a second serves all of them.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use switchboard::server::{Handle, Stats};

use super::stats::Teller;
use crate::printer::Printer;
use crate::signals::Interrupts;
use crate::units;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Lookout<'a> {
    pub(super) handle: &'a Handle,
    pub(super) printer: &'a Printer,
    pub(super) interrupts: &'a Interrupts,
    /// How long everyone is waited for at the end.
    pub(super) drain: Duration,
    /// Whether each look is told.
    pub(super) tells: bool,
}

impl Lookout<'_> {
    /// Looks until the other end of the channel is gone.
    pub(super) fn keep(&self, over: &Receiver<()>) {
        let started = Instant::now();
        // What has happened before the first look is news too.
        let first = Stats::default();
        let mut descriptors = Descriptors::new(&first);
        let mut crashed = first.crashed;
        let mut awaited = Awaited::Nobody;
        let mut is_taken_over = false;
        let mut teller = self.tells.then(|| Teller::new(self.printer, started, first));
        let mut next = started + INTERVAL;
        while let Err(RecvTimeoutError::Timeout) =
            over.recv_timeout(next.saturating_duration_since(Instant::now()))
        {
            let (now, stats) = (Instant::now(), self.handle.stats());
            if let Some(text) = descriptors.look(&stats) {
                self.printer.talk(&text);
            }
            if self.handle.is_taken_over() && !std::mem::replace(&mut is_taken_over, true) {
                self.tell_of_the_takeover(&stats);
            }
            if stats.crashed > crashed {
                let died = units::count(stats.crashed - crashed, "conversation");
                self.printer.talk(&format!("swb: {died} ended by the death of the process"));
                crashed = stats.crashed;
            }
            if self.interrupts.came() {
                awaited = self.wait(awaited, &stats);
            }
            if let Some(teller) = &mut teller {
                teller.look(now, stats);
            }
            // A machine that was asleep gets one look, not all it has missed.
            next = (next + INTERVAL).max(now);
        }
        if self.handle.is_taken_over() && !is_taken_over {
            // It is why this is the end, and there was nobody to go on with.
            self.printer.talk("swb: another process accepts now");
        }
        if let Some(teller) = teller {
            teller.end(&self.handle.stats());
        }
    }

    fn tell_of_the_takeover(&self, stats: &Stats) {
        let who = units::count(stats.open, "conversation");
        let drain = self.drain;
        self.printer.talk(&format!(
            "swb: another process accepts now: going on with {who}, for {drain:?} at the most"
        ));
    }

    /// Told once, to whoever still waits a second after a signal was seen.
    fn wait(&self, awaited: Awaited, stats: &Stats) -> Awaited {
        if let (Awaited::Since, 1..) = (awaited, stats.open) {
            let who = units::count(stats.open, "conversation");
            let drain = self.drain;
            self.printer.talk(&format!(
                "swb: waiting for {who}; who is left is cut off after {drain:?}; once more aborts"
            ));
        }
        match awaited {
            Awaited::Nobody => Awaited::Since,
            Awaited::Since | Awaited::Told => Awaited::Told,
        }
    }
}

/// How far waiting for the end has come.
#[derive(Clone, Copy)]
enum Awaited {
    Nobody,
    /// It was seen to have begun at the last look.
    Since,
    Told,
}

/// Whether descriptors have run out. Only that makes errors of `accept` while a server goes on.
struct Descriptors {
    errors: u64,
    accepted: u64,
    /// `None` while there are some; else how many conversations had been accepted before the
    /// latest error.
    out_at: Option<u64>,
}

impl Descriptors {
    fn new(stats: &Stats) -> Descriptors {
        Descriptors { errors: stats.accept_errors, accepted: stats.accepted, out_at: None }
    }

    /// What there is to say: once that they have run out, once that accepting goes on.
    fn look(&mut self, stats: &Stats) -> Option<String> {
        let text = if stats.accept_errors > self.errors {
            let open = units::count(stats.open, "conversation");
            let is_new = self.out_at.replace(self.accepted).is_none();
            is_new.then(|| {
                format!(
                    "swb: descriptors have run out: connections wait (raise the limit with \
                     ulimit -n; {open} open)"
                )
            })
        } else if self.out_at.is_some_and(|accepted| stats.accepted > accepted) {
            self.out_at = None;
            Some("swb: accepting goes on: descriptors are free again".to_owned())
        } else {
            None
        };
        (self.errors, self.accepted) = (stats.accept_errors, stats.accepted);
        text
    }
}
