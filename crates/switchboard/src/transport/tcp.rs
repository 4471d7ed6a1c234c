//! TCP.

use super::{Facts, Transport};
use crate::sys::socket::ReadTimeout;
use crate::{Endpoint, Liveness, sys};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A TCP connection (RFC 9293).
///
/// Every call says for itself whether it may wait and that it must not raise a signal, so a socket
/// of yours is used as it is: whether it is blocking does not matter and is not changed. Of a
/// socket that this crate has made, the receive timeout (`SO_RCVTIMEO`) is the transport's. Small
/// writes leave at once (`TCP_NODELAY`); gathering them is the business of the layer above.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    /// Kept, since a connection that is reset forgets it.
    remote: Option<SocketAddr>,
    /// Asked for when it is first wanted: a short conversation saves the call. In a box, since
    /// few want it, and an idle connection should take little memory.
    local: OnceLock<Option<Box<SocketAddr>>>,
    /// A connection that both sides have finished refuses to be finished again.
    finished: AtomicBool,
    timeout: ReadTimeout,
}

impl From<TcpStream> for Tcp {
    /// Takes over a connected stream and switches `TCP_NODELAY` on.
    fn from(stream: TcpStream) -> Tcp {
        let remote = stream.peer_addr().ok();
        Tcp::over(stream, remote, ReadTimeout::none())
    }
}

impl From<Tcp> for TcpStream {
    fn from(tcp: Tcp) -> TcpStream {
        tcp.stream
    }
}

impl From<Tcp> for OwnedFd {
    fn from(tcp: Tcp) -> OwnedFd {
        tcp.stream.into()
    }
}

impl Tcp {
    /// Of a socket that this process has made, and nobody else has.
    pub(crate) fn connected(stream: TcpStream, remote: Option<SocketAddr>) -> Tcp {
        Tcp::over(stream, remote, ReadTimeout::unset())
    }

    fn over(stream: TcpStream, remote: Option<SocketAddr>, timeout: ReadTimeout) -> Tcp {
        // It fails only on a connection that is broken already, and the next call tells that.
        let _ = stream.set_nodelay(true);
        sys::socket::without_signals(stream.as_fd());
        let (local, finished) = (OnceLock::new(), AtomicBool::new(false));
        Tcp { stream, remote, local, finished, timeout }
    }
}

impl AsFd for Tcp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Transport for Tcp {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        sys::socket::read(self.as_fd(), buffer)
    }

    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        sys::socket::read_vectored(self.as_fd(), buffers)
    }

    fn read_within(&self, buffer: &mut [u8], time: Option<Duration>) -> io::Result<usize> {
        self.timeout.read(self.as_fd(), buffer, time)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        sys::socket::write(self.as_fd(), bytes)
    }

    fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        sys::socket::write_vectored(self.as_fd(), buffers)
    }

    fn finish(&self) -> io::Result<()> {
        if !self.finished.load(Ordering::Acquire) {
            self.stream.shutdown(Shutdown::Write)?;
            self.finished.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn reset(&self) -> io::Result<()> {
        let socket = SockRef::from(&self.stream);
        // Should the next call find nothing to disconnect, closing the socket resets it.
        socket.set_linger(Some(Duration::ZERO))?;
        // Sends the reset now, and wakes a thread of ours that waits on this socket; waiting for
        // the last owner to close it could take for ever.
        Ok(rustix::net::connect_unspec(&self.stream)?)
    }

    fn undelivered(&self) -> Option<usize> {
        sys::undelivered(self.as_fd())
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn local(&self) -> Option<Endpoint> {
        let local = self.local.get_or_init(|| self.stream.local_addr().ok().map(Box::new));
        local.as_deref().copied().map(Endpoint::from)
    }

    fn remote(&self) -> Option<Endpoint> {
        self.remote.map(Endpoint::from)
    }

    fn set_liveness(&self, liveness: &Liveness) -> io::Result<()> {
        let socket = SockRef::from(&self.stream);
        match liveness.idle {
            // Zero is refused by the kernel, and no one who writes it means "never".
            Some(idle) => socket.set_tcp_keepalive(
                &TcpKeepalive::new()
                    .with_time(idle.max(Duration::from_secs(1)))
                    .with_interval(liveness.interval.max(Duration::from_secs(1)))
                    .with_retries(liveness.probes.max(1)),
            )?,
            None => socket.set_keepalive(false)?,
        }
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        socket.set_tcp_user_timeout(liveness.user_timeout)?;
        Ok(())
    }

    fn silence(&self) -> Option<Duration> {
        sys::silence(self.as_fd())
    }

    fn facts(&self) -> Facts {
        Facts { half_close: true, reset: true, silent_death: true, in_memory: false }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// A server holds one for each idle connection.
    #[test]
    fn a_connection_is_small() {
        assert!(size_of::<Tcp>() <= 56, "{} bytes", size_of::<Tcp>());
    }
}
