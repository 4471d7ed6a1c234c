//! C1: a request, then the end of input, while the reply is still awaited.

use super::super::link::{Close, Heard};
use super::super::patient::Patient;
use super::super::probe::{Asked, Probe};

/// Requests in the second run.
const MESSAGES: usize = 200;

pub(super) static PROBE: Probe = Probe {
    id: "C1",
    name: "half-close",
    sends: "a request, then the end of input (SHUT_WR); and again with 200 requests",
    right: "every reply, then the end",
    bug: "the end of input is taken for the end of the conversation, and queued replies are dropped",
    cure: "on recv's 0: answer what is whole, flush, then close",
    intrusive: false,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    for count in [1, MESSAGES] {
        let requests = patient.some_requests(count)?;
        let bytes: Vec<u8> = requests.iter().flat_map(|request| request.bytes.clone()).collect();
        let mut link = patient.link()?;
        link.give(&bytes)?;
        link.finish();
        for (index, request) in requests.iter().enumerate() {
            link.hear_answer(request).map_err(|finding| {
                finding.and(&format!("that was reply {} of {count}", index + 1))
            })?;
        }
        match link.hear()? {
            Heard::End(Close::Fin, 0) => {}
            heard => return Err(link.failed(heard).as_weak()),
        }
    }
    Ok(())
}
