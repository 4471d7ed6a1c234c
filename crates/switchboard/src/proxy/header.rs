//! Reading the header of the PROXY protocol, both versions, out of bytes at hand.
//!
//! ```text
//!   version 1, at most 107 bytes:
//!   +--------+------+---------+---------+----------+----------+------+
//!   | PROXY␠ | TCP4␠| source␠ | destin.␠| s. port␠ | d. port  | \r\n |
//!   +--------+------+---------+---------+----------+----------+------+
//!   version 2:
//!   +-------------------+---------+-----------+-------+-----------+------+
//!   | 0d0a0d0a000d0a... | ver cmd | fam proto | len   | addresses | TLVs |
//!   | 12 bytes          | 1 byte  | 1 byte    | u16be |     len bytes    |
//!   +-------------------+---------+-----------+-------+-----------+------+
//! ```
//!
//! **Invariant:** a header is told with its exact length once all of it is there, whatever lies
//! behind it, and bytes that no header begins with are refused at the first of them. As long as
//! more is asked for, all bytes given are of the header.

use super::Said;
use crate::Endpoint;
use crate::limits::PROXY_HEADER_BYTES_MAX;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1, with its end.
const V1_BYTES_MAX: usize = 107;

/// The signature of version 2, and what comes before the addresses.
const V2_BYTES_MIN: usize = 16;

/// A path of a Unix socket in version 2.
const UNIX_BYTES: usize = 108;

/// A TLV with the checksum of the header.
const TLV_CRC32C: u8 = 0x03;

/// What the bytes at hand come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// More is to come.
    More,
    /// The header has so many bytes.
    Whole(usize, Said),
}

/// Why they are no header.
pub(crate) type Malformed = &'static str;

/// Reads a header from the beginning of a stream.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, expected)| byte == expected);
    if begins(V1) {
        return v1(bytes);
    }
    if begins(V2) {
        return v2(bytes);
    }
    Err("it does not begin with one")
}

fn v1(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let within = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = within.windows(2).position(|two| two == b"\r\n") else {
        if bytes.len() >= V1_BYTES_MAX {
            return Err("its line does not end within 107 bytes");
        }
        return Ok(Parsed::More);
    };
    let line = std::str::from_utf8(&bytes[V1.len()..end]).map_err(|_| "its line is not ASCII")?;
    let said = match line.split(' ').collect::<Vec<_>>()[..] {
        // Whatever stands behind it is to be ignored.
        ["UNKNOWN", ..] => Said::Nothing,
        ["TCP4", source, destination, from, to] => sides(
            SocketAddr::new(ip::<Ipv4Addr>(source)?, port(from)?),
            SocketAddr::new(ip::<Ipv4Addr>(destination)?, port(to)?),
        ),
        ["TCP6", source, destination, from, to] => sides(
            SocketAddr::new(ip::<Ipv6Addr>(source)?, port(from)?),
            SocketAddr::new(ip::<Ipv6Addr>(destination)?, port(to)?),
        ),
        ["TCP4" | "TCP6", ..] => return Err("its line has not two addresses and two ports"),
        _ => return Err("its line names neither TCP4, TCP6 nor UNKNOWN"),
    };
    Ok(Parsed::Whole(end + 2, said))
}

fn ip<A: std::str::FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, Malformed> {
    text.parse::<A>().map(A::into).map_err(|_| "an address in its line is none of that family")
}

/// A decimal number without zeros in front.
fn port(text: &str) -> Result<u16, Malformed> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = is_plain && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or("a port in its line is none")
}

fn sides(remote: SocketAddr, local: SocketAddr) -> Said {
    Said::Sides { remote: Some(remote.into()), local: Some(local.into()) }
}

fn v2(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let Some((version, command)) = bytes.get(V2.len()).map(|byte| (byte >> 4, byte & 15)) else {
        return Ok(Parsed::More);
    };
    if version != 2 {
        return Err("its version is not 2");
    }
    if command > 1 {
        return Err("its command is neither LOCAL nor PROXY");
    }
    let Some((start, behind)) = bytes.split_at_checked(V2_BYTES_MIN) else {
        return Ok(Parsed::More);
    };
    let len = usize::from(u16::from_be_bytes([start[14], start[15]]));
    let whole = V2_BYTES_MIN + len;
    if whole > PROXY_HEADER_BYTES_MAX {
        return Err("it is longer than 4096 bytes");
    }
    let is_local = command == 0;
    let (family, protocol) = (start[13] >> 4, start[13] & 15);
    if !is_local && (family > 3 || protocol > 2) {
        return Err("its address family or protocol is none of those there are");
    }
    let address_bytes = match family {
        _ if is_local => 0,
        0 => 0,
        1 => 2 * 4 + 2 * 2,
        2 => 2 * 16 + 2 * 2,
        _ => 2 * UNIX_BYTES,
    };
    if len < address_bytes {
        return Err("it is too short for its addresses");
    }
    let Some(body) = behind.get(..len) else { return Ok(Parsed::More) };
    let (addresses, tlvs) = body.split_at(address_bytes);
    // Of a health check by the proxy everything is to be ignored.
    if !is_local {
        tlv(&bytes[..whole], tlvs)?;
    }
    Ok(Parsed::Whole(whole, v2_said(family, addresses)))
}

/// What the addresses of one family say; nothing when there are none.
fn v2_said(family: u8, addresses: &[u8]) -> Said {
    let (sources, ports) = match family {
        _ if addresses.is_empty() => return Said::Nothing,
        1 => addresses.split_at(8),
        2 => addresses.split_at(32),
        _ => {
            let (remote, local) = addresses.split_at(UNIX_BYTES);
            return Said::Sides { remote: unix(remote), local: unix(local) };
        }
    };
    let (source, destination) = sources.split_at(sources.len() / 2);
    let side = |ip: &[u8], port: &[u8]| {
        let ip = match *ip {
            [a, b, c, d] => IpAddr::from([a, b, c, d]),
            _ => <[u8; 16]>::try_from(ip).unwrap_or_default().into(),
        };
        SocketAddr::new(ip, u16::from_be_bytes([port[0], port[1]]))
    };
    sides(side(source, &ports[..2]), side(destination, &ports[2..]))
}

/// A path or an abstract name; none of a socket that is not bound.
fn unix(field: &[u8]) -> Option<Endpoint> {
    let text = |bytes: &[u8]| bytes.split(|&byte| byte == 0).next().unwrap_or(&[]).to_vec();
    match field {
        [0, name @ ..] => Some(text(name)).filter(|name| !name.is_empty()).map(Endpoint::Abstract),
        path => Some(Endpoint::Unix(Path::new(OsStr::from_bytes(&text(path))).to_owned())),
    }
}

/// Goes over the TLVs, of which only the checksum is looked into.
fn tlv(whole: &[u8], mut tlvs: &[u8]) -> Result<(), Malformed> {
    const CUT: Malformed = "one of its TLVs is cut off";
    while let [kind, rest @ ..] = tlvs {
        let (len, rest) = rest.split_first_chunk().ok_or(CUT)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (value, rest) = rest.split_at_checked(len).ok_or(CUT)?;
        if *kind == TLV_CRC32C {
            let said = <[u8; 4]>::try_from(value).map_err(|_| "its checksum has not 4 bytes")?;
            // It is counted with zeros in its own place.
            let at = whole.len() - rest.len() - len;
            let parts = [&whole[..at], &[0; 4], &whole[at + len..]];
            if crc32c(parts.into_iter().flatten().copied()) != u32::from_be_bytes(said) {
                return Err("its checksum is wrong");
            }
        }
        tlvs = rest;
    }
    Ok(())
}

/// The CRC of RFC 4960, appendix B, a bit at a time: a header is short.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            let odd = crc & 1;
            (crc >> 1) ^ (0x82f6_3b78 * odd)
        })
    })
}

#[cfg(test)]
mod tests;
