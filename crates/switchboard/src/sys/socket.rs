//! Reading and writing sockets without waiting and without a signal, whatever the socket's own
//! blocking flag says.

use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, recv, recvmsg, send, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

const RECEIVE: RecvFlags = RecvFlags::DONTWAIT;

fn sending() -> SendFlags {
    SendFlags::DONTWAIT | SendFlags::NOSIGNAL
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
    Ok(send(socket, bytes, sending())?)
}

pub(crate) fn write_vectored(socket: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(sendmsg(socket, buffers, &mut SendAncillaryBuffer::default(), sending())?)
}
