//! The function `wrap`: conversations over sockets that Python made.

use crate::arguments::{self, Timeout};
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
/// Without `timeout` the socket's own holds, if it has one.
///
/// >>> import socket, switchboard as sb
/// >>> ours, theirs = socket.socketpair()
/// >>> c = sb.wrap(ours, framing="netstring")
/// >>> c.send(b"hello"); theirs.recv(100)
/// b'5:hello,'
#[pyfunction]
#[pyo3(signature = (sock, framing, *, timeout=Timeout::Default, max=None, role="client"),
    text_signature = "(sock, framing, *, timeout=..., max=None, role='client')")]
pub(crate) fn wrap(
    py: Python<'_>,
    sock: &Bound<'_, PyAny>,
    framing: &str,
    timeout: Timeout,
    max: Option<u64>,
    role: &str,
) -> PyResult<Conversation> {
    let protocol = arguments::protocol(py, framing, max)?;
    let role = arguments::role(role)?;
    if sock.is_instance_of::<Conversation>() {
        let advice = "set_framing switches to another framing";
        return Err(PyTypeError::new_err(format!("this is a conversation already: {advice}")));
    }
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
