//! `select`, over conversations, listeners and whatever has a descriptor.

use crate::arguments::Seconds;
use crate::conversation::Conversation;
use crate::listener::Listener;
use crate::{errors, interrupt};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use switchboard::select::{Duplicate, List, Source, select_or_interrupted};
use switchboard::transport::Interest;
use switchboard::{Error, SharedSource, Stopper};

/// Something to be waited for, as it is now.
enum Waited {
    Conversation(SharedSource),
    /// With what is stopped when it is closed.
    Listener(Arc<switchboard::Listener>, Stopper),
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
            let listener = listener.get();
            let closed = listener.closed.clone();
            return listener.open(py).map(|open| Waited::Listener(open, closed));
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
}

impl Source for Waited {
    fn is_ready(&self, list: List) -> bool {
        match self {
            Waited::Conversation(source) => source.is_ready(list),
            Waited::Listener(open, closed) => open.is_ready(list) || closed.is_ready(list),
            Waited::Other(duplicate) => duplicate.is_ready(list),
        }
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        match self {
            Waited::Conversation(source) => source.descriptors(list, watch),
            Waited::Listener(open, closed) => {
                Source::descriptors(open, list, watch);
                closed.descriptors(list, watch);
            }
            Waited::Other(duplicate) => duplicate.descriptors(list, watch),
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
    timeout: Seconds,
) -> PyResult<Indices> {
    let all = |list: Vec<Bound<'_, PyAny>>| -> PyResult<Vec<Waited>> {
        list.iter().map(Waited::of).collect()
    };
    let (readers, writers, errors) = (all(readers)?, all(writers)?, all(errors)?);
    let ready = py.detach(|| {
        fn sources(list: &[Waited]) -> Vec<&dyn Source> {
            list.iter().map(|waited| waited as &dyn Source).collect()
        }
        let (readers, writers, errors) = (sources(&readers), sources(&writers), sources(&errors));
        let on_interrupt = Some(&interrupt::asked as _);
        select_or_interrupted(&readers, &writers, &errors, timeout.0, on_interrupt)
    });
    if let Some(raised) = interrupt::raised() {
        return Err(raised);
    }
    let ready = ready.map_err(|error| crate::errors::exception(py, &error))?;
    Ok((ready.readers, ready.writers, ready.errors))
}
