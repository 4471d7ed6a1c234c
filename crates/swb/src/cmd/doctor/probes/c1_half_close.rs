//! C1: requests, then the end of input, while replies are still awaited.

use super::super::causes::{Cause, LEFT_OPEN, RESET_FOR_END};
use super::super::flood::{Flood, Stopped};
use super::super::link::{Close, Heard, Link};
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

pub(super) static PROBE: Probe = Probe {
    id: "C1",
    name: "half-close",
    sends: "a request, then the end of input (SHUT_WR); and again with so many requests that their \
            replies do not fit into the system's buffers, read late and slowly",
    right: "every reply, then the end",
    bug: "the end of input is taken for the end of the conversation: queued replies are dropped",
    cure: "on recv's 0: answer what is whole, flush, then close",
    intrusive: false,
    deadly: false,
    how: How::InTurn,
    ask,
};

const TOO_MUCH: Cause = Cause {
    bug: "the end of input is taken for one more message, or a reply is sent twice",
    cure: "recv's 0 is no message: answer what is whole, flush, then close",
};

fn ask(patient: &Patient) -> Asked {
    let mut link = patient.link()?;
    let request = patient.request()?;
    link.give(&request.bytes)?;
    link.finish();
    link.hear_answer(&request)?;
    ends(&mut link)?;
    let mut flood = Flood::open(patient)?;
    if let Stopped::Ended(close) = flood.fill_up()? {
        return Err(Finding::inconclusive(format!(
            "{close} before the end of input, of a client that does not read"
        )));
    }
    flood.drain(true)?;
    ends(&mut flood.link)
}

/// It works, but for the end.
fn ends(link: &mut Link) -> Asked {
    match link.hear()? {
        Heard::End(Close::Fin, 0) => Ok(()),
        heard @ Heard::End(..) => Err(link.failed(heard).as_weak().because(RESET_FOR_END)),
        heard @ Heard::Silence(..) => Err(link.failed(heard).as_weak().because(LEFT_OPEN)),
        heard => Err(link.failed(heard).and("after the last reply").because(TOO_MUCH)),
    }
}
