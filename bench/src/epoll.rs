//! The least that an event loop can be: readiness, a level, told with the number of a descriptor.

use crate::Listener;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags};
use rustix::net::{accept_with, recv, send, sockopt};
use std::io::{self, ErrorKind};

/// So many events are taken from the kernel at a time.
const EVENTS_MAX: usize = 1024;

/// What one connection is to the loop.
pub trait Peer {
    /// It is readable or writable. Says what to wait for next; `None` when it is over.
    fn ready(&mut self, socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Wait>>;
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    Input,
    Room,
}

/// Receives once; 0 at the end of the stream.
pub fn received(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buffer, RecvFlags::empty())?.1)
}

/// What the kernel did not take; empty almost always.
#[derive(Default)]
pub struct Rest(Vec<u8>);

impl Rest {
    /// Sends once, and keeps what is not taken.
    pub fn send(&mut self, socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<Wait> {
        let sent = sent(socket, bytes)?;
        self.0.extend_from_slice(&bytes[sent..]);
        Ok(self.wait())
    }

    /// Sends what was kept; `None` if nothing was.
    pub fn send_kept(&mut self, socket: BorrowedFd<'_>) -> io::Result<Option<Wait>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let sent = sent(socket, &self.0)?;
        self.0.drain(..sent);
        Ok(Some(self.wait()))
    }

    fn wait(&self) -> Wait {
        if self.0.is_empty() { Wait::Input } else { Wait::Room }
    }
}

fn sent(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
        other => Ok(other?),
    }
}

struct Slot<P> {
    socket: OwnedFd,
    peer: P,
    waits: Wait,
}

/// Serves for ever, with one buffer for all connections.
pub fn serve<P: Peer>(listener: Listener, make: impl Fn() -> io::Result<P>) -> io::Result<()> {
    let listener = nonblocking(listener)?;
    let queue = epoll::create(CreateFlags::CLOEXEC)?;
    watch(&queue, listener.as_fd(), Wait::Input)?;
    let mut slots: Vec<Option<Slot<P>>> = Vec::new();
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        events.clear();
        match epoll::wait(&queue, spare_capacity(&mut events), None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        for event in &events {
            let at = event.data.u64() as usize;
            if at == listener.as_raw_fd() as usize {
                accept(&listener, &queue, &mut slots, &make)?;
            } else if let Some(slot) = &mut slots[at] {
                match slot.peer.ready(slot.socket.as_fd(), &mut buffer) {
                    Ok(Some(wait)) if wait == slot.waits => {}
                    Ok(Some(wait)) => {
                        slot.waits = wait;
                        epoll::modify(
                            &queue,
                            &slot.socket,
                            data(slot.socket.as_fd()),
                            flags(wait),
                        )?;
                    }
                    // A signal, or an event that was none.
                    Err(error) if is_passing(&error) => {}
                    // Closing takes it off the queue.
                    Ok(None) | Err(_) => slots[at] = None,
                }
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn accept<P: Peer>(
    listener: &OwnedFd,
    queue: &OwnedFd,
    slots: &mut Vec<Option<Slot<P>>>,
    make: &impl Fn() -> io::Result<P>,
) -> io::Result<()> {
    loop {
        let socket = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if sockopt::socket_domain(&socket)? != AddressFamily::UNIX {
            sockopt::set_tcp_nodelay(&socket, true)?;
        }
        watch(queue, socket.as_fd(), Wait::Input)?;
        let at = socket.as_raw_fd() as usize;
        if slots.len() <= at {
            slots.resize_with(at + 1, || None);
        }
        slots[at] = Some(Slot { socket, peer: make()?, waits: Wait::Input });
    }
}

fn nonblocking(listener: Listener) -> io::Result<OwnedFd> {
    match listener {
        Listener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            Ok(listener.into())
        }
        Listener::Unix(listener) => {
            listener.set_nonblocking(true)?;
            Ok(listener.into())
        }
    }
}

fn watch(queue: &OwnedFd, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<()> {
    Ok(epoll::add(queue, socket, data(socket), flags(wait))?)
}

fn data(socket: BorrowedFd<'_>) -> EventData {
    EventData::new_u64(socket.as_raw_fd() as u64)
}

fn flags(wait: Wait) -> EventFlags {
    match wait {
        Wait::Input => EventFlags::IN,
        Wait::Room => EventFlags::OUT,
    }
}
