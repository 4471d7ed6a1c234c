//! L3: a length that counts more than the body, and says less than that.

use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::wrong::{Reaction, reaction};

pub(super) static PROBE: Probe = Probe {
    id: "L3",
    name: "self-short",
    sends: "a length that is below its own header: 0, and one less than the least",
    right: "refused",
    bug: "the header's size is subtracted first, and the result is below zero or enormous; or a \
          loop goes on by 0 bytes for ever",
    cure: "compare the length with the least before anything is subtracted from it",
    intrusive: false,
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.request()?;
    let field = request.length_field()?;
    let Some(below) = field.length_min().checked_sub(1) else {
        return Err(Finding::skipped("a length counts the body alone"));
    };
    for length in if below > 0 { vec![0, below] } else { vec![0] } {
        let Some(written) = field.written(length) else {
            return Err(Finding::skipped("the length field does not hold what is too short"));
        };
        let mut link = patient.link()?;
        match reaction(patient, &mut link, &request.forged(field, &written))? {
            Reaction::Rejects => {}
            // There is nothing that it could wait for.
            Reaction::Takes(heard) | Reaction::Waits(heard) => {
                return Err(link.failed(heard).and(&format!("the length said {length}")));
            }
        }
    }
    Ok(())
}
