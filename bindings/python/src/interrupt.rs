//! Signals while a call waits: Python's handlers run, and what they raise is what the call raises.
//!
//! Such a handler may call anything. What would wait for the very call in whose middle it came is
//! refused: it would wait for ever.

use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use switchboard::transport::Interrupt;

thread_local! {
    /// What a handler raised in a wait of this thread. The wait ends, and its caller takes it.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
    /// The calls that this thread is in, the inner ones last: on what, and for what.
    static CALLS: RefCell<Vec<(usize, Turns)>> = const { RefCell::new(Vec::new()) };
    /// Whether Python moves bytes for this thread, which then holds a conversation's lock.
    static MOVES: Cell<bool> = const { Cell::new(false) };
    /// Whether signals' handlers run in this thread, once that is known.
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// What a call of a conversation waits for its turn for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turns {
    None,
    Receive,
    Send,
    Both,
}

/// While it lives, this thread is in a call.
pub(crate) struct InCall(());

impl InCall {
    /// Enters a call of what lies at this place in memory; `None` if that would wait for one that
    /// this thread is in.
    pub(crate) fn enter(place: usize, turns: Turns) -> Option<InCall> {
        let clash = |of: &(usize, Turns)| match (of.1, turns) {
            (Turns::None, _) | (_, Turns::None) => false,
            (Turns::Both, _) | (_, Turns::Both) => of.0 == place,
            (theirs, ours) => of.0 == place && theirs == ours,
        };
        CALLS.with_borrow_mut(|calls| {
            let is_free = !calls.iter().any(clash);
            is_free.then(|| {
                calls.push((place, turns));
                InCall(())
            })
        })
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        let _ended = CALLS.with_borrow_mut(Vec::pop);
    }
}

/// Has Python move bytes of a conversation whose lock this thread holds.
pub(crate) fn moving<T>(call: impl FnOnce() -> T) -> T {
    let before = MOVES.replace(true);
    let done = call();
    MOVES.set(before);
    done
}

/// Whether this thread holds the lock of a conversation, further out.
pub(crate) fn is_moving() -> bool {
    MOVES.get()
}

/// Asked by every wait that a signal interrupts. In threads other than the main one no handler
/// runs, and the wait goes on.
pub(crate) fn asked() -> Interrupt {
    Python::attach(|py| match py.check_signals() {
        Ok(()) => Interrupt::Continue,
        Err(error) => {
            raise(error);
            Interrupt::End
        }
    })
}

/// Keeps what a handler raised until the call of this thread is over.
pub(crate) fn raise(error: PyErr) {
    RAISED.set(Some(error));
}

/// Finds out whether this is the thread in which signals' handlers run. That runs Python, and so
/// those handlers: whoever holds a lock cannot do it.
pub(crate) fn look_around(py: Python<'_>) {
    if IS_MAIN.get().is_none() {
        let ask = || -> PyResult<bool> {
            let threads = py.import("threading")?;
            let main = threads.call_method0("main_thread")?.getattr("ident")?;
            threads.call_method0("get_ident")?.eq(main)
        };
        IS_MAIN.set(ask().ok());
    }
}

/// Whether this is the thread in which signals' handlers run; if in doubt it is.
pub(crate) fn is_main_thread() -> bool {
    IS_MAIN.get().unwrap_or(true)
}

/// What a handler raised in the last wait of this thread, once.
pub(crate) fn raised() -> Option<PyErr> {
    RAISED.take()
}
