//! Reading and writing sockets without waiting and without a signal, whatever the socket's own
//! blocking flag says; and reading that waits, as long as its [`ReadTimeout`] lets it.

use super::asking;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, recv, recvmsg, send, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

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

/// For how long a read that waits is left waiting by the system (`SO_RCVTIMEO`).
///
/// It is a property of the socket and not of the call, so it is set only where it is too long for
/// the call at hand, and then to much less: it is seldom set twice. What a call waits too little,
/// its caller waits by a poll. It is one power of two of milliseconds, in a byte.
#[derive(Debug)]
pub(crate) struct ReadTimeout {
    exponent: AtomicU8,
}

impl ReadTimeout {
    const FOR_EVER: u8 = u8::MAX;
    const NEVER: u8 = 0;
    /// Below this the steps of the system's own clock would count.
    const EXPONENT_MIN: u32 = 4;

    /// Nothing has been set yet, and a read waits for ever.
    pub(crate) fn unset() -> ReadTimeout {
        ReadTimeout { exponent: AtomicU8::new(Self::FOR_EVER) }
    }

    /// No read waits: another process may have the socket too, and would see what is set.
    pub(crate) fn none() -> ReadTimeout {
        ReadTimeout { exponent: AtomicU8::new(Self::NEVER) }
    }

    /// Reads, and waits for at most `time`: at least a quarter of it, if that is worth a call.
    ///
    /// # Errors
    /// `WouldBlock` when nothing came, `Unsupported` where no read waits.
    pub(crate) fn read(
        &self,
        socket: BorrowedFd<'_>,
        buffer: &mut [u8],
        time: Option<Duration>,
    ) -> io::Result<usize> {
        let set = self.exponent.load(Ordering::Relaxed);
        if set == Self::NEVER {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if let Some(time) = time {
            // The system rounds up and comes back late; half of the time is left for that.
            let half = (time / 2).as_millis().checked_ilog2().unwrap_or(0);
            if half < Self::EXPONENT_MIN {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // Past 68 years it is as good as for ever.
            let half = u8::try_from(half.min(40)).unwrap_or(40);
            if half < set {
                let time = Duration::from_millis(1 << half);
                set_socket_timeout(socket, Timeout::Recv, Some(time))?;
                self.exponent.store(half, Ordering::Relaxed);
            }
        }
        match recv(socket, buffer, RecvFlags::empty()) {
            Err(Errno::INTR) => {
                asking::signalled();
                Err(Errno::INTR.into())
            }
            read => Ok(read?.1),
        }
    }
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

/// Ends reading on this side, of which the other side is told nothing: whoever waits to read wakes.
/// What is no socket stays as it is: `false`.
pub(crate) fn deafen(descriptor: BorrowedFd<'_>) -> bool {
    // Any other failure is that of a socket which is broken already: nobody waits there.
    let done = rustix::net::shutdown(descriptor, rustix::net::Shutdown::Read);
    done != Err(Errno::NOTSOCK)
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
