//! F5: one message and the beginning of the next, then the rest.

use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "F5",
    name: "one and a half",
    sends: "a message and half of the next in one write, then the rest; cut inside the second \
            prefix, and again inside its body",
    right: "the first reply at once, then the second",
    bug: "the tail of a read is thrown away, or the first reply waits until the second is written",
    cure: "keep what is left of a read for the next one; flush replies before waiting for input",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let requests = patient.some_requests(2)?;
    let (first, second) = (&requests[0], &requests[1]);
    let body = second.body.start + second.body.len().div_ceil(2);
    let in_prefix = (second.prefix_bytes() > 1).then(|| second.prefix_bytes() / 2);
    for cut in in_prefix.into_iter().chain([body]) {
        let mut link = patient.link()?;
        link.give(&[&first.bytes, &second.bytes[..cut]].concat())?;
        // Before the rest is sent: it must not wait for that.
        link.hear_answer(first)?;
        link.give(&second.bytes[cut..])?;
        link.hear_answer(second)?;
    }
    Ok(())
}
