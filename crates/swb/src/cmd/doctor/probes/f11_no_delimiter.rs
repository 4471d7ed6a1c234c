//! F11: a message that does not end.

use super::super::link::Went;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, answer};

/// So much is sent where no limit is declared: twice what `swb serve` takes by itself.
const BYTES: u64 = 32 * 1024 * 1024;
/// And no more than this where one is.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Past a declared limit what is on its way already, in both sides' buffers.
const BEHIND_MAX: u64 = 8 * 1024 * 1024;
const PIECE_BYTES: usize = 64 * 1024;

pub(super) static PROBE: Probe = Probe {
    id: "F11",
    name: "no delimiter",
    sends: "bytes without a delimiter, without an end",
    right: "the conversation is ended at the limit",
    bug: "the buffer grows until a delimiter comes, whatever that takes",
    cure: "a limit on what is kept while a delimiter is looked for",
    intrusive: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    if !patient.is_delimited(&request) {
        return Err(Finding::skipped("messages do not end with a delimiter"));
    }
    let bytes = match patient.max {
        None => BYTES,
        Some(max) if max + BEHIND_MAX <= BYTES_MAX => max + BEHIND_MAX,
        Some(_) => return Err(Finding::skipped("--max is more than is sent for a probe")),
    };
    let piece = vec![b'x'; PIECE_BYTES];
    let mut link = patient.link()?;
    link.give(&request.bytes[..request.body.start])?;
    link.note(format!("{bytes} bytes of x"));
    let mut sent = 0;
    while sent < bytes {
        match link.send_quietly(&piece, link.patience())? {
            Went::All => sent += PIECE_BYTES as u64,
            Went::Refused(..) => return patient.survives(&link),
            // Whether it has ended the conversation, or just does not read on.
            Went::Stuck(_) => break,
        }
    }
    match answer(patient, &mut link, &piece)? {
        Reaction::Rejects => Ok(()),
        Reaction::Takes(heard) => {
            Err(link.failed(format_args!("no message has ended, and {heard}")))
        }
        Reaction::Waits(heard) => {
            let found = link.failed(format_args!("it has taken {sent} of them, and then {heard}"));
            Err(match patient.max {
                Some(_) => found,
                None => found.and("where its limit is, --max would say").as_weak(),
            })
        }
    }
}
