//! The function `wrap`: conversations over sockets that Python made.

use crate::arguments::{self, Framing, Max, Timeout};
use crate::conversation::Conversation;
use crate::errors;
use crate::tls::{self, Tls};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::sync::Arc;
use switchboard::transport::Pipe;
use switchboard::{Error, Liveness};

/// Takes over a connected socket, or anything else with a `fileno()` that is a stream: what was
/// given is closed, and the conversation has the connection. A socket of `ssl` goes on as it is,
/// and is not to be used by anybody else any more.
///
/// Without `timeout` the socket's own holds, if it has one; that of a socket which is not to block
/// (`0.0`) does not count, and `recv` waits: see `try_recv` and `select`.
///
/// A pipe that is open one way only raises `Misused` when it is asked for the other.
///
/// A file that reads with a buffer is refused with a `TypeError`, since what it has read ahead
/// would be lost: open it with `buffering=0`, `subprocess.Popen` with `bufsize=0`, and of a
/// `socket.makefile` wrap the socket.
///
/// >>> import socket, switchboard as sb
/// >>> ours, theirs = socket.socketpair()
/// >>> c = sb.wrap(ours, framing="netstring")
/// >>> c.send(b"hello"); theirs.recv(100)
/// b'5:hello,'
#[pyfunction]
#[pyo3(signature = (sock, framing, *, timeout=Timeout::Default, max=Max(None), role="client"),
    text_signature = "(sock, framing, *, timeout=..., max=None, role='client')")]
pub(crate) fn wrap(
    py: Python<'_>,
    sock: &Bound<'_, PyAny>,
    framing: Framing,
    timeout: Timeout,
    max: Max,
    role: &str,
) -> PyResult<Conversation> {
    let protocol = arguments::protocol(py, &framing, &max)?;
    let role = arguments::role(role)?;
    if sock.is_instance_of::<Conversation>() {
        let advice = "set_framing switches to another framing";
        return Err(PyTypeError::new_err(format!("this is a conversation already: {advice}")));
    }
    refuse_buffers(sock)?;
    let number: i32 = match sock.call_method0("fileno") {
        Ok(number) => number.extract()?,
        Err(_) => return Err(PyTypeError::new_err("a socket is needed, with a fileno()")),
    };
    if number < 0 {
        return Err(errors::misused(py, "cannot wrap this: the socket is closed"));
    }
    let timeout = match timeout {
        Timeout::Default => own_timeout(sock)?,
        given => given,
    };
    if tls::is_tls(sock)? {
        let transport = Arc::new(Tls::over(sock, number)?);
        return Ok(Conversation::over(transport, &protocol, role, &timeout));
    }
    let transport = Pipe::duplicated(number)
        .map_err(|error| errors::exception(py, &Error::io("cannot wrap this", error)))?;
    sock.call_method0("close")?;
    Ok(Conversation::over(transport, &protocol, role, &timeout))
}

/// Refuses a file with a buffer, in which something may lie.
fn refuse_buffers(file: &Bound<'_, PyAny>) -> PyResult<()> {
    let io = file.py().import("io")?;
    let is_a = |class| file.is_instance(&io.getattr(class)?);
    // One that is only written to writes what it has when it is closed.
    if is_a("BufferedWriter")? || !is_a("BufferedIOBase")? && !is_a("TextIOBase")? {
        return Ok(());
    }
    let kind = file.get_type().name()?;
    let text = "has a buffer, and what lies in it would be lost: open it with buffering=0 \
                (subprocess.Popen: bufsize=0), or wrap the socket that it is of";
    Err(PyTypeError::new_err(format!("cannot wrap this: a {kind} {text}")))
}

/// Has the system probe the peer of a socket of asyncio's, as it probes those of the library's.
#[pyfunction]
pub(crate) fn watch_peer(number: i32) {
    // One that is no TCP socket, or is broken already, has nothing to be probed.
    let _ = Pipe::duplicated(number).and_then(|pipe| pipe.set_liveness(&Liveness::default()));
}

/// The timeout that a socket has: `None` and 0, for non-blocking, say nothing of how long a message
/// may take.
fn own_timeout(sock: &Bound<'_, PyAny>) -> PyResult<Timeout> {
    let Ok(own) = sock.call_method0("gettimeout") else { return Ok(Timeout::Default) };
    match own.extract::<Option<f64>>()? {
        None | Some(0.0) => Ok(Timeout::Default),
        some => Ok(Timeout::Same(arguments::seconds(some)?)),
    }
}
