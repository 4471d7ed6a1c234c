//! The PROXY protocol: who a connection is from, when a proxy stands between. [`ProxyFrom`] says
//! from whom that is believed, [`header`] reads what is said.
//!
//! ```text
//!   client ──> proxy ──> │ PROXY TCP4 192.0.2.7 198.51.100.1 40001 443\r\n │ the stream ..
//! ```
//!
//! **Invariant:** an address is believed from those only who were named; from them the header is
//! required, and from all others it is not looked for. So nobody chooses his own address.

pub(crate) mod header;

use crate::{Endpoint, Error};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// The proxies whose word is taken for who a connection is from, in the PROXY protocol of HAProxy,
/// versions 1 and 2. Give it to [`ListenOptions::with_proxy`](crate::ListenOptions::with_proxy).
///
/// A connection from one of these addresses begins with a header. Without one, or with one that is
/// wrong, it is ended. The header is no part of the stream, and
/// [`Transport::remote`](crate::Transport::remote) and [`local`](crate::Transport::local) are then
/// what it says. A connection from any other address is served as it is, and what might be a header
/// there is part of its stream.
///
/// ```
/// use switchboard::{ListenOptions, Listener, ProxyFrom};
///
/// let proxies: ProxyFrom = "10.0.0.0/8,2001:db8::7,unix".parse()?;
/// assert_eq!(proxies.to_string(), "10.0.0.0/8,2001:db8::7,unix");
/// let options = ListenOptions::default().with_proxy(proxies);
/// Listener::bind(&"127.0.0.1:0".parse()?, &options)?;
/// let error = "10.0.0.0/33".parse::<ProxyFrom>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "'10.0.0.0/33' is no address of a proxy: an IPv4 prefix has 0 to 32 bits"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFrom {
    networks: Arc<[Network]>,
    unix: bool,
}

/// An address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl ProxyFrom {
    /// Both these and those.
    #[must_use]
    pub fn and(&self, other: &ProxyFrom) -> ProxyFrom {
        let networks = self.networks.iter().chain(&*other.networks).copied().collect();
        ProxyFrom { networks, unix: self.unix || other.unix }
    }

    /// Whether a connection over IP from there has a header.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.has(address))
    }

    /// Whether one over a Unix socket has.
    pub(crate) fn has_unix(&self) -> bool {
        self.unix
    }
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        Network { address, ..self }.first() == self.first()
    }

    /// The first address of the network that this one is in.
    fn first(self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits.min(32))).unwrap_or(0);
                Ipv4Addr::from(u32::from(v4) & mask).into()
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                Ipv6Addr::from(u128::from(v6) & mask).into()
            }
        }
    }
}

impl FromStr for ProxyFrom {
    type Err = Error;

    /// Addresses, networks (`address/bits`) and the word `unix`, for every connection to a Unix
    /// socket, with commas between.
    fn from_str(text: &str) -> Result<ProxyFrom, Error> {
        let mut networks = Vec::new();
        let mut unix = false;
        for one in text.split(',') {
            match one.trim() {
                "unix" => unix = true,
                one => networks.push(one.parse()?),
            }
        }
        Ok(ProxyFrom { networks: networks.into(), unix })
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Network, Error> {
        let fail = |why: &str| {
            Error::caller(format!("'{text}' is no address of a proxy")).with_advice(why)
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let written = "write 192.0.2.7, 10.0.0.0/8, 2001:db8::/32 or unix, with commas between";
        let address: IpAddr = address.parse().map_err(|_| fail(written))?;
        if address.is_ipv6() && address.to_canonical().is_ipv4() {
            let v4 = address.to_canonical();
            return Err(fail(&format!("write {v4}, which is where such a connection is from")));
        }
        let (family, all) = if address.is_ipv4() { ("IPv4", 32) } else { ("IPv6", 128) };
        let bits = match bits.map(str::parse) {
            None => all,
            Some(Ok(bits)) if bits <= all => bits,
            Some(_) => return Err(fail(&format!("an {family} prefix has 0 to {all} bits"))),
        };
        let network = Network { address, bits };
        if network.first() != address {
            // Most likely it is that one address which was meant, or another prefix.
            let first = network.first();
            return Err(fail(&format!("it has bits behind its prefix: write {first}/{bits}")));
        }
        Ok(network)
    }
}

impl fmt::Display for ProxyFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unix = self.unix.then(|| "unix".to_owned());
        let networks = self.networks.iter().map(|network| {
            let all = if network.address.is_ipv4() { 32 } else { 128 };
            match network.bits {
                bits if bits == all => network.address.to_string(),
                bits => format!("{}/{bits}", network.address),
            }
        });
        f.write_str(&networks.chain(unix).collect::<Vec<_>>().join(","))
    }
}

/// Who a header says that the two sides are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing: the proxy speaks for itself, or does not know. The connection is what it looks
    /// like.
    Nothing,
    /// The client, and where it connected to.
    Sides { remote: Option<Endpoint>, local: Option<Endpoint> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_has_a_header_and_nobody_else() {
        let from: ProxyFrom = "10.0.0.0/8, 192.0.2.7,2001:db8::/32,::1,unix".parse().unwrap();
        let has = |address: &str| from.has(address.parse().unwrap());
        for address in ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "192.0.2.7", "::1"] {
            assert!(has(address), "{address}");
        }
        assert!(has("2001:db8:ffff::1"));
        for address in ["11.0.0.0", "9.255.255.255", "192.0.2.6", "2001:db9::", "::2", "::"] {
            assert!(!has(address), "{address}");
        }
        assert!(from.has_unix());
        let all: ProxyFrom = "0.0.0.0/0".parse().unwrap();
        assert!(all.has([1, 2, 3, 4].into()) && !all.has("::1".parse().unwrap()));
        assert!(!all.has_unix());
        let both = all.and(&"::/0,unix".parse().unwrap());
        assert!(both.has("::1".parse().unwrap()) && both.has_unix());
        assert_eq!(both.to_string(), "0.0.0.0/0,::/0,unix");
    }

    #[test]
    fn what_is_no_address_is_told_with_what_to_write() {
        for (text, advice) in [
            ("", "write 192.0.2.7, 10.0.0.0/8, 2001:db8::/32 or unix, with commas between"),
            ("proxy.example", "write 192.0.2.7, 10"),
            ("10.0.0.0/8,", "write 192.0.2.7, 10"),
            ("10.0.0.0/33", "an IPv4 prefix has 0 to 32 bits"),
            ("10.0.0.0/", "an IPv4 prefix has 0 to 32 bits"),
            ("::1/129", "an IPv6 prefix has 0 to 128 bits"),
            ("10.0.0.1/8", "it has bits behind its prefix: write 10.0.0.0/8"),
            ("2001:db8::1/0", "it has bits behind its prefix: write ::/0"),
            ("::ffff:10.0.0.1", "write 10.0.0.1, which is where such a connection is from"),
        ] {
            let error = text.parse::<ProxyFrom>().unwrap_err();
            assert!(error.is_caller());
            let one = text.rsplit(',').next().unwrap();
            let told = format!("'{one}' is no address of a proxy: {advice}");
            assert!(error.to_string().starts_with(&told), "{error}");
        }
    }
}
