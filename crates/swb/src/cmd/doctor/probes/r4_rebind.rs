//! R4: killed with clients connected, and started again at once.

use std::fs;

use switchboard::Endpoint;

use super::super::causes::Cause;
use super::super::child::Child;
use super::super::link::Link;
use super::super::patient::Patient;
use super::super::probe::{Asked, Finding, How, Probe};

/// Clients that are connected then.
const CLIENTS: usize = 5;
/// So often it is tried, until an old connection is in the way.
const STARTS: usize = 5;

pub(super) static PROBE: Probe = Probe {
    id: "R4",
    name: "rebind",
    sends: "SIGKILL to the server while clients are connected, and starts it again at once",
    right: "it listens again on the same address",
    bug: "no SO_REUSEADDR: for a minute the old connections (TIME_WAIT) are in the way of bind",
    cure: "SO_REUSEADDR before bind, on every Unix system",
    intrusive: true,
    deadly: true,
    how: How::Last,
    ask,
};

const OLD_FILE: Cause = Cause {
    bug: "the old socket file is in the way of bind: a server that was killed has not removed it",
    cure: "behind a lock, which says that nobody serves there, unlink the path before bind",
};

fn ask(patient: &Patient) -> Asked {
    let child = patient.started()?;
    for _ in 0..STARTS {
        if is_bound_again(patient, child)? {
            return Ok(());
        }
    }
    let why = "no old connection was left at its address, so nothing was in the way";
    Err(Finding::inconclusive(why))
}

/// Whether it was started again while something was in the way, and serves.
fn is_bound_again(patient: &Patient, child: &Child) -> Result<bool, Finding> {
    let mut clients = Vec::new();
    let count = if patient.serves_side_by_side() { CLIENTS } else { 1 };
    for _ in 0..count {
        let mut link = patient.link()?;
        link.exchange(&patient.request()?)?;
        clients.push(link);
    }
    // The server's side is the first to close, so the old connections linger at its address.
    child.kill();
    // With an end and nothing before it: bytes for who is dead already come back as a reset, which
    // leaves nothing to be in the way.
    clients.iter_mut().for_each(Link::break_off);
    drop(clients);
    let is_in_the_way = is_lingering(&patient.endpoint());
    if let Err(found) = patient.restart(true) {
        // Elsewhere, for whoever is asked next; what comes of that is seen then.
        let _ = patient.restart(false);
        return Err(match patient.endpoint() {
            Endpoint::Tcp { .. } | Endpoint::Tls { .. } => found,
            _ => found.because(OLD_FILE),
        });
    }
    patient.is_alive()?;
    Ok(is_in_the_way)
}

/// Whether the system keeps a connection of that port which nobody has any more, proc_net_tcp(5); a
/// socket file is there as long as nobody removes it.
fn is_lingering(endpoint: &Endpoint) -> bool {
    /// As Linux numbers them: FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSING.
    const STATES: [&str; 4] = ["04", "05", "06", "0B"];
    let (Endpoint::Tcp { port, .. } | Endpoint::Tls { port, .. }) = endpoint else { return true };
    let port = format!(":{port:04X}");
    let is_such = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _, state) = (fields.next(), fields.next(), fields.next());
        local.is_some_and(|local| local.ends_with(&port))
            && state.is_some_and(|state| STATES.contains(&state))
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    tables.iter().flatten().any(|table| table.lines().any(is_such))
}
