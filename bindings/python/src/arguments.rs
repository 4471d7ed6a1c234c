//! What callers give, made into what the library takes.

use crate::errors;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyEllipsis, PyMemoryView, PyString, PyTuple};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use switchboard::frame::{FramingError, Protocol, Role};
use switchboard::{Endpoint, Error, Liveness, Timeouts};

/// A framing or a protocol as it was given: a string, not parsed yet.
pub(crate) struct Framing(String);

impl<'py> FromPyObject<'_, 'py> for Framing {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Framing> {
        match value.cast::<PyString>() {
            Ok(text) => Ok(Framing(text.to_str()?.to_owned())),
            Err(_) => {
                let text = "framing is a string as \"u32be\" or \"lines\", not";
                Err(PyTypeError::new_err(format!("{text} {}", value.repr()?)))
            }
        }
    }
}

/// A number of at least 1, or nothing: of bytes, or of messages.
pub(crate) struct Max(pub(crate) Option<u64>);

impl<'py> FromPyObject<'_, 'py> for Max {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Max> {
        if value.is_none() {
            return Ok(Max(None));
        }
        match value.extract::<u64>() {
            Ok(0) => Err(PyValueError::new_err("max is 0: give at least 1, or leave it out")),
            Ok(max) => Ok(Max(Some(max))),
            Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
                let text = format!("max is 1 to 2**64 - 1, or None, not {}", value.repr()?);
                Err(PyValueError::new_err(text))
            }
            Err(_) => {
                let text = format!("max is a whole number, or None, not {}", value.repr()?);
                Err(PyTypeError::new_err(text))
            }
        }
    }
}

impl Max {
    /// As a number of messages.
    pub(crate) fn many(&self) -> usize {
        self.0.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX))
    }
}

/// A framing or a protocol, with another limit for its messages if one is given.
pub(crate) fn protocol(py: Python<'_>, framing: &Framing, max: &Max) -> PyResult<Protocol> {
    let protocol: Protocol =
        framing.0.parse().map_err(|error: FramingError| errors::of_framing(py, &error))?;
    Ok(max.0.map_or_else(|| protocol.clone(), |max| protocol.with_max(max)))
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
        value.extract().map(|Seconds(time)| Timeout::Same(time))
    }
}

/// A number of seconds, or nothing: for ever.
pub(crate) struct Seconds(pub(crate) Option<Duration>);

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Seconds> {
        match value.extract() {
            Ok(time) => seconds(time).map(Seconds),
            Err(_) => {
                let text = "a timeout is a number of seconds, or None for ever, not";
                Err(PyTypeError::new_err(format!("{text} {}", value.repr()?)))
            }
        }
    }
}

/// A number of seconds as every call here takes it, for a wait of asyncio's.
#[pyfunction(name = "seconds")]
pub(crate) fn checked_seconds(seconds: Seconds) -> Option<f64> {
    seconds.0.map(|time| time.as_secs_f64())
}

/// After how many seconds of silence a peer counts as dead; `None` for never.
pub(crate) fn liveness(within: &Bound<'_, PyAny>) -> PyResult<Liveness> {
    if within.is_none() {
        return Ok(Liveness::OFF);
    }
    let wrong = || -> PyResult<String> {
        let (least, most) = (LIVENESS_SECONDS.start(), LIVENESS_SECONDS.end());
        Ok(format!("liveness is {least} to {most} seconds, or None, not {}", within.repr()?))
    };
    let Ok(seconds) = within.extract::<f64>() else { return Err(PyTypeError::new_err(wrong()?)) };
    match LIVENESS_SECONDS.contains(&seconds) {
        true => Ok(Liveness::within(Duration::from_secs_f64(seconds))),
        false => Err(PyValueError::new_err(wrong()?)),
    }
}

/// From what the library probes in at the least, to what Linux takes: half of it is silence, which
/// is at most 32767 seconds there.
const LIVENESS_SECONDS: RangeInclusive<f64> = 3.0..=65_000.0;

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
