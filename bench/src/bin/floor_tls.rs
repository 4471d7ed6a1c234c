//! The floor with TLS: rustls between recv and send, and no framing. What has come is decrypted,
//! encrypted again and sent, one recv and one send an event.

use rustix::fd::BorrowedFd;
use rustls::{ServerConfig, ServerConnection};
use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::rc::Rc;
use std::sync::Arc;
use switchboard_peers::epoll::{Peer, Rest, Wait, received, serve};
use switchboard_peers::{Asked, Outcome};

struct Echo {
    tls: ServerConnection,
    rest: Rest,
    scratch: Rc<RefCell<Scratch>>,
}

/// What one event needs and none keeps.
#[derive(Default)]
struct Scratch {
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

impl Peer for Echo {
    fn ready(&mut self, socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Wait>> {
        if let Some(wait) = self.rest.send_kept(socket)? {
            return Ok(Some(wait));
        }
        let mut input = match received(socket, buffer)? {
            0 => return Ok(None),
            count => &buffer[..count],
        };
        let Scratch { plain, sealed } = &mut *self.scratch.borrow_mut();
        while !input.is_empty() {
            self.tls.read_tls(&mut input)?;
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            plain.resize(state.plaintext_bytes_to_read(), 0);
            self.tls.reader().read_exact(plain)?;
            self.tls.writer().write_all(plain)?;
        }
        sealed.clear();
        while self.tls.wants_write() {
            self.tls.write_tls(sealed)?;
        }
        if sealed.is_empty() {
            return Ok(Some(Wait::Input));
        }
        self.rest.send(socket, sealed).map(Some)
    }
}

impl Echo {
    fn new(config: &Arc<ServerConfig>, scratch: &Rc<RefCell<Scratch>>) -> io::Result<Echo> {
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        tls.set_buffer_limit(None);
        Ok(Echo { tls, rest: Rest::default(), scratch: Rc::clone(scratch) })
    }
}

fn main() -> Outcome {
    let asked = Asked::plain();
    let config = asked.tls_config()?;
    let scratch = Rc::default();
    Ok(serve(asked.listen()?, || Echo::new(&config, &scratch))?)
}
