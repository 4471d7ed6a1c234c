//! Reading and writing sockets without waiting and without a signal, whatever the socket's own
//! blocking flag says.

use crate::limits::HANDOVER_SOCKETS_AT_ONCE;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, send, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

const RECEIVE: RecvFlags = RecvFlags::DONTWAIT;

#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
/// Without the flag against signals, which these systems do not have: see [`without_signals`].
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::DONTWAIT;

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

/// Room beside a message for as many descriptors as go over at once.
const DESCRIPTORS_SPACE: usize = rustix::cmsg_space!(ScmRights(HANDOVER_SOCKETS_AT_ONCE));

/// Writes to a Unix socket, and passes descriptors with the first of the bytes.
pub(crate) fn write_with_descriptors(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); DESCRIPTORS_SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SEND)?)
}

/// Reads from a Unix socket; each descriptor that comes is marked close-on-exec and given to
/// `take`.
pub(crate) fn read_with_descriptors(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    mut take: impl FnMut(OwnedFd),
) -> io::Result<usize> {
    #[cfg(not(target_vendor = "apple"))]
    const FLAGS: RecvFlags = RECEIVE.union(RecvFlags::CMSG_CLOEXEC);
    #[cfg(target_vendor = "apple")]
    const FLAGS: RecvFlags = RECEIVE;
    let mut space = [MaybeUninit::uninit(); DESCRIPTORS_SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, FLAGS)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            for descriptor in descriptors {
                #[cfg(target_vendor = "apple")]
                rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
                take(descriptor);
            }
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        // This process has no room for all of them.
        return Err(Errno::MFILE.into());
    }
    Ok(received.bytes)
}

/// The user of the process at the other end of a Unix socket, when it connected or began to listen;
/// `None` where the system does not say.
pub(crate) fn user_of_peer(_socket: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Ok(Some(rustix::net::sockopt::socket_peercred(_socket)?.uid.as_raw()));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Ok(None)
}
