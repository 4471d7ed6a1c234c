//! How many are open of each address: [`PerAddress`].

use crate::Endpoint;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

/// Counts what is open of each IP address, and refuses what would be too many.
///
/// A server has one of its own ([`conversations_per_address_max`]); this is for who accepts by
/// hand. An IPv6 address counts with its /64, since that is what one host is given and may choose
/// from; an IPv4 address counts alone, also where an IPv6 socket has accepted it. What has no IP
/// address, as the client of a Unix socket, is not counted.
///
/// ```
/// use switchboard::server::PerAddress;
///
/// // What `Transport::remote` says.
/// let (first, second) = ("192.0.2.7:40001".parse()?, "192.0.2.7:40002".parse()?);
/// let mut places = PerAddress::new(1);
/// assert!(places.enter(Some(&first)));
/// assert!(!places.enter(Some(&second)), "one is open");
/// places.leave(Some(&first));
/// assert!(places.enter(Some(&second)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`conversations_per_address_max`]: super::Limits::conversations_per_address_max
#[derive(Debug)]
pub struct PerAddress {
    max: usize,
    open: HashMap<IpAddr, usize>,
}

impl PerAddress {
    /// At most so many of one address.
    #[must_use]
    pub fn new(max: usize) -> PerAddress {
        PerAddress { max, open: HashMap::new() }
    }

    /// Takes a place, if its address has one left.
    #[must_use]
    pub fn enter(&mut self, remote: Option<&Endpoint>) -> bool {
        let Some(address) = remote.and_then(address) else { return true };
        let open = self.open.entry(address).or_insert(0);
        if *open >= self.max {
            return false;
        }
        *open += 1;
        true
    }

    /// Takes a place even where none is left.
    pub(super) fn enter_anyway(&mut self, remote: Option<&Endpoint>) {
        if let Some(address) = remote.and_then(address) {
            *self.open.entry(address).or_insert(0) += 1;
        }
    }

    /// Gives the place of one that entered back.
    pub fn leave(&mut self, remote: Option<&Endpoint>) {
        let Some(address) = remote.and_then(address) else { return };
        if let Some(open) = self.open.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&address);
            }
        }
    }
}

/// What a client counts as, as a number that is the same in every process of a server, and not 0;
/// `None` if it is not counted.
pub(super) fn number(client: &Endpoint) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    address(client)?.hash(&mut hasher);
    Some(hasher.finish().max(1))
}

fn address(remote: &Endpoint) -> Option<IpAddr> {
    match remote {
        Endpoint::Tcp { host, .. } | Endpoint::Tls { host, .. } => counted(host),
        _ => None,
    }
}

/// What an address counts as.
fn counted(host: &str) -> Option<IpAddr> {
    // A zone says by which interface, and the same host may come by two.
    let address: IpAddr = host.split('%').next()?.parse().ok()?;
    Some(match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address @ IpAddr::V4(_) => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_counts_as_one_address() {
        let counted = |host| counted(host).map(|address| address.to_string());
        for (host, address) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
            ("2001:db8:1:2::1", Some("2001:db8:1:2::")),
            ("2001:db8:1:3::1", Some("2001:db8:1:3::")),
            ("fe80::1%eth0", Some("fe80::")),
            ("a.example", None),
        ] {
            assert_eq!(counted(host).as_deref(), address, "{host}");
        }
    }
}
