//! Sockets that make transports: [`Listener`].
//!
//! A listener accepts and does nothing else; it has no way to send or to receive. Its invariant:
//! what goes wrong with one connection that is about to be accepted is no error of the listener.

use crate::sys::{self, Watch, Woke};
use crate::transport::{Tcp, Transport, Unix, Wait, unix_endpoint};
use crate::{Endpoint, Error, Liveness, limits};
use rustix::io::Errno;
use socket2::Socket;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

mod tcp;
mod unix;

/// How to listen.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    backlog: u32,
    unix_mode: Option<u32>,
    liveness: Liveness,
}

impl Default for ListenOptions {
    /// The backlog and the liveness in [`limits`], and the path's mode as the process's mask has
    /// it.
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: limits::LISTEN_BACKLOG,
            unix_mode: None,
            liveness: Liveness::default(),
        }
    }
}

impl ListenOptions {
    /// How many connections may wait to be accepted; the kernel has a limit of its own.
    #[must_use]
    pub fn with_backlog(self, backlog: u32) -> ListenOptions {
        ListenOptions { backlog, ..self }
    }

    /// The permissions of a Unix path, as in `0o660`: who may connect. The path never has wider
    /// ones, not for a moment.
    #[must_use]
    pub fn with_unix_mode(self, mode: u32) -> ListenOptions {
        ListenOptions { unix_mode: Some(mode & 0o777), ..self }
    }

    /// The liveness of what is accepted.
    #[must_use]
    pub fn with_liveness(self, liveness: Liveness) -> ListenOptions {
        ListenOptions { liveness, ..self }
    }

    fn backlog(&self) -> i32 {
        i32::try_from(self.backlog).unwrap_or(i32::MAX)
    }
}

/// Accepts connections on an endpoint, or on each of the addresses that a name has.
///
/// ```
/// use std::net::TcpStream;
/// use switchboard::{ListenOptions, Listener, transport::Wait};
///
/// let listener = Listener::bind(&"127.0.0.1:0".parse()?, &ListenOptions::default())?;
/// let port = listener.endpoints()[0].port().unwrap();
/// let client = TcpStream::connect(("127.0.0.1", port))?;
/// let transport = listener.accept(&Wait::FOREVER)?;
/// assert_eq!(transport.remote(), Some(client.local_addr()?.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<Listening>,
    liveness: Liveness,
    /// Where the next look for a connection begins, so that no socket starves another.
    next: AtomicUsize,
    /// Unlinks the path when dropped.
    _path: Option<unix::BoundPath>,
}

#[derive(Debug)]
struct Listening {
    /// Non-blocking: between the poll and the accept a connection can go away.
    socket: Socket,
    endpoint: Endpoint,
    family: Family,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Tcp,
    Unix,
}

impl Listener {
    /// Listens on an endpoint.
    ///
    /// - `:port` is every address of this machine, IPv6 and IPv4 together; where there is no IPv6,
    ///   IPv4 alone. A name is each of the addresses it has; with port 0 all get the same one.
    /// - A Unix path on which nobody accepts any more is replaced, one that is served is an
    ///   "address in use", and what is no socket is left alone. The path is removed when the
    ///   listener is dropped by the process that made it, if it is still the same one.
    ///
    /// # Errors
    /// In words that say what to do: the port is in use or not permitted, the address is none of
    /// this machine's, the path is too long or its directory is not there. `exec:`, `fd:` and `-`
    /// are one stream each and cannot be listened on.
    pub fn bind(endpoint: &Endpoint, options: &ListenOptions) -> Result<Listener, Error> {
        let (sockets, path) = match endpoint {
            Endpoint::Tcp { host, port } => (tcp::bind(host, *port, options)?, None),
            Endpoint::Unix(path) => {
                let (socket, bound) = unix::bind_path(path, options)?;
                (vec![socket], Some(bound))
            }
            Endpoint::Abstract(name) => (vec![unix::bind_abstract(name, options)?], None),
            Endpoint::Exec(_) | Endpoint::Fd(_) | Endpoint::Stdio => {
                return Err(Error::caller("cannot listen on").at_endpoint(endpoint).with_advice(
                    "it is one stream: connect to it, or listen on tcp or a unix socket",
                ));
            }
        };
        Ok(Listener { sockets, liveness: options.liveness, next: AtomicUsize::new(0), _path: path })
    }

    /// Accepts a connection, waiting for it until `until` says otherwise.
    ///
    /// # Errors
    /// A deadline that passed, a stop, or a lack of descriptors or memory
    /// ([`is_exhausted`](Error::is_exhausted)): the listener is as good as before, but pause before
    /// you call it again, since the connection still waits and would have this return at once.
    pub fn accept(&self, until: &Wait<'_>) -> Result<Arc<dyn Transport>, Error> {
        loop {
            if until.stopper.is_some_and(crate::Stopper::is_stopped) {
                return Err(Error::stopped("accepting on").at_endpoint(self.name()));
            }
            if let Some(transport) = self.try_accept()? {
                return Ok(transport);
            }
            let what = "accepting on";
            let mut watches: Vec<Watch<'_>> =
                self.descriptors().map(|fd| Watch::new(fd, true, false)).collect();
            match sys::wait(&mut watches, until)
                .map_err(|error| Error::io("cannot wait on", error).at_endpoint(self.name()))?
            {
                Woke::Ready => {}
                Woke::Deadline => return Err(Error::timed_out(what).at_endpoint(self.name())),
                Woke::Stopped => return Err(Error::stopped(what).at_endpoint(self.name())),
                Woke::Interrupted => return Err(Error::interrupted(what).at_endpoint(self.name())),
            }
        }
    }

    /// Accepts a connection if one waits.
    ///
    /// # Errors
    /// As for [`accept`](Self::accept), without waiting.
    pub fn try_accept(&self) -> Result<Option<Arc<dyn Transport>>, Error> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for i in 0..self.sockets.len() {
            let listening = &self.sockets[first.wrapping_add(i) % self.sockets.len()];
            let accepted = accept_one(&listening.socket).map_err(|error| {
                let error = Error::io("cannot accept on", error).at_endpoint(&listening.endpoint);
                if error.is_exhausted() {
                    error.with_advice("end some conversations, or raise the limit (ulimit -n)")
                } else {
                    error
                }
            })?;
            if let Some((socket, remote)) = accepted {
                return Ok(Some(self.transport(listening.family, socket, &remote)));
            }
        }
        Ok(None)
    }

    /// Where it listens, one endpoint for each socket, with the port that was chosen for port 0.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.sockets.iter().map(|listening| listening.endpoint.clone()).collect()
    }

    /// What to poll for connections: readable when one waits.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(|listening| listening.socket.as_fd())
    }

    /// Takes over a listening TCP socket, and switches it to non-blocking.
    ///
    /// # Errors
    /// When the socket is broken or not bound.
    pub fn from_tcp(listener: TcpListener) -> Result<Listener, Error> {
        let endpoint = listener.local_addr().map(Endpoint::from);
        Listener::from_socket(listener.into(), endpoint, Family::Tcp)
    }

    /// Takes over a listening Unix socket, and switches it to non-blocking. Its path is not
    /// removed.
    ///
    /// # Errors
    /// When the socket is broken or not bound.
    pub fn from_unix(listener: UnixListener) -> Result<Listener, Error> {
        let endpoint = listener.local_addr().and_then(|address| {
            let unbound = || io::Error::new(io::ErrorKind::InvalidInput, "the socket has no name");
            unix_endpoint(&address).ok_or_else(unbound)
        });
        Listener::from_socket(listener.into(), endpoint, Family::Unix)
    }

    fn from_socket(
        socket: Socket,
        endpoint: io::Result<Endpoint>,
        family: Family,
    ) -> Result<Listener, Error> {
        let fail = |error| Error::io("cannot take over the listener", error);
        let endpoint = endpoint.map_err(fail)?;
        socket.set_nonblocking(true).map_err(fail)?;
        Ok(Listener {
            sockets: vec![Listening { socket, endpoint, family }],
            liveness: Liveness::default(),
            next: AtomicUsize::new(0),
            _path: None,
        })
    }

    fn transport(
        &self,
        family: Family,
        socket: Socket,
        remote: &socket2::SockAddr,
    ) -> Arc<dyn Transport> {
        match family {
            Family::Tcp => {
                let tcp = Tcp::connected(socket.into(), remote.as_socket());
                // It fails only on a connection that is broken already; the next call tells.
                let _ = tcp.set_liveness(&self.liveness);
                Arc::new(tcp)
            }
            Family::Unix => Arc::new(Unix::from(std::os::unix::net::UnixStream::from(socket))),
        }
    }

    fn name(&self) -> String {
        let names: Vec<String> = self.endpoints().iter().map(Endpoint::to_string).collect();
        names.join(" ")
    }
}

impl TryFrom<TcpListener> for Listener {
    type Error = Error;

    fn try_from(listener: TcpListener) -> Result<Listener, Error> {
        Listener::from_tcp(listener)
    }
}

impl TryFrom<UnixListener> for Listener {
    type Error = Error;

    fn try_from(listener: UnixListener) -> Result<Listener, Error> {
        Listener::from_unix(listener)
    }
}

/// Accepts until one succeeds, none waits, or the listener itself has a trouble.
fn accept_one(socket: &Socket) -> io::Result<Option<(Socket, socket2::SockAddr)>> {
    loop {
        let error = match socket.accept() {
            Ok(accepted) => return Ok(Some(accepted)),
            Err(error) => error,
        };
        match Errno::from_io_error(&error) {
            Some(Errno::AGAIN) => return Ok(None),
            // A connection that went away while it waited, or a network error that Linux reports
            // here although it belongs to the new socket: on to the next one.
            Some(
                Errno::CONNABORTED
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::PERM
                | Errno::TIMEDOUT
                | Errno::INTR,
            ) => {}
            _ => return Err(error),
        }
    }
}
