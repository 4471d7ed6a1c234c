//! The floor of a fan-out: whatever comes from one connection is sent, as it is, to all those that
//! subscribed. No framing: bytes are read once and sent once to each. Prints its port.

use rustix::event::epoll;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};

/// What a subscriber says first, and is answered with.
const SUBSCRIBE: &[u8] = b"\0\0\0\x09subscribe";

struct Peer {
    stream: TcpStream,
    /// What it has not taken yet.
    rest: Vec<u8>,
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let watch = |stream: &TcpStream, key, flags| {
        epoll::add(&queue, stream, epoll::EventData::new_u64(key), flags)
    };
    epoll::add(&queue, &listener, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    let mut others = HashMap::new();
    let mut subscribers: Vec<Peer> = Vec::new();
    let mut next = 1;
    let mut buffer = vec![0; 64 * 1024];
    let mut space = [MaybeUninit::uninit(); 256];
    loop {
        let (events, _) = epoll::wait(&queue, &mut space, None)?;
        for event in events.iter() {
            let key = event.data.u64();
            if key == 0 {
                let Ok((stream, _)) = listener.accept() else { continue };
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                watch(&stream, next, epoll::EventFlags::IN)?;
                others.insert(next, stream);
                next += 1;
                continue;
            }
            let Some(mut stream) = others.get(&key) else {
                // A subscriber that has room again, or has left.
                subscribers.retain_mut(Peer::flush);
                continue;
            };
            let Ok(bytes @ 1..) = stream.read(&mut buffer) else {
                others.remove(&key);
                continue;
            };
            if &buffer[..bytes] != SUBSCRIBE {
                subscribers.retain_mut(|peer| peer.send(&buffer[..bytes]));
            } else if let Some(stream) = others.remove(&key) {
                let flags = epoll::EventFlags::OUT | epoll::EventFlags::ET;
                epoll::modify(&queue, &stream, epoll::EventData::new_u64(key), flags)?;
                let mut peer = Peer { stream, rest: Vec::new() };
                peer.send(SUBSCRIBE);
                subscribers.push(peer);
            }
        }
    }
}

impl Peer {
    /// Whether it is still there.
    fn send(&mut self, bytes: &[u8]) -> bool {
        if !self.rest.is_empty() {
            self.rest.extend_from_slice(bytes);
            return true;
        }
        match (&self.stream).write(bytes) {
            Ok(sent) => self.rest.extend_from_slice(&bytes[sent..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.rest.extend_from_slice(bytes);
            }
            Err(_) => return false,
        }
        true
    }

    fn flush(&mut self) -> bool {
        let rest = std::mem::take(&mut self.rest);
        rest.is_empty() || self.send(&rest)
    }
}
