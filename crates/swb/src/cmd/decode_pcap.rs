//! `swb decode --pcap`: the TCP connections of a capture, put together again, and their messages as
//! `tap` shows them.

use std::collections::{BTreeMap, HashMap};
use std::io::BufReader;

use switchboard::Ending;
use switchboard_frame::{Protocol, Role};

use crate::args::DecodeArgs;
use crate::cmd::decode;
use crate::cmd::tap::{Keep, Show, Watch, Watcher};
use crate::exit::{Exit, Failure, Outcome};
use crate::packets::{Address, Packets, Segment};
use crate::printer::Printer;

/// The most bytes of one direction that wait for those before them.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Flags of TCP (RFC 9293, 3.1).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

pub(super) fn run(args: &DecodeArgs, protocol: &Protocol, printer: &Printer) -> Outcome {
    let (file, shown) = decode::open(args)?;
    let failed = |why: String| Failure::usage(format_args!("{shown}: {why}"));
    let mut packets = Packets::new(BufReader::new(file)).map_err(failed)?;
    let show = Show { printer: printer.clone(), json: args.json, hex: args.hex };
    let keep = Keep::nothing();
    // Of those that are over nothing is kept but that they were.
    let mut connections: HashMap<[Address; 2], Option<Connection<'_>>> = HashMap::new();
    let mut begun = 0;
    while let Some(packet) = packets.next().map_err(failed)? {
        let Some(segment) = packet.segment() else { continue };
        let mut ends = [segment.from, segment.to];
        ends.sort_unstable();
        let place = connections.get(&ends);
        if place.is_none() || matches!(place, Some(None)) && segment.flags & SYN != 0 {
            begun += 1;
            let watch = Watch::new(protocol, &show, &keep, begun);
            connections.insert(ends, Some(Connection::new(&segment, watch)));
        }
        let Some(place) = connections.get_mut(&ends) else { continue };
        if let Some(connection) = place {
            connection.watch.set_time(packet.time);
            connection.segment(&segment)?;
            if connection.is_over() {
                *place = None;
            }
        }
    }
    printer.flush()?;
    if let Some(at) = packets.cut() {
        printer.talk(&format!(
            "swb: {shown}: the capture ends in the middle of a packet, at byte {at}"
        ));
    }
    let gaps = connections.values().flatten().filter(|connection| connection.has_gap()).count();
    if gaps > 0 {
        printer.talk(&format!("swb: bytes are missing in the capture, of {gaps} of {begun}"));
    }
    Ok(if gaps > 0 || packets.cut().is_some() { Exit::BadFrame } else { Exit::Done })
}

/// A connection, and who looks at what it carries.
struct Connection<'a> {
    client: Address,
    halves: [Half; 2],
    watch: Watch<'a>,
}

/// A direction.
#[derive(Default)]
struct Half {
    /// The byte that comes next; `None` before the first.
    next: Option<u32>,
    /// What came too early, by how far ahead of all it was first seen.
    waiting: BTreeMap<u32, Vec<u8>>,
    waiting_bytes: usize,
    /// Where it ends.
    end: Option<u32>,
    over: bool,
}

impl<'a> Connection<'a> {
    /// Begun by whoever asks for it; without that by who is seen first.
    fn new(segment: &Segment<'_>, watch: Watch<'a>) -> Connection<'a> {
        let is_answer = segment.flags & (SYN | ACK) == SYN | ACK;
        let client = if is_answer { segment.to } else { segment.from };
        Connection { client, halves: [Half::default(), Half::default()], watch }
    }

    fn is_over(&self) -> bool {
        self.halves.iter().all(|half| half.over)
    }

    fn has_gap(&self) -> bool {
        self.halves.iter().any(|half| !half.over && !half.waiting.is_empty())
    }

    fn segment(&mut self, segment: &Segment<'_>) -> Result<(), Failure> {
        let writer = if segment.from == self.client { Role::Client } else { Role::Server };
        let half = &mut self.halves[usize::from(writer == Role::Server)];
        if segment.flags & RST != 0 {
            if !std::mem::replace(&mut half.over, true) {
                self.watch.ended(writer, Ending::Reset)?;
            }
            let other = &mut self.halves[usize::from(writer == Role::Client)];
            if !std::mem::replace(&mut other.over, true) {
                self.watch.over(writer.other(), Ending::Reset)?;
            }
            return Ok(());
        }
        if half.over {
            return Ok(());
        }
        let syn = u32::from(segment.flags & SYN != 0);
        let sequence = segment.sequence.wrapping_add(syn);
        let next = *half.next.get_or_insert(sequence);
        if segment.flags & FIN != 0 {
            half.end = Some(sequence.wrapping_add(length(segment.bytes)));
        }
        half.put(sequence, segment.bytes);
        let mut next = next;
        while let Some(bytes) = half.take(next) {
            next = next.wrapping_add(length(&bytes));
            half.next = Some(next);
            self.watch.bytes(writer, &bytes)?;
        }
        if half.end == half.next {
            half.over = true;
            self.watch.ended(writer, Ending::Finished)?;
        }
        Ok(())
    }
}

impl Half {
    /// Bytes that begin at `sequence`; the longer ones of two stay.
    fn put(&mut self, sequence: u32, bytes: &[u8]) {
        let known = self.waiting.get(&sequence).map_or(0, Vec::len);
        let fits = self.waiting_bytes + bytes.len() <= WAITING_BYTES_MAX;
        if bytes.len() > known && fits {
            self.waiting_bytes += bytes.len() - known;
            self.waiting.insert(sequence, bytes.to_vec());
        }
    }

    /// The bytes from `next` on, if they have come; what came twice is passed over.
    fn take(&mut self, next: u32) -> Option<Vec<u8>> {
        loop {
            let behind = |(at, bytes): &(&u32, &Vec<u8>)| {
                let ahead = at.wrapping_sub(next).cast_signed();
                ahead <= 0 && ahead > -(1 << 30) || bytes.is_empty()
            };
            let at = *self.waiting.iter().find(behind)?.0;
            let mut bytes = self.waiting.remove(&at)?;
            self.waiting_bytes -= bytes.len();
            let known = usize::try_from(next.wrapping_sub(at)).unwrap_or(usize::MAX);
            if known < bytes.len() {
                return Some(bytes.split_off(known));
            }
        }
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_in_their_order_once_whatever_order_they_came_in() {
        // Also around the end of the numbers.
        for start in [0, 1000, u32::MAX - 3] {
            let mut half = Half::default();
            let at = |offset| start.wrapping_add(offset);
            let (mut next, mut got) = (start, Vec::new());
            for (offset, bytes) in
                [(6, "ghi"), (2, "cd"), (0, "ab"), (1, "bcdef"), (2, "cd"), (8, "ijk")]
            {
                half.put(at(offset), bytes.as_bytes());
                while let Some(bytes) = half.take(next) {
                    next = next.wrapping_add(length(&bytes));
                    got.extend(bytes);
                }
            }
            assert_eq!((&got[..], half.waiting_bytes), (&b"abcdefghijk"[..], 0), "{start}");
        }
    }
}
