//! SIGINT and SIGTERM: once ends the work in hand in order, twice ends the command.
//!
//! Who runs a command often signals it more than once for one interrupt: `timeout` its process and
//! then the group, a terminal the group and a wrapper what it has started. So what comes close
//! behind the first is no second one. That holds for every verb.
//!
//! SIGHUP does what a verb has for it, and like every other signal what it does by default where
//! one has nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use switchboard::{Stopper, deadline};

use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;

/// A signal within this time of the first is the same interrupt: nobody has read by then that once
/// more aborts.
const SAME_INTERRUPT: Duration = Duration::from_millis(300);

/// No signal has come.
const NONE: i32 = 0;

/// What the first signal stops, and which it was.
pub(crate) struct Interrupts {
    stopper: Stopper,
    came: Arc<AtomicI32>,
}

impl Interrupts {
    /// Watches for the signals from here on. `what` is said when one comes, of what is still going
    /// on.
    ///
    /// # Errors
    /// No descriptor or thread is left.
    pub(crate) fn watch(what: &'static str, printer: &Printer) -> Result<Interrupts, Failure> {
        Interrupts::prepare(&Interrupts::stopper_to_be()?)?.watch(Some(what), printer)
    }

    /// The stopper of signals that are not watched for yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn stopper_to_be() -> Result<Stopper, Failure> {
        Stopper::new().map_err(|error| cannot_watch(&error))
    }

    /// Keeps the signals that come from here on for when they are watched for: a thread watches,
    /// and nothing can be forked off beside one.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn prepare(stopper: &Stopper) -> Result<Kept, Failure> {
        let signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| cannot_watch(&error))?;
        Ok(Kept { stopper: stopper.clone(), signals })
    }

    /// The same for a verb that ends at once.
    ///
    /// # Errors
    /// As for [`watch`](Interrupts::watch).
    pub(crate) fn watch_to_end(printer: &Printer) -> Result<Interrupts, Failure> {
        Interrupts::prepare(&Interrupts::stopper_to_be()?)?.watch(None, printer)
    }

    /// Stopped by the first signal; may be stopped by others too.
    pub(crate) fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    /// Whether a signal came.
    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst) != NONE
    }

    /// How a verb that was to go on until a signal ends.
    pub(crate) fn exit(&self) -> Exit {
        exit(self.came.load(Ordering::SeqCst))
    }

    /// What a verb came to, where it was interrupted with the word and the code of the signal.
    pub(crate) fn outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Err(Failure::Told { exit: Exit::Interrupted, .. }) if self.came() => {
                let signal = self.came.load(Ordering::SeqCst);
                Err(Failure::new(exit(signal), word(signal)))
            }
            outcome => outcome,
        }
    }
}

/// Calls `act` at each SIGHUP from here on, in a thread of its own.
///
/// # Errors
/// No descriptor or thread is left.
pub(crate) fn at_each_hangup(mut act: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGHUP]).map_err(|error| cannot_watch(&error))?;
    let watching = move || signals.forever().for_each(|_| act());
    let thread = thread::Builder::new().name("hangups".to_owned()).spawn(watching);
    thread.map(drop).map_err(|error| cannot_watch(&error))
}

/// Signals that wait until they are watched for.
pub(crate) struct Kept {
    stopper: Stopper,
    signals: Signals,
}

impl Kept {
    /// Watches for them; `what` as for [`Interrupts::watch`].
    ///
    /// # Errors
    /// No thread is left.
    pub(crate) fn watch(
        self,
        what: Option<&'static str>,
        printer: &Printer,
    ) -> Result<Interrupts, Failure> {
        let Kept { stopper, mut signals } = self;
        let came = Arc::new(AtomicI32::new(NONE));
        let (stop, first, printer) = (stopper.clone(), Arc::clone(&came), printer.clone());
        let mut since: Option<Instant> = None;
        let watching = move || {
            for signal in signals.forever() {
                let since = *since.get_or_insert_with(deadline::now);
                if first.load(Ordering::SeqCst) != NONE {
                    if since.elapsed() < SAME_INTERRUPT {
                        continue;
                    }
                    // Nothing is awaited any more, a reader of stdout included.
                    std::process::exit(i32::from(exit(signal).number()));
                }
                first.store(signal, Ordering::SeqCst);
                if let Some(what) = what {
                    let word = word(signal);
                    printer.talk(&format!("swb: {word}: {what}; once more aborts"));
                }
                stop.stop();
            }
        };
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(watching);
        thread.map_err(|error| cannot_watch(&error))?;
        Ok(Interrupts { stopper, came })
    }
}

fn cannot_watch(error: &std::io::Error) -> Failure {
    Failure::usage(format_args!("cannot watch for signals: {error}"))
}

fn exit(signal: i32) -> Exit {
    match signal {
        NONE => Exit::Done,
        SIGTERM => Exit::Terminated,
        _ => Exit::Interrupted,
    }
}

fn word(signal: i32) -> &'static str {
    if signal == SIGTERM { "terminated" } else { "interrupted" }
}
