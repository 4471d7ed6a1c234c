//! Messages where the caller has room for them: `recv_into`, and the memory behind `recv_view`.

use crate::errors;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyMemoryView, PySlice};

/// Room that a caller gave.
pub(crate) struct Room {
    buffer: PyBuffer<u8>,
}

impl Room {
    /// # Errors
    /// It is no buffer of bytes, or cannot be written to.
    pub(crate) fn of(given: &Bound<'_, PyAny>) -> PyResult<Room> {
        let buffer: PyBuffer<u8> = PyBuffer::get(given).map_err(|error| {
            match error.is_instance_of::<PyBufferError>(given.py()) {
                true => {
                    PyTypeError::new_err("a buffer of plain bytes is needed, as a bytearray is")
                }
                false => error,
            }
        })?;
        let room = Room { buffer };
        match room.buffer.readonly() || !room.buffer.is_c_contiguous() {
            true => Err(PyTypeError::new_err("a buffer that can be written to is needed")),
            false => Ok(room),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len_bytes()
    }

    /// Copies a message to its front, and says how many bytes that were; or how many do not fit.
    pub(crate) fn put(&self, py: Python<'_>, message: &[u8]) -> Result<usize, usize> {
        let cells = self.buffer.as_mut_slice(py).unwrap_or_default();
        let cells = cells.get(..message.len()).ok_or(message.len())?;
        cells.iter().zip(message).for_each(|(cell, byte)| cell.set(*byte));
        Ok(message.len())
    }
}

/// Memory that is used for one message after the other, and the view of the last one.
pub(crate) struct Views {
    memory: Py<PyByteArray>,
    view: Option<Py<PyAny>>,
}

/// What the memory begins with, in bytes; it grows with the messages.
const VIEW_BYTES: usize = 64 * 1024;

impl Views {
    pub(crate) fn new(py: Python<'_>) -> Views {
        Views { memory: PyByteArray::new(py, &[]).unbind(), view: None }
    }

    /// Ends the view of the last message: whoever still uses it is told so by a `ValueError`. What
    /// was made of it (a slice, an array) cannot be told, and keeps the memory.
    pub(crate) fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(view) = self.view.take() else { return Ok(()) };
        let released = view.bind(py).call_method0("release");
        // Another size is refused to whatever is in use.
        let memory = self.memory.bind(py);
        if released.is_err() || memory.resize(memory.len() ^ 1).is_err() {
            self.memory = PyByteArray::new(py, &[]).unbind();
        }
        Ok(())
    }

    /// Room for a message of so many bytes.
    pub(crate) fn room(&mut self, py: Python<'_>, bytes: usize) -> PyResult<Room> {
        let memory = self.memory.bind(py);
        if memory.len() < bytes.max(1) {
            memory.resize(bytes.max(VIEW_BYTES))?;
        }
        Room::of(self.memory.bind(py).as_any())
    }

    /// The view of the first so many bytes.
    pub(crate) fn view<'py>(
        &mut self,
        py: Python<'py>,
        bytes: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let whole = PyMemoryView::from(self.memory.bind(py).as_any())?;
        let bytes = isize::try_from(bytes).map_err(|_| errors::misused(py, "too large to view"))?;
        let view = whole.get_item(PySlice::new(py, 0, bytes, 1))?;
        whole.call_method0("release")?;
        self.view = Some(view.clone().unbind());
        Ok(view)
    }
}
