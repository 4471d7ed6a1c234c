//! Descriptors: how many a run needs, and how many this process may have.

use rustix::process::{Resource, getrlimit};
use switchboard::{Endpoint, Error};

use super::limits::DESCRIPTORS_BESIDE;
use crate::args::not_connected;
use crate::exit::Failure;
use crate::units;

/// What kept one of so many connections from being made.
pub(super) fn not_made(error: Error, endpoint: &Endpoint, connections: usize) -> Failure {
    let each = match endpoint {
        // What is written goes one way, and what is read comes another one.
        Endpoint::Exec(_) => 2,
        _ => 1,
    };
    let needed = (connections as u64).saturating_mul(each).saturating_add(DESCRIPTORS_BESIDE);
    match getrlimit(Resource::Nofile).current {
        Some(most) if error.is_exhausted() && most < needed => {
            let connections = units::count(connections as u64, "connection");
            let advice = format!(
                "{connections} and what else there is need {needed} descriptors, and 'ulimit -n' \
                 is {most}: raise it with 'ulimit -n {needed}'"
            );
            not_connected(error.with_advice(advice))
        }
        _ => not_connected(error),
    }
}
