//! Many addresses, one connection: "happy eyeballs", RFC 8305.
//!
//! Invariant: each address ends up in exactly one place: still to be tried, being tried, or among
//! the attempts that failed with the reason why.

use super::{ConnectOptions, tcp_done};
use crate::error::Attempt;
use crate::sys::{self, Watch, Woke};
use crate::transport::{Tcp, Wait};
use crate::{Endpoint, Error, deadline, limits};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

/// An address that is being tried.
pub(super) struct Racing {
    pub(super) address: SocketAddr,
    pub(super) socket: Socket,
}

/// The addresses of one endpoint in the order of RFC 8305, section 4: the families in turn, IPv6
/// first; within a family the order of the resolver, which sorts by RFC 6724.
pub(super) fn in_order(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let mut seen = HashSet::new();
    let (mut v6, mut v4): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .filter(|address| seen.insert(*address))
        .partition(SocketAddr::is_ipv6);
    let mut ordered = VecDeque::with_capacity(v6.len() + v4.len());
    while !(v6.is_empty() && v4.is_empty()) {
        ordered.extend(v6.pop_front());
        ordered.extend(v4.pop_front());
    }
    ordered.truncate(limits::CONNECT_ADDRESSES_MAX);
    ordered
}

/// Connects to the first address that answers.
pub(super) fn race(
    endpoint: &Endpoint,
    addresses: Vec<SocketAddr>,
    options: &ConnectOptions,
    until: &Wait<'_>,
) -> Result<Tcp, Error> {
    let mut race = Race {
        endpoint,
        options,
        waiting: in_order(addresses),
        racing: Vec::new(),
        attempts: Vec::new(),
        next_start: deadline::now(),
    };
    loop {
        if let Some(tcp) = race.start_due() {
            return Ok(tcp);
        }
        if race.racing.is_empty() {
            return Err(failed(endpoint, race.attempts));
        }
        let next = (!race.waiting.is_empty()).then_some(race.next_start);
        let until_next = Wait { deadline: deadline::earlier(until.deadline, next), ..*until };
        let mut watches: Vec<Watch<'_>> =
            race.racing.iter().map(|one| Watch::new(one.socket.as_fd(), false, true)).collect();
        let woke = sys::wait(&mut watches, &until_next)
            .map_err(|error| Error::io(WHAT, error).at_endpoint(endpoint))?;
        let ready: Vec<bool> = watches.iter().map(|watch| watch.writable).collect();
        match woke {
            Woke::Ready => {
                if let Some(tcp) = race.finish_ready(&ready) {
                    return Ok(tcp);
                }
            }
            Woke::Deadline if deadline::has_passed(until.deadline) => return Err(race.timed_out()),
            Woke::Deadline => {}
            Woke::Stopped => return Err(Error::stopped(WHAT).at_endpoint(endpoint)),
            Woke::Interrupted => return Err(Error::interrupted(WHAT).at_endpoint(endpoint)),
        }
    }
}

const WHAT: &str = "cannot connect to";

struct Race<'a> {
    endpoint: &'a Endpoint,
    options: &'a ConnectOptions,
    waiting: VecDeque<SocketAddr>,
    racing: Vec<Racing>,
    attempts: Vec<Attempt>,
    next_start: Instant,
}

impl Race<'_> {
    /// Starts whatever is due; one that connects at once wins.
    fn start_due(&mut self) -> Option<Tcp> {
        while self.racing.is_empty() || self.next_start <= deadline::now() {
            let address = self.waiting.pop_front()?;
            match begin(address, self.options) {
                Ok((socket, false)) => {
                    self.racing.push(Racing { address, socket });
                    let stagger = deadline::after(self.options.stagger);
                    self.next_start = stagger.unwrap_or(self.next_start);
                }
                Ok((socket, true)) => match tcp_done(socket, address, &self.options.liveness) {
                    Ok(tcp) => return Some(tcp),
                    Err(error) => self.attempts.push(attempt(address, error)),
                },
                Err(error) => self.attempts.push(attempt(address, error)),
            }
        }
        None
    }

    /// Looks at the sockets that have an outcome. A failure makes the next address due.
    fn finish_ready(&mut self, ready: &[bool]) -> Option<Tcp> {
        let racing = std::mem::take(&mut self.racing);
        for (one, ready) in racing.into_iter().zip(ready) {
            if !ready {
                self.racing.push(one);
                continue;
            }
            match outcome(&one.socket)
                .and_then(|()| tcp_done(one.socket, one.address, &self.options.liveness))
            {
                Ok(tcp) => return Some(tcp),
                Err(error) => {
                    self.attempts.push(attempt(one.address, error));
                    self.next_start = deadline::now();
                }
            }
        }
        None
    }

    fn timed_out(mut self) -> Error {
        let no_answer = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
        for one in &self.racing {
            self.attempts.push(attempt(one.address, no_answer()));
        }
        let not_tried = || io::Error::new(io::ErrorKind::TimedOut, "not tried, no time was left");
        for address in &self.waiting {
            self.attempts.push(attempt(*address, not_tried()));
        }
        timed_out(self.endpoint, self.attempts)
    }
}

pub(super) fn timed_out(endpoint: &Endpoint, attempts: Vec<Attempt>) -> Error {
    Error::timed_out(WHAT).at_endpoint(endpoint).with_attempts(attempts).with_advice(NO_ANSWER)
}

const NO_ANSWER: &str = "check the address, and the network and its firewalls on the way there";

/// All addresses failed.
pub(super) fn failed(endpoint: &Endpoint, attempts: Vec<Attempt>) -> Error {
    let error = Error::attempts_failed(WHAT, attempts).at_endpoint(endpoint);
    if error.is_refused() {
        error.with_advice("nothing listens there: start the server, or check the port")
    } else if error.is_timeout() {
        error.with_advice(NO_ANSWER)
    } else {
        error
    }
}

pub(super) fn attempt(address: SocketAddr, error: io::Error) -> Attempt {
    Attempt { address: address.to_string(), error: Arc::new(error) }
}

/// Begins to connect; whether it is connected already.
pub(super) fn begin(address: SocketAddr, options: &ConnectOptions) -> io::Result<(Socket, bool)> {
    if options.local.is_some_and(|local| local.is_ipv4() != address.is_ipv4()) {
        let text = "not tried, the local address is of the other family";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(local) = options.local {
        socket.bind(&local.into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => Ok((socket, true)),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => {
            Ok((socket, false))
        }
        Err(error) => Err(error),
    }
}

/// How connecting went, once the socket is writable: `SO_ERROR` has it.
pub(super) fn outcome(socket: &Socket) -> io::Result<()> {
    socket.take_error()?.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], expected: &[&str]) {
        let parse = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert_eq!(Vec::from(in_order(parse(addresses))), parse(expected));
    }

    #[test]
    fn families_take_turns_and_ipv6_is_first() {
        check(&["1.1.1.1:1", "2.2.2.2:1", "[::3]:1"], &["[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        check(&["[::1]:1", "[::2]:1", "1.1.1.1:1"], &["[::1]:1", "1.1.1.1:1", "[::2]:1"]);
        check(&["1.1.1.1:1", "1.1.1.1:1"], &["1.1.1.1:1"]);
        check(&[], &[]);
    }

    fn loopback(addresses: &[SocketAddr], options: &ConnectOptions) -> Result<Tcp, Error> {
        race(&Endpoint::tcp("name", 1), addresses.to_vec(), options, &options.until())
    }

    /// A port that was free a moment ago and is not listened on.
    fn nobody() -> SocketAddr {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    }

    #[test]
    fn the_first_refuses_and_the_second_is_taken_at_once() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        // A stagger of an hour: only the refusal can have started the second one in time.
        let options = ConnectOptions::default().with_stagger(std::time::Duration::from_secs(3600));
        let tcp = loopback(&[nobody(), address], &options).unwrap();
        let expected = Some(Endpoint::from(address));
        assert_eq!(crate::Transport::remote(&tcp), expected);
    }

    #[test]
    fn one_that_hangs_is_overtaken_by_the_next() {
        let (full, _keep) = hanging_server();
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let options = ConnectOptions::default().with_stagger(std::time::Duration::from_millis(5));
        let tcp = loopback(&[full, address], &options).unwrap();
        assert_eq!(crate::Transport::remote(&tcp), Some(Endpoint::from(address)));
    }

    #[test]
    fn all_fail_and_each_is_told() {
        let (a, b) = (nobody(), nobody());
        let error = loopback(&[a, b], &ConnectOptions::default()).unwrap_err();
        assert!(error.is_refused(), "{error}");
        assert_eq!(error.attempts().len(), 2);
        assert_eq!(
            error.to_string(),
            format!(
                "cannot connect to tcp://name:1: {a} connection refused; {b} connection refused: \
                 nothing listens there: start the server, or check the port"
            )
        );
    }

    #[test]
    fn the_deadline_holds_and_tells_who_did_not_answer() {
        let (full, _keep) = hanging_server();
        let timeout = Some(std::time::Duration::from_millis(20));
        let options = ConnectOptions::default().with_timeout(timeout);
        let error = loopback(&[full], &options).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.ending(), Some(crate::Ending::TimedOut));
        assert!(error.to_string().contains(&format!("{full} no answer in time")), "{error}");
    }

    /// A listener whose queue is full drops what comes: connecting to it hangs, as it does with a
    /// machine that is not there.
    fn hanging_server() -> (SocketAddr, Vec<Socket>) {
        let server = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        server.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        server.listen(0).unwrap();
        let address = server.local_addr().unwrap().as_socket().unwrap();
        let mut kept = vec![server];
        loop {
            let (socket, _) = begin(address, &ConnectOptions::default()).unwrap();
            let mut watch = [Watch::new(socket.as_fd(), false, true)];
            let soon = deadline::after(std::time::Duration::from_millis(50));
            let woke = sys::wait(&mut watch, &Wait { deadline: soon, ..Wait::FOREVER }).unwrap();
            kept.push(socket);
            if woke == Woke::Deadline {
                return (address, kept);
            }
        }
    }
}
