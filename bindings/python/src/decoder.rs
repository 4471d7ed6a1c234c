//! The classes `Decoder` and `Encoder`: framings without any input or output.

use crate::{arguments, errors};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use std::sync::{Mutex, MutexGuard, PoisonError};
use switchboard::frame::{self, FrameError};
use switchboard::session::{Event, Session};

/// Bytes in, messages out.
///
/// `role` is the side that wrote the bytes, where a protocol's two directions differ; `max` is the
/// size of the largest message, in bytes.
///
/// >>> import switchboard as sb
/// >>> decoder = sb.Decoder("lines")
/// >>> decoder.feed(b"one\ntwo\nthr")
/// [b'one', b'two']
/// >>> decoder.feed(b"ee\n")
/// [b'three']
/// >>> decoder.finish()
/// 'finished'
#[pyclass(frozen, module = "switchboard")]
pub(crate) struct Decoder {
    state: Mutex<State>,
}

struct State {
    session: Session,
    discarded: Vec<frame::Discarded>,
    /// `finish` was called.
    is_over: bool,
}

/// A message that was too large, and was passed over (`oversize=discard`).
#[pyclass(frozen, get_all, eq, module = "switchboard")]
#[derive(PartialEq)]
pub(crate) struct Discarded {
    /// Where in the stream it begins, in bytes.
    offset: u64,
    /// Its size on the wire in bytes, when that was known by then.
    frame_bytes: Option<u64>,
    /// The size that it announced, in bytes, when it is known.
    declared: Option<u64>,
    /// The limit that it passed, in bytes.
    limit: u64,
}

#[pymethods]
impl Discarded {
    fn __repr__(&self) -> String {
        let Discarded { offset, limit, .. } = self;
        let declared = self.declared.map_or("None".to_owned(), |bytes| bytes.to_string());
        let frame_bytes = self.frame_bytes.map_or("None".to_owned(), |bytes| bytes.to_string());
        format!(
            "Discarded(offset={offset}, frame_bytes={frame_bytes}, declared={declared}, \
             limit={limit})"
        )
    }
}

#[pymethods]
impl Decoder {
    #[new]
    #[pyo3(signature = (framing, *, role="client", max=None))]
    fn new(py: Python<'_>, framing: &str, role: &str, max: Option<u64>) -> PyResult<Decoder> {
        let protocol = arguments::protocol(py, framing, max)?;
        // A session receives what the other side writes.
        let session = Session::new(&protocol, arguments::role(role)?.other());
        let state = State { session, discarded: Vec::new(), is_over: false };
        Ok(Decoder { state: Mutex::new(state) })
    }

    /// Takes bytes as they come, in any pieces, and gives the messages that are whole by now.
    ///
    /// Where the stream breaks the framing it raises, now and at every later call; the exception's
    /// `messages` are those that this call decoded before the fault. Behind `finish` there are no
    /// more bytes to be taken.
    fn feed<'py>(&self, py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let data = arguments::message(data)?;
        if self.state().is_over && !data.as_bytes().is_empty() {
            return Err(errors::misused(py, "the bytes have ended: begin anew with a new Decoder"));
        }
        let mut messages = Vec::new();
        let fed = self.state().feed(py, data.as_bytes(), &mut messages);
        let messages = PyList::new(py, messages)?;
        match fed {
            Ok(()) => Ok(messages),
            Err(error) => Err(self.broken(py, error, messages)),
        }
    }

    /// The bytes have ended: gives how, which is `'finished'`, or raises. Its `messages` are those
    /// that only the end completes.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut messages = Vec::new();
        let fed = {
            let mut state = self.state();
            state.session.handle_end();
            state.is_over = true;
            state.poll(py, &mut messages)
        };
        let messages = PyList::new(py, messages)?;
        match fed {
            Ok(_) => py.import("switchboard._ending")?.getattr("Ending")?.call1((messages,)),
            Err(error) => Err(self.broken(py, error, messages)),
        }
    }

    /// Messages that were too large and were passed over, so far.
    #[getter]
    fn discarded(&self) -> Vec<Discarded> {
        let state = self.state();
        let discarded = state.discarded.iter().map(|one| Discarded {
            offset: one.offset,
            frame_bytes: one.frame_bytes,
            declared: one.declared,
            limit: one.limit,
        });
        discarded.collect()
    }

    /// Why the bytes can be read no further, once a protocol has said so: `encrypted from here`.
    #[getter]
    fn notice(&self) -> Option<&'static str> {
        self.state().session.notice()
    }
}

impl Decoder {
    /// No other thread has it for longer than the interpreter's lock is held.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self, py: Python<'_>, error: FrameError, messages: Bound<'_, PyList>) -> PyErr {
        let partial = self.state().session.inbound.partial();
        errors::of_frame(py, error, messages, &partial)
    }
}

impl State {
    fn feed<'py>(
        &mut self,
        py: Python<'py>,
        mut data: &[u8],
        messages: &mut Vec<Bound<'py, PyBytes>>,
    ) -> Result<(), FrameError> {
        let mut need = 1;
        while !data.is_empty() {
            // All of these have come, so there may be room for them at once.
            let space = self.session.receive_space(need.max(data.len()));
            let (now, later) = data.split_at(data.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            self.session.handle_received(now.len());
            data = later;
            need = self.poll(py, messages)?;
        }
        Ok(())
    }

    /// Gives what is whole; how many bytes more are needed.
    fn poll<'py>(
        &mut self,
        py: Python<'py>,
        messages: &mut Vec<Bound<'py, PyBytes>>,
    ) -> Result<usize, FrameError> {
        loop {
            let event = self.session.poll_messages(usize::MAX, |message| {
                messages.push(PyBytes::new(py, message));
            })?;
            match event {
                Event::Discarded(discarded) => self.discarded.push(discarded),
                Event::Need(need) => return Ok(need.get()),
                Event::Message | Event::Finished => return Ok(1),
            }
        }
    }
}

/// Messages in, bytes out.
///
/// >>> import switchboard as sb
/// >>> sb.Encoder("u32be").encode(b"x")
/// b'\x00\x00\x00\x01x'
#[pyclass(frozen, module = "switchboard")]
pub(crate) struct Encoder {
    state: Mutex<(frame::Encoder, Vec<u8>)>,
}

#[pymethods]
impl Encoder {
    #[new]
    #[pyo3(signature = (framing, *, role="client", max=None))]
    fn new(py: Python<'_>, framing: &str, role: &str, max: Option<u64>) -> PyResult<Encoder> {
        let protocol = arguments::protocol(py, framing, max)?;
        let encoder = frame::Encoder::new(protocol.framing(arguments::role(role)?));
        let encoder = encoder.map_err(|error| errors::of_encoding(py, &error))?;
        Ok(Encoder { state: Mutex::new((encoder, Vec::new())) })
    }

    /// The bytes of a message, framed.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let message = arguments::message(message)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (encoder, out) = &mut *state;
        out.clear();
        let encoded = encoder.encode(message.as_bytes(), out).map(|()| PyBytes::new(py, out));
        // One large message is no reason to hold its size for ever.
        out.shrink_to(OUT_BYTES_MAX);
        drop(state);
        encoded.map_err(|error| errors::of_encoding(py, &error))
    }
}

/// What an encoder keeps for the next message, in bytes.
const OUT_BYTES_MAX: usize = 64 * 1024;
