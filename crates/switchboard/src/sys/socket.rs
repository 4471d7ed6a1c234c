//! Reading and writing sockets without waiting and without a signal, whatever the socket's own
//! blocking flag says.

use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, recv, recvmsg, send, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

pub(super) const RECEIVE: RecvFlags = RecvFlags::DONTWAIT;

#[cfg(not(target_vendor = "apple"))]
pub(super) const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
/// Without the flag against signals, which these systems do not have: see [`without_signals`].
#[cfg(target_vendor = "apple")]
pub(super) const SEND: SendFlags = SendFlags::DONTWAIT;

/// Where it cannot be said of each call that it is not to raise a signal, says it of the socket.
/// Untested: no such system has been at hand.
pub(crate) fn without_signals(_socket: BorrowedFd<'_>) {
    // It fails only on a connection that is broken already, and the next call tells that.
    #[cfg(target_vendor = "apple")]
    let _ = rustix::net::sockopt::set_socket_nosigpipe(_socket, true);
}

pub(crate) fn read(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buffer, RECEIVE)?.1)
}

/// Reads what the next read gives again.
pub(crate) fn peek(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buffer, RECEIVE.union(RecvFlags::PEEK))?.1)
}

pub(crate) fn read_vectored(
    socket: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let mut control = RecvAncillaryBuffer::default();
    Ok(recvmsg(socket, buffers, &mut control, RECEIVE)?.bytes)
}

pub(crate) fn write(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, SEND)?)
}

pub(crate) fn write_vectored(socket: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(sendmsg(socket, buffers, &mut SendAncillaryBuffer::default(), SEND)?)
}

/// Whether a socket listens. Where the system does not say, the first `accept` does.
pub(crate) fn listens(_socket: BorrowedFd<'_>) -> io::Result<bool> {
    #[cfg(not(target_vendor = "apple"))]
    return Ok(rustix::net::sockopt::socket_acceptconn(_socket)?);
    #[cfg(target_vendor = "apple")]
    Ok(true)
}

/// The user of the process at the other end of a Unix socket, when it connected or began to listen;
/// `None` where the system does not say.
pub(crate) fn user_of_peer(_socket: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Ok(Some(rustix::net::sockopt::socket_peercred(_socket)?.uid.as_raw()));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Ok(None)
}
