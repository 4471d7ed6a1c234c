//! L1: the largest length there is, and nothing behind it.

use switchboard_frame::{LengthField, LengthForm};

use super::super::causes::{Cause, NO_LIMIT};
use super::super::child::Child;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, reaction};

/// A length up to this may well be meant.
const PLAUSIBLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(super) static PROBE: Probe = Probe {
    id: "L1",
    name: "huge length",
    sends: "a header that says the largest length (ffffffff), then nothing",
    right: "the message is refused at once, and no memory taken for it",
    bug: "as many bytes are allocated as a stranger has announced, or recv is called for them",
    cure: "a limit on lengths, checked before anything is allocated; buffers that grow with what \
           has come",
    intrusive: true,
    deadly: true,
    how: How::InTurn,
    ask,
};

const MISREAD: Cause = Cause {
    bug: "the length is read as something else: as a signed number, or cast to fewer bits",
    cure: "read it as wide as it is, as unsigned, and compare it before it is cast",
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(2)?;
    let (first, request) = (&requests[0], &requests[1]);
    let field = request.length_field()?;
    let length = huge(field);
    if length <= patient.max.unwrap_or(PLAUSIBLE_BYTES_MAX) {
        return Err(Finding::skipped(format!(
            "a length says {length} at most, which may be meant"
        )));
    }
    let Some(written) = field.written(length) else {
        return Err(Finding::skipped("the length field has bits that no length has"));
    };
    let mut link = patient.link()?;
    // What one more client costs is no part of it.
    link.exchange(first)?;
    let before = patient.child().map(Child::usage);
    let reaction = reaction(patient, &mut link, &request.forged_prefix(field, &written))?;
    let now = patient.child().map(Child::usage);
    if let Some(taken) = now.zip(before).and_then(|(now, before)| now.memory_taken(&before, length))
    {
        return Err(link.failed(format_args!("nothing after the header was sent, and {taken}")));
    }
    match reaction {
        Reaction::Rejects => Ok(()),
        Reaction::Takes(heard) => Err(link.failed(heard).because(MISREAD)),
        Reaction::Waits(heard) => {
            let found = link.failed(heard).and(&format!("it waits for {length} bytes"));
            Err(found.as_weak().because(NO_LIMIT))
        }
    }
}

/// The largest length, of 32 bits where there are more: those are seldom looked at first.
fn huge(field: &LengthField) -> u64 {
    let bits = u64::from(u32::MAX);
    match field.form() {
        LengthForm::Binary => field.length_max(),
        _ => field.length_max().min(bits),
    }
}
