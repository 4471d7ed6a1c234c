//! Unix stream sockets.

use super::{Facts, Transport};
use crate::sys::socket::ReadTimeout;
use crate::{Endpoint, sys};
use socket2::SockAddr;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

/// A Unix stream socket, on a path or in the abstract namespace of Linux.
///
/// As with [`Tcp`](super::Tcp), the socket's own blocking flag does not matter and is not changed.
/// A reset does not exist here: [`reset`](Transport::reset) ends both directions, and the peer
/// reads an end.
#[derive(Debug)]
pub struct Unix {
    stream: UnixStream,
    timeout: ReadTimeout,
}

impl From<UnixStream> for Unix {
    /// Takes over a connected stream.
    fn from(stream: UnixStream) -> Unix {
        Unix::over(stream, ReadTimeout::none())
    }
}

impl From<Unix> for UnixStream {
    fn from(unix: Unix) -> UnixStream {
        unix.stream
    }
}

impl From<Unix> for OwnedFd {
    fn from(unix: Unix) -> OwnedFd {
        unix.stream.into()
    }
}

impl Unix {
    /// Of a socket that this process has made, and nobody else has.
    pub(crate) fn connected(stream: UnixStream) -> Unix {
        Unix::over(stream, ReadTimeout::unset())
    }

    fn over(stream: UnixStream, timeout: ReadTimeout) -> Unix {
        sys::socket::without_signals(stream.as_fd());
        Unix { stream, timeout }
    }
}

impl AsFd for Unix {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Transport for Unix {
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
        self.stream.shutdown(Shutdown::Write)
    }

    fn reset(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Both)
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn local(&self) -> Option<Endpoint> {
        self.stream.local_addr().ok().and_then(|address| endpoint(&address))
    }

    fn remote(&self) -> Option<Endpoint> {
        self.stream.peer_addr().ok().and_then(|address| endpoint(&address))
    }

    fn facts(&self) -> Facts {
        Facts { half_close: true, reset: false, silent_death: false, in_memory: false }
    }
}

/// The endpoint of an address; none for the unnamed end of a client.
pub(crate) fn endpoint(address: &SocketAddr) -> Option<Endpoint> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::linux::net::SocketAddrExt;
        if let Some(name) = address.as_abstract_name() {
            return Some(Endpoint::Abstract(name.to_vec()));
        }
    }
    address.as_pathname().map(|path| Endpoint::Unix(path.to_path_buf()))
}

/// The address of an abstract name.
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SockAddr> {
    use std::os::unix::ffi::OsStrExt;
    let mut path = Vec::with_capacity(name.len() + 1);
    path.push(0);
    path.extend_from_slice(name);
    SockAddr::unix(std::ffi::OsStr::from_bytes(&path))
}
