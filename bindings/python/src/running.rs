//! The class `Running`: a server in the background, until it is stopped.
//!
//! **Invariant:** whoever waits for the serving holds no lock: a signal's handler may stop it in
//! the middle of that, in the same thread. It is taken apart by the last who has waited.

use crate::arguments::Timeout;
use crate::calls::Calls;
use crate::{errors, interrupt};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use switchboard::server::{Handle, Running as Serving};
use switchboard::transport::{Wait, Woken};
use switchboard::{Endpoint, Error, Stopper, deadline};

/// What the library may take longer than a stop was given, to see everybody out.
const GRACE: Duration = Duration::from_millis(250);

/// A server in the background; made by `start`. As a context manager it is stopped at the end.
#[pyclass(frozen, weakref, module = "switchboard")]
pub(crate) struct Running {
    /// Of which it is. A process that was forked off that one has no say in it.
    process: u32,
    handle: Handle,
    handler: Arc<Py<PyAny>>,
    calls: Arc<Calls>,
    stop_within: Option<Duration>,
    /// `None` once it has ended, or a stop has given it up.
    serving: Mutex<Option<Arc<Serving>>>,
    /// Stopped when a stop gives it up: nobody is to wait any longer.
    given_up: Stopper,
}

impl Running {
    pub(crate) fn over(
        py: Python<'_>,
        serving: Serving,
        handler: Arc<Py<PyAny>>,
        calls: Arc<Calls>,
        stop_within: Option<Duration>,
    ) -> PyResult<Running> {
        let given_up = Stopper::new()
            .map_err(|error| errors::exception(py, &Error::io("cannot make a stopper", error)))?;
        Ok(Running {
            process: std::process::id(),
            handle: serving.handle().clone(),
            handler,
            calls,
            stop_within,
            serving: Mutex::new(Some(Arc::new(serving))),
            given_up,
        })
    }

    /// Waits until serving has ended, which says what that said, once; or a stop has given it up,
    /// or the time is over.
    fn wait(&self, py: Python<'_>, deadline: Option<Instant>) -> PyResult<Woken> {
        let waited = py.detach(|| {
            let Some(running) = self.serving().clone() else { return Ok(Woken::Stopped) };
            let stopper = Some(&self.given_up);
            let until = Wait { deadline, stopper, on_interrupt: Some(&interrupt::asked) };
            match running.wait_until(&until) {
                Ok(Woken::Interrupted) => Err(Error::interrupted("waiting for the server")),
                Ok(ready @ Woken::Ready(_)) => {
                    let shares = [self.serving().take(), Some(running)];
                    // Whoever else waits has another one, and is told.
                    let last = shares.into_iter().flatten().find_map(Arc::into_inner);
                    last.map_or(Ok(ready), |serving| serving.join().map(|_| ready))
                }
                woken => woken.map_err(|error| Error::io("cannot wait for the server", error)),
            }
        });
        waited.map_err(|error| errors::exception(py, &error))
    }

    fn serving(&self) -> MutexGuard<'_, Option<Arc<Serving>>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// This is a process that was forked off the one that started it.
    fn is_ours(&self, py: Python<'_>) -> PyResult<()> {
        match self.process == std::process::id() {
            true => Ok(()),
            false => Err(errors::misused(py, "the server is of the process that started it")),
        }
    }

    /// Leaves it as it is: what goes on there ends with the process.
    fn give_up(&self) {
        self.calls.give_up();
        self.given_up.stop();
        std::mem::forget(self.serving().take());
    }

    fn stopped(&self, py: Python<'_>, within: Option<Duration>) -> PyResult<()> {
        match within {
            Some(within) => self.handle.drain(within),
            None => self.handle.stop(),
        }
        if self.calls.is_here(py) {
            // The handler itself stops the server: it would wait for itself.
            return Ok(());
        }
        let soon = |time: Duration| deadline::after(time.saturating_add(GRACE));
        let mut woken = self.wait(py, within.and_then(soon));
        if matches!(woken, Ok(Woken::Deadline)) {
            py.detach(|| self.calls.cut_off());
            if self.calls.busy().is_empty() {
                // The library itself is at it, on a machine that has much to do.
                woken = self.wait(py, soon(GRACE));
            }
        }
        match woken {
            Ok(Woken::Deadline) => {
                let threads = self.calls.busy();
                self.give_up();
                let stuck = py.import("switchboard._stuck")?;
                let seconds = within.unwrap_or_default().as_secs_f64();
                stuck.call_method1("warn_of_threads", (&*self.handler, threads, seconds)).map(drop)
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // Whoever interrupts this too does not want to wait.
                self.give_up();
                Err(error)
            }
        }
    }
}

#[pymethods]
impl Running {
    /// Where it listens, with the port that was chosen for port 0.
    #[getter]
    fn endpoints(&self) -> Vec<String> {
        self.handle.endpoints().iter().map(Endpoint::to_string).collect()
    }

    /// Stops the server and waits until every conversation is over. Nothing more is accepted;
    /// messages that are there are still answered, and answers delivered, for as long as `within`
    /// seconds: what `start` was told, if nothing is said, and `None` for ever. A handler of the
    /// server may call it too: it does not wait then, for it would wait for itself.
    ///
    /// Whoever is still there then is cut off, also if a call of the handler does not return. A
    /// thread cannot be ended from outside: such a call goes on, nobody waits for it any longer,
    /// and a `RuntimeWarning` says where it is.
    #[pyo3(signature = (within=Timeout::Default), text_signature = "($self, within=...)")]
    fn stop(&self, py: Python<'_>, within: Timeout) -> PyResult<()> {
        self.is_ours(py)?;
        match within {
            Timeout::Default => self.stopped(py, self.stop_within),
            Timeout::Same(within) => self.stopped(py, within),
        }
    }

    /// Waits until serving ends, by a `stop` from elsewhere or an error.
    fn join(&self, py: Python<'_>) -> PyResult<()> {
        self.is_ours(py)?;
        self.wait(py, None).map(drop)
    }

    /// What it has done so far, by name.
    ///
    /// `accepted`: conversations begun. `open`: those of them that go on. `refused`: connections
    /// closed at once, for want of descriptors. `messages_received`, `messages_sent`: whole
    /// messages. `bytes_received`, `bytes_sent`. `failed`: conversations that ended by an exception
    /// of the handler. `crashed`: whose process died.
    #[getter]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.handle.stats();
        let counts = [
            ("accepted", stats.accepted),
            ("open", stats.open),
            ("refused", stats.refused),
            ("messages_received", stats.messages_received),
            ("messages_sent", stats.messages_sent),
            ("bytes_received", stats.bytes_received),
            ("bytes_sent", stats.bytes_sent),
            ("failed", stats.failed),
            ("crashed", stats.crashed),
        ];
        let dict = PyDict::new(py);
        counts.iter().try_for_each(|(name, count)| dict.set_item(name, count))?;
        Ok(dict)
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (kind, error, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (kind, error, traceback);
        if self.is_ours(py).is_err() {
            // A process that was forked off its own leaves the block too, and has no say in it.
            return Ok(());
        }
        self.stop(py, Timeout::Default)
    }

    fn __repr__(&self) -> String {
        let open = self.handle.stats().open;
        let endpoints = self.endpoints().join(", ");
        match self.serving().is_none() {
            true => "<switchboard.Running, stopped>".to_owned(),
            false => format!("<switchboard.Running on {endpoints}, {open} open>"),
        }
    }
}

impl Drop for Running {
    /// As at the end of a `with` block; there is nobody to raise anything to.
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.serving().take());
            return;
        }
        if self.serving().is_none() {
            return;
        }
        Python::attach(|py| {
            // It may be dropped on the way of an exception, which is to go on.
            let raised = PyErr::take(py);
            if let Err(error) = self.stopped(py, self.stop_within) {
                error.write_unraisable(py, Some(self.handler.bind(py)));
            }
            // A handler that dropped it, the last one, cannot wait for its own thread.
            std::mem::forget(self.serving().take());
            if let Some(raised) = raised {
                raised.restore(py);
            }
        });
    }
}
