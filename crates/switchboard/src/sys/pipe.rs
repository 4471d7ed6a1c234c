//! Signals to be polled where there are no event counters: a pipe with a byte in it or none, and a
//! socket whose buffer is full or empty. Each takes two descriptors, where a counter is one.

use rustix::io::{Errno, ioctl_fionbio, read, retry_on_intr, write};
use rustix::net::sockopt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

/// Readable while it is set.
#[derive(Debug)]
pub(crate) struct Readable {
    reads: OwnedFd,
    writes: OwnedFd,
}

impl Readable {
    /// Not set.
    pub(crate) fn new() -> io::Result<Readable> {
        let (reads, writes) = io::pipe()?;
        let (reads, writes) = (OwnedFd::from(reads), OwnedFd::from(writes));
        ioctl_fionbio(&reads, true)?;
        ioctl_fionbio(&writes, true)?;
        Ok(Readable { reads, writes })
    }

    /// Sets it, which it is not. Fit for a signal handler: one `write`, and no `SIGPIPE`, as both
    /// ends are open for as long as they are owned.
    pub(crate) fn set(&self) {
        let written = retry_on_intr(|| write(&self.writes, &[1]));
        debug_assert!(written == Ok(1), "an empty pipe takes a byte");
    }

    pub(crate) fn clear(&self) {
        let read = retry_on_intr(|| read(&self.reads, &mut [0; 1]));
        debug_assert!(read == Ok(1), "a pipe with a byte in it is read at once");
    }
}

impl AsFd for Readable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reads.as_fd()
    }
}

/// Writable unless it is blocked.
///
/// Of a pair of sockets and not of a pipe, since how much a socket holds can be said on every
/// system: a blocked pipe would hold 64 KiB. How much is asked for is the least there is; it is
/// filled until it takes no more, so it does not matter what the system makes of that.
#[derive(Debug)]
pub(crate) struct Writable {
    writes: UnixStream,
    reads: UnixStream,
}

impl Writable {
    /// Not blocked.
    pub(crate) fn new() -> io::Result<Writable> {
        let (writes, reads) = UnixStream::pair()?;
        writes.set_nonblocking(true)?;
        reads.set_nonblocking(true)?;
        // A system that refuses has larger buffers to fill, and that is all.
        let _ = sockopt::set_socket_send_buffer_size(&writes, 1);
        Ok(Writable { writes, reads })
    }

    /// Blocks it, which it is not.
    pub(crate) fn block(&self) {
        let blocked = until_would_block(|| write(&self.writes, &[0; CHUNK_BYTES]));
        debug_assert!(blocked, "a socket takes bytes until it is full");
    }

    pub(crate) fn unblock(&self) {
        let drained = until_would_block(|| read(&self.reads, &mut [0; CHUNK_BYTES]));
        debug_assert!(drained, "a socket gives bytes until it is empty");
    }
}

impl AsFd for Writable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.writes.as_fd()
    }
}

const CHUNK_BYTES: usize = 2048;

/// Calls until there is nothing more to be moved; whether it came to that.
fn until_would_block(mut call: impl FnMut() -> Result<usize, Errno>) -> bool {
    loop {
        match call() {
            Ok(1..) | Err(Errno::INTR) => {}
            Ok(0) => return false,
            Err(error) => return error == Errno::AGAIN,
        }
    }
}

/// A file of its own, unlike a duplicate, and to be had without `/dev`: a socket without address.
pub(crate) fn spare() -> io::Result<OwnedFd> {
    Ok(UnixDatagram::unbound()?.into())
}
