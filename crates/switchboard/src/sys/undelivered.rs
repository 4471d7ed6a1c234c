//! How much of what was written the other side of a TCP connection has not acknowledged.

use std::os::fd::BorrowedFd;

/// In bytes; the end of the stream counts as one.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(unsafe_code, reason = "no library has this request")]
pub(crate) fn undelivered(socket: BorrowedFd<'_>) -> Option<usize> {
    use std::os::fd::AsRawFd;

    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and the request, which is `SIOCOUTQ`
    // under the name that terminals have for it, writes one `int`.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if done == 0 { usize::try_from(bytes).ok() } else { None }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn undelivered(_socket: BorrowedFd<'_>) -> Option<usize> {
    None
}
