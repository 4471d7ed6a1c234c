//! Binding TCP sockets: every address, one, or each address of a name.

use super::{Family, ListenOptions, Listening};
use crate::resolve::resolve;
use crate::transport::Wait;
use crate::{Endpoint, Error, deadline, limits};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// How often another port is tried when the one chosen for the first address is taken on the next.
const PORT_TRIES: usize = 16;

pub(super) fn bind(
    host: &str,
    port: u16,
    options: &ListenOptions,
) -> Result<Vec<Listening>, Error> {
    let endpoint = Endpoint::tcp(host, port);
    if host.is_empty() {
        return every_address(port, options)
            .map(|listening| vec![listening])
            .map_err(|error| explain(error, &endpoint));
    }
    let until = Wait { deadline: deadline::after(limits::CONNECT_TIMEOUT), ..Wait::FOREVER };
    let mut addresses = resolve(host, port, &until)?;
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses.truncate(limits::LISTEN_ADDRESSES_MAX);
    let mut tries = if port == 0 && addresses.len() > 1 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match each(&addresses, port, options) {
            Err((_, error)) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err((address, error)) => return Err(explain(error, &Endpoint::from(address))),
            Ok(sockets) => return Ok(sockets),
        }
    }
}

/// A socket on the same address and port as `first`, which must share its port.
pub(super) fn bind_again(first: &Listening, options: &ListenOptions) -> Result<Listening, Error> {
    let attempt = || {
        let address = first.socket.local_addr()?.as_socket();
        let address = address.ok_or(io::Error::from(Errno::AFNOSUPPORT))?;
        let v6_only = address.is_ipv6() && first.socket.only_v6()?;
        socket(address, v6_only, options)
    };
    let listening = attempt().map_err(|error| explain(error, &first.endpoint))?;
    Ok(Listening { endpoint: first.endpoint.clone(), ..listening })
}

/// One socket for both families, or for IPv4 where the machine has no IPv6.
fn every_address(port: u16, options: &ListenOptions) -> io::Result<Listening> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let mut listening = match socket(both, false, options) {
        Err(error) if is_family_missing(&error) => {
            socket(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), true, options)?
        }
        other => other?,
    };
    let chosen = listening.endpoint.port().unwrap_or(port);
    listening.endpoint = Endpoint::tcp("", chosen);
    Ok(listening)
}

/// A socket for each address. A name can have addresses of a family that this machine is without
/// (`localhost`, often): those are left out as long as one is left.
fn each(
    addresses: &[SocketAddr],
    port: u16,
    options: &ListenOptions,
) -> Result<Vec<Listening>, (SocketAddr, io::Error)> {
    let mut sockets: Vec<Listening> = Vec::new();
    let mut missing = None;
    for address in addresses {
        let mut address = *address;
        let chosen = sockets.first().and_then(|first| first.endpoint.port());
        address.set_port(chosen.unwrap_or(port));
        match socket(address, true, options) {
            Ok(listening) => sockets.push(listening),
            Err(error) if is_family_missing(&error) => missing = Some((address, error)),
            Err(error) => return Err((address, error)),
        }
    }
    match missing {
        Some(missing) if sockets.is_empty() => Err(missing),
        _ => Ok(sockets),
    }
}

fn is_family_missing(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn socket(address: SocketAddr, v6_only: bool, options: &ListenOptions) -> io::Result<Listening> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    // A server that starts again must not wait until the connections of its last life are
    // forgotten; a port that is being listened on stays refused.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(options.reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog())?;
    let actual = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Listening { socket, endpoint: Endpoint::from(actual), family: Family::Tcp })
}

fn explain(error: io::Error, endpoint: &Endpoint) -> Error {
    let port = endpoint.port().unwrap_or(0);
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there: end it, or choose another port (0 for any free \
             one)"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => low_port_advice(port),
        io::ErrorKind::AddrNotAvailable => {
            "it is none of this machine's addresses: listen on one of them, or on every address \
             with :port"
                .to_owned()
        }
        _ => return Error::io("cannot listen on", error).at_endpoint(endpoint),
    };
    Error::io("cannot listen on", error).at_endpoint(endpoint).with_advice(advice)
}

fn low_port_advice(port: u16) -> String {
    format!(
        "port {port} is reserved for the system: choose one from 1024 up, or give the program \
         CAP_NET_BIND_SERVICE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this user may bind low ports differs from machine to machine, the words do not.
    #[test]
    fn a_low_port_is_refused_with_what_to_do() {
        let error = explain(Errno::ACCESS.into(), &Endpoint::tcp("127.0.0.1", 80));
        assert!(error.is_permission_denied());
        assert_eq!(
            error.to_string(),
            "cannot listen on tcp://127.0.0.1:80: permission denied: port 80 is reserved for the \
             system: choose one from 1024 up, or give the program CAP_NET_BIND_SERVICE"
        );
    }

    #[test]
    fn several_addresses_share_the_port_that_was_chosen_and_a_missing_one_is_left_out() {
        // RFC 5737 keeps the second one for documentation: it is nobody's.
        let addresses = ["127.0.0.1:0", "192.0.2.1:0", "127.0.0.2:0"].map(|a| a.parse().unwrap());
        let options = ListenOptions::default();
        let sockets = each(&addresses, 0, &options).unwrap();
        let port = sockets[0].endpoint.port().unwrap();
        let endpoints: Vec<_> = sockets.iter().map(|one| one.endpoint.clone()).collect();
        let expected = ["127.0.0.1", "127.0.0.2"].map(|host| Endpoint::tcp(host, port));
        assert_eq!(endpoints, expected);
        let (address, error) = each(&addresses[1..2], 0, &options).unwrap_err();
        assert_eq!(address, addresses[1]);
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
