//! Who is served, and by which calls of the handler: so that a stop can break off whoever's call
//! does not return.
//!
//! **Invariant:** its lock is held for a look, never while Python runs.

use pyo3::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use switchboard::transport::Transport;

/// The conversations of one server, each with whether a call of the handler is at it.
#[derive(Default)]
pub(crate) struct Calls {
    /// By where they lie in memory.
    seats: Mutex<HashMap<usize, Arc<Place>>>,
    over: AtomicBool,
}

struct Place {
    transport: Arc<dyn Transport>,
    /// As Python numbers the thread that serves it.
    thread: u64,
    busy: AtomicBool,
}

/// One conversation's place, until it is dropped.
pub(crate) struct Seat {
    calls: Arc<Calls>,
    place: Arc<Place>,
}

/// While it lives, a call of the handler is at it.
pub(crate) struct Call<'a>(&'a Place);

/// Those of servers whose stop did not wait any longer.
static GIVEN_UP: Mutex<Vec<Arc<Calls>>> = Mutex::new(Vec::new());

impl Calls {
    /// A conversation begins, in this thread.
    pub(crate) fn enter(self: &Arc<Calls>, py: Python<'_>, transport: &Arc<dyn Transport>) -> Seat {
        let thread = this_thread(py);
        let transport = Arc::clone(transport);
        let place = Arc::new(Place { transport, thread, busy: AtomicBool::new(false) });
        lock(&self.seats).insert(key(&place), Arc::clone(&place));
        Seat { calls: Arc::clone(self), place }
    }

    /// Whether everybody was cut off: what is answered now reaches nobody.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Breaks off all that there are.
    pub(crate) fn cut_off(&self) {
        self.over.store(true, Ordering::Release);
        for place in lock(&self.seats).values() {
            // One that is broken already is what is wanted.
            let _ = place.transport.reset();
        }
    }

    /// The threads in which a call of the handler goes on.
    pub(crate) fn busy(&self) -> Vec<u64> {
        let seats = lock(&self.seats);
        let busy = seats.values().filter(|place| place.busy.load(Ordering::Acquire));
        busy.map(|place| place.thread).collect()
    }

    /// Whether a call of the handler goes on in this thread.
    pub(crate) fn is_here(&self, py: Python<'_>) -> bool {
        self.busy().contains(&this_thread(py))
    }

    /// Nobody waits for them any more.
    pub(crate) fn give_up(self: &Arc<Calls>) {
        let mut given_up = lock(&GIVEN_UP);
        given_up.retain(|calls| !calls.busy().is_empty());
        given_up.push(Arc::clone(self));
    }
}

impl Seat {
    /// A call of the handler begins.
    pub(crate) fn call(&self) -> Call<'_> {
        self.place.busy.store(true, Ordering::Release);
        Call(&self.place)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.calls.is_over()
    }

    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.calls.seats).remove(&key(&self.place));
    }
}

/// The threads in which handlers go on that a stop has given up, as Python numbers them.
#[pyfunction]
pub(crate) fn stuck_threads() -> Vec<u64> {
    lock(&GIVEN_UP).iter().flat_map(|calls| calls.busy()).collect()
}

/// As Python numbers it.
fn this_thread(py: Python<'_>) -> u64 {
    let number = py.import("_thread").and_then(|module| module.call_method0("get_ident"));
    number.and_then(|number| number.extract()).unwrap_or_default()
}

fn key(place: &Arc<Place>) -> usize {
    Arc::as_ptr(place).addr()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
