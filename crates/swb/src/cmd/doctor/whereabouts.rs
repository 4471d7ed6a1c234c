//! What an endpoint says of where a server is.

use std::net::IpAddr;

use switchboard::Endpoint;

/// What TLS is spoken over there, if it is.
pub(super) fn without_tls(endpoint: Endpoint) -> Endpoint {
    match endpoint {
        Endpoint::Tls { host, port } => Endpoint::Tcp { host, port },
        other => other,
    }
}

/// Whether it can be reached from this machine alone, as far as its name says.
pub(super) fn is_local(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Tcp { host, .. } | Endpoint::Tls { host, .. } => {
            let is_loopback = |address: IpAddr| address.is_loopback();
            host == "localhost" || host.is_empty() || host.parse().is_ok_and(is_loopback)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_of_this_machine_alone() {
        let is_local = |endpoint: &str| is_local(&endpoint.parse().expect("an endpoint"));
        for local in [":7000", "localhost:7", "127.0.0.1:7", "127.9.9.9:7", "tls://[::1]:7"] {
            assert!(is_local(local), "{local}");
        }
        assert!(is_local("unix:/run/it") && is_local("exec:cat"));
        for other in ["10.0.0.1:7", "[::2]:7", "example.org:7", "localhost.example.org:7"] {
            assert!(!is_local(other), "{other}");
        }
    }
}
