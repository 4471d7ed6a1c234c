//! Captures of packets, read: pcap and pcapng, and in a packet the segment of TCP.
//!
//! It knows where things lie and nothing of connections. What is no TCP, or not whole, is no
//! segment.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The largest block or packet that is read; what says more is no capture.
const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A packet as it was captured.
pub(crate) struct Packet {
    pub(crate) time: SystemTime,
    /// What it begins with, by its number in the registry of pcap.
    pub(crate) link: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Where one end of a connection is.
pub(crate) type Address = (IpAddr, u16);

/// A part of a TCP connection.
pub(crate) struct Segment<'a> {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) sequence: u32,
    pub(crate) flags: u8,
    pub(crate) bytes: &'a [u8],
}

/// Reads packets one by one.
pub(crate) struct Packets<R> {
    from: R,
    big: bool,
    /// Bytes that were read, and how many before the block or packet at hand.
    read: u64,
    begun: u64,
    /// Where the block or packet begins in the middle of which the capture ends.
    cut: Option<u64>,
    /// pcapng: of each interface what packets begin with, and ticks a second.
    interfaces: Vec<(u32, u64)>,
    is_ng: bool,
}

impl<R: Read> Packets<R> {
    /// # Errors
    /// It is no capture.
    pub(crate) fn new(mut from: R) -> Result<Packets<R>, String> {
        let mut magic = [0; 4];
        from.read_exact(&mut magic).map_err(|_| no_capture())?;
        let mut packets = Packets {
            from,
            big: false,
            read: magic.len() as u64,
            begun: 0,
            cut: None,
            interfaces: Vec::new(),
            is_ng: false,
        };
        let ticks = match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] | [0xa1, 0xb2, 0xc3, 0xd4] => 1_000_000,
            [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d] => 1_000_000_000,
            [0x0a, 0x0d, 0x0d, 0x0a] => {
                packets.is_ng = true;
                packets.section()?.ok_or_else(no_capture)?;
                return Ok(packets);
            }
            _ => return Err(no_capture()),
        };
        packets.big = magic[0] == 0xa1;
        let rest = packets.bytes(20)?.ok_or_else(no_capture)?;
        // The upper bits say how long checksums are that nobody needs.
        packets.interfaces.push((packets.word(&rest, 16) & 0x0fff_ffff, ticks));
        Ok(packets)
    }

    /// The byte at which the block or packet begins in the middle of which the capture ended; it
    /// is known at the end.
    pub(crate) fn cut(&self) -> Option<u64> {
        self.cut
    }

    /// The next packet; `None` at the end, and where the capture was cut off.
    ///
    /// # Errors
    /// It goes on as no capture does; it cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, String> {
        if !self.is_ng {
            self.begun = self.read;
            let Some(head) = self.bytes(16)? else { return Ok(None) };
            let (link, ticks) = self.interfaces[0];
            let length = self.size(self.word(&head, 8))?;
            let Some(bytes) = self.bytes(length)? else { return Ok(None) };
            let part = u64::from(self.word(&head, 4)) * 1_000_000_000 / ticks;
            let since = Duration::from_secs(self.word(&head, 0).into());
            let time = UNIX_EPOCH + since + Duration::from_nanos(part);
            return Ok(Some(Packet { time, link, bytes }));
        }
        loop {
            self.begun = self.read;
            let Some(head) = self.bytes(8)? else { return Ok(None) };
            if self.word(&head, 0) == 0x0a0d_0d0a {
                self.interfaces.clear();
                // Its length is in the order of bytes that it is yet to tell.
                let Some(()) = self.section_behind(&head[4..])? else { return Ok(None) };
                continue;
            }
            let length = self.size(self.word(&head, 4))?;
            let Some(body) = self.bytes(length.saturating_sub(8))? else { return Ok(None) };
            match self.word(&head, 0) {
                1 => self.interface(&body),
                6 => {
                    if let Some(packet) = self.packet(&body) {
                        return Ok(Some(packet));
                    }
                }
                _ => {}
            }
        }
    }

    /// A section, of which the first four bytes were read; `None` when it is cut off.
    fn section(&mut self) -> Result<Option<()>, String> {
        let Some(length) = self.bytes(4)? else { return Ok(None) };
        self.section_behind(&length)
    }

    fn section_behind(&mut self, length: &[u8]) -> Result<Option<()>, String> {
        let Some(order) = self.bytes(4)? else { return Ok(None) };
        self.big = match order[..] {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return Err(no_capture()),
        };
        let length = self.size(self.word(length, 0))?;
        Ok(self.bytes(length.saturating_sub(12))?.map(drop))
    }

    fn interface(&mut self, body: &[u8]) {
        let link = self.word(body, 0);
        let link = if self.big { link >> 16 } else { link & 0xffff };
        let mut ticks = 1_000_000;
        let mut options = body.get(8..).unwrap_or_default();
        while let Some((head, rest)) = options.split_at_checked(4) {
            let word = self.word(head, 0);
            let (code, length) = match self.big {
                true => (word >> 16, word & 0xffff),
                false => (word & 0xffff, word >> 16),
            };
            // if_tsresol: a power of ten, or of two.
            if let (9, Some(&resolution)) = (code, rest.first()) {
                let power = u32::from(resolution & 0x7f);
                let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
                ticks = base.checked_pow(power).unwrap_or(1_000_000);
            }
            let used = usize::try_from(length).unwrap_or(0).next_multiple_of(4);
            options = rest.get(used..).unwrap_or_default();
        }
        self.interfaces.push((link, ticks));
    }

    fn packet(&self, body: &[u8]) -> Option<Packet> {
        if body.len() < 20 {
            return None;
        }
        let index = usize::try_from(self.word(body, 0)).ok()?;
        let (link, ticks) = *self.interfaces.get(index)?;
        let time = u64::from(self.word(body, 4)) << 32 | u64::from(self.word(body, 8));
        let nanos = u128::from(time % ticks) * 1_000_000_000 / u128::from(ticks);
        let part = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        let length = usize::try_from(self.word(body, 12)).ok()?;
        let bytes = body.get(20..20usize.checked_add(length)?)?.to_vec();
        let time = UNIX_EPOCH.checked_add(Duration::from_secs(time / ticks))?.checked_add(part)?;
        Some(Packet { time, link, bytes })
    }

    /// So many bytes; `None` when there are fewer.
    fn bytes(&mut self, count: usize) -> Result<Option<Vec<u8>>, String> {
        let mut bytes = Vec::with_capacity(count);
        let read = self.from.by_ref().take(count as u64).read_to_end(&mut bytes);
        self.read += read.map_err(|error| error.to_string())? as u64;
        if bytes.len() == count {
            return Ok(Some(bytes));
        }
        self.cut = (self.read > self.begun).then_some(self.begun);
        Ok(None)
    }

    fn size(&self, bytes: u32) -> Result<usize, String> {
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= BLOCK_BYTES_MAX => Ok(bytes),
            _ => Err(format!("a packet of {bytes} bytes: it goes on as no capture does")),
        }
    }

    /// The word at `at`; 0 where there is none.
    fn word(&self, bytes: &[u8], at: usize) -> u32 {
        let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).unwrap_or_default();
        if self.big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }
}

fn no_capture() -> String {
    "it is no capture: neither pcap nor pcapng".to_owned()
}

impl Packet {
    /// The segment in it.
    pub(crate) fn segment(&self) -> Option<Segment<'_>> {
        let bytes = &self.bytes[..];
        let short = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let start = match self.link {
            // Ethernet, and behind a tag of a VLAN.
            1 if short(12)? == 0x8100 => 18,
            1 => 14,
            0 | 108 => 4,
            12 | 14 | 101 => 0,
            113 => 16,
            276 => 20,
            _ => return None,
        };
        ip(bytes.get(start..)?)
    }
}

fn ip(bytes: &[u8]) -> Option<Segment<'_>> {
    let short = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let (from, to, start, end): (IpAddr, IpAddr, usize, usize) = match bytes.first()? >> 4 {
        // Of a fragment only the first has the header.
        4 if bytes.get(9)? == &6 && short(6)? & 0x3fff == 0 => {
            let address = |at: usize| {
                let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
                Some(IpAddr::from(Ipv4Addr::from(octets)))
            };
            // A card that cuts by itself leaves the length to be told by the capture.
            let total = Some(usize::from(short(2)?)).filter(|total| *total > 0);
            let header = usize::from(bytes[0] & 0xf) * 4;
            (address(12)?, address(16)?, header, total.unwrap_or(bytes.len()))
        }
        6 if bytes.get(6)? == &6 => {
            let address = |at: usize| {
                let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
                Some(IpAddr::from(Ipv6Addr::from(octets)))
            };
            (address(8)?, address(24)?, 40, 40 + usize::from(short(4)?))
        }
        _ => return None,
    };
    let tcp = bytes.get(start..end)?;
    let short = |at: usize| Some(u16::from_be_bytes([*tcp.get(at)?, *tcp.get(at + 1)?]));
    let sequence = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    let header = usize::from(tcp.get(12)? >> 4) * 4;
    Some(Segment {
        from: (from, short(0)?),
        to: (to, short(2)?),
        sequence,
        flags: *tcp.get(13)?,
        bytes: tcp.get(header.max(20)..)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pcapng of one interface and one packet, or a pcap of it.
    fn capture(is_ng: bool) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 43, 0, 0, 0, 0, 64, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        packet.extend([0, 80, 0, 81, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]);
        packet.extend(b"abc");
        let words = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        if !is_ng {
            let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_536, 101, 7, 9, 43, 43]);
            file.extend(packet);
            return file;
        }
        let mut file = words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28]);
        // Nanoseconds.
        file.extend(words(&[1, 32, 101, 0, 0x0001_0009, 9, 0, 32]));
        file.extend(words(&[6, 76, 0, 1, 705_032_713, 43, 43]));
        file.extend(packet);
        file.extend([0]);
        file.extend(words(&[76]));
        file
    }

    fn read(file: &[u8]) -> Result<Vec<Packet>, String> {
        let mut packets = Packets::new(file)?;
        let mut all = Vec::new();
        while let Some(packet) = packets.next()? {
            all.push(packet);
        }
        Ok(all)
    }

    #[test]
    fn a_packet_of_either_form_is_read() {
        let since = [Duration::new(7, 9_000), Duration::new(5, 9)];
        for (is_ng, since) in [false, true].into_iter().zip(since) {
            let packets = read(&capture(is_ng)).unwrap();
            let segment = packets[0].segment().unwrap();
            assert_eq!((packets.len(), packets[0].time), (1, UNIX_EPOCH + since), "{is_ng}");
            assert_eq!((segment.from.1, segment.to.1, segment.sequence), (80, 81, 9));
            assert_eq!((segment.flags, segment.bytes), (0x10, &b"abc"[..]));
        }
    }

    #[test]
    fn where_a_capture_is_cut_off_is_known() {
        // The blocks of a section and an interface, or the header of a file; and a packet.
        for (is_ng, starts) in [(true, &[0, 28, 60, 136][..]), (false, &[24, 83])] {
            let whole = capture(is_ng);
            for end in starts[usize::from(is_ng)]..=whole.len() {
                let mut packets = Packets::new(&whole[..end]).unwrap();
                while packets.next().unwrap().is_some() {}
                let begun = *starts.iter().rfind(|start| **start <= end).unwrap();
                let expected = (begun < end).then_some(begun as u64);
                assert_eq!(packets.cut(), expected, "{is_ng} {end}");
            }
        }
        // A second section is no other capture.
        let whole = [capture(true), capture(true)].concat();
        let mut packets = Packets::new(&whole[..150]).unwrap();
        while packets.next().unwrap().is_some() {}
        assert_eq!(packets.cut(), Some(136));
    }

    #[test]
    fn whatever_is_in_a_file_it_is_read_or_refused() {
        let mut random: u64 = 7;
        let mut next = || {
            // An xorshift: there is no more to it than to be different each time.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for round in 0..20_000 {
            let mut file = capture(round % 2 == 0);
            for _ in 0..=next() % 4 {
                let at = usize::try_from(next()).unwrap_or(0) % file.len();
                file[at] = next().to_le_bytes()[0];
            }
            let end = usize::try_from(next()).unwrap_or(0) % (2 * file.len());
            file.truncate(end);
            for packet in read(&file).unwrap_or_default() {
                let _ = packet.segment();
            }
        }
    }
}
