//! A program at the other end of a pipe: how it ends, and who clears it away.

use super::Wait;
use crate::sys::{self, Watch, Woke};
use crate::{deadline, limits};
use std::io;
use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Programs that outlived their transport. They are looked at whenever one more joins or starts,
/// so that those which have ended do not stay in the system's table.
static ORPHANS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// The program behind an `exec:` transport. It is never killed: it sees its input end, and ends.
#[derive(Debug)]
pub struct Process {
    /// Taken only when dropped.
    child: Mutex<Option<Child>>,
    id: u32,
}

impl Process {
    pub(super) fn new(child: Child) -> Process {
        reap(&mut lock(&ORPHANS));
        Process { id: child.id(), child: Mutex::new(Some(child)) }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// When somebody else has waited for it.
    pub fn try_status(&self) -> io::Result<Option<ExitStatus>> {
        match &mut *lock(&self.child) {
            Some(child) => child.try_wait(),
            None => Ok(None),
        }
    }

    /// Waits until it has ended; `None` when the deadline, the stopper or the hook came first.
    /// Finish the transport before, or the program may wait for input as long.
    ///
    /// # Errors
    /// When somebody else has waited for it.
    pub fn wait(&self, until: &Wait<'_>) -> io::Result<Option<ExitStatus>> {
        // Systems without process descriptors are asked again and again.
        let descriptor = sys::process_descriptor(self.id);
        loop {
            if let Some(status) = self.try_status()? {
                return Ok(Some(status));
            }
            let woke = match &descriptor {
                Some(descriptor) => {
                    sys::wait(&mut [Watch::new(descriptor.as_fd(), true, false)], until)?
                }
                None => {
                    let soon = deadline::after(limits::CHILD_POLL_INTERVAL);
                    let pause =
                        Wait { deadline: deadline::earlier(soon, until.deadline), ..*until };
                    sys::wait(&mut [], &pause)?
                }
            };
            let over = deadline::has_passed(until.deadline);
            if matches!(woke, Woke::Stopped | Woke::Interrupted) || (woke == Woke::Deadline && over)
            {
                return self.try_status();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut orphans = lock(&ORPHANS);
        orphans.extend(lock(&self.child).take());
        reap(&mut orphans);
    }
}

/// Forgets those that have ended.
fn reap(orphans: &mut Vec<Child>) {
    orphans.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
