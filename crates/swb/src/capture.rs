//! What passed between clients and a server, as packets in a file that Wireshark opens: pcapng.
//!
//! Of a conversation there is one TCP connection, between the client and the place it connected to,
//! each read of `tap` a segment. They are packets as they might have been, not those that there
//! were: nothing here was ever on a wire. It needs no privilege, and shows what TLS had hidden. Who
//! has no address, as behind a Unix socket, has one of those that are for documentation, and a
//! client a port by the number of its conversation.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use switchboard::{Ending, Endpoint, Transport};
use switchboard_frame::Role;

use crate::exit::Failure;

/// Packets begin with an IP header (LINKTYPE_RAW of the pcap registry).
const LINK_RAW: u16 = 101;

/// The most bytes in a segment: with its headers it is within what IPv4 can say.
const SEGMENT_BYTES: usize = 65_000;

/// The header of TCP, without options.
const HEADER_BYTES: usize = 20;

/// What both sides say of themselves in their first segment: segments of at most 65,000 bytes, and
/// a window that is counted in units of 2^14 bytes (RFC 9293, 3.7.1; RFC 7323, 2.2).
const OPTIONS: [u8; 8] = [2, 4, 0xfd, 0xe8, 1, 3, 3, 14];

/// Bytes after which what came is acknowledged though nothing is answered: it stays well within the
/// window.
const UNACKNOWLEDGED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The addresses (RFC 5737) of sides that have none.
const UNKNOWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];

/// Flags of TCP (RFC 9293, 3.1).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Writes packets.
pub(crate) struct Capture {
    path: String,
    state: Mutex<State>,
}

struct State {
    file: BufWriter<File>,
    /// Those under way, by number.
    streams: HashMap<u64, Stream>,
}

/// The TCP connection of a conversation.
struct Stream {
    /// Of the client and of where it connected to.
    addresses: [(IpAddr, u16); 2],
    /// The next byte of each.
    sequence: [u32; 2],
    /// Bytes of each that the other has not acknowledged.
    unacknowledged: [u64; 2],
    ended: [bool; 2],
}

impl Capture {
    /// A new file, which only this user may read.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Capture, Failure> {
        use std::os::unix::fs::OpenOptionsExt;
        let shown = path.display().to_string();
        let failed = |error| Failure::usage(format_args!("cannot capture to {shown}: {error}"));
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let mut file = BufWriter::new(file.map_err(failed)?);
        heading(&mut file).and_then(|()| file.flush()).map_err(failed)?;
        let state = Mutex::new(State { file, streams: HashMap::new() });
        Ok(Capture { path: shown.clone(), state })
    }

    /// Conversation `n` begins: the handshake.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn begin(&self, n: u64, client: &dyn Transport) -> Result<(), Failure> {
        let ephemeral = 49_152 + u16::try_from(n % 16_384).unwrap_or(0);
        let at = |endpoint: Option<Endpoint>, unknown: (Ipv4Addr, u16)| match endpoint {
            Some(Endpoint::Tcp { host, port } | Endpoint::Tls { host, port }) => {
                let address = host.split('%').next().and_then(|it| it.parse::<IpAddr>().ok());
                (address.map_or(unknown.0.into(), |it| it.to_canonical()), port)
            }
            _ => (unknown.0.into(), unknown.1),
        };
        let mut state = self.lock();
        let addresses =
            [at(client.remote(), (UNKNOWN[0], ephemeral)), at(client.local(), (UNKNOWN[1], 1))];
        state.streams.insert(n, Stream::new(addresses));
        let handshake = [(Role::Client, SYN), (Role::Server, SYN | ACK), (Role::Client, ACK)];
        let done =
            handshake.iter().try_for_each(|(writer, flags)| state.packet(n, *writer, *flags, &[]));
        self.told(done)
    }

    /// What `writer` wrote, as it was read at once.
    ///
    /// # Errors
    /// As for [`begin`](Capture::begin).
    pub(crate) fn read(&self, n: u64, writer: Role, bytes: &[u8]) -> Result<(), Failure> {
        let mut state = self.lock();
        let mut pieces = bytes.chunks(SEGMENT_BYTES);
        self.told(pieces.try_for_each(|piece| state.packet(n, writer, PSH | ACK, piece)))
    }

    /// How a direction ended.
    ///
    /// # Errors
    /// As for [`begin`](Capture::begin).
    pub(crate) fn ended(&self, n: u64, writer: Role, ending: Ending) -> Result<(), Failure> {
        let flags = if ending == Ending::Finished { FIN | ACK } else { RST | ACK };
        let mut state = self.lock();
        let done = state.packet(n, writer, flags, &[]);
        state.end(n, writer);
        self.told(done.and_then(|()| state.file.flush()))
    }

    /// A direction that the other side ended: it has no packet for that.
    ///
    /// # Errors
    /// As for [`begin`](Capture::begin).
    pub(crate) fn over(&self, n: u64, writer: Role) -> Result<(), Failure> {
        let mut state = self.lock();
        state.end(n, writer);
        self.told(state.file.flush())
    }

    /// Writes what was not yet.
    ///
    /// # Errors
    /// As for [`begin`](Capture::begin).
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        let done = self.lock().file.flush();
        self.told(done)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, done: io::Result<()>) -> Result<(), Failure> {
        done.map_err(|error| {
            Failure::usage(format_args!("cannot capture to {}: {error}", self.path))
        })
    }
}

impl State {
    fn packet(&mut self, n: u64, writer: Role, flags: u8, bytes: &[u8]) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(&n) else { return Ok(()) };
        let packet = stream.packet(index(writer), flags, bytes);
        block(&mut self.file, &packet)?;
        if stream.unacknowledged[index(writer)] > UNACKNOWLEDGED_BYTES_MAX {
            let packet = stream.packet(index(writer.other()), ACK, &[]);
            block(&mut self.file, &packet)?;
        }
        Ok(())
    }

    fn end(&mut self, n: u64, writer: Role) {
        let Some(stream) = self.streams.get_mut(&n) else { return };
        stream.ended[index(writer)] = true;
        if stream.ended == [true, true] {
            self.streams.remove(&n);
        }
    }
}

impl Stream {
    fn new(addresses: [(IpAddr, u16); 2]) -> Stream {
        Stream { addresses, sequence: [0, 0], unacknowledged: [0, 0], ended: [false, false] }
    }

    /// A whole IP packet, with its checksums.
    ///
    /// ```text
    /// +---------------------+---------------------------+-------+
    /// | IP header, 20 or 40 | TCP header, 20, SYN's 28  | bytes |
    /// +---------------------+---------------------------+-------+
    /// ```
    fn packet(&mut self, from: usize, flags: u8, bytes: &[u8]) -> Vec<u8> {
        let ((source, source_port), (target, target_port)) =
            (self.addresses[from], self.addresses[1 - from]);
        let options: &[u8] = if flags & SYN == 0 { &[] } else { &OPTIONS };
        // A segment is of at most 65,000 bytes, and so it fits.
        let length = u16::try_from(HEADER_BYTES + options.len() + bytes.len()).unwrap_or(u16::MAX);
        let (mut packet, addresses) = ip_header(source, target, length);

        let tcp = packet.len();
        packet.extend(source_port.to_be_bytes());
        packet.extend(target_port.to_be_bytes());
        packet.extend(self.sequence[from].to_be_bytes());
        let acknowledged = if flags & ACK == 0 { 0 } else { self.sequence[1 - from] };
        packet.extend(acknowledged.to_be_bytes());
        // Words of header, the flags, the window; checksum, no urgent bytes.
        let words = if options.is_empty() { 0x50 } else { 0x70 };
        packet.extend([words, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(options);
        packet.extend(bytes);
        // Over a pseudo header too: addresses, protocol and length (RFC 9293, 3.1).
        let pseudo = addresses + 6 + u32::from(length);
        let sum = checksum(&packet[tcp..], pseudo);
        packet[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());

        let taken = bytes.len() as u64 + u64::from(flags & (SYN | FIN) != 0);
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        self.sequence[from] = self.sequence[from].wrapping_add(taken);
        self.unacknowledged[from] += bytes.len() as u64;
        self.unacknowledged[1 - from] = 0;
        packet
    }
}

/// The header in front of `length` bytes of TCP, and the sum of its addresses.
fn ip_header(source: IpAddr, target: IpAddr, length: u16) -> (Vec<u8>, u32) {
    let (IpAddr::V4(source), IpAddr::V4(target)) = (source, target) else {
        let [source, target] = [source, target].map(|address| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        });
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(length.to_be_bytes());
        // TCP, the hop limit.
        header.extend([6, 64]);
        header.extend(source.octets());
        header.extend(target.octets());
        let sum = sum_of(&header[8..]);
        return (header, sum);
    };
    let mut header = vec![0x45, 0];
    header.extend((length + 20).to_be_bytes());
    // Identification, "don't fragment", time to live, TCP; the checksum comes last.
    header.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    header.extend(source.octets());
    header.extend(target.octets());
    let sum = checksum(&header, 0);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let sum = sum_of(&header[12..]);
    (header, sum)
}

fn index(writer: Role) -> usize {
    usize::from(writer == Role::Server)
}

/// The section's and the interface's blocks (pcapng, 4.1 and 4.2): in this machine's byte order,
/// times in microseconds.
fn heading(file: &mut impl Write) -> io::Result<()> {
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_ne_bytes());
    section.extend(1_u16.to_ne_bytes());
    section.extend(0_u16.to_ne_bytes());
    section.extend((-1_i64).to_ne_bytes());
    raw_block(file, 0x0a0d_0d0a, &section)?;
    let mut interface = Vec::new();
    interface.extend(LINK_RAW.to_ne_bytes());
    interface.extend([0; 6]);
    raw_block(file, 1, &interface)
}

/// An enhanced packet block (pcapng, 4.3), of now.
fn block(file: &mut impl Write, packet: &[u8]) -> io::Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX).to_ne_bytes();
    let mut body = vec![0; 4];
    let (high, low) = ((micros >> 32).to_le_bytes(), micros.to_le_bytes());
    for half in [&high[..4], &low[..4]] {
        body.extend(u32::from_le_bytes([half[0], half[1], half[2], half[3]]).to_ne_bytes());
    }
    body.extend(length);
    body.extend(length);
    body.extend(packet);
    body.resize(body.len().next_multiple_of(4), 0);
    raw_block(file, 6, &body)
}

/// Type, length, body, and the length again.
fn raw_block(file: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_ne_bytes();
    file.write_all(&kind.to_ne_bytes())?;
    file.write_all(&length)?;
    file.write_all(body)?;
    file.write_all(&length)
}

/// The sum of RFC 1071, its carries not yet added.
fn sum_of(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
    bytes.chunks(2).map(word).sum()
}

fn checksum(bytes: &[u8], more: u32) -> u16 {
    let mut sum = sum_of(bytes) + more;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn a_checksum_is_that_of_the_example() {
        // RFC 1071, section 3.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&bytes, 0), !0xddf2);
    }

    #[test]
    fn a_packet_says_what_it_should() {
        let address = |last| (Ipv4Addr::new(127, 0, 0, last).into(), 80);
        let mut stream = Stream::new([address(1), address(2)]);
        stream.sequence = [7, 9];
        let packet = stream.packet(0, PSH | ACK, b"odd");
        assert_eq!(packet.len(), 43);
        assert_eq!(
            (packet[3], packet[9], &packet[12..20]),
            (43, 6, &[127, 0, 0, 1, 127, 0, 0, 2][..])
        );
        assert_eq!((&packet[24..28], &packet[28..32]), (&[0, 0, 0, 7][..], &[0, 0, 0, 9][..]));
        assert_eq!((packet[33], &packet[40..]), (0x18, &b"odd"[..]));
        // With its checksum in it the sum is all ones.
        assert_eq!(checksum(&packet[..20], 0), 0);
        assert_eq!(checksum(&packet[20..], sum_of(&packet[12..20]) + 6 + 23), 0);
        assert_eq!(stream.sequence, [10, 9]);
    }

    #[test]
    fn addresses_of_the_other_kind_have_their_header() {
        let address = |last| (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, last).into(), 80);
        let mut stream = Stream::new([address(1), address(2)]);
        let packet = stream.packet(1, SYN | ACK, &[]);
        assert_eq!((packet.len(), packet[0], &packet[4..8]), (68, 0x60, &[0, 28, 6, 64][..]));
        assert_eq!((packet[23], packet[39], packet[52]), (2, 1, 0x70));
        assert_eq!(packet[60..], OPTIONS);
        assert_eq!(checksum(&packet[40..], sum_of(&packet[8..40]) + 6 + 28), 0);
    }
}
