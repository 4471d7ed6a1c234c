//! The function `start_server`: a server whose handlers are Python's, as a [`Running`].

use crate::arguments::{self, Framing, Max, Seconds, Timeout};
use crate::calls::{Calls, Seat};
use crate::conversation::Conversation;
use crate::running::Running;
use crate::{certificates, errors};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, vec};
use switchboard::host::{self, Host};
use switchboard::server::{Limits, Reply, Service};
use switchboard::{Dispatch, Error, Message, Server, SharedConversation, limits};

/// What a handler is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Per {
    Message,
    Conversation,
}

/// What `switchboard.start` calls once it knows what the handler is given.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "they are a Python function's, which names them")]
#[pyo3(signature = (endpoint, handler, framing, per, dispatch, timeout, max, stop_within, tls))]
pub(crate) fn start_server(
    py: Python<'_>,
    endpoint: &Bound<'_, PyAny>,
    handler: Py<PyAny>,
    framing: Framing,
    per: &str,
    dispatch: &str,
    timeout: Timeout,
    max: Max,
    stop_within: Seconds,
    tls: Option<&Bound<'_, PyAny>>,
) -> PyResult<Running> {
    let endpoint = arguments::endpoint(endpoint, "cannot listen")?;
    let options = certificates::listening(tls, &endpoint)?;
    let protocol = arguments::protocol(py, &framing, &max)?;
    let per = match per {
        "message" => Per::Message,
        "conversation" => Per::Conversation,
        _ => return Err(PyValueError::new_err("per is \"message\" or \"conversation\"")),
    };
    let handler = Arc::new(handler);
    let calls = Arc::new(Calls::default());
    let started = py.detach(|| {
        // One loop: more of them would only wait for the interpreter's lock.
        let dispatch = dispatch.parse::<Dispatch>()?.with_loops(1);
        // A handler answers once a message, and none is given to it while much is queued: the
        // framing's `max` is bound enough.
        let queued_bytes_max = usize::MAX;
        let limits = Limits { timeouts: timeout.all(), queued_bytes_max, ..Limits::default() };
        let name = dispatch.to_string();
        let (is_events, forks) = (name == "events", name == "processes");
        let server = Server::of(&protocol).listen_on(&endpoint, &options)?;
        let server = server.with_dispatch(dispatch).with_limits(limits);
        let (handler, calls) = (Arc::clone(&handler), Arc::clone(&calls));
        match per {
            Per::Message if is_events => server.start(move || Answers {
                handler: Arc::clone(&handler),
                calls: Arc::clone(&calls),
                seat: None,
            }),
            _ => server.start_conversations(move |conversation| {
                let transport = Arc::clone(conversation.transport());
                SharedConversation::lend(conversation, |shared| {
                    Python::attach(|py| {
                        let seat = calls.enter(py, &transport);
                        let served = match per {
                            Per::Message => answer_all(py, shared, &handler, &seat),
                            Per::Conversation => converse(py, shared, &handler, &seat),
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
    Running::over(py, serving, handler, calls, stop_within.0)
}

/// Answers message by message, under *events*.
struct Answers {
    handler: Arc<Py<PyAny>>,
    calls: Arc<Calls>,
    /// Since it was opened.
    seat: Option<Seat>,
}

impl Service for Answers {
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.seat = Some(Python::attach(|py| self.calls.enter(py, reply.transport())));
        Ok(())
    }

    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        let Some(seat) = &self.seat else { return Err(Error::caller("it was never opened")) };
        Python::attach(|py| {
            let answered = {
                let _call = seat.call();
                answered(self.handler.bind(py), PyBytes::new(py, message.bytes()))
            };
            let number = Some(message.number());
            match answered.map_err(|error| told(py, error, &self.handler, seat, number))? {
                Some(answer) => reply
                    .send(answer.as_bytes())
                    .map_err(|error| unsendable(py, &error, &self.handler, seat)),
                None => Ok(()),
            }
        })
    }
}

/// The messages that a handler is given, one after the other.
#[pyclass(frozen, module = "switchboard._native")]
struct Given {
    messages: Mutex<vec::IntoIter<Py<PyBytes>>>,
    calls: Arc<Calls>,
}

impl Given {
    /// How many nobody has been given.
    fn left(&self) -> u64 {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }
}

#[pymethods]
impl Given {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    /// The next one. Who was cut off hears no more.
    fn __next__(&self) -> Option<Py<PyBytes>> {
        match self.calls.is_over() {
            true => None,
            false => self.messages.lock().unwrap_or_else(PoisonError::into_inner).next(),
        }
    }
}

static ANSWERS_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Answers the messages of a conversation to its end, as many at a time as have come.
fn answer_all(
    py: Python<'_>,
    shared: &Arc<SharedConversation>,
    handler: &Py<PyAny>,
    seat: &Seat,
) -> Result<(), Error> {
    let fail = |error, number| told(py, error, handler, seat, number);
    // A loop of the interpreter calls a function in half the time that it takes from here.
    let answers_of = ANSWERS_OF
        .import(py, "switchboard._handlers", "answers")
        .map_err(|error| fail(error, None))?;
    loop {
        let (mut messages, mut first) = (Vec::new(), 1);
        // Nobody else knows of this conversation, so nobody holds its lock.
        let goes_on = shared.look().run(limits::MESSAGES_PER_TURN, |message| {
            if messages.is_empty() {
                first = message.number();
            }
            messages.push(PyBytes::new(py, message).unbind());
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
        let next = first + messages.len() as u64;
        let messages = Mutex::new(messages.into_iter());
        let given = Bound::new(py, Given { messages, calls: Arc::clone(seat.calls()) });
        let given = given.map_err(|error| fail(error, None))?;
        let call = seat.call();
        let answered = answers_of.call1((handler.bind(py), &given, &answers));
        drop(call);
        if seat.is_over() {
            return Err(Error::stopped("answering"));
        }
        // What was answered before a fault is delivered; then its peer is told of that.
        let answers: Result<Vec<_>, _> =
            answers.iter().map(|answer| answer.cast_into::<PyBytes>()).collect();
        let answers = answers.map_err(|error| fail(error.into(), None))?;
        let bytes: Vec<&[u8]> = answers.iter().map(|answer| answer.as_bytes()).collect();
        let sent = py.detach(|| shared.send_many(bytes));
        sent.map_err(|error| unsendable(py, &error, handler, seat))?;
        if let Err(error) = answered {
            return Err(fail(error, Some(next - 1 - given.get().left())));
        }
    }
}

/// Gives the handler a conversation, until it returns.
fn converse(
    py: Python<'_>,
    shared: &Arc<SharedConversation>,
    handler: &Py<PyAny>,
    seat: &Seat,
) -> Result<(), Error> {
    let given = Bound::new(py, Conversation::shared(Arc::clone(shared)));
    let given = given.map_err(|error| told(py, error, handler, seat, None))?;
    let call = seat.call();
    let returned = handler.bind(py).call1((&given,));
    drop(call);
    let Err(error) = returned else { return Ok(()) };
    // That the peer has gone, or the server stops, is no mistake of the handler.
    match given.get().told_last() {
        Some(ending) if errors::is_ending(py, &error) && ending.is_stopped() => Ok(()),
        Some(ending) if errors::is_ending(py, &error) => Err(ending),
        _ => Err(told(py, error, handler, seat, None)),
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

/// Shows that an answer cannot be sent, which is the handler's mistake; that the peer has gone is
/// none.
fn unsendable(py: Python<'_>, error: &Error, handler: &Py<PyAny>, seat: &Seat) -> Error {
    match error.ending() {
        Some(_) => error.clone(),
        None => told(py, errors::exception(py, error), handler, seat, None),
    }
}

/// Shows what a handler raised, at the message of that number, as Python shows what nobody can
/// catch; it ends the conversation and touches no other. Of one that was cut off it is no news.
fn told(
    py: Python<'_>,
    error: PyErr,
    handler: &Py<PyAny>,
    seat: &Seat,
    number: Option<u64>,
) -> Error {
    let text = format!("the handler raised {}", error.get_type(py));
    let report = || -> PyResult<bool> {
        let reports = py.import("switchboard._reports")?;
        reports.call_method1("report", (handler, error.value(py), seat.peer(), number))?.extract()
    };
    if !seat.is_over() && !report().unwrap_or(false) {
        error.write_unraisable(py, Some(handler.bind(py)));
    }
    Error::caller(text)
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
