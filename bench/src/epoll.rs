//! The least that an event loop can be: readiness, a level, told with the number of a descriptor.

use crate::Listener;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, accept_with, sockopt};
use std::io;

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
                    // Closing takes it off the queue.
                    Ok(None) | Err(_) => slots[at] = None,
                }
            }
        }
    }
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
