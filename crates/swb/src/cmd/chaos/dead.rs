//! A peer whose packets are dropped before the kernel sees them, so that nothing is acknowledged: a
//! filter on its socket that lets none through.
//!
//! Only a privileged process may put one there, and only TCP acknowledges.

use switchboard::transport::fault::Direction;
use switchboard::{Endpoint, Transport};
use switchboard_frame::Role;

/// Where the two sides are.
pub(super) struct Place {
    listen: Endpoint,
    upstream: Endpoint,
}

impl Place {
    pub(super) fn of(listen: &Endpoint, upstream: &Endpoint) -> Place {
        Place { listen: listen.clone(), upstream: upstream.clone() }
    }

    /// Whether what is written in `direction` is acknowledged at all.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check(&self, direction: Direction) -> Result<(), String> {
        let sides = [(Role::Client, &self.listen), (Role::Server, &self.upstream)];
        let other = |(writer, endpoint): &(Role, &Endpoint)| {
            direction.is_of(*writer)
                && !matches!(endpoint, Endpoint::Tcp { .. } | Endpoint::Tls { .. })
        };
        match sides.iter().find(|side| other(side)) {
            Some((_, endpoint)) => Err(format!(
                "dead is about packets that are not acknowledged, and {endpoint} has none: use \
                 deaf or blackhole"
            )),
            None => Ok(()),
        }
    }
}

/// Why no filter can be put on a socket here; `None` when one can.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn missing() -> Option<String> {
    use socket2::{Domain, Socket, Type};
    // Of TCP: on other sockets anyone may put one.
    let tried = Socket::new(Domain::IPV4, Type::STREAM, None)
        .and_then(|socket| socket.attach_filter(&[NOTHING_PASSES]));
    let error = tried.err()?;
    Some(format!(
        "no filter can be put on a socket: {error}: run it as root, or with the capability \
         CAP_NET_ADMIN (setcap cap_net_admin+ep on this program)"
    ))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn missing() -> Option<String> {
    Some("this system has no filters on sockets".to_owned())
}

/// The whole program of the filter: of every packet return that nothing of it is to be kept
/// (`BPF_RET | BPF_K`, 0).
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOTHING_PASSES: socket2::SockFilter = socket2::SockFilter::new(0x06, 0, 0, 0);

/// Has all packets of this side dropped, or no longer; why that did not work.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn set(side: &dyn Transport, dead: bool) -> std::io::Result<()> {
    let Some(socket) = side.read_descriptor() else { return Ok(()) };
    let socket = socket2::SockRef::from(&socket);
    match dead {
        true => socket.attach_filter(&[NOTHING_PASSES]),
        false => socket.detach_filter(),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn set(_side: &dyn Transport, _dead: bool) -> std::io::Result<()> {
    Ok(())
}
