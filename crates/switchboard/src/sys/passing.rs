//! Descriptors passed from one process to another, over a pair of sockets.

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Sends a descriptor and a byte that goes with it. What the other process gets is open in its own
/// right. It never waits.
///
/// # Errors
/// The other side is gone, or takes nothing.
pub(crate) fn send(over: BorrowedFd<'_>, byte: u8, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let pushed = control.push(SendAncillaryMessage::ScmRights(&descriptors));
    debug_assert!(pushed, "there is space for one descriptor");
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    loop {
        match sendmsg(over, &[IoSlice::new(&[byte])], &mut control, flags) {
            Err(Errno::INTR) => {}
            sent => return sent.map(drop).map_err(io::Error::from),
        }
    }
}

/// Receives what [`send`] sent; `None` is the end.
///
/// # Errors
/// Nothing is there yet; or this process has no descriptor left for it.
pub(crate) fn receive(over: BorrowedFd<'_>) -> io::Result<Option<(u8, OwnedFd)>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = loop {
        match recvmsg(over, &mut [IoSliceMut::new(&mut byte)], &mut control, flags) {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    match descriptor {
        Some(descriptor) if !received.flags.contains(ReturnFlags::CTRUNC) => {
            Ok(Some((byte[0], descriptor)))
        }
        _ => Err(Errno::MFILE.into()),
    }
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
