//! C7: a reset while replies are written.

use super::super::flood::Flood;
use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

/// Conversations that are reset while replies are still to be written, of each kind; and how many
/// are at the most, since a busy machine has written them all by then.
const RESETS: usize = 8;
const RESETS_MAX: usize = 64;
/// Requests whose replies nobody waits for: as many as a server needs some time for, and as go in
/// one write.
const REQUESTS: usize = 2000;
const REQUESTS_BYTES: usize = 48 * 1024;

pub(super) static PROBE: Probe = Probe {
    id: "C7",
    name: "reset in a reply",
    sends: "up to 2,000 requests and a reset (RST) at once; again with the end of input before the \
            reset; and a reset while the server waits to write",
    right: "it goes on serving others",
    bug: "a write to a connection that is gone raises SIGPIPE or an error that nobody catches",
    cure: "ignore SIGPIPE (or MSG_NOSIGNAL); EPIPE and ECONNRESET close that connection alone",
    intrusive: false,
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request_bytes = patient.request()?.bytes.len().max(1);
    let requests = patient.some_requests((REQUESTS_BYTES / request_bytes).clamp(1, REQUESTS))?;
    let bytes: Vec<u8> = requests.iter().flat_map(|request| request.bytes.clone()).collect();
    // More or less: what they are framed with is not counted.
    let due = requests.iter().map(|request| patient.reply_bytes(request) as u64).sum();
    for ends in [false, true] {
        let mut resets = 0;
        for _ in 0..RESETS_MAX {
            let mut link = patient.link()?;
            link.give(&bytes)?;
            if ends {
                link.finish();
            }
            let is_early = due == 0 || link.waiting_bytes() < due;
            link.reset();
            patient.survives(&link)?;
            resets += usize::from(is_early);
            if resets == RESETS {
                break;
            }
        }
    }
    let mut flood = Flood::open(patient)?;
    flood.fill_up()?;
    flood.link.reset();
    patient.survives(&flood.link)
}
