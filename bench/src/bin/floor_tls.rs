//! The floor with TLS: rustls between recv and send, and no framing. What has come is decrypted,
//! encrypted again and sent, one recv and one send an event.

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustls::{ServerConfig, ServerConnection};
use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::rc::Rc;
use std::sync::Arc;
use switchboard_peers::epoll::{Peer, Wait, serve};
use switchboard_peers::{Asked, Outcome};

/// TLS, and what the kernel did not take.
struct Echo {
    tls: ServerConnection,
    rest: Vec<u8>,
    scratch: Rc<RefCell<Scratch>>,
}

/// What one event needs and none keeps.
struct Scratch {
    plain: Vec<u8>,
    sealed: Vec<u8>,
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
        let scratch = Rc::clone(&self.scratch);
        let Scratch { plain, sealed } = &mut *scratch.borrow_mut();
        sealed.clear();
        let mut input = &buffer[..received];
        while !input.is_empty() {
            self.tls.read_tls(&mut input)?;
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            let came = state.plaintext_bytes_to_read();
            if came > 0 {
                plain.resize(came, 0);
                self.tls.reader().read_exact(plain)?;
                self.tls.writer().write_all(plain)?;
            }
        }
        while self.tls.wants_write() {
            self.tls.write_tls(sealed)?;
        }
        if !sealed.is_empty() {
            let sent = sent(socket, sealed)?;
            self.rest.extend_from_slice(&sealed[sent..]);
        }
        Ok(Some(self.wait()))
    }
}

impl Echo {
    fn new(config: &Arc<ServerConfig>, scratch: &Rc<RefCell<Scratch>>) -> io::Result<Echo> {
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        tls.set_buffer_limit(None);
        Ok(Echo { tls, rest: Vec::new(), scratch: Rc::clone(scratch) })
    }

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
    let asked = Asked::new();
    let config = asked.tls_config()?;
    let scratch = Rc::new(RefCell::new(Scratch { plain: Vec::new(), sealed: Vec::new() }));
    Ok(serve(asked.listen()?, || Echo::new(&config, &scratch))?)
}
