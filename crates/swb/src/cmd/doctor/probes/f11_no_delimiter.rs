//! F11: a message that does not end.

use std::time::Duration;

use switchboard::deadline;

use super::super::causes::{Cause, ONE_READ};
use super::super::link::{Link, Went};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, answer};
use crate::units;

/// So much is sent where no limit is declared: twice what `swb serve` takes by itself. Where the
/// server's memory is seen it is more than any line needs.
const BYTES: u64 = 32 << 20;
const BYTES_SEEN: u64 = 128 << 20;
/// And no more than this where one is declared.
const BYTES_MAX: u64 = 256 << 20;
/// Past a declared limit what is on its way already, in both sides' buffers.
const BEHIND_MAX: u64 = 8 << 20;
const PIECE_BYTES: usize = 64 * 1024;
/// How long that may take.
const SEND_MAX: Duration = Duration::from_secs(15);
/// Who has kept so much of a line without an end keeps all of it: others have a limit below.
const KEPT_BYTES: u64 = 64 << 20;

pub(super) static PROBE: Probe = Probe {
    id: "F11",
    name: "no delimiter",
    sends: "bytes without a delimiter, without an end",
    right: "the conversation is ended at the limit, or the rest is thrown away: memory is bounded",
    bug: "the buffer grows until a delimiter comes, whatever that takes",
    cure: "a limit on what is kept while a delimiter is looked for",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    if !patient.is_delimited(&request) {
        return Err(Finding::skipped("messages do not end with a delimiter"));
    }
    let bytes = match patient.max {
        None if patient.child().is_some() => BYTES_SEEN,
        None => BYTES,
        Some(max) if max + BEHIND_MAX <= BYTES_MAX => max + BEHIND_MAX,
        Some(_) => return Err(Finding::skipped("--max is more than is sent for a probe")),
    };
    let mut link = patient.link()?;
    let before = patient.memory_bytes();
    link.give(&request.bytes[..request.body.start])?;
    link.note(format!("{} of x", units::rounded(bytes)));
    let piece = [b'x'; PIECE_BYTES];
    let (sent, went) = send(&mut link, bytes, &piece)?;
    if let Went::Refused(..) = went {
        return patient.survives(&link);
    }
    match answer(patient, &mut link, &piece)? {
        Reaction::Rejects => Ok(()),
        Reaction::Takes(heard) => {
            let came = format_args!("no message has ended, and {heard}");
            Err(link.failed(came).because(ONE_READ))
        }
        Reaction::Waits(heard) => {
            let found = link.failed(format_args!(
                "it has taken {} of them, and then {heard}",
                units::rounded(sent)
            ));
            let grown =
                patient.memory_bytes().zip(before).map(|(now, then)| now.saturating_sub(then));
            judge(patient, found, sent, went, grown)
        }
    }
}

/// Sends as much in pieces as it takes; how much that was, and how the last one went.
fn send(link: &mut Link, bytes: u64, piece: &[u8]) -> Result<(u64, Went), Finding> {
    let until = deadline::after(SEND_MAX);
    let (mut sent, mut went) = (0, Went::All);
    while sent < bytes && went == Went::All && !deadline::has_passed(until) {
        went = link.send_quietly(piece, link.patience())?;
        sent += match went {
            Went::All => piece.len() as u64,
            Went::Stuck(at) | Went::Refused(at, _) => at as u64,
        };
    }
    Ok((sent, went))
}

const HANGS: Cause = Cause {
    bug: "at its limit it stops reading, and leaves the connection open: the client waits for ever",
    cure: "end the conversation at the limit, after an error message if you like",
};

/// Of a server that neither ends the conversation nor says anything, and whose memory has grown by
/// so many bytes, where it is seen.
fn judge(patient: &Patient, found: Finding, sent: u64, went: Went, grown: Option<u64>) -> Asked {
    if matches!(went, Went::Stuck(_)) {
        return Err(found.as_weak().because(HANGS));
    }
    let told = grown.map_or_else(String::new, |grown| {
        format!("; meanwhile its memory grew by {}", units::rounded(grown))
    });
    let found = Finding { came: found.came + &told, ..found };
    match (grown, patient.max) {
        // It throws away what has no end, and waits for that: nothing grows.
        (Some(grown), _) if grown < sent / 8 => Ok(()),
        (_, Some(_)) => Err(found),
        (Some(grown), None) if grown >= KEPT_BYTES => Err(found),
        _ => Err(found.and("where its limit is, --max would say").as_weak()),
    }
}
