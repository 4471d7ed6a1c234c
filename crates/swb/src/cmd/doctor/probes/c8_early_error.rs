//! C8: a message that is too large, of which more is on the way when it is refused.

use super::super::link::{Close, Heard, Went};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

/// What comes behind that in the same write: less than a server's receive buffer.
const BEHIND_BYTES: usize = 48 * 1024;
/// What is announced where lengths are counted, and what may well be meant. Where they are not, so
/// many bytes are sent at the most.
const ANNOUNCED_BYTES: u64 = u32::MAX as u64;
const MAX_BYTES: u64 = 16 * 1024 * 1024;

pub(super) static PROBE: Probe = Probe {
    id: "C8",
    name: "early error",
    sends: "the beginning of a message that is too large (its header, or --max bytes of it), and \
            48 KiB more",
    right: "what it says of that can be read, and the end (FIN) comes after it; or it closes \
            without a word",
    bug: "an error message, then close with bytes unread: that is a reset, which over a network \
          takes the error message with it",
    cure: "shut down for writing (SHUT_WR), then read and throw away until the client closes or a \
           short time is over, then close",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let message = too_large(patient)?;
    let mut link = patient.link()?;
    let went = link.send(&message)?;
    let said = match link.hear()? {
        said @ (Heard::Message(_) | Heard::Unframed(..)) => said,
        said @ Heard::End(Close::Reset, 1..) => return Err(link.failed(said)),
        Heard::End(..) => return Ok(()),
        silence @ Heard::Silence(..) => {
            let why = format!("{silence}: it may have no limit, and wait for the rest");
            return Err(Finding::inconclusive(why));
        }
    };
    let was_reset = matches!(went, Went::Refused(_, Close::Reset));
    match link.hear_close()? {
        Some(close) if close == Close::Reset || was_reset => {
            Err(link.failed(format_args!("{said}; after it {}", Close::Reset)))
        }
        // None: it skips the rest of the message.
        Some(_) | None => Ok(()),
    }
}

/// The beginning of a message that no server takes, as far as it is sent.
fn too_large(patient: &Patient) -> Result<Vec<u8>, Finding> {
    let request = patient.request()?;
    let behind = [b'x'; BEHIND_BYTES];
    if let Some(field) = &request.length {
        let length = field.length_max().min(ANNOUNCED_BYTES);
        return match field.written(length) {
            Some(written) if length > patient.max.unwrap_or(MAX_BYTES) => {
                Ok([&request.forged_prefix(field, &written)[..], &behind].concat())
            }
            _ => Err(Finding::skipped("no length is so large that no server takes it")),
        };
    }
    match patient.max {
        _ if !patient.is_delimited(&request) => {
            Err(Finding::skipped("a message announces nothing and ends with no delimiter"))
        }
        None => Err(Finding::skipped("no limit is declared: --max")),
        Some(max) if max > MAX_BYTES => Err(Finding::skipped("--max is too large for it")),
        Some(max) => {
            let body = vec![b'x'; usize::try_from(max).unwrap_or(usize::MAX)];
            Ok([&request.bytes[..request.prefix_bytes()], &body, &behind].concat())
        }
    }
}
