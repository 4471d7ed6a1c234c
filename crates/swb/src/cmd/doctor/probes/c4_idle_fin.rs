//! C4: the end of input between two messages.

use std::time::Duration;

use super::super::causes::{Cause, RESET_FOR_END};
use super::super::link::{Close, Heard, Link};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

/// For so long a server that does not end is watched, where it was started here.
const WATCH: Duration = Duration::from_millis(500);

pub(super) static PROBE: Probe = Probe {
    id: "C4",
    name: "end when idle",
    sends: "nothing but the end of input (SHUT_WR); and again after a reply",
    right: "it closes soon, with FIN",
    bug: "recv's 0 is not looked at: the connection stays in CLOSE_WAIT, or is read for ever",
    cure: "recv's 0 is the end of input: stop reading, close",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

const HANDLED: Cause = Cause {
    bug: "recv's 0 is taken for a message, and answered",
    cure: "recv's 0 is the end of input, not an empty message: stop reading, close",
};

const SPINS: Cause = Cause {
    bug: "recv's 0 is not looked at: the socket stays readable, and is read in a loop for ever",
    cure: "recv's 0 is the end of input: stop reading, close",
};

fn ask(patient: &Patient) -> Asked {
    let mut link = patient.link()?;
    link.finish();
    ends(patient, &mut link)?;
    let mut link = patient.link()?;
    link.exchange(&patient.request()?)?;
    link.finish();
    ends(patient, &mut link)
}

fn ends(patient: &Patient, link: &mut Link) -> Asked {
    match link.hear()? {
        Heard::End(Close::Fin, _) => Ok(()),
        heard @ Heard::End(Close::Reset, _) => {
            Err(link.failed(heard).as_weak().because(RESET_FOR_END))
        }
        // Words of farewell are no answer.
        Heard::Message(words) if is_farewell(patient, &words)? && link.hear_close()?.is_some() => {
            Ok(())
        }
        heard @ Heard::Message(_) => Err(link.failed(heard).because(HANDLED)),
        heard => {
            let finding = link.failed(heard);
            Err(match patient.child().and_then(|child| child.spins(WATCH)) {
                Some(used) => finding.and(&used).because(SPINS),
                None => finding,
            })
        }
    }
}

fn is_farewell(patient: &Patient, words: &[u8]) -> Result<bool, Finding> {
    let request = patient.request()?;
    Ok(!words.is_empty() && request.reply.is_none_or(|answer| !answer.is(words)))
}
