//! Whether a server takes memory for what was announced to it and has not come: seen where it is
//! started here.

use super::child::Child;
use super::link::Link;
use super::patient::Patient;
use super::probe::Asked;
use super::usage::Usage;
use crate::units;

/// What it may take for a new client, whatever that sends: a thread's stack, an arena of its
/// allocator, buffers; as addresses, and of memory itself.
const ADDRESSES_MAX: u64 = 256 * 1024 * 1024;
const RESIDENT_MAX: u64 = 32 * 1024 * 1024;

/// What it had in use, once.
pub(super) struct Memory<'a> {
    patient: &'a Patient,
    before: Option<Usage>,
}

impl<'a> Memory<'a> {
    pub(super) fn of(patient: &'a Patient) -> Memory<'a> {
        Memory { patient, before: patient.child().map(Child::usage) }
    }

    /// It has no more in use than it had, but what any client may cost.
    pub(super) fn is_flat(&self, link: &Link) -> Asked {
        let (Some(before), Some(child)) = (self.before, self.patient.child()) else {
            return Ok(());
        };
        let now = child.usage();
        let grown = |now: u64, before: u64, most: u64| now.saturating_sub(before) > most;
        let memory = |what: &str, before: u64, now: u64| {
            let (before, now) = (units::rounded(before), units::rounded(now));
            Err(link.failed(format_args!("its {what} grew from {before} to {now}")))
        };
        if grown(now.resident, before.resident, RESIDENT_MAX) {
            return memory("memory", before.resident, now.resident);
        }
        if grown(now.addresses, before.addresses, ADDRESSES_MAX) {
            return memory("virtual memory", before.addresses, now.addresses);
        }
        Ok(())
    }
}
