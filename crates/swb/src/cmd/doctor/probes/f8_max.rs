//! F8: the largest message that is allowed.

use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "F8",
    name: "max",
    sends: "a message of as many bytes as --max says",
    right: "one reply",
    bug: "the limit is compared with < where it is <=, or the header is counted too",
    cure: "refuse what is larger than the limit, and only that",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let request = patient.sized_request(max(patient)?)?;
    patient.link()?.exchange(&request)
}

/// The largest body, as it was said.
pub(super) fn max(patient: &Patient) -> Result<usize, Finding> {
    let max = patient.max.ok_or_else(|| Finding::skipped("no limit is declared: --max"))?;
    usize::try_from(max).map_err(|_| Finding::skipped("no message can be as large as --max"))
}
