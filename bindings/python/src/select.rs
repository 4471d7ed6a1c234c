//! `select`, over conversations, listeners and whatever has a descriptor.

use crate::arguments;
use crate::conversation::Conversation;
use crate::listener::Listener;
use crate::{errors, interrupt};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use std::sync::Arc;
use switchboard::select::{Duplicate, Source, select_or_interrupted};
use switchboard::{Error, SharedSource};

/// Something to be waited for, as it is now.
enum Waited {
    Conversation(SharedSource),
    Listener(Arc<switchboard::Listener>),
    Other(Duplicate),
}

impl Waited {
    fn of(given: &Bound<'_, PyAny>) -> PyResult<Waited> {
        let py = given.py();
        let failed = |error: Error| errors::exception(py, &error);
        if let Ok(conversation) = given.cast::<Conversation>() {
            let shared = Arc::clone(&conversation.get().shared);
            return py.detach(|| shared.source()).map(Waited::Conversation).map_err(failed);
        }
        if let Ok(listener) = given.cast::<Listener>() {
            return listener.get().open(py).map(Waited::Listener);
        }
        let number: i32 = match given.extract() {
            Ok(number) => number,
            Err(_) => match given.call_method0("fileno") {
                Ok(number) => number.extract()?,
                // A file that is closed says so.
                Err(error) if !error.is_instance_of::<PyAttributeError>(py) => return Err(error),
                Err(_) => {
                    let kind = given.get_type().name()?;
                    let text = format!("{kind} cannot be waited for: it has no fileno()");
                    return Err(PyTypeError::new_err(text));
                }
            },
        };
        let duplicate = Duplicate::of(number);
        duplicate
            .map(Waited::Other)
            .map_err(|error| failed(Error::io(format!("cannot wait for fd {number}"), error)))
    }

    fn source(&self) -> &dyn Source {
        match self {
            Waited::Conversation(source) => source,
            Waited::Listener(listener) => listener,
            Waited::Other(duplicate) => duplicate,
        }
    }
}

type Indices = (Vec<usize>, Vec<usize>, Vec<usize>);

/// Waits until one of these is ready, and says which are, as indices.
#[pyfunction]
#[pyo3(signature = (readers, writers, errors, timeout))]
pub(crate) fn select_indices(
    py: Python<'_>,
    readers: Vec<Bound<'_, PyAny>>,
    writers: Vec<Bound<'_, PyAny>>,
    errors: Vec<Bound<'_, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Indices> {
    let timeout = arguments::seconds(timeout)?;
    let all = |list: Vec<Bound<'_, PyAny>>| -> PyResult<Vec<Waited>> {
        list.iter().map(Waited::of).collect()
    };
    let (readers, writers, errors) = (all(readers)?, all(writers)?, all(errors)?);
    let ready = py.detach(|| {
        fn sources(list: &[Waited]) -> Vec<&dyn Source> {
            list.iter().map(Waited::source).collect()
        }
        let (readers, writers, errors) = (sources(&readers), sources(&writers), sources(&errors));
        let on_interrupt = Some(&interrupt::asked as _);
        select_or_interrupted(&readers, &writers, &errors, timeout, on_interrupt)
    });
    if let Some(raised) = interrupt::raised() {
        return Err(raised);
    }
    let ready = ready.map_err(|error| crate::errors::exception(py, &error))?;
    Ok((ready.readers, ready.writers, ready.errors))
}
