//! The function `connect`.

use crate::arguments::{self, Timeout};
use crate::conversation::Conversation;
use crate::{certificates, errors, interrupt};
use pyo3::prelude::*;
use switchboard::ConnectOptions;

/// Connects to an endpoint.
///
/// `timeout` is in seconds and bounds connecting and every wait after that, each by itself; `None`
/// is for ever. `max` is the size of the largest message, in bytes. `role` is this side's, where a
/// protocol's two directions differ. `tls` says whom a `tls://` endpoint trusts and who this side
/// is; without it those whom the system trusts, and nobody.
///
/// An endpoint is a string (`"localhost:9000"`, `"tls://host:port"`, `"unix:/path"`, ..), or what
/// `socket` has for one: a pair of host and port, a path.
///
/// >>> import switchboard as sb
/// >>> with sb.connect("exec:cat", framing="lines", timeout=5) as c:
/// ...     c.request(b"hello")
/// b'hello'
#[pyfunction]
#[pyo3(
    signature = (endpoint, framing, *, timeout=Timeout::Default, max=None, role="client", tls=None),
    text_signature = "(endpoint, framing, *, timeout=..., max=None, role='client', tls=None)"
)]
pub(crate) fn connect(
    py: Python<'_>,
    endpoint: &Bound<'_, PyAny>,
    framing: &str,
    timeout: Timeout,
    max: Option<u64>,
    role: &str,
    tls: Option<&Bound<'_, PyAny>>,
) -> PyResult<Conversation> {
    let protocol = arguments::protocol(py, framing, max)?;
    let role = arguments::role(role)?;
    let endpoint = arguments::endpoint(endpoint, "cannot connect")?;
    let tls = certificates::client(tls, &endpoint)?;
    let connected = py.detach(|| {
        let mut options = ConnectOptions::default().with_on_interrupt(interrupt::asked);
        if let Timeout::Same(time) = timeout {
            options = options.with_timeout(time);
        }
        if let Some(tls) = tls {
            options = options.with_tls(tls);
        }
        endpoint.connect(&options)
    });
    let transport = connected.map_err(|error| errors::exception(py, &error))?;
    Ok(Conversation::over(transport, &protocol, role, &timeout))
}
