//! R4: killed with clients connected, and started again at once.

use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

/// Clients that are connected then.
const CLIENTS: usize = 5;

pub(super) static PROBE: Probe = Probe {
    id: "R4",
    name: "rebind",
    sends: "SIGKILL to the server while clients are connected, and starts it again at once",
    right: "it listens again on the same address",
    bug: "no SO_REUSEADDR: for a minute the old connections (TIME_WAIT) are in the way of bind; or \
          the socket file of the one before is",
    cure: "SO_REUSEADDR before bind, on every Unix system; remove a socket file that nobody serves",
    intrusive: true,
    how: How::Last,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let child = patient.started()?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut link = patient.link()?;
        link.exchange(&patient.request()?)?;
        clients.push(link);
    }
    // The server's side is the first to close, so the old connections linger at its address.
    child.kill();
    drop(clients);
    let again = child.restart(true);
    if let Err(why) = again {
        // Elsewhere, for whoever is asked next; what comes of that is seen then.
        let _ = child.restart(false);
        return Err(Finding::failed(why));
    }
    patient.is_alive()
}
