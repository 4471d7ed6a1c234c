//! L2: a length whose highest bit is set.

use switchboard_frame::LengthForm;

use super::super::causes::NO_LIMIT;
use super::super::link::Heard;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, reaction};

/// A message as large as this is sent whole: it is a right one.
const WHOLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(super) static PROBE: Probe = Probe {
    id: "L2",
    name: "sign bit",
    sends: "a header whose length has its highest bit set (80000000), then nothing; where that is \
            a length like any other, the message whole",
    right: "what is too large is refused, what is not is answered",
    bug: "the length is read as a signed integer, is negative, and passes every test",
    cure: "read lengths as unsigned, compare them before they are cast",
    intrusive: false,
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    let field = request.length_field()?;
    if field.form() != LengthForm::Binary {
        return Err(Finding::skipped("the length is no binary integer, it has no sign"));
    }
    let length = field.length_max() / 2 + 1;
    let Some(written) = field.written(length) else {
        return Err(Finding::skipped("the length field has no such bit"));
    };
    if length <= WHOLE_BYTES_MAX.min(patient.max.unwrap_or(u64::MAX)) {
        return whole(patient, length);
    }
    let mut link = patient.link()?;
    match reaction(patient, &mut link, &request.forged_prefix(field, &written))? {
        Reaction::Rejects => Ok(()),
        Reaction::Takes(heard) => Err(link.failed(heard)),
        Reaction::Waits(heard) => match patient.max {
            Some(_) => {
                let found = link.failed(heard).and(&format!("it waits for {length} bytes"));
                Err(found.as_weak().because(NO_LIMIT))
            }
            None => Err(Finding::inconclusive(format!(
                "it waits for {length} bytes, as it may where no limit is declared: --max"
            ))),
        },
    }
}

/// A right message whose length has that bit.
fn whole(patient: &Patient, length: u64) -> Asked {
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    let request = patient.sized_request(bytes)?;
    let mut link = patient.link()?;
    match reaction(patient, &mut link, &request.bytes)? {
        // It may have a smaller limit.
        Reaction::Rejects => Ok(()),
        Reaction::Takes(Heard::Message(reply)) if request.is_answered_by(&reply) => Ok(()),
        Reaction::Takes(heard) | Reaction::Waits(heard) => Err(link.failed(heard)),
    }
}
