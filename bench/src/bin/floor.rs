//! The floor: bytes are sent back as they come, unframed. One buffer for all connections, one recv
//! and one send an event. No server that has framing to do can do less.

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use switchboard_peers::epoll::{Peer, Wait, serve};
use switchboard_peers::{Asked, Outcome};

/// What the kernel did not take; empty almost always.
#[derive(Default)]
struct Echo {
    rest: Vec<u8>,
}

impl Peer for Echo {
    fn ready(&mut self, socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Wait>> {
        if !self.rest.is_empty() {
            let sent = sent(socket, &self.rest)?;
            self.rest.drain(..sent);
            return Ok(Some(self.wait()));
        }
        let received = match recv(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return Ok(None),
            Ok((received, _)) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Some(Wait::Input)),
            Err(error) => return Err(error.into()),
        };
        let sent = sent(socket, &buffer[..received])?;
        if sent < received {
            self.rest.extend_from_slice(&buffer[sent..received]);
        }
        Ok(Some(self.wait()))
    }
}

impl Echo {
    fn wait(&self) -> Wait {
        if self.rest.is_empty() { Wait::Input } else { Wait::Room }
    }
}

fn sent(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        other => Ok(other?),
    }
}

fn main() -> Outcome {
    Ok(serve(Asked::new().listen()?, || Ok(Echo::default()))?)
}
