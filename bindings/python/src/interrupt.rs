//! Signals while a call waits: Python's handlers run, and what they raise is what the call raises.

use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use switchboard::transport::Interrupt;

thread_local! {
    /// What a handler raised in a wait of this thread. The wait ends, and its caller takes it.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
    /// Whether this is the main thread, and in which process that was found out: in one that is
    /// forked off another thread, that thread is the main one.
    static IS_MAIN: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
}

/// Asked by every wait that a signal interrupts, and now and then by others. In threads other than
/// the main one no handler runs, and the wait goes on: they take no lock of the interpreter here.
pub(crate) fn asked() -> Interrupt {
    let process = std::process::id();
    match IS_MAIN.get() {
        Some((of, false)) if of == process => return Interrupt::Continue,
        Some((of, true)) if of == process => {}
        _ => IS_MAIN.set(Python::attach(is_main).ok().map(|is_main| (process, is_main))),
    }
    Python::attach(|py| match py.check_signals() {
        Ok(()) => Interrupt::Continue,
        Err(error) => {
            RAISED.set(Some(error));
            Interrupt::End
        }
    })
}

fn is_main(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    main.eq(threading.call_method0("get_ident")?)
}

/// What a handler raised in the last wait of this thread, once.
pub(crate) fn raised() -> Option<PyErr> {
    RAISED.take()
}
