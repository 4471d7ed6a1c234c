//! The class `Listener`, and `listen`.

use crate::arguments::{self, Framing, Max, Seconds, Timeout};
use crate::conversation::Conversation;
use crate::{certificates, errors, interrupt};
use pyo3::prelude::*;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use switchboard::frame::{Protocol, Role};
use switchboard::transport::Wait;
use switchboard::{Endpoint, Error, Stopper, deadline};

/// Makes conversations of those who connect; sends and receives nothing itself.
///
/// >>> import switchboard as sb
/// >>> with sb.listen("127.0.0.1:0", framing="lines") as listener:
/// ...     with sb.connect(listener.endpoints[0], framing="lines") as c, listener.accept() as peer:
/// ...         c.send(b"hello")
/// ...         peer.recv()
/// b'hello'
#[pyclass(frozen, weakref, module = "switchboard")]
pub(crate) struct Listener {
    /// `None` once it is closed.
    listener: Mutex<Option<Arc<switchboard::Listener>>>,
    protocol: Protocol,
    timeout: Timeout,
    /// Stopped when it is closed: whoever waits in `accept` or `select` is woken.
    pub(crate) closed: Stopper,
}

/// Listens on an endpoint. The arguments are those of `connect`: each conversation has them, as the
/// server. A `tls://` endpoint needs `tls`, with a certificate.
#[pyfunction]
#[pyo3(signature = (endpoint, framing, *, timeout=Timeout::Default, max=Max(None), tls=None),
    text_signature = "(endpoint, framing, *, timeout=..., max=None, tls=None)")]
pub(crate) fn listen(
    py: Python<'_>,
    endpoint: &Bound<'_, PyAny>,
    framing: Framing,
    timeout: Timeout,
    max: Max,
    tls: Option<&Bound<'_, PyAny>>,
) -> PyResult<Listener> {
    let protocol = arguments::protocol(py, &framing, &max)?;
    let endpoint = arguments::endpoint(endpoint, "cannot listen")?;
    let options = certificates::listening(tls, &endpoint)?;
    let bound = py.detach(|| switchboard::Listener::bind(&endpoint, &options));
    let listener = bound.map_err(|error| errors::exception(py, &error))?;
    let closed = Stopper::new()
        .map_err(|error| errors::exception(py, &Error::io("cannot make a stopper", error)))?;
    Ok(Listener { listener: Mutex::new(Some(Arc::new(listener))), protocol, timeout, closed })
}

impl Listener {
    /// The listener.
    ///
    /// # Errors
    /// It has been closed.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<Arc<switchboard::Listener>> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        listener.ok_or_else(|| closed(py))
    }
}

fn closed(py: Python<'_>) -> PyErr {
    errors::misused(py, "the listener is closed")
}

#[pymethods]
impl Listener {
    /// Waits for somebody to connect, for as long as `timeout` seconds, if that is said. A `close`
    /// in another thread ends the wait, which raises `Misused`.
    #[pyo3(signature = (timeout=Seconds(None)), text_signature = "($self, timeout=None)")]
    fn accept(&self, py: Python<'_>, timeout: Seconds) -> PyResult<Conversation> {
        let listener = self.open(py)?;
        let accepted = py.detach(|| {
            let deadline = timeout.0.and_then(deadline::after);
            let on_interrupt = Some(&interrupt::asked as _);
            listener.accept(&Wait { deadline, on_interrupt, stopper: Some(&self.closed) })
        });
        let transport = accepted.map_err(|error| match interrupt::raised() {
            Some(raised) => raised,
            None if error.is_stopped() => closed(py),
            None => errors::exception(py, &error),
        })?;
        Ok(Conversation::over(transport, &self.protocol, Role::Server, &self.timeout))
    }

    /// Whoever has connected already; `None` for nobody.
    fn try_accept(&self, py: Python<'_>) -> PyResult<Option<Conversation>> {
        let listener = self.open(py)?;
        let accepted = py.detach(|| listener.try_accept());
        let transport = accepted.map_err(|error| errors::exception(py, &error))?;
        Ok(transport.map(|transport| {
            Conversation::over(transport, &self.protocol, Role::Server, &self.timeout)
        }))
    }

    /// Where it listens, with the port that was chosen for port 0.
    #[getter]
    fn endpoints(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.open(py)?.endpoints().iter().map(Endpoint::to_string).collect())
    }

    /// A descriptor that is readable when somebody has connected. There may be others: `select` of
    /// this module knows them all.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let listener = self.open(py)?;
        let number = listener.descriptors().next().map(|descriptor| descriptor.as_raw_fd());
        number.ok_or_else(|| errors::misused(py, "the listener has no descriptor"))
    }

    /// All of its descriptors, for the loop of `switchboard.aio`.
    fn descriptors(&self, py: Python<'_>) -> PyResult<Vec<i32>> {
        Ok(self.open(py)?.descriptors().map(|descriptor| descriptor.as_raw_fd()).collect())
    }

    /// Listens no longer. Whoever waits for it in another thread wakes: `accept` raises `Misused`,
    /// and `select` has it ready. A second call does nothing.
    fn close(&self) {
        let _closed = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.closed.stop();
    }

    /// Whoever connects, one after the other, for ever.
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Conversation> {
        self.accept(py, Seconds(None))
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (kind, error, traceback))]
    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) {
        let _ = (kind, error, traceback);
        self.close();
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match self.endpoints(py) {
            Ok(endpoints) => format!("<switchboard.Listener on {}>", endpoints.join(", ")),
            Err(_) => "<switchboard.Listener, closed>".to_owned(),
        }
    }
}
