//! Signals while a call waits: Python's handlers run, and what they raise is what the call raises.

use pyo3::prelude::*;
use std::cell::RefCell;
use switchboard::transport::Interrupt;

thread_local! {
    /// What a handler raised in a wait of this thread. The wait ends, and its caller takes it.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Asked by every wait that a signal interrupts. In threads other than the main one no handler
/// runs, and the wait goes on.
pub(crate) fn asked() -> Interrupt {
    Python::attach(|py| match py.check_signals() {
        Ok(()) => Interrupt::Continue,
        Err(error) => {
            RAISED.set(Some(error));
            Interrupt::End
        }
    })
}

/// What a handler raised in the last wait of this thread, once.
pub(crate) fn raised() -> Option<PyErr> {
    RAISED.take()
}
