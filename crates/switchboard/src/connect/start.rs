//! Connecting without waiting: [`Connecting`].

use super::race::{attempt, begin, failed, in_order, outcome, timed_out};
#[cfg(feature = "tls")]
use super::tls;
use super::{ConnectOptions, refused, tcp_done, unix_done, unix_socket, without_asking};
use crate::error::Attempt;
use crate::resolve::Resolving;
use crate::sys::{self, Watch, Woke};
use crate::transport::{Interest, Wait};
use crate::{Endpoint, Error, Transport, deadline};
use socket2::Socket;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

/// A connection that is being made: put it among the writers of [`select`](crate::select()), or its
/// descriptor into a loop of your own, and call [`finish`](Self::finish) when it is ready.
///
/// ```
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let port = server.local_addr()?.port();
/// use switchboard::{ConnectOptions, Endpoint, transport};
///
/// let endpoint = Endpoint::tcp("localhost", port);
/// let mut connecting = endpoint.start_connect(&ConnectOptions::default())?;
/// let transport = loop {
///     if let Some(transport) = connecting.finish()? {
///         break transport;
///     }
///     let until = transport::Wait { deadline: connecting.deadline(), ..Default::default() };
///     let descriptor = connecting.descriptor();
///     transport::wait_on(descriptor, descriptor, connecting.interest(), &until)?;
/// };
/// # let _ = transport;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connecting {
    endpoint: Endpoint,
    options: ConnectOptions,
    deadline: Option<Instant>,
    state: State,
    waiting: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
enum State {
    Resolving(Resolving),
    Connecting(SocketAddr, Socket),
    #[cfg(feature = "tls")]
    Handshaking(Arc<crate::transport::Tls>),
    Connected(Arc<dyn Transport>),
    /// The outcome has been told.
    Over,
}

impl Connecting {
    pub(super) fn start(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Self, Error> {
        let mut connecting = Connecting {
            endpoint: endpoint.clone(),
            options: options.clone(),
            deadline: options.timeout.and_then(deadline::after),
            state: State::Over,
            waiting: VecDeque::new(),
            attempts: Vec::new(),
        };
        match endpoint {
            Endpoint::Tcp { host, port } | Endpoint::Tls { host, port } => {
                super::tls::check(endpoint, options)?;
                match without_asking(host, *port) {
                    Some(addresses) => {
                        connecting.waiting = in_order(addresses);
                        connecting.next_address()?;
                    }
                    None => {
                        let resolving = Resolving::start(host, *port)?;
                        connecting.state = State::Resolving(resolving);
                    }
                }
            }
            Endpoint::Unix(_) | Endpoint::Abstract(_) => {
                let unix = unix_socket(endpoint)
                    .and_then(|(socket, address)| {
                        socket.connect(&address)?;
                        unix_done(socket)
                    })
                    .map_err(|error| refused(error, endpoint))?;
                connecting.state = State::Connected(Arc::new(unix));
            }
            _ => connecting.state = State::Connected(endpoint.open()?),
        }
        Ok(connecting)
    }

    /// Goes on as far as it can without waiting. `None`: not connected yet; poll the descriptor
    /// again, it may be another one now.
    ///
    /// # Errors
    /// As for [`Endpoint::connect`], with each address that was tried, also when the deadline has
    /// passed. After an error or a transport there is nothing more to come.
    pub fn finish(&mut self) -> Result<Option<Arc<dyn Transport>>, Error> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Connected(transport) => return Ok(Some(transport)),
                State::Over => {
                    let what = "the outcome has been told already, connecting to";
                    return Err(Error::caller(what).at_endpoint(&self.endpoint));
                }
                State::Resolving(resolving) => match resolving.answer() {
                    Some(answer) => {
                        self.waiting = in_order(answer?);
                        self.next_address()?;
                    }
                    None if deadline::has_passed(self.deadline) => {
                        return Err(resolving.timed_out());
                    }
                    None => {
                        self.state = State::Resolving(resolving);
                        return Ok(None);
                    }
                },
                #[cfg(feature = "tls")]
                State::Handshaking(tls) => {
                    if tls::advance(&self.endpoint, &tls)? {
                        return Ok(Some(tls));
                    }
                    if deadline::has_passed(self.deadline) {
                        return Err(tls::late(&self.endpoint));
                    }
                    self.state = State::Handshaking(tls);
                    return Ok(None);
                }
                State::Connecting(address, socket) => {
                    if !is_writable(socket.as_fd()) {
                        if deadline::has_passed(self.deadline) {
                            return Err(self.timed_out(address));
                        }
                        self.state = State::Connecting(address, socket);
                        return Ok(None);
                    }
                    let done = outcome(&socket)
                        .and_then(|()| tcp_done(socket, address, &self.options.liveness));
                    match done {
                        #[cfg(feature = "tls")]
                        Ok(tcp) if matches!(self.endpoint, Endpoint::Tls { .. }) => {
                            let tls = tls::begun(&self.endpoint, tcp, &self.options)?;
                            self.state = State::Handshaking(tls);
                        }
                        Ok(tcp) => return Ok(Some(Arc::new(tcp))),
                        Err(error) => {
                            self.attempts.push(attempt(address, error));
                            self.next_address()?;
                        }
                    }
                }
            }
        }
    }

    /// What to poll until [`finish`](Self::finish) has something to do, for what
    /// [`interest`](Self::interest) says. `None`: it has already.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Resolving(resolving) => Some(resolving.as_fd()),
            State::Connecting(_, socket) => Some(socket.as_fd()),
            #[cfg(feature = "tls")]
            State::Handshaking(tls) => tls.read_descriptor(),
            State::Connected(_) | State::Over => None,
        }
    }

    /// What to poll the descriptor for: writing, until a TLS handshake has to read.
    #[must_use]
    pub fn interest(&self) -> Interest {
        match &self.state {
            #[cfg(feature = "tls")]
            State::Handshaking(tls) => tls.interest(Interest::READ),
            _ => Interest::WRITE,
        }
    }

    /// When [`finish`](Self::finish) gives up; `None` is never.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Begins with the next address that does not fail at once.
    fn next_address(&mut self) -> Result<(), Error> {
        while let Some(address) = self.waiting.pop_front() {
            match begin(address, &self.options) {
                // One that is connected already is writable, so the next look finds it.
                Ok((socket, _)) => {
                    self.state = State::Connecting(address, socket);
                    return Ok(());
                }
                Err(error) => self.attempts.push(attempt(address, error)),
            }
        }
        Err(failed(&self.endpoint, std::mem::take(&mut self.attempts)))
    }

    fn timed_out(&mut self, address: SocketAddr) -> Error {
        let no_answer = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
        let mut attempts = std::mem::take(&mut self.attempts);
        attempts.push(attempt(address, no_answer));
        timed_out(&self.endpoint, attempts)
    }
}

/// A look without a wait. What cannot be polled is taken as ready: the next call tells.
fn is_writable(descriptor: BorrowedFd<'_>) -> bool {
    let now = Wait::until(deadline::now());
    let mut watch = [Watch::new(descriptor, false, true)];
    !matches!(sys::wait(&mut watch, &now), Ok(Woke::Deadline))
}
