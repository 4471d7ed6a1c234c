//! The class `Sent`: what `switchboard.aio` gives to be awaited where there is nothing to wait for.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;

/// A coroutine, as `collections.abc.Coroutine` has them, that is over at once with `None`. One
/// serves any number of times: it has no state.
#[pyclass(frozen, module = "switchboard._native")]
pub(crate) struct Sent;

#[pymethods]
impl Sent {
    #[new]
    fn new() -> Sent {
        Sent
    }

    fn __await__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self) -> Option<()> {
        None
    }

    fn send(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let _ = value;
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (kind, value=None, traceback=None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = traceback;
        Err(PyErr::from_value(value.unwrap_or(kind)))
    }

    fn close(&self) {}
}
