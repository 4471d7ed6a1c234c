//! The class `Conversation`.

use crate::arguments::{self, Framing, Max, Timeout};
use crate::interrupt::Turns;
use crate::view::{Room, Views};
use crate::{errors, interrupt};
use pyo3::exceptions::{PyGeneratorExit, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyType};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use switchboard::frame::{Protocol, Role};
use switchboard::session::Message;
use switchboard::{Ending, Error, Received, SharedConversation, Transport};

/// A framed connection: sends and receives whole messages.
///
/// Made by `connect`, `wrap`, a `Listener`, or `serve`. Several threads may use it at a time: one
/// may wait for a message while another sends.
///
/// >>> import socket, switchboard as sb
/// >>> a, b = socket.socketpair()
/// >>> with sb.wrap(a, framing="u32be") as here, sb.wrap(b, framing="u32be") as there:
/// ...     here.send(b"hello")
/// ...     there.recv()
/// b'hello'
#[pyclass(frozen, weakref, module = "switchboard")]
pub(crate) struct Conversation {
    pub(crate) shared: Arc<SharedConversation>,
    /// How it has ended, once it has.
    pub(crate) ending: OnceLock<Ending>,
    /// The last ending that an exception was made of, final or not.
    pub(crate) told: Mutex<Option<Error>>,
    views: Mutex<Option<Views>>,
}

impl Conversation {
    pub(crate) fn over(
        transport: Arc<dyn Transport>,
        protocol: &Protocol,
        role: Role,
        timeout: &Timeout,
    ) -> Conversation {
        let conversation = switchboard::Conversation::with_role(transport, protocol, role);
        Conversation::of(conversation.with_timeouts(timeout.all()))
    }

    pub(crate) fn of(mut conversation: switchboard::Conversation) -> Conversation {
        conversation.set_on_interrupt(interrupt::asked);
        Conversation::shared(Arc::new(SharedConversation::new(conversation)))
    }

    pub(crate) fn shared(shared: Arc<SharedConversation>) -> Conversation {
        Conversation {
            shared,
            ending: OnceLock::new(),
            told: Mutex::new(None),
            views: Mutex::new(None),
        }
    }

    /// Takes the next message that is buffered, if there is one: `take` makes something of it, or
    /// says how many bytes it has no room for; then the message stays.
    fn buffered<T>(
        &self,
        py: Python<'_>,
        take: impl FnOnce(&Message<'_>) -> Result<T, usize>,
    ) -> PyResult<Next<T>> {
        let found = {
            let mut look = self.look(py)?;
            let found = look.buffered().map(|received| match received {
                Received::Message(message) => match take(&message) {
                    Ok(taken) => Next::Message(taken),
                    Err(bytes) => Next::TooLarge(bytes),
                },
                Received::Pending => Next::Pending,
                Received::Finished => Next::Finished,
            });
            if matches!(found, Ok(Next::TooLarge(_))) {
                look.put_back();
            }
            found
        };
        if matches!(found, Ok(Next::Finished)) {
            self.finished();
        }
        found.map_err(|error| self.failed(py, &error))
    }

    fn finished(&self) {
        // Whatever was told first stays.
        let _ = self.ending.set(Ending::Finished);
    }

    /// The next message, waiting for it.
    fn next<T>(
        &self,
        py: Python<'_>,
        take: impl Fn(&Message<'_>) -> Result<T, usize>,
    ) -> PyResult<Next<T>> {
        loop {
            match self.buffered(py, &take)? {
                Next::Pending => {
                    let _more = self.waits(py, Turns::Receive, SharedConversation::receive)?;
                }
                next => return Ok(next),
            }
        }
    }

    /// The next message in the memory of the views; `None` at the end.
    fn viewed<'py>(
        &self,
        py: Python<'py>,
        views: &mut Views,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut room = views.room(py, 1)?;
        loop {
            match self.next(py, |message| room.put(py, message))? {
                Next::Message(bytes) => {
                    drop(room);
                    return views.view(py, bytes).map(Some);
                }
                Next::TooLarge(bytes) => {
                    drop(room);
                    room = views.room(py, bytes)?;
                }
                Next::Finished | Next::Pending => return Ok(None),
            }
        }
    }
}

/// A reply of so many bytes is copied twice: that takes less than the interpreter's lock.
const COPY_BYTES_MAX: usize = 4096;

/// What there is.
enum Next<T> {
    Message(T),
    /// It stays: whoever asked has no room for so many bytes.
    TooLarge(usize),
    Pending,
    Finished,
}

#[pymethods]
impl Conversation {
    /// Sends a message: bytes, or anything that has bytes. When this returns, the system has all of
    /// it.
    ///
    /// After a `TimedOut` a part of it may be on its way, and nothing can be sent behind that: you
    /// may go on receiving, then close.
    fn send(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let message = arguments::message(message)?;
        let bytes = message.as_bytes();
        self.waits(py, Turns::Send, |shared| shared.send(bytes))
    }

    /// Sends several messages with as few writes as possible.
    ///
    /// What comes before a message that cannot be sent is sent.
    fn send_many(&self, py: Python<'_>, messages: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut messages = messages.try_iter()?;
        loop {
            let (batch, ended) = batch(&mut messages);
            let bytes: Vec<&[u8]> = batch.iter().map(|message| message.as_bytes()).collect();
            if !bytes.is_empty() {
                self.waits(py, Turns::Send, |shared| shared.send_many(&bytes))?;
            }
            match ended {
                None => {}
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => return Err(error),
            }
        }
    }

    /// Receives the next message, waiting for it. `None` is the end: the peer has finished sending,
    /// between two messages.
    ///
    /// Every other ending is an exception: `Truncated`, `Reset`, ... A `TimedOut` loses nothing,
    /// and `recv` may be called again.
    fn recv<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match self.next(py, |message| Ok(PyBytes::new(py, message)))? {
            Next::Message(message) => Ok(Some(message)),
            _ => Ok(None),
        }
    }

    /// Receives the messages that are there, at most `max`, waiting for the first. An empty list is
    /// the end.
    #[pyo3(signature = (max=Max(None)), text_signature = "($self, max=None)")]
    fn recv_many<'py>(&self, py: Python<'py>, max: Max) -> PyResult<Bound<'py, PyList>> {
        let max = max.many();
        loop {
            let mut messages = Vec::new();
            let run = self.look(py)?.run(max, |message| messages.push(PyBytes::new(py, message)));
            match run.map_err(|error| self.failed(py, &error))? {
                _ if !messages.is_empty() => return PyList::new(py, messages),
                false => {
                    self.finished();
                    return Ok(PyList::empty(py));
                }
                true => {
                    let _more = self.waits(py, Turns::Receive, SharedConversation::receive)?;
                }
            }
        }
    }

    /// Receives the next message into a buffer, and gives its size in bytes; `None` at the end. A
    /// message that is larger than the buffer stays, for another call with a larger one.
    fn recv_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let room = Room::of(buffer)?;
        match self.next(py, |message| room.put(py, message))? {
            Next::Message(bytes) => Ok(Some(bytes)),
            Next::TooLarge(bytes) => {
                let room = room.len();
                let text = format!("a message of {bytes} bytes does not fit a buffer of {room}");
                Err(errors::misused(py, &text))
            }
            Next::Finished | Next::Pending => Ok(None),
        }
    }

    /// Receives the next message as a view of memory that is used again: it is valid until the next
    /// `recv_view`, after which using it raises `ValueError`. `None` at the end.
    fn recv_view<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let kept = self.views.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut views = kept.unwrap_or_else(|| Views::new(py));
        views.end(py)?;
        let view = self.viewed(py, &mut views);
        *self.views.lock().unwrap_or_else(PoisonError::into_inner) = Some(views);
        view
    }

    /// The next message if it is there already. Raises `NotYet`, a `BlockingIOError`, if it is not;
    /// `None` is the end.
    fn try_recv<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        for last in [false, true] {
            match self.buffered(py, |message| Ok(PyBytes::new(py, message)))? {
                Next::Message(message) => return Ok(Some(message)),
                Next::Finished => return Ok(None),
                _ if last => break,
                _ => self.waits(py, Turns::None, SharedConversation::try_receive)?,
            }
        }
        Err(errors::not_yet(py))
    }

    /// Sends a message and receives the next one. Raises `NoReply`, an `EOFError`, if the peer
    /// finishes without one.
    ///
    /// Several threads may request at a time: one after the other, and each has its own reply. A
    /// thread that receives meanwhile may take that away: then the request waits on.
    /// After a `TimedOut` the reply may still come, and is no reply to another request: that raises
    /// `Misused` until `recv` has given the late one.
    fn request<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let message = arguments::message(message)?;
        let bytes = message.as_bytes();
        let reply = self.waits(py, Turns::Both, |shared| {
            shared.request(bytes, |reply| match reply.len() <= COPY_BYTES_MAX {
                true => Ok(reply.to_vec()),
                false => Err(Python::attach(|py| PyBytes::new(py, reply).unbind())),
            })
        })?;
        Ok(match reply {
            Ok(copied) => PyBytes::new(py, &copied),
            Err(made) => made.into_bound(py),
        })
    }

    /// Says that this side is done sending, and goes on receiving: the peer reads the end once it
    /// has read everything else.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        self.waits(py, Turns::Send, SharedConversation::finish)
    }

    /// Ends the conversation so that the peer loses nothing: what is pending is delivered, then the
    /// peer's end is waited for, for up to 2 seconds whatever the timeout; `abort` waits for
    /// nothing. That the conversation has ended otherwise is not told a second time.
    ///
    /// Whoever waits for it in another thread wakes then: `recv` raises `Misused`, and `select` has
    /// it ready.
    ///
    /// Leaving a `with` block does it too. Leaving it by an exception aborts instead, for what was
    /// sent may not be all; except by `SystemExit` and `GeneratorExit`.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let is_known = self.is_known(py);
        // A stream on which nothing can be sent has said so to who sent.
        let broken = |open: &mut switchboard::Conversation| {
            open.send_error().is_some_and(|error| error.is_caller())
        };
        let is_misused = self.look(py)?.conversation().is_ok_and(broken);
        self.waits(py, Turns::None, |shared| match shared.close() {
            Err(error) if is_known && error.ending().is_some() => Ok(()),
            Err(error) if is_misused && error.is_caller() => Ok(()),
            closed => closed,
        })
    }

    /// Breaks the conversation off: the peer is told with a reset, where there is such a thing.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.may_lock(py)?;
        py.detach(|| self.shared.abort());
        Ok(())
    }

    /// Switches to another framing, both ways, from the next message on. Bytes already received are
    /// framed anew.
    #[pyo3(signature = (framing, *, max=Max(None)),
        text_signature = "($self, framing, *, max=None)")]
    fn set_framing(&self, py: Python<'_>, framing: Framing, max: Max) -> PyResult<()> {
        let protocol = arguments::protocol(py, &framing, &max)?;
        let set = self.look(py)?.conversation().map(|open| open.set_framing(&protocol));
        set.map_err(|error| errors::exception(py, &error))
    }

    /// Sets how long each wait may take from here on, in seconds; `None` is for ever.
    #[pyo3(text_signature = "($self, timeout)")]
    fn set_timeout(&self, py: Python<'_>, timeout: Timeout) -> PyResult<()> {
        let set = self.look(py)?.conversation().map(|open| open.set_timeouts(timeout.all()));
        set.map_err(|error| errors::exception(py, &error))
    }

    /// Sets after how many seconds of silence a peer that has vanished counts as dead (at least 3,
    /// and at most 65,000, by probes; over TCP); `None` probes nothing. Without this it is two
    /// minutes.
    fn set_liveness(&self, py: Python<'_>, within: &Bound<'_, PyAny>) -> PyResult<()> {
        let liveness = arguments::liveness(within)?;
        let set = self.look(py)?.conversation().and_then(|open| open.set_liveness(&liveness));
        set.map_err(|error| errors::exception(py, &error))
    }

    /// The peer's endpoint, when it has one that says something.
    #[getter]
    fn remote(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let remote = self.look(py)?.transport().map(|transport| transport.remote());
        Ok(remote.flatten().map(|endpoint| endpoint.to_string()))
    }

    /// This side's endpoint.
    #[getter]
    fn local(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let local = self.look(py)?.transport().map(|transport| transport.local());
        Ok(local.flatten().map(|endpoint| endpoint.to_string()))
    }

    /// How receiving has ended (`finished`, `truncated`, `reset`, ...), once it has.
    #[getter]
    fn ending(&self) -> Option<&'static str> {
        self.ending.get().map(|ending| ending.name())
    }

    /// Whether it has been closed here.
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.look(py)?.transport().is_none())
    }

    /// The descriptor that becomes readable when something comes, for a loop of one's own. It does
    /// not know of messages that are buffered already, as `select` of this module does.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let look = self.look(py)?;
        let number = look.transport().and_then(|t| Some(t.read_descriptor()?.as_raw_fd()));
        drop(look);
        number.ok_or_else(|| errors::misused(py, "there is no descriptor: is it closed?"))
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.recv(py)
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
        let _ = (error, traceback);
        // A program or a generator that ends is no accident.
        let is_end = |kind: &Bound<'_, PyType>| -> PyResult<bool> {
            Ok(kind.is_subclass_of::<PySystemExit>()?
                || kind.is_subclass_of::<PyGeneratorExit>()?)
        };
        if kind.is_none() || is_end(kind.cast()?)? {
            return self.close(py);
        }
        // What was sent may be half of something: the peer is not to take it for the whole.
        self.abort(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(match self.look(py)?.transport() {
            Some(transport) => format!("<switchboard.Conversation with {}>", transport.name()),
            None => "<switchboard.Conversation, closed>".to_owned(),
        })
    }
}

/// Messages that one call sends at a time, and the bytes at which it is enough.
const BATCH_MESSAGES: usize = 1024;
const BATCH_BYTES: usize = 256 * 1024;

/// The next messages of an iterator; and how it has ended, if it has.
fn batch<'py>(
    messages: &mut Bound<'py, pyo3::types::PyIterator>,
) -> (Vec<Bound<'py, PyBytes>>, Option<PyResult<()>>) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
        match messages.next().map(|given| given.and_then(|given| arguments::message(&given))) {
            None => return (batch, Some(Ok(()))),
            Some(Err(error)) => return (batch, Some(Err(error))),
            Some(Ok(message)) => {
                bytes += message.as_bytes().len();
                batch.push(message);
            }
        }
    }
    (batch, None)
}
