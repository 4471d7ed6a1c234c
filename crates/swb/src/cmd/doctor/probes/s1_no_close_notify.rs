//! S1: TLS that ends without saying so, in the middle of a message.

use switchboard::Endpoint;

use super::super::cut_off;
use super::super::link::Link;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "S1",
    name: "no close_notify",
    sends: "half a message over TLS, then FIN without the close_notify that ends TLS",
    right: "it closes, and does not handle what came: anybody on the way can end a stream so",
    bug: "an end without close_notify is taken for the end of the stream, and a truncated message \
          for a whole one",
    cure: "tell the two ends apart, and handle nothing that was cut off",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    if !matches!(patient.endpoint(), Endpoint::Tls { .. }) {
        return Err(Finding::skipped("there is no TLS: tls://host:port"));
    }
    let request = patient.request()?;
    let cut = request.body.start + request.body.len().div_ceil(2);
    match cut_off::handled(patient, &request, cut, Link::break_off)? {
        None => Ok(()),
        Some(finding) => Err(finding),
    }
}
