//! T3: a client whose machine is gone: no end, no reset, no acknowledgement.

use std::io::ErrorKind;
use std::time::Duration;

use super::super::link::{Heard, Link, told};
use super::super::patient::{ONE_AT_A_TIME, Patient};
use super::super::probe::{Asked, Finding, How, Probe};
use super::super::silence::late;
use super::super::unheard::Unheard;

pub(super) static PROBE: Probe = Probe {
    id: "T3",
    name: "dead peer",
    sends: "a request, and acknowledges nothing any more: once after its reply, once before it",
    right: "the connection is gone within --dead",
    bug: "no keepalive, so a silent connection lives for ever; and keepalive alone does not help \
          while a reply is not acknowledged",
    cure: "SO_KEEPALIVE with times of your own, and TCP_USER_TIMEOUT; or a heartbeat",
    intrusive: false,
    deadly: false,
    how: How::Beside,
    ask,
};

fn ask(patient: &Patient) -> Asked {
    let Some(dead) = patient.dead else {
        let why = "how soon the server finds out that a client is dead is not known: --dead TIME";
        return Err(Finding::skipped(why));
    };
    if !patient.serves_side_by_side() {
        return Err(Finding::skipped(ONE_AT_A_TIME));
    }
    let (request, again) = (patient.request()?, patient.some_requests(2)?.remove(1));
    let mut idle = patient.link()?;
    idle.exchange(&request)?;
    let mut awaited = patient.link()?;
    awaited.exchange(&request)?;
    die(&mut idle, Unheard::Everything)?;
    die(&mut awaited, Unheard::Data)?;
    awaited.give(&again.bytes)?;
    idle.pause(late(dead, patient))?;
    is_gone(&mut idle, &again.bytes, "after its reply", dead, patient)?;
    is_gone(&mut awaited, &again.bytes, "while a reply was under way", dead, patient)
}

/// From here on the system drops what comes for this connection, and so acknowledges nothing.
fn die(link: &mut Link, unheard: Unheard) -> Asked {
    link.deafen(unheard).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Finding::skipped(
            "not to acknowledge takes CAP_NET_ADMIN: run it as root, or grant it with \
             'setcap cap_net_admin+ep' to swb",
        ),
        ErrorKind::Unsupported => Finding::skipped("only a TCP connection has a peer that can die"),
        _ => Finding::inconclusive(format!("cannot stop acknowledging: {error}")),
    })
}

/// Back among the living, it sends again: the other system knows nothing of it any more.
fn is_gone(link: &mut Link, bytes: &[u8], when: &str, dead: Duration, patient: &Patient) -> Asked {
    link.undeafen();
    link.send(bytes)?;
    match link.hear_within(patient.times.patience)? {
        Heard::End(..) => Ok(()),
        // The reply that was under way, or one to this.
        Heard::Message(_) | Heard::Silence(..) | Heard::Unframed(..) => {
            Err(link.failed(format_args!(
                "{} after a client died {when} its connection was still there",
                told(late(dead, patient))
            )))
        }
    }
}
