//! What callers give, made into what the library takes.

use crate::errors;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyEllipsis, PyMemoryView, PyString, PyTuple};
use std::path::PathBuf;
use std::time::Duration;
use switchboard::frame::{FramingError, Protocol, Role};
use switchboard::{Endpoint, Error, Timeouts};

/// A framing or a protocol, with another limit for its messages if one is given.
pub(crate) fn protocol(py: Python<'_>, framing: &str, max: Option<u64>) -> PyResult<Protocol> {
    let protocol: Protocol =
        framing.parse().map_err(|error: FramingError| errors::of_framing(py, &error))?;
    match max {
        Some(0) => Err(PyValueError::new_err("max is 0: give at least 1, or leave it out")),
        Some(max) => Ok(protocol.with_max(max)),
        None => Ok(protocol),
    }
}

/// An endpoint: as it is written, or as the module `socket` has it: a host and a port, or a path.
pub(crate) fn endpoint(given: &Bound<'_, PyAny>, what: &str) -> PyResult<Endpoint> {
    if let Ok(text) = given.cast::<PyString>() {
        let parsed = text.to_str()?.parse();
        let fail = |error| Error::caller(what).with_source(error);
        return parsed.map_err(|error| errors::exception(given.py(), &fail(error)));
    }
    if let Ok(pair) = given.cast::<PyTuple>()
        && pair.len() >= 2
        && let Ok((host, port)) = pair.get_slice(0, 2).extract::<(String, i64)>()
    {
        return match u16::try_from(port) {
            Ok(port) => Ok(Endpoint::tcp(host, port)),
            Err(_) => {
                let text = format!("{what}: port {port} is none, expected 0 to 65535");
                Err(errors::misused(given.py(), &text))
            }
        };
    }
    if let Ok(path) = given.extract::<PathBuf>() {
        return Ok(Endpoint::unix(path));
    }
    let text = "an endpoint is a string as \"localhost:9000\", a pair of host and port, or a path";
    Err(PyTypeError::new_err(format!("{text}, not {}", given.repr()?)))
}

/// A side of a protocol.
pub(crate) fn role(name: &str) -> PyResult<Role> {
    match name {
        "client" => Ok(Role::Client),
        "server" => Ok(Role::Server),
        _ => {
            Err(PyValueError::new_err(format!("a role is \"client\" or \"server\", not {name:?}")))
        }
    }
}

/// Seconds: a number, `None` for ever.
pub(crate) fn seconds(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else { return Ok(None) };
    if seconds.is_nan() || seconds < 0.0 {
        let text = format!("a timeout is seconds from 0 on, or None for ever, not {seconds}");
        return Err(PyValueError::new_err(text));
    }
    // Past what a duration holds is for ever: more than the age of the universe.
    Ok(Duration::try_from_secs_f64(seconds).ok())
}

/// How long is waited: what the library does by itself where nothing is said (`...`), a number of
/// seconds for every wait, `None` for ever.
pub(crate) enum Timeout {
    Default,
    Same(Option<Duration>),
}

impl Timeout {
    pub(crate) fn all(&self) -> Timeouts {
        match self {
            Timeout::Default => Timeouts::default(),
            Timeout::Same(None) => Timeouts::FOREVER,
            Timeout::Same(Some(time)) => Timeouts::all(*time),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Timeout {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Timeout> {
        if value.is_instance_of::<PyEllipsis>() {
            return Ok(Timeout::Default);
        }
        Ok(Timeout::Same(seconds(value.extract()?)?))
    }
}

/// A message that a handler answered with, as bytes.
#[pyfunction]
pub(crate) fn as_message<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    message(given)
}

/// A message that is given: bytes as they are, anything else that has bytes as a copy.
pub(crate) fn message<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    // Which most are is the quicker question.
    if let Ok(bytes) = given.cast_exact::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if given.is_instance_of::<PyString>() {
        return Err(errors::not_bytes(given));
    }
    let view = PyMemoryView::from(given).map_err(|error| {
        match error.is_instance_of::<PyTypeError>(given.py()) {
            true => errors::not_bytes(given),
            false => error,
        }
    })?;
    Ok(view.call_method0("tobytes")?.cast_into::<PyBytes>()?)
}
