//! From names to addresses, with a deadline.
//!
//! The system's resolver cannot be told to give up, so it runs in a thread of its own; when the
//! deadline passes first, that thread is left to end by itself and its answer is dropped.

use crate::sys::{self, Level, Woke};
use crate::transport::Wait;
use crate::{Endpoint, Error};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

/// The answer of a resolver's thread, and the sign that it is there.
struct Answer {
    found: Mutex<Option<io::Result<Vec<SocketAddr>>>>,
    ready: Level,
}

/// The addresses of a host, at least one; an address is its own, without asking anybody.
pub(crate) fn resolve(host: &str, port: u16, until: &Wait<'_>) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let endpoint = Endpoint::tcp(host, port);
    let system = |error| Error::io("cannot resolve the name of", error).at_endpoint(&endpoint);
    let answer = Arc::new(Answer { found: Mutex::new(None), ready: Level::new().map_err(system)? });
    let in_thread = Arc::clone(&answer);
    let name = host.to_owned();
    std::thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
            *in_thread.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            in_thread.ready.raise();
        })
        .map_err(system)?;
    let mut watch = [sys::Watch::new(answer.ready.as_fd(), true, false)];
    let what = "cannot resolve the name of";
    match sys::wait(&mut watch, until).map_err(system)? {
        Woke::Ready => {}
        Woke::Deadline => {
            return Err(Error::timed_out(what)
                .at_endpoint(&endpoint)
                .with_advice("this machine's resolver did not answer"));
        }
        Woke::Stopped => return Err(Error::stopped(what).at_endpoint(&endpoint)),
        Woke::Interrupted => return Err(Error::interrupted(what).at_endpoint(&endpoint)),
    }
    let found = answer.found.lock().unwrap_or_else(PoisonError::into_inner).take();
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let advice = "check the spelling of the name, and this machine's resolver";
    match found.unwrap_or_else(|| Err(none())) {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(Error::unresolved(what, none()).at_endpoint(&endpoint).with_advice(advice)),
        Err(error) => {
            Err(Error::unresolved(what, error).at_endpoint(&endpoint).with_advice(advice))
        }
    }
}
