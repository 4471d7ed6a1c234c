//! A runtime of another language that this library runs in: what it is to be told of.
//!
//! Set once, for the process; without one nothing changes.

use std::io;
use std::sync::OnceLock;

/// What a runtime wants to do by itself.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Forks: 0 in the child, else its number. It is called while this process has one thread.
    pub fork: fn() -> io::Result<i32>,
    /// Runs what a thread that [`Server::start`](crate::Server::start) makes has to do, which may
    /// take as long as the server serves.
    pub thread: fn(&mut (dyn FnMut() + Send)),
    /// Runs what gives a [`Service`](crate::server::Service) the messages of one turn, at least
    /// one: what the runtime takes for itself then is taken once, and not for each message.
    pub messages: fn(&mut dyn FnMut()),
}

static HOST: OnceLock<Host> = OnceLock::new();

/// Sets the runtime. Says whether there was none before.
pub fn set(host: Host) -> bool {
    HOST.set(host).is_ok()
}

/// How to fork, if not as always.
pub(crate) fn fork() -> Option<fn() -> io::Result<i32>> {
    HOST.get().map(|host| host.fork)
}

/// Runs what a thread has to do.
pub(crate) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let Some(host) = HOST.get() else { return work() };
    let (mut work, mut done) = (Some(work), None);
    (host.thread)(&mut || done = work.take().map(|work| work()));
    done.unwrap_or_else(|| unreachable!("the runtime has not run its thread"))
}

/// Whether there is a runtime.
#[inline]
pub(crate) fn is_set() -> bool {
    HOST.get().is_some()
}

/// Runs what gives a service its messages.
#[inline]
pub(crate) fn messages<T>(give: impl FnOnce() -> T) -> T {
    let Some(host) = HOST.get() else { return give() };
    let (mut give, mut given) = (Some(give), None);
    (host.messages)(&mut || given = give.take().map(|give| give()));
    given.unwrap_or_else(|| unreachable!("the runtime has not given the messages"))
}
