//! S2: plain text where TLS is spoken, and TLS where it is not.

use switchboard::Endpoint;
use switchboard_frame::{Decoder, ErrorKind, Step};

use super::super::link::Heard;
use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

/// Messages that are taken for a way to say what is wrong.
const COMPLAINTS_MAX: usize = 8;
/// So much of plain text is more than the header of a record.
const PLAIN_BYTES: usize = 64;

/// How a client begins TLS: the header of a record and of a ClientHello (RFC 8446, 5.1 and 4), with
/// a random of zeros, one cipher suite, no compression, and no extensions.
const HELLO: [u8; 50] = {
    let mut hello = [0; 50];
    let start = [0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    let end = [0, 0, 2, 0x13, 1, 1, 0];
    let mut at = 0;
    while at < start.len() {
        hello[at] = start[at];
        at += 1;
    }
    at = 0;
    while at < end.len() {
        hello[43 + at] = end[at];
        at += 1;
    }
    hello
};

pub(super) static PROBE: Probe = Probe {
    id: "S2",
    name: "wrong layer",
    sends: "a request without TLS where TLS is spoken; else the beginning of TLS",
    right: "it closes soon, and goes on to serve others",
    bug: "the error of one handshake ends the loop that accepts, or the connection hangs for ever",
    cure: "a handshake is one connection's matter: off the accepting loop, with a deadline",
    intrusive: false,
    deadly: true,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let mut link = patient.bare_connection()?;
    let has_to_close = match patient.endpoint() {
        Endpoint::Tls { .. } => {
            let request = patient.request()?.bytes;
            let many = request.iter().copied().cycle().take(PLAIN_BYTES.max(request.len()));
            link.send(&many.collect::<Vec<u8>>())?;
            true
        }
        _ => {
            link.send(&HELLO)?;
            is_wrong(patient)
        }
    };
    for _ in 0..COMPLAINTS_MAX {
        match link.hear()? {
            Heard::End(..) | Heard::Unframed(..) => break,
            Heard::Message(_) => {}
            Heard::Silence(..) if !has_to_close => break,
            heard => return Err(link.failed(heard)),
        }
    }
    patient.survives(&link)
}

/// Whether the beginning of TLS cannot be that of a message: what can be is waited for, and rightly
/// so.
fn is_wrong(patient: &Patient) -> bool {
    match Decoder::new(patient.framing()).step(&HELLO, false) {
        Ok(step) => !matches!(step, Step::Need(_)),
        // How large a message the server takes is known where it was said.
        Err(error) => patient.max.is_some() || error.kind() != ErrorKind::Oversize,
    }
}
