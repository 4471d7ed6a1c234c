//! T2: a client that says nothing after its first reply.

use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};
use super::super::silence::{are_closed_within, idle_time};

pub(super) static PROBE: Probe = Probe {
    id: "T2",
    name: "idle",
    sends: "a request, and after its reply nothing",
    right: "it closes within --idle",
    bug: "only the first read has a time-out, or none has: clients that have gone add up",
    cure: "a deadline for each message, which begins anew at each",
    intrusive: false,
    deadly: false,
    how: How::Beside,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let idle = idle_time(patient)?;
    let mut link = patient.link()?;
    link.exchange(&patient.request()?)?;
    are_closed_within(&mut [link], idle, patient)
}
