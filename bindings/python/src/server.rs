//! The functions `start` and the class `Running`: a server whose handlers are Python's.

use crate::arguments::{self, Timeout};
use crate::conversation::Conversation;
use crate::{errors, interrupt};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use switchboard::host::{self, Host};
use switchboard::server::{Handle, Limits, Reply, Running as Serving};
use switchboard::transport::{Wait, Woken};
use switchboard::{Dispatch, Endpoint, Error, ListenOptions, Server, SharedConversation, limits};

/// A server in the background; made by `start`. As a context manager it is stopped at the end.
#[pyclass(frozen, weakref, module = "switchboard")]
pub(crate) struct Running {
    /// Of which it is. A process that was forked off that one has no say in it.
    process: u32,
    handle: Handle,
    serving: Mutex<Option<Serving>>,
}

/// What a handler is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Per {
    Message,
    Conversation,
}

/// What `switchboard.start` calls once it knows what the handler is given.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "they are a Python function's, which names them")]
#[pyo3(signature = (endpoint, handler, framing, per, dispatch, timeout, max))]
pub(crate) fn start_server(
    py: Python<'_>,
    endpoint: &str,
    handler: Py<PyAny>,
    framing: &str,
    per: &str,
    dispatch: &str,
    timeout: Timeout,
    max: Option<u64>,
) -> PyResult<Running> {
    let protocol = arguments::protocol(py, framing, max)?;
    let per = match per {
        "message" => Per::Message,
        "conversation" => Per::Conversation,
        _ => return Err(PyValueError::new_err("per is \"message\" or \"conversation\"")),
    };
    let started = py.detach(|| {
        // One loop: more of them would only wait for the interpreter's lock.
        let dispatch = dispatch.parse::<Dispatch>()?.with_loops(1);
        let fail = |error| Error::caller("cannot listen").with_source(error);
        let endpoint = endpoint.parse::<Endpoint>().map_err(fail)?;
        let limits = Limits { timeouts: timeout.all(), ..Limits::default() };
        let name = dispatch.to_string();
        let (is_events, forks) = (name == "events", name == "processes");
        let server = Server::of(&protocol).listen_on(&endpoint, &ListenOptions::default())?;
        let server = server.with_dispatch(dispatch).with_limits(limits);
        match per {
            Per::Message if is_events => {
                let handler = Arc::new(handler);
                server.start(move || {
                    let handler = Arc::clone(&handler);
                    move |message: &[u8], reply: &mut Reply<'_>| answer(&handler, message, reply)
                })
            }
            _ => server.start_conversations(move |conversation| {
                SharedConversation::lend(conversation, |shared| {
                    Python::attach(|py| {
                        let served = match per {
                            Per::Message => answer_all(py, shared, &handler),
                            Per::Conversation => converse(py, shared, &handler),
                        };
                        if forks {
                            // A process of the library ends without asking Python.
                            flush(py);
                        }
                        served
                    })
                })
            }),
        }
    });
    let serving = started.map_err(|error| errors::exception(py, &error))?;
    let handle = serving.handle().clone();
    Ok(Running { process: std::process::id(), handle, serving: Mutex::new(Some(serving)) })
}

/// Answers one message under *events*.
fn answer(handler: &Py<PyAny>, message: &[u8], reply: &mut Reply<'_>) -> Result<(), Error> {
    Python::attach(|py| {
        let answered = answered(handler.bind(py), PyBytes::new(py, message));
        match answered.map_err(|error| told(py, error, handler))? {
            Some(answer) => reply.send(answer.as_bytes()),
            None => Ok(()),
        }
    })
}

static ANSWERS_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Answers the messages of a conversation to its end, as many at a time as have come.
fn answer_all(
    py: Python<'_>,
    shared: &Arc<SharedConversation>,
    handler: &Py<PyAny>,
) -> Result<(), Error> {
    let fail = |error| told(py, error, handler);
    // A loop of the interpreter calls a function in half the time that it takes from here.
    let answers_of = ANSWERS_OF.import(py, "switchboard._handlers", "answers").map_err(fail)?;
    loop {
        let mut messages = Vec::new();
        // Nobody else knows of this conversation, so nobody holds its lock.
        let goes_on = shared.look().run(limits::MESSAGES_PER_TURN, |message| {
            messages.push(PyBytes::new(py, message));
        })?;
        if messages.is_empty() {
            if !goes_on {
                return Ok(());
            }
            match py.detach(|| shared.receive()) {
                // What was answered is delivered after a stop too.
                Err(error) if error.is_stopped() => return Ok(()),
                received => drop(received?),
            }
            continue;
        }
        let answers = PyList::empty(py);
        let answered = PyList::new(py, messages)
            .and_then(|messages| answers_of.call1((handler.bind(py), messages, &answers)));
        // What was answered before a fault is delivered.
        let answers: Result<Vec<_>, _> =
            answers.iter().map(|answer| answer.cast_into::<PyBytes>()).collect();
        let answers = answers.map_err(|error| fail(error.into()))?;
        let bytes: Vec<&[u8]> = answers.iter().map(|answer| answer.as_bytes()).collect();
        py.detach(|| shared.send_many(bytes))?;
        if let Err(error) = answered {
            py.detach(|| shared.finish())?;
            return Err(fail(error));
        }
    }
}

/// Gives the handler a conversation, until it returns.
fn converse(
    py: Python<'_>,
    shared: &Arc<SharedConversation>,
    handler: &Py<PyAny>,
) -> Result<(), Error> {
    let given = Bound::new(py, Conversation::shared(Arc::clone(shared)));
    let given = given.map_err(|error| told(py, error, handler))?;
    let Err(error) = handler.bind(py).call1((&given,)) else { return Ok(()) };
    // That the peer has gone, or the server stops, is no mistake of the handler.
    match given.get().told_last() {
        Some(ending) if errors::is_ending(py, &error) && ending.is_stopped() => Ok(()),
        Some(ending) if errors::is_ending(py, &error) => Err(ending),
        _ => Err(told(py, error, handler)),
    }
}

/// What a handler answers to one message.
fn answered<'py>(
    handler: &Bound<'py, PyAny>,
    message: Bound<'py, PyBytes>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let answer = handler.call1((message,))?;
    match answer.is_none() {
        true => Ok(None),
        false => arguments::message(&answer).map(Some),
    }
}

/// Shows what a handler raised, as Python shows what nobody can catch; it ends the conversation and
/// touches no other.
fn told(py: Python<'_>, error: PyErr, handler: &Py<PyAny>) -> Error {
    let text = format!("the handler raised {}", error.get_type(py));
    error.write_unraisable(py, Some(handler.bind(py)));
    Error::caller(text)
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
    /// seconds, if that is said.
    #[pyo3(signature = (within=None))]
    fn stop(&self, py: Python<'_>, within: Option<f64>) -> PyResult<()> {
        let within = arguments::seconds(within)?;
        if self.process != std::process::id() {
            return Err(errors::misused(py, "the server is of the process that started it"));
        }
        match within {
            Some(within) => self.handle.drain(within),
            None => self.handle.stop(),
        }
        let stopped = self.join(py);
        if stopped.is_err() {
            // Whoever interrupts this too does not want to wait: what is left ends with the
            // process.
            let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(serving.take());
        }
        stopped
    }

    /// Waits until serving ends, by a `stop` from elsewhere or an error.
    fn join(&self, py: Python<'_>) -> PyResult<()> {
        let waited = py.detach(|| {
            let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(running) = &*serving else { return Ok(()) };
            let until = Wait { on_interrupt: Some(&interrupt::asked), ..Wait::FOREVER };
            let fail = |error| Error::io("cannot wait for the server", error);
            match running.wait_until(&until).map_err(fail)? {
                Woken::Ready(_) => {
                    serving.take().map_or(Ok(()), |running| running.join().map(drop))
                }
                _ => Err(Error::interrupted("waiting for the server")),
            }
        });
        waited.map_err(|error| errors::exception(py, &error))
    }

    /// What it has done so far, by name: `accepted`, `open`, `messages_received`, ...
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
        self.stop(py, None)
    }
}

impl Drop for Running {
    /// Stops and waits; its handlers need the lock of the interpreter meanwhile.
    fn drop(&mut self) {
        let serving = self.serving.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(serving) = serving else { return };
        if self.process != std::process::id() {
            std::mem::forget(serving);
        } else {
            Python::attach(|py| py.detach(|| drop(serving)));
        }
    }
}

/// Tells the library what this interpreter has to know of.
pub(crate) fn be_host() {
    // Another one only if this module is made twice, and then it is the same.
    let _ = host::set(Host { fork, thread, messages });
}

/// Forks as Python does, which puts its own house in order.
fn fork() -> io::Result<i32> {
    let forked = Python::attach(|py| {
        // What is buffered is written once.
        flush(py);
        py.import("os")?.call_method0("fork")?.extract()
    });
    forked.map_err(|error: PyErr| io::Error::other(error.to_string()))
}

/// Runs a thread of the library so that Python knows it all the time, and not anew for each call.
fn thread(work: &mut (dyn FnMut() + Send)) {
    Python::attach(|py| py.detach(work));
}

/// Holds the interpreter's lock for the messages of a turn, and not for each anew.
fn messages(give: &mut dyn FnMut()) {
    Python::attach(|_| give());
}

/// Writes what is buffered for standard output and standard error.
fn flush(py: Python<'_>) {
    for name in ["stdout", "stderr"] {
        // One that is closed has nothing, and no one to tell.
        let _ = py.import("sys").and_then(|sys| sys.getattr(name)?.call_method0("flush"));
    }
}
