//! Conversations over an `ssl.SSLSocket`: a transport that asks Python for every byte.
//!
//! It owns the socket, made non-blocking, and a duplicate of its descriptor to wait on.
//!
//! **Invariants:** as of every transport. A read or a write attaches to the interpreter for as long
//! as it takes, and it never waits there; so nobody who is attached may wait for a conversation's
//! lock. No signal's handler runs in the middle of a call that moves bytes: what one raises there
//! would have them lost, and `ssl` runs them itself.

use crate::interrupt;
use crate::mover::Mover;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyType};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use switchboard::transport::{Facts, Interest, Interrupt, Pipe, Transport, Wait, Woken, wait_on};
use switchboard::{Endpoint, Liveness};

/// TLS that Python speaks.
pub(crate) struct Tls {
    socket: Py<PyAny>,
    mover: Mover,
    bare: Arc<dyn Transport>,
    /// What the last read, or the last write, has to wait for instead.
    read_waits_to_write: AtomicBool,
    write_waits_to_read: AtomicBool,
    /// The last read took all that it had room for: there may be more of what is decrypted.
    may_hold: AtomicBool,
    /// Decrypted before this side said goodbye, and not read yet.
    held: Mutex<VecDeque<u8>>,
    /// What is still to be sent of that.
    goodbye: Mutex<Vec<u8>>,
    finished: AtomicBool,
    /// Both sides have said goodbye: what comes now is of no TLS.
    over: AtomicBool,
}

/// The most bytes that one call of Python moves: a record of TLS, which is what it would move.
const CALL_BYTES: usize = 16 * 1024;

/// Whether this is a socket of TLS.
pub(crate) fn is_tls(socket: &Bound<'_, PyAny>) -> PyResult<bool> {
    socket.is_instance(SOCKET.import(socket.py(), "ssl", "SSLSocket")?)
}

static SOCKET: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static WANT_READ: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static WANT_WRITE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ENDED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static CUT_OFF: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static FAILED: PyOnceLock<Py<PyType>> = PyOnceLock::new();

impl Tls {
    /// Takes over a socket whose handshake is over, or comes with the first read or write.
    pub(crate) fn over(socket: &Bound<'_, PyAny>, number: i32) -> PyResult<Tls> {
        let bare = Pipe::duplicated(number)?;
        socket.call_method1("setblocking", (false,))?;
        // A stream that is cut off is not one that has ended.
        socket.setattr("suppress_ragged_eofs", false)?;
        Ok(Tls {
            socket: socket.clone().unbind(),
            mover: Mover::default(),
            bare,
            read_waits_to_write: AtomicBool::new(false),
            write_waits_to_read: AtomicBool::new(false),
            may_hold: AtomicBool::new(true),
            held: Mutex::default(),
            goodbye: Mutex::default(),
            finished: AtomicBool::new(false),
            over: AtomicBool::new(false),
        })
    }

    /// Has `close_notify` written down, to be sent by [`flush`](Transport::flush).
    fn say_goodbye(&self) -> io::Result<()> {
        let said = self.have(|socket| {
            let module = socket.py().import("switchboard._tls")?;
            module.call_method1("goodbye", (socket,))?.extract::<(Vec<u8>, Vec<u8>, bool)>()
        });
        let (held, goodbye, is_over) = said.map_err(Refused::into_io)?;
        lock(&self.held).extend(held);
        *lock(&self.goodbye) = goodbye;
        self.over.store(is_over, Ordering::Release);
        Ok(())
    }

    /// Has Python do this with the socket. In the main thread, where signals' handlers run, another
    /// one does it.
    fn have<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T> + Send + 'static,
    ) -> Result<T, Refused> {
        Python::attach(|py| {
            let socket = self.socket.clone_ref(py);
            let work = move |py: Python<'_>| {
                call(socket.bind(py)).map_err(|error| Refused::of_python(py, &error))
            };
            match interrupt::is_main_thread() {
                true => self.mover.have(py, work).unwrap_or_else(|error| Err(Refused::Io(error))),
                false => interrupt::moving(|| work(py)),
            }
        })
    }
}

/// Why Python has moved nothing.
enum Refused {
    WantsToRead,
    WantsToWrite,
    /// The peer has said goodbye.
    Ended,
    Io(io::Error),
}

impl Refused {
    fn of_python(py: Python<'_>, error: &PyErr) -> Refused {
        if is(py, error, &WANT_READ, "SSLWantReadError") {
            return Refused::WantsToRead;
        }
        if is(py, error, &WANT_WRITE, "SSLWantWriteError") {
            return Refused::WantsToWrite;
        }
        match is(py, error, &ENDED, "SSLZeroReturnError") {
            true => Refused::Ended,
            false => Refused::Io(of_python(py, error)),
        }
    }

    /// Of a call that does not read or write.
    fn into_io(self) -> io::Error {
        match self {
            Refused::WantsToRead | Refused::WantsToWrite => ErrorKind::WouldBlock.into(),
            Refused::Ended => ErrorKind::BrokenPipe.into(),
            Refused::Io(error) => error,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an exception is of a class of the module `ssl`.
fn is(py: Python<'_>, error: &PyErr, cell: &PyOnceLock<Py<PyType>>, name: &str) -> bool {
    cell.import(py, "ssl", name).is_ok_and(|class| error.is_instance(py, class))
}

/// What a call of Python came to, as the system says it.
fn of_python(py: Python<'_>, error: &PyErr) -> io::Error {
    if is(py, error, &CUT_OFF, "SSLEOFError") {
        return ErrorKind::UnexpectedEof.into();
    }
    let is_tls = is(py, error, &FAILED, "SSLError");
    if error.is_instance_of::<PyOSError>(py) && !is_tls {
        let number = error.value(py).getattr("errno").and_then(|number| number.extract());
        if let Ok(number) = number {
            return io::Error::from_raw_os_error(number);
        }
    }
    io::Error::new(ErrorKind::InvalidData, error.value(py).to_string())
}

impl Transport for Tls {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let held = io::Read::read(&mut *lock(&self.held), buffer)?;
        if held > 0 || self.over.load(Ordering::Acquire) || buffer.is_empty() {
            return Ok(held);
        }
        self.read_waits_to_write.store(false, Ordering::Relaxed);
        let size = buffer.len().min(CALL_BYTES);
        let read = self.have(move |socket| {
            Ok(socket.call_method1("recv", (size,))?.cast_into::<PyBytes>()?.unbind())
        });
        match read {
            Ok(read) => Python::attach(|py| {
                let read = read.as_bytes(py);
                buffer[..read.len()].copy_from_slice(read);
                self.may_hold.store(read.len() == size, Ordering::Relaxed);
                Ok(read.len())
            }),
            Err(Refused::Ended) => Ok(0),
            Err(refused) => {
                let by_writing = matches!(refused, Refused::WantsToWrite);
                self.read_waits_to_write.store(by_writing, Ordering::Relaxed);
                Err(refused.into_io())
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.finished.load(Ordering::Acquire) || self.over.load(Ordering::Acquire) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        // Should it be refused, the same bytes come again, as TLS wants it.
        let given = bytes[..bytes.len().min(CALL_BYTES)].to_vec();
        let sent = self.have(move |socket| {
            let given = PyBytes::new(socket.py(), &given);
            socket.call_method1("send", (given,))?.extract()
        });
        let by_reading = matches!(sent, Err(Refused::WantsToRead));
        self.write_waits_to_read.store(by_reading, Ordering::Relaxed);
        sent.map_err(Refused::into_io)
    }

    fn finish(&self) -> io::Result<()> {
        if !self.finished.swap(true, Ordering::AcqRel) {
            self.say_goodbye()?;
        }
        self.flush().map(drop)
    }

    fn flush(&self) -> io::Result<bool> {
        let mut goodbye = lock(&self.goodbye);
        while !goodbye.is_empty() {
            match self.bare.write(&goodbye) {
                Ok(sent) => drop(goodbye.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn reset(&self) -> io::Result<()> {
        self.bare.reset()
    }

    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        // Meanwhile a signal may have come, which wakes nobody any more.
        if until.on_interrupt.is_some_and(|asks| asks() == Interrupt::End) {
            return Ok(Woken::Interrupted);
        }
        if interest.read && self.holds_input() {
            return Ok(Woken::Ready(Interest::READ));
        }
        let asked = self.interest(interest);
        let (read, write) = (self.bare.read_descriptor(), self.bare.write_descriptor());
        Ok(match wait_on(read, write, asked, until)? {
            // Whichever it was: what was wanted is to be tried.
            Woken::Ready(_) => Woken::Ready(interest),
            woken => woken,
        })
    }

    fn interest(&self, wanted: Interest) -> Interest {
        let reads_by_writing = self.read_waits_to_write.load(Ordering::Relaxed);
        let writes_by_reading = self.write_waits_to_read.load(Ordering::Relaxed);
        Interest {
            read: wanted.read && !reads_by_writing || wanted.write && writes_by_reading,
            write: wanted.write && !writes_by_reading
                || wanted.read && reads_by_writing
                || !lock(&self.goodbye).is_empty(),
        }
    }

    fn holds_input(&self) -> bool {
        !lock(&self.held).is_empty()
            || !self.over.load(Ordering::Acquire)
                && self.may_hold.load(Ordering::Relaxed)
                && self
                    .have(|socket| socket.call_method0("pending")?.extract())
                    .is_ok_and(|held: usize| held > 0)
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.bare.read_descriptor()
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.bare.write_descriptor()
    }

    fn local(&self) -> Option<Endpoint> {
        self.bare.local()
    }

    fn remote(&self) -> Option<Endpoint> {
        self.bare.remote()
    }

    fn set_liveness(&self, liveness: &Liveness) -> io::Result<()> {
        self.bare.set_liveness(liveness)
    }

    fn silence(&self) -> Option<Duration> {
        self.bare.silence()
    }

    fn facts(&self) -> Facts {
        self.bare.facts()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        // At the very end of the program there is no interpreter to close it with, nor need of it.
        let closed = Python::try_attach(|py| self.socket.bind(py).call_method0("close").map(drop));
        let _ = closed;
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("over", &self.bare).finish_non_exhaustive()
    }
}
