//! The class `Session`: one conversation without any input or output, for `switchboard.aio`.

use crate::arguments::{self, Framing, Max, Timeout};
use crate::errors;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use switchboard::frame::FrameError;
use switchboard::session::{self, Event};
use switchboard::{Attempt, Ending, Endpoint, Error, Timeouts, deadline, limits};

/// The state of both directions of a conversation, which a loop drives: bytes in and out, messages
/// in and out, and how long to wait.
#[pyclass(frozen, module = "switchboard._native")]
pub(crate) struct Session {
    state: Mutex<State>,
    timeouts: Timeouts,
    /// Of the peer, for exceptions.
    name: String,
}

struct State {
    session: session::Session,
    /// How many bytes more the message at hand needs, as far as is known.
    need: usize,
    /// The stream broke: told behind what came before it.
    broken: Option<Error>,
    ending: Option<Ending>,
    /// Messages that were taken one by one since something was waited for.
    turn: usize,
    /// Nobody takes or sends anything any more.
    closed: bool,
    /// A request waits for its reply, which is nobody else's.
    asks: bool,
    /// A reply has not come yet.
    owed: bool,
}

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (framing, role, max, timeout, name))]
    fn new(
        py: Python<'_>,
        framing: Framing,
        role: &str,
        max: Max,
        timeout: Timeout,
        name: String,
    ) -> PyResult<Session> {
        let protocol = arguments::protocol(py, &framing, &max)?;
        let session = session::Session::new(&protocol, arguments::role(role)?);
        let (broken, ending) = (None, None);
        let (closed, asks, owed) = (false, false, false);
        let state = State { session, need: 1, broken, ending, turn: 0, closed, asks, owed };
        let state = Mutex::new(state);
        Ok(Session { state, timeouts: timeout.all(), name })
    }

    /// The first so many bytes of a buffer have been received.
    fn feed(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, bytes: usize) -> PyResult<()> {
        let buffer: PyBuffer<u8> = PyBuffer::get(buffer)?;
        let cells = buffer.as_slice(py).and_then(|cells| cells.get(..bytes));
        let mut rest = cells.ok_or_else(|| PyTypeError::new_err("a buffer of bytes is needed"))?;
        let mut state = self.state();
        // Whoever takes them has waited.
        state.turn = 0;
        while !rest.is_empty() {
            // All of these have come, so there may be room for them at once.
            let need = state.need.max(rest.len());
            let space = state.session.receive_space(need);
            let (now, later) = rest.split_at(rest.len().min(space.len()));
            space.iter_mut().zip(now).for_each(|(byte, cell)| *byte = cell.get());
            state.session.handle_received(now.len());
            rest = later;
        }
        Ok(())
    }

    /// The peer has ended its stream.
    fn end(&self) {
        self.state().session.handle_end();
    }

    /// The stream broke, with a number of the system's: told behind the messages that are there.
    fn lost(&self, number: i32) {
        let error = Error::stream("cannot receive from", io::Error::from_raw_os_error(number));
        self.state().broken.get_or_insert(error.at_endpoint(&self.name));
    }

    /// The messages that are there, at most `max`, all without it. An empty list: there are none
    /// yet, or `finished`; or a request waits for them, and it is not that which takes (`asks`).
    #[pyo3(signature = (max, asks=false))]
    fn take<'py>(&self, py: Python<'py>, max: Max, asks: bool) -> PyResult<Bound<'py, PyList>> {
        let max = max.many();
        let mut messages = Vec::new();
        let mut state = self.state();
        if state.closed || state.asks && !asks {
            return Ok(PyList::empty(py));
        }
        let polled = loop {
            let polled = state.session.poll_messages(max, |message| {
                messages.push(PyBytes::new(py, message));
            });
            if !matches!(polled, Ok(Event::Discarded(_))) || !messages.is_empty() {
                break polled;
            }
        };
        state.owed &= messages.is_empty();
        let failed = match polled {
            _ if !messages.is_empty() => None,
            Ok(Event::Finished) => {
                state.ending.get_or_insert(Ending::Finished);
                None
            }
            Ok(Event::Need(need)) => {
                state.need = need.get();
                state.broken.clone()
            }
            Ok(Event::Message | Event::Discarded(_)) => None,
            Err(error) => Some(self.broken_frame(&state, error)),
        };
        if let Some(error) = &failed {
            let ending = error.ending();
            state.ending = state.ending.or(ending);
        }
        drop(state);
        match failed {
            Some(error) => Err(errors::exception(py, &error)),
            None => PyList::new(py, messages),
        }
    }

    /// The next message, if there is nothing to look into but that. `None`: there is; so there is
    /// when so many were taken that others are to have their turn.
    fn take_one<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let mut state = self.state();
        let State { session, turn, closed, asks, owed, .. } = &mut *state;
        if *closed || *asks || *turn >= limits::MESSAGES_PER_TURN {
            return None;
        }
        let mut taken = None;
        // An error is told again to who looks.
        let _ = session.poll_messages(1, |message| taken = Some(PyBytes::new(py, message)));
        *turn += 1;
        *owed &= taken.is_none();
        taken
    }

    /// Queues a request: until `asked` what comes is its own.
    fn ask(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let message = arguments::message(message)?;
        // What has ended owes nothing.
        let is_owed = {
            let state = self.state();
            state.owed && state.ending.is_none()
        };
        if is_owed {
            return Err(errors::exception(py, &Error::reply_owed(&self.name)));
        }
        self.put(py, &message)?;
        let mut state = self.state();
        (state.asks, state.owed) = (true, true);
        Ok(())
    }

    /// The request is over, with its reply or without.
    fn asked(&self) {
        self.state().asks = false;
    }

    /// Whether others are to have their turn; then this one begins anew.
    fn turn_is_over(&self) -> bool {
        std::mem::take(&mut self.state().turn) >= limits::MESSAGES_PER_TURN
    }

    /// Frames a message and puts it behind what is to be sent. Says whether that is to be written
    /// by now.
    fn queue(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.put(py, &arguments::message(message)?)
    }

    /// The same behind something that waits to be written, if that is simple. `false`: nothing was
    /// done.
    fn queue_behind(&self, message: &Bound<'_, PyAny>) -> bool {
        let Ok(message) = message.cast_exact::<PyBytes>() else { return false };
        let message = message.as_bytes();
        let mut state = self.state();
        let pending = state.session.outbound.pending();
        pending > 0
            && pending + message.len() < limits::QUEUE_MARK_BYTES
            && !state.closed
            && state.session.queue(message).is_ok()
    }

    /// Queues the messages of an iterator, until so much is queued that it is to be written: then
    /// there may be more.
    fn queue_many(&self, py: Python<'_>, messages: &Bound<'_, PyIterator>) -> PyResult<bool> {
        for message in messages {
            if self.put(py, &arguments::message(&message?)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Nothing is taken or sent any more.
    fn close(&self) {
        self.state().closed = true;
    }

    /// What is to be sent; it counts as sent from here on.
    fn transmit<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut state = self.state();
        let bytes = PyBytes::new(py, state.session.poll_transmit());
        state.session.handle_sent(bytes.as_bytes().len());
        bytes
    }

    /// Switches both directions to another framing, from the next message on.
    #[pyo3(signature = (framing, max=Max(None)), text_signature = "($self, framing, max=None)")]
    fn set_framing(&self, py: Python<'_>, framing: Framing, max: Max) -> PyResult<()> {
        let protocol = arguments::protocol(py, &framing, &max)?;
        self.state().session.set_protocol(&protocol);
        Ok(())
    }

    /// How many seconds more the next message is waited for; `None` for ever.
    fn patience(&self) -> Option<f64> {
        let until = self.state().session.poll_deadline(&self.timeouts, deadline::now());
        deadline::remaining(until).map(|left| left.as_secs_f64())
    }

    /// How many seconds a peer is waited for that takes nothing; `None` for ever.
    #[getter]
    fn stall(&self) -> Option<f64> {
        self.timeouts.stall.map(|time| time.as_secs_f64())
    }

    /// The exception for a wait that took too long.
    fn timed_out(&self, py: Python<'_>, what: &str) -> PyErr {
        let mut state = self.state();
        // Nothing is lost: the next call goes on with what is there, and with a new clock.
        state.session.inbound.restart_clock();
        let number = state.session.inbound.messages() + 1;
        drop(state);
        let error = Error::timed_out(what).at_endpoint(&self.name).at_message(number);
        errors::exception(py, &error)
    }

    /// The exception for a request whose peer finished.
    fn no_reply(&self, py: Python<'_>) -> PyErr {
        let error = Error::finished("no reply from").at_endpoint(&self.name);
        errors::exception(py, &error.with_advice("it finished without one"))
    }

    /// The exception for a stream that is broken, with a number of the system's.
    fn broken(&self, py: Python<'_>, what: &str, number: i32) -> PyErr {
        let error = Error::stream(what, io::Error::from_raw_os_error(number));
        errors::exception(py, &error.at_endpoint(&self.name))
    }

    /// How many bytes are there that no message has been made of.
    #[getter]
    fn unread(&self) -> usize {
        self.state().session.inbound.unread().len()
    }

    /// How receiving has ended, once it has.
    #[getter]
    fn ending(&self) -> Option<&'static str> {
        self.state().ending.map(Ending::name)
    }
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message. Whether what is queued is to be written by now.
    fn put(&self, py: Python<'_>, message: &Bound<'_, PyBytes>) -> PyResult<bool> {
        let mut state = self.state();
        let queued = state.session.queue(message.as_bytes());
        let pending = state.session.outbound.pending();
        drop(state);
        queued.map(|()| pending >= limits::QUEUE_MARK_BYTES).map_err(|error| {
            let error = Error::caller("cannot send to").with_source(error);
            errors::exception(py, &error.at_endpoint(&self.name))
        })
    }

    fn broken_frame(&self, state: &State, error: FrameError) -> Error {
        let inbound = &state.session.inbound;
        let error = Error::frame(error, &self.name, inbound.messages() + 1);
        match error.is_truncated() {
            true => error.with_partial(inbound.partial()),
            false => error,
        }
    }
}

/// Where an endpoint is, for who connects or listens by himself: its kind, a host or a path, a
/// port; and as it is written.
#[pyfunction]
pub(crate) fn parse_endpoint(
    py: Python<'_>,
    endpoint: &Bound<'_, PyAny>,
) -> PyResult<(&'static str, String, u16, String)> {
    let endpoint = arguments::endpoint(endpoint, "no endpoint")?;
    let text = endpoint.to_string();
    let refused = || {
        let text = format!("{text} is no socket: connect to it without asyncio");
        errors::misused(py, &text)
    };
    let (kind, place, port) = match endpoint {
        Endpoint::Tcp { host, port } => ("tcp", host, port),
        Endpoint::Tls { host, port } => ("tls", host, port),
        Endpoint::Unix(path) => {
            ("unix", path.into_os_string().into_string().map_err(|_| refused())?, 0)
        }
        Endpoint::Abstract(name) => {
            let name = String::from_utf8(name).map_err(|_| refused())?;
            ("unix", format!("\0{name}"), 0)
        }
        _ => return Err(refused()),
    };
    Ok((kind, place, port, text))
}

/// The exception that the blocking `connect` raises, for who connects by himself: of the addresses
/// that were tried and the numbers of the system's errors, or of what the resolver said; of
/// neither, no time was left.
#[pyfunction]
#[pyo3(signature = (endpoint, attempts, unresolved=None))]
pub(crate) fn connect_failed(
    py: Python<'_>,
    endpoint: &Bound<'_, PyAny>,
    attempts: Vec<(String, i32)>,
    unresolved: Option<String>,
) -> PyResult<PyErr> {
    let endpoint = arguments::endpoint(endpoint, "no endpoint")?;
    let error = match unresolved {
        Some(text) => {
            let text = format!("failed to lookup address information: {text}");
            endpoint.resolve_failed(io::Error::other(text))
        }
        None => {
            let attempt = |(address, number)| {
                let error = Arc::new(io::Error::from_raw_os_error(number));
                Attempt { address, error }
            };
            endpoint.connect_failed(attempts.into_iter().map(attempt).collect())
        }
    };
    Ok(errors::exception(py, &error))
}
