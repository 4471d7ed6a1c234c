//! Listening sockets that somebody else has made: inherited from whoever started this program, or
//! received from the server that it takes over.
//!
//! They are as their maker left them: the address, the backlog, whether the port is shared. Their
//! path, if they have one, is their maker's too, unless it was handed over with them.

use super::unix::BoundPath;
use super::{Family, ListenOptions, Listener, Listening};
use crate::transport::unix_endpoint;
use crate::{Endpoint, Error, sys};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// The first descriptor that is passed to a program that is started for its sockets.
const FIRST_PASSED: i32 = 3;

impl Listener {
    /// The listening sockets that this program was started with, and their names, as `systemd` and
    /// others pass them: descriptors from 3 on, `LISTEN_FDS` of them, if `LISTEN_PID` is this
    /// process; their names are in `LISTEN_FDNAMES`, and one without is `unknown`. If none were
    /// passed it is an empty list.
    ///
    /// Each can be had once: a second call is told that they are taken already. The protocol is
    /// that of `sd_listen_fds(3)`.
    ///
    /// ```
    /// use switchboard::{Listener, Server};
    ///
    /// let mut server = Server::new("lines")?;
    /// for (name, listener) in Listener::activated()? {
    ///     println!("{name}: {:?}", listener.endpoints());
    ///     server = server.with_listener(listener);
    /// }
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// A variable that is no number; a descriptor that is not there, or no stream socket that
    /// listens.
    pub fn activated() -> Result<Vec<(String, Listener)>, Error> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let (process, count) = (variable("LISTEN_PID"), variable("LISTEN_FDS"));
        if process.is_empty() || count.is_empty() {
            return Ok(Vec::new());
        }
        let number = |name: &str, text: &str| {
            let wrong = |_| Error::caller(format!("{name} is \"{text}\", and that is no number"));
            text.parse::<u32>().map_err(wrong)
        };
        let count = number("LISTEN_FDS", &count)?;
        if number("LISTEN_PID", &process)? != std::process::id() {
            // They were another program's, whose child this one is.
            return Ok(Vec::new());
        }
        let names = variable("LISTEN_FDNAMES");
        let mut names = names.split(':').filter(|name| !name.is_empty()).map(str::to_owned);
        let one = |number| {
            let name = names.next().unwrap_or_else(|| "unknown".to_owned());
            let listener = Listener::bind(&Endpoint::Fd(number), &ListenOptions::default())?;
            Ok((name, listener))
        };
        (FIRST_PASSED..).take(count as usize).map(one).collect()
    }

    /// Those of another process, for an endpoint that was `asked` for there. If `has_path`, their
    /// path is to be this process's: from [`take_path`](Self::take_path) on.
    pub(crate) fn received(
        descriptors: Vec<OwnedFd>,
        asked: &Endpoint,
        has_path: bool,
    ) -> Result<Listener, Error> {
        let adopt = |descriptor| adopt(descriptor, asked);
        let sockets: Vec<Listening> =
            descriptors.into_iter().map(adopt).collect::<Result<_, _>>()?;
        let path = match asked {
            Endpoint::Unix(path) if has_path => Some(BoundPath::of(path)),
            _ => None,
        };
        let shares = sockets.iter().all(|one| one.shares_port());
        let options = ListenOptions::default().with_reuse_port(shares);
        let listener = Listener::made_of(sockets, options, asked.clone(), path);
        listener.give_path_away();
        Ok(listener)
    }

    /// Has what it accepts be treated as `options` say: the liveness, the proxies, TLS. What the
    /// socket is, it stays.
    ///
    /// # Errors
    /// They do not say what the endpoint needs.
    pub fn with_options(mut self, options: &ListenOptions) -> Result<Listener, Error> {
        super::tls::check(&self.asked, options)?;
        self.options = options.clone().with_reuse_port(self.options.reuse_port);
        super::tls::name(&mut self.sockets, &self.options);
        Ok(self)
    }

    /// Whether it is what would be asked for as `endpoint`: by the same text, or, if it has one
    /// address, by that. TLS is no part of an address.
    pub(crate) fn is_at(&self, endpoint: &Endpoint) -> bool {
        let is_it = |one: &Endpoint| address(one) == address(endpoint);
        is_it(&self.asked) || matches!(&self.sockets[..], [one] if is_it(&one.endpoint))
    }

    /// The same socket, asked for by that endpoint.
    pub(crate) fn asked_for(self, endpoint: &Endpoint) -> Listener {
        Listener { asked: endpoint.clone(), ..self }
    }

    /// What was asked for when it was made.
    pub(crate) fn asked(&self) -> &Endpoint {
        &self.asked
    }

    /// Whether a path is removed when it is dropped.
    pub(crate) fn owns_path(&self) -> bool {
        self.path.as_ref().is_some_and(BoundPath::is_ours)
    }

    /// Its path, if it has one, is another process's from here on.
    pub(crate) fn give_path_away(&self) {
        self.path.iter().for_each(|path| path.set_given_away(true));
    }

    /// And this one's.
    pub(crate) fn take_path(&self) {
        self.path.iter().for_each(|path| path.set_given_away(false));
    }
}

/// The inherited descriptor `number`.
pub(super) fn take(number: i32) -> Result<Listening, Error> {
    let endpoint = Endpoint::Fd(number);
    let taken = sys::take(number).map_err(|error| {
        let is_missing = Errno::from_io_error(&error) == Some(Errno::BADF);
        let error = Error::io("cannot listen on", error).at_endpoint(&endpoint);
        match is_missing {
            true => error.with_advice("the program was not started with it"),
            false => error,
        }
    })?;
    adopt(taken, &endpoint)
}

/// An endpoint without its TLS.
fn address(endpoint: &Endpoint) -> Endpoint {
    match endpoint {
        Endpoint::Tls { host, port } => Endpoint::tcp(host.clone(), *port),
        other => other.clone(),
    }
}

/// A listening socket, or the words for what it is instead.
fn adopt(descriptor: OwnedFd, asked: &Endpoint) -> Result<Listening, Error> {
    let fail = |error| Error::io("cannot listen on", error).at_endpoint(asked);
    let unfit = |what: &str| {
        let error = Error::caller("cannot listen on").at_endpoint(asked);
        Err(error.with_advice(format!("{what}: pass a stream socket that listens")))
    };
    let socket = Socket::from(descriptor);
    match socket.r#type() {
        Ok(Type::STREAM) => {}
        Ok(_) => return unfit("it is a socket, and no stream"),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOTSOCK) => {
            return unfit("it is no socket");
        }
        Err(error) => return Err(fail(error)),
    }
    if !sys::socket::listens(socket.as_fd()).map_err(fail)? {
        return unfit("it is a socket that does not listen");
    }
    socket.set_nonblocking(true).map_err(fail)?;
    let address = socket.local_addr().map_err(fail)?;
    if let Some(tcp) = address.as_socket() {
        let endpoint = match asked {
            Endpoint::Tcp { host, .. } | Endpoint::Tls { host, .. } if host.is_empty() => {
                Endpoint::tcp("", tcp.port())
            }
            _ => Endpoint::from(tcp),
        };
        return Ok(Listening { socket, endpoint, family: Family::Tcp });
    }
    if address.domain() != Domain::UNIX {
        return unfit("it is a socket of a family that is not known here");
    }
    let listener = UnixListener::from(OwnedFd::from(socket));
    let named = listener.local_addr().map(|address| unix_endpoint(&address));
    let unnamed = || io::Error::new(io::ErrorKind::InvalidInput, "the socket has no name");
    let endpoint = named.and_then(|name| name.ok_or_else(unnamed)).map_err(fail)?;
    Ok(Listening { socket: listener.into(), endpoint, family: Family::Unix })
}

impl Listening {
    /// Whether others may listen on its port. What does not say so, no TCP for one, does not.
    pub(super) fn shares_port(&self) -> bool {
        self.family == Family::Tcp && self.socket.reuse_port().unwrap_or(false)
    }
}
