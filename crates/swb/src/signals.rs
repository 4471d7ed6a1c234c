//! SIGINT: once ends the work in hand in order, twice ends the command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use switchboard::Stopper;

use crate::exit::{Exit, Failure};
use crate::printer::Printer;

/// What the first SIGINT stops, and whether it came.
pub(crate) struct Interrupts {
    stopper: Stopper,
    came: Arc<AtomicBool>,
}

impl Interrupts {
    /// Watches for SIGINT from here on. `what` is said when it comes, of what is still going on.
    ///
    /// # Errors
    /// No descriptor or thread is left.
    pub(crate) fn watch(what: &'static str, printer: &Printer) -> Result<Interrupts, Failure> {
        Interrupts::start(Some(what), printer)
    }

    /// The same for a verb that ends at once.
    ///
    /// # Errors
    /// As for [`watch`](Interrupts::watch).
    pub(crate) fn watch_to_end(printer: &Printer) -> Result<Interrupts, Failure> {
        Interrupts::start(None, printer)
    }

    fn start(what: Option<&'static str>, printer: &Printer) -> Result<Interrupts, Failure> {
        let fail = |e| Failure::usage(format_args!("cannot watch for interrupts: {e}"));
        let stopper = Stopper::new().map_err(fail)?;
        let came = Arc::new(AtomicBool::new(false));
        let mut signals = Signals::new([SIGINT]).map_err(fail)?;
        let (stop, seen, printer) = (stopper.clone(), Arc::clone(&came), printer.clone());
        let watching = move || {
            for _ in signals.forever() {
                if seen.swap(true, Ordering::SeqCst) {
                    // Nothing is awaited any more, a reader of stdout included.
                    std::process::exit(i32::from(Exit::Interrupted.number()));
                }
                if let Some(what) = what {
                    printer.talk(&format!("swb: interrupted: {what}; once more aborts"));
                }
                stop.stop();
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(watching).map_err(fail)?;
        Ok(Interrupts { stopper, came })
    }

    /// Stopped by the first SIGINT; may be stopped by others too.
    pub(crate) fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    /// How a verb that was to go on until interrupted ends.
    pub(crate) fn exit(&self) -> Exit {
        if self.came.load(Ordering::SeqCst) { Exit::Interrupted } else { Exit::Done }
    }
}
