//! From names to addresses, with a deadline.
//!
//! The system's resolver cannot be told to give up, so it runs in a thread of its own; when the
//! deadline passes first, that thread is left to end by itself and its answer is dropped.

use crate::sys::{self, Gate, Woke};
use crate::transport::Wait;
use crate::{Endpoint, Error};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// An answer on its way from the resolver's thread.
#[derive(Debug)]
pub(crate) struct Resolving {
    endpoint: Endpoint,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    found: Mutex<Option<io::Result<Vec<SocketAddr>>>>,
    /// Open once the answer is there: like a socket that connects, it becomes writable.
    ready: Gate,
}

const WHAT: &str = "cannot resolve the name of";

/// The addresses of a host, at least one; an address is its own, without asking anybody.
pub(crate) fn resolve(host: &str, port: u16, until: &Wait<'_>) -> Result<Vec<SocketAddr>, Error> {
    if let Some(address) = literal(host, port) {
        return Ok(vec![address]);
    }
    let resolving = Resolving::start(host, port)?;
    let endpoint = &resolving.endpoint;
    let mut watch = [sys::Watch::new(resolving.as_fd(), false, true)];
    let woke = sys::wait(&mut watch, until)
        .map_err(|error| Error::io(WHAT, error).at_endpoint(endpoint))?;
    match woke {
        Woke::Ready => {}
        Woke::Deadline => return Err(resolving.timed_out()),
        Woke::Stopped => return Err(Error::stopped(WHAT).at_endpoint(endpoint)),
        Woke::Interrupted => return Err(Error::interrupted(WHAT).at_endpoint(endpoint)),
    }
    resolving.answer().unwrap_or_else(|| Err(resolving.timed_out()))
}

/// The address that a host is when it is no name.
pub(crate) fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    host.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, port))
}

impl Resolving {
    /// Asks in a thread.
    pub(crate) fn start(host: &str, port: u16) -> Result<Resolving, Error> {
        let endpoint = Endpoint::tcp(host, port);
        let system = |error| Error::io(WHAT, error).at_endpoint(&endpoint);
        let ready = Gate::new().map_err(system)?;
        ready.set_open(false);
        let shared = Arc::new(Shared { found: Mutex::new(None), ready });
        let in_thread = Arc::clone(&shared);
        let name = host.to_owned();
        std::thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || {
                let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
                *in_thread.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                in_thread.ready.set_open(true);
            })
            .map_err(system)?;
        Ok(Resolving { endpoint, shared })
    }

    /// The answer, once; `None` while it is not there.
    pub(crate) fn answer(&self) -> Option<Result<Vec<SocketAddr>, Error>> {
        let found = self.shared.found.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let error = match found {
            Ok(addresses) if !addresses.is_empty() => return Some(Ok(addresses)),
            Ok(_) => io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            Err(error) => error,
        };
        Some(Err(unresolved(&self.endpoint, error)))
    }

    pub(crate) fn timed_out(&self) -> Error {
        let advice = "this machine's resolver did not answer";
        Error::timed_out(WHAT).at_endpoint(&self.endpoint).with_advice(advice)
    }
}

pub(crate) fn unresolved(endpoint: &Endpoint, error: io::Error) -> Error {
    let advice = "check the spelling of the name, and this machine's resolver";
    Error::unresolved(WHAT, error).at_endpoint(endpoint).with_advice(advice)
}

impl AsFd for Resolving {
    /// Writable once the answer is there.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.ready.as_fd()
    }
}
