//! A child process as a descriptor that can be waited for beside others.

use std::os::fd::OwnedFd;

/// A descriptor that is readable once the process has ended. `None`: this system has none such, or
/// no room for one.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(feature = "portable")))]
pub(crate) fn process_descriptor(id: u32) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// None: whoever waits asks again and again.
#[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
pub(crate) fn process_descriptor(_id: u32) -> Option<OwnedFd> {
    None
}
