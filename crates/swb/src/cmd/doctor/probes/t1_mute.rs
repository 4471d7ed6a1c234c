//! T1: a client that connects and says nothing.

use switchboard::Endpoint;

use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};
use super::super::silence::{are_closed_within, idle_time};

pub(super) static PROBE: Probe = Probe {
    id: "T1",
    name: "mute",
    sends: "nothing; over TLS nothing before the handshake, and nothing after it",
    right: "it closes within --idle",
    bug: "a read without a time-out: each such client has a thread or a slot for ever",
    cure: "a deadline for the first message, and one for the handshake",
    intrusive: false,
    deadly: false,
    how: How::Beside,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let idle = idle_time(patient)?;
    let mut links = vec![patient.mute_link()?];
    if matches!(patient.endpoint(), Endpoint::Tls { .. }) {
        links.push(patient.bare_connection()?);
    }
    are_closed_within(&mut links, idle, patient)
}
