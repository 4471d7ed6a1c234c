//! C4: the end of input between two messages.

use super::super::link::{Close, Heard, Link};
use super::super::patient::Patient;
use super::super::probe::{Asked, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "C4",
    name: "end when idle",
    sends: "nothing but the end of input (SHUT_WR); and again behind a reply",
    right: "it closes soon, with FIN",
    bug: "recv's 0 is not looked at: the connection stays in CLOSE_WAIT, or is read for ever",
    cure: "recv's 0 is the end of input: stop reading, close",
    intrusive: false,
    how: How::InTurn,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let mut link = patient.link()?;
    link.finish();
    ends(&mut link)?;
    let mut link = patient.link()?;
    link.exchange(&patient.request()?)?;
    link.finish();
    ends(&mut link)
}

fn ends(link: &mut Link) -> Asked {
    match link.hear()? {
        Heard::End(Close::Fin, _) => Ok(()),
        heard @ Heard::End(Close::Reset, _) => Err(link.failed(heard).as_weak()),
        heard => Err(link.failed(heard)),
    }
}
