//! The one map from the library's errors to Python's exceptions, whose classes are in
//! `switchboard/_errors.py`.

use crate::interrupt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyType};
use std::error::Error as _;
use switchboard::Error;
use switchboard::frame::{EncodeError, FrameError, FramingError};

/// A class of `switchboard._errors`, looked up once.
struct Class {
    name: &'static str,
    class: PyOnceLock<Py<PyType>>,
}

impl Class {
    const fn named(name: &'static str) -> Class {
        Class { name, class: PyOnceLock::new() }
    }

    fn of<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyType>> {
        self.class.import(py, "switchboard._errors", self.name)
    }
}

static SWITCHBOARD_ERROR: Class = Class::named("SwitchboardError");
static TRUNCATED: Class = Class::named("Truncated");
static RESET: Class = Class::named("Reset");
static TIMED_OUT: Class = Class::named("TimedOut");
static PEER_DEAD: Class = Class::named("PeerDead");
static OVERSIZE: Class = Class::named("Oversize");
static BAD_FRAME: Class = Class::named("BadFrame");
static BAD_FRAMING: Class = Class::named("BadFraming");
static REFUSED: Class = Class::named("Refused");
static UNRESOLVED: Class = Class::named("Unresolved");
static DENIED: Class = Class::named("Denied");
static MISUSED: Class = Class::named("Misused");
static NO_REPLY: Class = Class::named("NoReply");
static NOT_YET: Class = Class::named("NotYet");
static FAILED: Class = Class::named("Failed");

/// The exception of an error; or what a signal's handler raised, if that has ended the call.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    if let Some(raised) = interrupt::raised() {
        return raised;
    }
    made(py, error).unwrap_or_else(|failed| failed)
}

/// Whether an exception is that a conversation has ended.
pub(crate) fn is_ending(py: Python<'_>, error: &PyErr) -> bool {
    let ending = SWITCHBOARD_ERROR.of(py).is_ok_and(|class| error.is_instance(py, class));
    ending && error.value(py).getattr("ending").is_ok_and(|ending| !ending.is_none())
}

/// The exception of a decoder, with the messages that came before the fault in the same call, and
/// what was left of the one at fault.
pub(crate) fn of_frame(
    py: Python<'_>,
    error: FrameError,
    messages: Bound<'_, PyList>,
    partial: &[u8],
) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let class = match error.kind() {
            switchboard::frame::ErrorKind::Truncated => &TRUNCATED,
            switchboard::frame::ErrorKind::Oversize => &OVERSIZE,
            _ => &BAD_FRAME,
        };
        let exception = class.of(py)?.call1((error.to_string(),))?;
        exception.setattr("ending", error.kind().name())?;
        exception.setattr("byte_offset", error.offset())?;
        exception.setattr("at", error.at())?;
        exception.setattr("messages", messages)?;
        if error.kind() == switchboard::frame::ErrorKind::Truncated {
            exception.setattr("partial", PyBytes::new(py, partial))?;
        }
        Ok(PyErr::from_value(exception))
    };
    make().unwrap_or_else(|failed| failed)
}

/// A framing string that says no framing.
pub(crate) fn of_framing(py: Python<'_>, error: &FramingError) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let exception = BAD_FRAMING.of(py)?.call1((error.to_string(),))?;
        exception.setattr("column", error.column())?;
        exception.setattr("hint", error.hint())?;
        Ok(PyErr::from_value(exception))
    };
    make().unwrap_or_else(|failed| failed)
}

/// A message that cannot be written.
pub(crate) fn of_encoding(py: Python<'_>, error: &EncodeError) -> PyErr {
    simple(py, &MISUSED, &format!("cannot encode: {error}"))
}

/// A call that cannot be.
pub(crate) fn misused(py: Python<'_>, text: &str) -> PyErr {
    simple(py, &MISUSED, text)
}

/// Nothing is there yet, for who does not wait.
pub(crate) fn not_yet(py: Python<'_>) -> PyErr {
    simple(py, &NOT_YET, "no whole message is there yet: try again when select says so")
}

/// Something that is no bytes, where a message belongs.
pub(crate) fn not_bytes(what: &Bound<'_, PyAny>) -> PyErr {
    let kind = what.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string());
    let advice = match kind.as_str() {
        "str" => ": encode it first, as in text.encode()",
        _ => "",
    };
    PyTypeError::new_err(format!("a message is bytes or bytes-like, and not {kind}{advice}"))
}

fn simple(py: Python<'_>, class: &Class, text: &str) -> PyErr {
    let made = class.of(py).and_then(|class| class.call1((text,)));
    made.map_or_else(|failed| failed, PyErr::from_value)
}

fn made(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    if let Some(framing) = error.source().and_then(|source| source.downcast_ref()) {
        return Ok(of_framing(py, framing));
    }
    let exception = class(error).of(py)?.call1((in_python(error.to_string()),))?;
    exception.setattr("ending", error.ending().map(|ending| ending.name()))?;
    exception.setattr("endpoint", error.endpoint())?;
    exception.setattr("message_number", error.message_number())?;
    exception.setattr("byte_offset", error.byte_offset())?;
    if error.is_truncated() {
        exception.setattr("partial", PyBytes::new(py, error.partial()))?;
    }
    if let Some(frame) = error.frame_error() {
        exception.setattr("at", frame.at())?;
    }
    // Who wrote `error.errno == errno.EADDRINUSE` for a socket finds it here too.
    let number = error.io_error().and_then(std::io::Error::raw_os_error);
    let number = number
        .or_else(|| error.attempts().first().and_then(|attempt| attempt.error.raw_os_error()));
    if let Some(number) = number
        && exception.is_instance_of::<pyo3::exceptions::PyOSError>()
    {
        exception.setattr("errno", number)?;
        exception.setattr("strerror", py.import("os")?.call_method1("strerror", (number,))?)?;
    }
    Ok(PyErr::from_value(exception))
}

/// An error's advice about options, by what they are called here.
fn in_python(text: String) -> String {
    let names = [
        ("with_ca_file, swb --tls-ca FILE", "tls=sb.Tls(ca=FILE)"),
        ("with_name, swb --tls-name", "tls=sb.Tls(name=..)"),
        (
            "with_identity_files, swb --tls-cert FILE --tls-key FILE",
            "tls=sb.Tls(cert=FILE, key=FILE)",
        ),
        (
            "ListenOptions::with_tls, swb --tls-cert FILE --tls-key FILE",
            "tls=sb.Tls(cert=FILE, key=FILE)",
        ),
    ];
    names.iter().fold(text, |text, (theirs, ours)| match text.contains(theirs) {
        true => text.replace(theirs, ours),
        false => text,
    })
}

fn class(error: &Error) -> &'static Class {
    match error {
        _ if error.is_truncated() => &TRUNCATED,
        _ if error.is_oversize() => &OVERSIZE,
        _ if error.is_frame() => &BAD_FRAME,
        _ if error.is_reset() => &RESET,
        _ if error.is_peer_dead() => &PEER_DEAD,
        _ if error.is_timeout() => &TIMED_OUT,
        _ if error.is_refused() => &REFUSED,
        _ if error.is_unresolved() => &UNRESOLVED,
        _ if error.is_permission_denied() => &DENIED,
        _ if error.is_caller() => &MISUSED,
        _ if error.ending() == Some(switchboard::Ending::Finished) => &NO_REPLY,
        _ if error.io_error().is_some() || !error.attempts().is_empty() => &FAILED,
        _ => &SWITCHBOARD_ERROR,
    }
}
