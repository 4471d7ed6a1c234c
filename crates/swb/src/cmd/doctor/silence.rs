//! A client that has fallen silent, and how long a server puts up with it.

use std::time::Duration;

use switchboard::deadline;

use super::link::{Heard, Link, told};
use super::patient::Patient;
use super::probe::{Asked, Finding};

/// A server's clocks are no better than this, and a fifth of what they measure; what else the
/// machine does makes it later still.
const SLACK: Duration = Duration::from_secs(1);

/// Within which time the server closes, as was said.
pub(super) fn idle_time(patient: &Patient) -> Result<Duration, Finding> {
    patient.idle.ok_or_else(|| {
        Finding::skipped("how long the server lets a client be silent is not known: --idle TIME")
    })
}

/// By when something that takes so long has happened.
pub(super) fn late(time: Duration, patient: &Patient) -> Duration {
    time + time / 5 + SLACK + patient.times.patience
}

/// Each of these conversations is closed in time; what is said before is a farewell.
pub(super) fn are_closed_within(links: &mut [Link], time: Duration, patient: &Patient) -> Asked {
    let late = late(time, patient);
    let until = deadline::after(late);
    for link in links {
        loop {
            let left = deadline::remaining(until).unwrap_or_default();
            match link.hear_within(left)? {
                Heard::End(..) => break,
                Heard::Message(_) if !left.is_zero() => {}
                Heard::Silence(_, 0) => {
                    return Err(link.failed(format_args!(
                        "the connection is still there after {}",
                        told(late)
                    )));
                }
                heard => return Err(link.failed(heard)),
            }
        }
    }
    Ok(())
}
