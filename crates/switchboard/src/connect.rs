//! From endpoints to transports: [`Endpoint::connect`].
//!
//! Whatever an endpoint needs, the time for all of it is one deadline, and a failure tells each
//! address that was tried.

use crate::resolve::{self, literal, resolve};
use crate::transport::{Interrupt, Pipe, Tcp, Transport, Unix, Wait, abstract_address};
use crate::{Attempt, Endpoint, Error, Liveness, Stopper, deadline, limits, sys};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

mod race;
mod start;
mod tls;

pub use start::Connecting;
#[cfg(not(feature = "tls"))]
pub(crate) use tls::without_tls;

/// How to connect.
///
/// ```
/// use std::time::Duration;
/// use switchboard::ConnectOptions;
///
/// let options = ConnectOptions::default().with_timeout(Some(Duration::from_secs(3)));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    timeout: Option<Duration>,
    stagger: Duration,
    liveness: Liveness,
    local: Option<SocketAddr>,
    stopper: Option<Stopper>,
    on_interrupt: Option<Hook>,
    #[cfg(feature = "tls")]
    tls: crate::transport::TlsClient,
}

/// What is asked when a signal interrupts a wait.
#[derive(Clone)]
struct Hook(Arc<dyn Fn() -> Interrupt + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl Default for ConnectOptions {
    /// The timeout, the stagger and the liveness in [`limits`]; any local address; no stopper.
    fn default() -> ConnectOptions {
        ConnectOptions {
            timeout: Some(limits::CONNECT_TIMEOUT),
            stagger: limits::CONNECT_STAGGER,
            liveness: Liveness::default(),
            local: None,
            stopper: None,
            on_interrupt: None,
            #[cfg(feature = "tls")]
            tls: crate::transport::TlsClient::default(),
        }
    }
}

impl ConnectOptions {
    /// How long all of it may take: the name, and every address it has. `None` is for ever.
    #[must_use]
    pub fn with_timeout(self, timeout: Option<Duration>) -> ConnectOptions {
        ConnectOptions { timeout, ..self }
    }

    /// How long an address is tried alone before the next one is tried beside it.
    #[must_use]
    pub fn with_stagger(self, stagger: Duration) -> ConnectOptions {
        ConnectOptions { stagger, ..self }
    }

    /// The liveness of the connection.
    #[must_use]
    pub fn with_liveness(self, liveness: Liveness) -> ConnectOptions {
        ConnectOptions { liveness, ..self }
    }

    /// The local address of a TCP connection, port 0 for any. Addresses of the other family are
    /// then not tried.
    #[must_use]
    pub fn with_local(self, local: SocketAddr) -> ConnectOptions {
        ConnectOptions { local: Some(local), ..self }
    }

    /// Whom a `tls://` endpoint trusts, and who this side is: the certificates that the system
    /// trusts and no one, if nothing is said.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: crate::transport::TlsClient) -> ConnectOptions {
        ConnectOptions { tls, ..self }
    }

    /// Ends connecting from elsewhere.
    #[must_use]
    pub fn with_stopper(self, stopper: Stopper) -> ConnectOptions {
        ConnectOptions { stopper: Some(stopper), ..self }
    }

    /// Has a function called when a signal interrupts a wait, and now and then, as
    /// [`Wait::on_interrupt`] says; it says whether to go on. Without it signals are never seen
    /// here.
    #[must_use]
    pub fn with_on_interrupt(
        self,
        hook: impl Fn() -> Interrupt + Send + Sync + 'static,
    ) -> ConnectOptions {
        ConnectOptions { on_interrupt: Some(Hook(Arc::new(hook))), ..self }
    }

    fn until(&self) -> Wait<'_> {
        Wait {
            deadline: self.timeout.and_then(deadline::after),
            stopper: self.stopper.as_ref(),
            on_interrupt: self.on_interrupt.as_ref().map(|hook| &*hook.0 as _),
        }
    }
}

/// Connecting.
impl Endpoint {
    /// Connects.
    ///
    /// A name is tried at every address it has, in the order of RFC 8305: the families in turn,
    /// IPv6 first, the next one beside the last after 250 ms or at once when one fails; the first
    /// that connects is taken, and over `tls://` the handshake is part of it. `:port` is this
    /// machine. `exec:` starts the program, its standard error stays this program's. `fd:3` and `-`
    /// take over what is there.
    ///
    /// # Errors
    /// In words that say what to do: the name does not resolve, nobody listens there, no answer in
    /// time; [`attempts`](Error::attempts) has each address and why.
    ///
    /// ```
    /// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let port = server.local_addr()?.port();
    /// use switchboard::{ConnectOptions, Endpoint};
    ///
    /// let transport = Endpoint::tcp("127.0.0.1", port).connect(&ConnectOptions::default())?;
    /// assert_eq!(transport.write(b"hello")?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect(&self, options: &ConnectOptions) -> Result<Arc<dyn Transport>, Error> {
        let until = options.until();
        match self {
            Endpoint::Tcp { host, port } | Endpoint::Tls { host, port } => {
                tls::check(self, options)?;
                let addresses = match without_asking(host, *port) {
                    Some(addresses) => addresses,
                    None => resolve(host, *port, &until)?,
                };
                let tcp = race::race(self, addresses, options, &until)?;
                tls::opened(self, tcp, options, &until)
            }
            Endpoint::Unix(_) | Endpoint::Abstract(_) => Ok(Arc::new(connect_unix(self, &until)?)),
            _ => self.open(),
        }
    }

    /// Begins to connect and does not wait for anything, not even for the name.
    ///
    /// The addresses of a name are tried one after the other. [`Connecting::finish`] goes on with
    /// it whenever its descriptor is writable.
    ///
    /// # Errors
    /// When it fails at once. A Unix listener whose queue is full fails at once too: there is
    /// nothing to wait on.
    pub fn start_connect(&self, options: &ConnectOptions) -> Result<Connecting, Error> {
        Connecting::start(self, options)
    }

    /// The error that [`connect`](Self::connect) would make, for who connects by other means, as
    /// on a loop of another library: of the addresses that were tried; of none, no time was left.
    #[must_use]
    pub fn connect_failed(&self, attempts: Vec<Attempt>) -> Error {
        match (self, attempts.first()) {
            (_, None) => race::timed_out(self, attempts),
            (Endpoint::Unix(_) | Endpoint::Abstract(_), Some(Attempt { error, .. })) => {
                let number = error.raw_os_error();
                let error =
                    number.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
                refused(error, self)
            }
            _ => race::failed(self, attempts),
        }
    }

    /// The same where the name of the endpoint has no address.
    #[must_use]
    pub fn resolve_failed(&self, error: io::Error) -> Error {
        resolve::unresolved(self, error)
    }

    /// Opens what needs no connecting.
    fn open(&self) -> Result<Arc<dyn Transport>, Error> {
        let fail = |error: io::Error| {
            let advice = match self {
                Endpoint::Exec(_) if error.kind() == io::ErrorKind::NotFound => {
                    "there is no such program: check its name and PATH"
                }
                Endpoint::Fd(_) if Errno::from_io_error(&error) == Some(Errno::BADF) => {
                    "the program was not started with it: redirect it, as in 3</path"
                }
                _ => return Error::io("cannot open", error).at_endpoint(self),
            };
            Error::io("cannot open", error).at_endpoint(self).with_advice(advice)
        };
        match self {
            Endpoint::Exec(words) => Ok(Arc::new(Pipe::spawn(words).map_err(fail)?)),
            Endpoint::Fd(number) => Pipe::inherited(*number).map_err(fail),
            Endpoint::Stdio => Pipe::stdio().map_err(fail),
            _ => Err(Error::caller("cannot open without connecting").at_endpoint(self)),
        }
    }
}

/// The addresses of a host that is no name: an address is its own, and no host at all is this
/// machine.
fn without_asking(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    if host.is_empty() {
        let (v6, v4) = (Ipv6Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        return Some(vec![SocketAddr::from((v6, port)), SocketAddr::from((v4, port))]);
    }
    Some(vec![literal(host, port)?])
}

fn unix_socket(endpoint: &Endpoint) -> io::Result<(Socket, SockAddr)> {
    let address = match endpoint {
        Endpoint::Abstract(name) => abstract_address(name)?,
        Endpoint::Unix(path) => SockAddr::unix(path)?,
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

fn connect_unix(endpoint: &Endpoint, until: &Wait<'_>) -> Result<Unix, Error> {
    let what = "cannot connect to";
    let (socket, address) = unix_socket(endpoint).map_err(|error| refused(error, endpoint))?;
    loop {
        match socket.connect(&address) {
            Ok(()) => return unix_done(socket).map_err(|error| refused(error, endpoint)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(refused(error, endpoint)),
        }
        if deadline::has_passed(until.deadline) {
            let advice = "the server does not accept: its queue stays full";
            return Err(Error::timed_out(what).at_endpoint(endpoint).with_advice(advice));
        }
        let pause = deadline::after(limits::UNIX_RETRY_INTERVAL);
        let pause = Wait { deadline: deadline::earlier(pause, until.deadline), ..*until };
        let woke = sys::wait(&mut [], &pause)
            .map_err(|error| Error::io(what, error).at_endpoint(endpoint))?;
        match woke {
            sys::Woke::Stopped => return Err(Error::stopped(what).at_endpoint(endpoint)),
            sys::Woke::Interrupted => return Err(Error::interrupted(what).at_endpoint(endpoint)),
            sys::Woke::Ready | sys::Woke::Deadline => {}
        }
    }
}

fn unix_done(socket: Socket) -> io::Result<Unix> {
    socket.set_nonblocking(false)?;
    Ok(Unix::connected(UnixStream::from(socket)))
}

/// The error of a Unix socket, with what to do.
fn refused(error: io::Error, endpoint: &Endpoint) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::ConnectionRefused if matches!(endpoint, Endpoint::Abstract(_)) => {
            "nothing listens under that name: start the server, or check the name"
        }
        io::ErrorKind::ConnectionRefused => {
            "nobody serves that path any more: start the server again"
        }
        io::ErrorKind::NotFound => "there is no such path: start the server, or check the path",
        io::ErrorKind::PermissionDenied => "this user may not connect: see the path's permissions",
        io::ErrorKind::InvalidInput => "the system takes 107 bytes of it: choose a shorter one",
        io::ErrorKind::WouldBlock => "the server's queue is full: try again later",
        _ => return Error::io("cannot connect to", error).at_endpoint(endpoint),
    };
    Error::io("cannot connect to", error).at_endpoint(endpoint).with_advice(advice)
}

/// A connected TCP socket as a transport.
fn tcp_done(socket: Socket, remote: SocketAddr, liveness: &Liveness) -> io::Result<Tcp> {
    // A port of this machine that nobody listens on can be given to the connecting socket itself,
    // which then talks to itself: nobody is there.
    if socket.local_addr()?.as_socket() == Some(remote) {
        return Err(Errno::CONNREFUSED.into());
    }
    socket.set_nonblocking(false)?;
    let tcp = Tcp::connected(socket.into(), Some(remote));
    tcp.set_liveness(liveness)?;
    Ok(tcp)
}
