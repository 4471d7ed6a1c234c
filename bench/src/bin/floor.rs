//! The floor: bytes are sent back as they come, unframed. One buffer for all connections, one recv
//! and one send an event. No server that has framing to do can do less.

use rustix::fd::BorrowedFd;
use std::io;
use switchboard_peers::epoll::{Peer, Rest, Wait, received, serve};
use switchboard_peers::{Asked, Outcome};

#[derive(Default)]
struct Echo {
    rest: Rest,
}

impl Peer for Echo {
    fn ready(&mut self, socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Wait>> {
        if let Some(wait) = self.rest.send_kept(socket)? {
            return Ok(Some(wait));
        }
        match received(socket, buffer)? {
            0 => Ok(None),
            count => self.rest.send(socket, &buffer[..count]).map(Some),
        }
    }
}

fn main() -> Outcome {
    Ok(serve(Asked::plain().listen()?, || Ok(Echo::default()))?)
}
