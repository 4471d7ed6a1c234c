//! How long nothing has come from the peer of a TCP connection, as the kernel knows it.

use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Since the last bytes or the last acknowledgement; also of a connection that has ended meanwhile.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn silence(socket: BorrowedFd<'_>) -> Option<Duration> {
    let info = tcp_info(socket)?;
    let millis = info[LAST_DATA_RECV].min(info[LAST_ACK_RECV]);
    Some(Duration::from_millis(u64::from(millis)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn silence(_socket: BorrowedFd<'_>) -> Option<Duration> {
    None
}

/// `tcpi_last_data_recv` and `tcpi_last_ack_recv`, in milliseconds, by their places in the
/// `struct tcp_info` of `linux/tcp.h`: eight bytes, then numbers of 32 bits. The kernel only ever
/// adds to its end.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LAST_DATA_RECV: usize = 13;
#[cfg(any(target_os = "linux", target_os = "android"))]
const LAST_ACK_RECV: usize = 14;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(unsafe_code, reason = "no library has this option of a socket")]
fn tcp_info(socket: BorrowedFd<'_>) -> Option<[u32; LAST_ACK_RECV + 1]> {
    use std::os::fd::AsRawFd;

    let mut info = [0; LAST_ACK_RECV + 1];
    let size = libc::socklen_t::try_from(size_of_val(&info)).ok()?;
    let mut bytes = size;
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `bytes` bytes,
    // which is how large `info` is, and any bytes are numbers.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    (done == 0 && bytes == size).then_some(info)
}
