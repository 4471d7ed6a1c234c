//! Descriptors passed from one process to another, over a Unix socket. Nothing here waits.

use super::socket::{RECEIVE, SEND};
use crate::limits::HANDOVER_SOCKETS_AT_ONCE;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, recvmsg, sendmsg,
};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Sends a descriptor and a byte that goes with it. What the other process gets is open in its own
/// right.
///
/// # Errors
/// The other side is gone, or takes nothing.
pub(crate) fn send(over: BorrowedFd<'_>, byte: u8, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    loop {
        match write(over, &[byte], &[descriptor]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            sent => return sent.map(drop),
        }
    }
}

/// Receives what [`send`] sent; `None` is the end.
///
/// # Errors
/// Nothing is there yet; or this process has no descriptor left for it.
pub(crate) fn receive(over: BorrowedFd<'_>) -> io::Result<Option<(u8, OwnedFd)>> {
    let (mut byte, mut descriptor) = ([0], None);
    loop {
        match read(over, &mut byte, |one| descriptor = Some(one)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) => return Ok(None),
            read => {
                read?;
                let descriptor = descriptor.ok_or(Errno::MFILE)?;
                return Ok(Some((byte[0], descriptor)));
            }
        }
    }
}

/// Room beside a message for as many descriptors as go over at once.
const DESCRIPTORS_SPACE: usize = rustix::cmsg_space!(ScmRights(HANDOVER_SOCKETS_AT_ONCE));

/// Writes to a Unix socket, and passes descriptors with the first of the bytes.
pub(crate) fn write(
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
pub(crate) fn read(
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_with_its_byte() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        assert_eq!(receive(b.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        send(a.as_fd(), 7, theirs.as_fd()).unwrap();
        drop(theirs);
        let (byte, passed) = receive(b.as_fd()).unwrap().unwrap();
        assert_eq!(byte, 7);
        UnixStream::from(passed).write_all(b"hello").unwrap();
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        drop(a);
        assert!(receive(b.as_fd()).unwrap().is_none());
        assert!(send(b.as_fd(), 1, ours.as_fd()).is_err());
    }
}
