//! Sockets that make transports: [`Listener`].
//!
//! A listener accepts and does nothing else; it has no way to send or to receive. Its invariants:
//! what goes wrong with one connection that is about to be accepted is no error of the listener;
//! when descriptors run out connections wait, and the listener is as good as before.

use crate::sys::{self, Watch, Woke};
use crate::transport::{Proxied, Tcp, Transport, Unix, Wait, unix_endpoint};
use crate::{Endpoint, Error, Liveness, ProxyFrom, deadline};
use accept::{Counts, accept_one, count};
use socket2::{SockAddr, Socket};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

mod accept;
mod inherited;
mod options;
mod tcp;
mod tls;
mod unix;

pub use accept::AcceptCounts;
pub use options::ListenOptions;

/// Accepts connections on an endpoint, or on each of the addresses that a name has.
///
/// ```
/// use std::net::TcpStream;
/// use switchboard::{Listener, transport::Wait};
///
/// let listener = Listener::listen("127.0.0.1:0")?;
/// let port = listener.endpoints()[0].port().unwrap();
/// let client = TcpStream::connect(("127.0.0.1", port))?;
/// let transport = listener.accept(&Wait::FOREVER)?;
/// assert_eq!(transport.remote(), Some(client.local_addr()?.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<Listening>,
    options: ListenOptions,
    /// What the server that it belongs to says instead of `options`.
    liveness: OnceLock<Liveness>,
    counts: Counts,
    reserve: sys::Reserve,
    /// Where the next look for a connection begins, so that no socket starves another.
    next: AtomicUsize,
    /// What is accepted is wrapped, with what the options say of it.
    /// What was asked for, before a port was chosen or a name resolved.
    asked: Endpoint,
    /// Unlinks the path when dropped.
    path: Option<unix::BoundPath>,
}

/// A connection that nobody has looked at yet, and where its client is.
type Accepted = (Socket, SockAddr);

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
    /// Listens on an endpoint given as text, with the defaults of [`ListenOptions`]: ports as
    /// `127.0.0.1:7000`, `localhost:7000` or `:7000`, Unix sockets as `unix:/path` or `unix:@name`.
    ///
    /// ```
    /// let listener = switchboard::Listener::listen("localhost:0")?;
    /// assert_ne!(listener.endpoints()[0].port(), Some(0));
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// The text is no endpoint, or as for [`bind`](Self::bind).
    pub fn listen(endpoint: &str) -> Result<Listener, Error> {
        let endpoint: Endpoint =
            endpoint.parse().map_err(|error| Error::caller("cannot listen").with_source(error))?;
        Listener::bind(&endpoint, &ListenOptions::default())
    }

    /// Listens on an endpoint.
    ///
    /// - `:port` is every address of this machine, IPv6 and IPv4 together; where there is no IPv6,
    ///   IPv4 alone. A name is each of the addresses it has; with port 0 all get the same one.
    /// - `fd:N` is a socket that listens already and came with the process: TCP or Unix, with the
    ///   backlog and the shared port that its maker gave it. Its path is not removed. See also
    ///   [`activated`](Self::activated).
    /// - A Unix path on which nobody accepts any more is replaced, one that is served is an
    ///   "address in use", and what is no socket is left alone. The path is removed when the
    ///   listener is dropped by the process that made it, if it is still the same one.
    ///
    /// # Errors
    /// In words that say what to do: the port is in use or not permitted, the address is none of
    /// this machine's, the path is too long or its directory is not there, the descriptor is no
    /// stream socket that listens. `exec:` and `-` are one stream each and cannot be listened on. A
    /// Unix socket cannot share its name.
    pub fn bind(endpoint: &Endpoint, options: &ListenOptions) -> Result<Listener, Error> {
        if options.reuse_port && matches!(endpoint, Endpoint::Unix(_) | Endpoint::Abstract(_)) {
            return Err(Error::caller("cannot share")
                .at_endpoint(endpoint)
                .with_advice("only tcp ports are shared: leave reuse_port out, or listen on tcp"));
        }
        let (sockets, path) = match endpoint {
            Endpoint::Tcp { host, port } => (tcp::bind(host, *port, options)?, None),
            Endpoint::Tls { host, port } => {
                tls::check(endpoint, options)?;
                (tcp::bind(host, *port, options)?, None)
            }
            Endpoint::Unix(path) => {
                let (socket, bound) = unix::bind_path(path, options)?;
                (vec![socket], Some(bound))
            }
            Endpoint::Abstract(name) => (vec![unix::bind_abstract(name, options)?], None),
            Endpoint::Fd(number) => {
                let socket = inherited::take(*number)?;
                let options = options.clone().with_reuse_port(socket.shares_port());
                return Ok(Listener::made_of(vec![socket], options, endpoint.clone(), None));
            }
            Endpoint::Exec(_) | Endpoint::Stdio => {
                return Err(Error::caller("cannot listen on").at_endpoint(endpoint).with_advice(
                    "it is one stream: connect to it, or listen on tcp or a unix socket",
                ));
            }
        };
        Ok(Listener::made_of(sockets, options.clone(), endpoint.clone(), path))
    }

    fn made_of(
        mut sockets: Vec<Listening>,
        options: ListenOptions,
        asked: Endpoint,
        path: Option<unix::BoundPath>,
    ) -> Listener {
        tls::name(&mut sockets, &options);
        Listener {
            sockets,
            options,
            liveness: OnceLock::new(),
            counts: Counts::default(),
            reserve: sys::Reserve::new(),
            next: AtomicUsize::new(0),
            asked,
            path,
        }
    }

    /// Whether others may listen on its port, see [`another`](Self::another).
    pub(crate) fn shares_port(&self) -> bool {
        self.options.reuse_port
    }

    /// One more listener on the same addresses and port, with the same options: the kernel spreads
    /// new connections over all of them, each with a backlog of its own.
    ///
    /// ```
    /// use switchboard::{ListenOptions, Listener};
    ///
    /// let options = ListenOptions::default().with_reuse_port(true);
    /// let first = Listener::bind(&"127.0.0.1:0".parse()?, &options)?;
    /// let second = first.another()?;
    /// assert_eq!(first.endpoints(), second.endpoints());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// This one was made without [`reuse_port`](ListenOptions::with_reuse_port), or is no TCP; or
    /// no descriptor is left.
    pub fn another(&self) -> Result<Listener, Error> {
        if !self.options.reuse_port {
            return Err(Error::caller("cannot share").at_endpoint(self.name()).with_advice(
                "it was made without reuse_port: set it in the options of the first listener \
                 (tcp only)",
            ));
        }
        let again = |listening| tcp::bind_again(listening, &self.options);
        let sockets: Result<Vec<Listening>, Error> = self.sockets.iter().map(again).collect();
        Ok(self.like(sockets?))
    }

    /// One that puts round connections what this one does.
    fn like(&self, sockets: Vec<Listening>) -> Listener {
        let options = self.options.clone().with_liveness(self.liveness());
        Listener::made_of(sockets, options, self.asked.clone(), None)
    }

    /// The liveness of what is accepted from here on; said once.
    pub(crate) fn set_liveness(&self, liveness: Liveness) {
        // A server serves once, so nobody has said it before.
        let _ = self.liveness.set(liveness);
    }

    fn liveness(&self) -> Liveness {
        self.liveness.get().copied().unwrap_or(self.options.liveness)
    }

    /// Accepts a connection, waiting for it until `until` says otherwise.
    ///
    /// # Errors
    /// A deadline that passed, a stop, or a lack of descriptors or memory
    /// ([`is_exhausted`](Error::is_exhausted)): the listener is as good as before, but pause for
    /// [`ACCEPT_PAUSE`](crate::limits::ACCEPT_PAUSE) before you call it again, since the connection
    /// still waits and would have this return at once. Whatever else it says is the listener's own
    /// end: it will say so again. What is wrong with one connection is no error here, but counted
    /// in [`accept_counts`](Self::accept_counts).
    pub fn accept(&self, until: &Wait<'_>) -> Result<Arc<dyn Transport>, Error> {
        loop {
            if until.stopper.is_some_and(crate::Stopper::is_stopped) {
                return Err(Error::stopped("accepting on").at_endpoint(self.name()));
            }
            if let Some(transport) = self.try_accept()? {
                return Ok(transport);
            }
            let what = "accepting on";
            if deadline::has_passed(until.deadline) {
                return Err(Error::timed_out(what).at_endpoint(self.name()));
            }
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
    /// ```
    /// let listener = switchboard::Listener::listen("127.0.0.1:0")?;
    /// assert!(listener.try_accept()?.is_none());
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// After [`ACCEPT_ERRORS_MAX`](crate::limits::ACCEPT_ERRORS_MAX) connections in a row that were
    /// gone already it says `None` too, and a poll finds the socket still readable.
    ///
    /// # Errors
    /// As for [`accept`](Self::accept), without waiting.
    pub fn try_accept(&self) -> Result<Option<Arc<dyn Transport>>, Error> {
        Ok(self.look()?.map(|(family, (socket, remote))| {
            count(&self.counts.accepted);
            self.transport(family, socket, &remote)
        }))
    }

    /// Closes one waiting connection, so that its client is told (by a reset over TCP, by an end
    /// over a Unix socket) instead of waiting for ever. Says whether there was one.
    ///
    /// This is for when descriptors have run out ([`is_exhausted`](Error::is_exhausted)) and do not
    /// come back: the listener gives up one that it keeps in reserve, accepts with it, closes what
    /// it accepted, and takes the reserve again. While there are descriptors nobody is turned away,
    /// nor when memory is what has run out. [`accept`](Self::accept) never does this by itself: let
    /// connections wait in the backlog first, for
    /// [`EXHAUSTED_PATIENCE`](crate::limits::EXHAUSTED_PATIENCE) say.
    ///
    /// Should another thread take the descriptor in between, nobody is turned away, and the reserve
    /// is taken again at a later call.
    ///
    /// ```
    /// let listener = switchboard::Listener::listen("127.0.0.1:0")?;
    /// assert!(!listener.turn_away()?, "there are descriptors");
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// The listener is at its end, as for [`accept`](Self::accept).
    pub fn turn_away(&self) -> Result<bool, Error> {
        let outcome: Option<Result<bool, Error>> = self.reserve.give_up_for(|| {
            let found = self.look()?;
            if let Some((_, (socket, _))) = &found {
                count(&self.counts.turned_away);
                // An orderly end would look like an answer, and leave the port's pair of addresses
                // in TIME_WAIT. It fails on a connection that is broken already.
                let _ = socket.set_linger(Some(Duration::ZERO));
            }
            Ok(found.is_some())
        });
        match outcome.unwrap_or(Ok(false)) {
            Err(error) if error.is_exhausted() => Ok(false),
            outcome => outcome,
        }
    }

    /// What came of this listener's calls of `accept(2)` so far.
    #[must_use]
    pub fn accept_counts(&self) -> AcceptCounts {
        self.counts.now()
    }

    /// One look at each socket, until one has a connection.
    fn look(&self) -> Result<Option<(Family, Accepted)>, Error> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for i in 0..self.sockets.len() {
            let listening = &self.sockets[first.wrapping_add(i) % self.sockets.len()];
            match accept_one(&self.counts, || listening.socket.accept()) {
                Ok(None) => {}
                Ok(Some(accepted)) => return Ok(Some((listening.family, accepted))),
                Err(error) => {
                    let error = Error::io("cannot accept on", error);
                    let error = error.at_endpoint(&listening.endpoint);
                    return Err(if error.is_exhausted() {
                        error.with_advice("end some conversations, or raise the limit (ulimit -n)")
                    } else {
                        error
                    });
                }
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
        let reuse_port = family == Family::Tcp && socket.reuse_port().map_err(fail)?;
        let options = ListenOptions::default().with_reuse_port(reuse_port);
        let asked = endpoint.clone();
        Ok(Listener::made_of(vec![Listening { socket, endpoint, family }], options, asked, None))
    }

    /// What it puts round connections, and no sockets: another process has those.
    pub(crate) fn without_sockets(&self) -> Listener {
        self.like(Vec::new())
    }

    /// Puts round a socket that another process has accepted what it would have put round it.
    pub(crate) fn dress(&self, socket: OwnedFd) -> io::Result<Arc<dyn Transport>> {
        let socket = Socket::from(socket);
        let family = if socket.local_addr()?.is_unix() { Family::Unix } else { Family::Tcp };
        // A connection that is broken already has no other side any more; the next call tells.
        let remote = socket.peer_addr().or_else(|_| socket.local_addr())?;
        Ok(self.transport(family, socket, &remote))
    }

    /// Says which process it is of: no other one removes its path.
    pub(crate) fn is_of(&self, process: u32) {
        if let Some(path) = &self.path {
            path.is_of(process);
        }
    }

    fn transport(&self, family: Family, socket: Socket, remote: &SockAddr) -> Arc<dyn Transport> {
        let proxy = self.options.proxy.as_ref();
        let bare: Arc<dyn Transport> = match family {
            Family::Tcp => {
                let remote = remote.as_socket();
                let tcp = Tcp::connected(socket.into(), remote);
                // It fails only on a connection that is broken already; the next call tells.
                let _ = tcp.set_liveness(&self.liveness());
                match proxy.zip(remote).is_some_and(|(from, remote)| from.has(remote.ip())) {
                    true => Arc::new(Proxied::over(tcp)),
                    false => Arc::new(tcp),
                }
            }
            Family::Unix => {
                let unix = Unix::connected(std::os::unix::net::UnixStream::from(socket));
                match proxy.is_some_and(ProxyFrom::has_unix) {
                    true => Arc::new(Proxied::over(unix)),
                    false => Arc::new(unix),
                }
            }
        };
        #[cfg(feature = "tls")]
        let bare = self.wrapped(bare);
        bare
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
