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
    /// Whether signals' handlers run in this thread, once that is known, and of which process that
    /// is true: in one that was forked off another thread than the main one, that is the main one.
    static IS_MAIN: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
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

/// Asked by every wait that a signal interrupts, and now and then by others. In threads other than
/// the main one no handler runs, and the wait goes on: they take no lock of the interpreter here.
pub(crate) fn asked() -> Interrupt {
    let process = std::process::id();
    let is_main = IS_MAIN.get().filter(|(of, _)| *of == process);
    if is_main.is_some_and(|(_, is_main)| !is_main) {
        return Interrupt::Continue;
    }
    Python::attach(|py| {
        let found = if is_main.is_none() { find_out(py) } else { Ok(()) };
        match found.and_then(|()| py.check_signals()) {
            Ok(()) => Interrupt::Continue,
            Err(error) => {
                RAISED.set(Some(error));
                Interrupt::End
            }
        }
    })
}

/// Finds out whether this is the thread in which signals' handlers run, unless it is known.
///
/// # Errors
/// That runs Python, and so those handlers: what one has raised. For this whoever holds a lock
/// cannot do it.
pub(crate) fn look_around(py: Python<'_>) -> PyResult<()> {
    if IS_MAIN.get().is_none() { find_out(py) } else { Ok(()) }
}

fn find_out(py: Python<'_>) -> PyResult<()> {
    let threads = py.import("threading")?;
    let main = threads.call_method0("main_thread")?.getattr("ident")?;
    let is_main = threads.call_method0("get_ident")?.eq(main)?;
    IS_MAIN.set(Some((std::process::id(), is_main)));
    Ok(())
}

/// Whether this is the thread in which signals' handlers run; if in doubt it is.
pub(crate) fn is_main_thread() -> bool {
    IS_MAIN.get().is_none_or(|(_, is_main)| is_main)
}

/// What a handler raised in the last wait of this thread, once.
pub(crate) fn raised() -> Option<PyErr> {
    RAISED.take()
}
