//! Telling whoever supervises this process how far it is: the protocol of `sd_notify(3)`.
//!
//! A datagram with a line for each thing, to the Unix socket that `NOTIFY_SOCKET` names. Written
//! out here, as it is these few lines: the variable is left where it is, for programs that this one
//! starts.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

/// This process accepts.
pub(super) const READY: &str = "READY=1";
/// It ends.
pub(super) const STOPPING: &str = "STOPPING=1";

/// This process accepts, in the place of another one.
pub(super) fn ready_instead(process: u32) -> String {
    format!("MAINPID={process}\n{READY}")
}

/// Tells the supervisor of this process how far it is, by the protocol of `sd_notify(3)`: a line
/// for each thing, as in `READY=1`, to the Unix socket that `NOTIFY_SOCKET` names. Without that
/// nobody wants to know. A supervisor that cannot be told is no reason not to serve, so it is only
/// traced.
///
/// A server says by itself when it is ready and when it stops: see
/// [`with_notify`](super::Server::with_notify).
///
/// ```
/// switchboard::server::notify("STATUS=reading the catalogue");
/// ```
pub fn notify(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return;
    };
    if let Err(error) = send(socket.as_encoded_bytes(), state) {
        tracing::warn!(%error, state, "the supervisor could not be told");
    }
}

fn send(socket: &[u8], state: &str) -> io::Result<()> {
    let address = match socket.split_first() {
        Some((b'@', name)) => crate::transport::abstract_address(name)?,
        _ => socket2::SockAddr::unix(OsStr::from_bytes(socket))?,
    };
    let datagram = UnixDatagram::unbound()?;
    socket2::SockRef::from(&datagram).send_to(state.as_bytes(), &address).map(drop)
}
