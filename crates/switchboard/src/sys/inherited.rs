//! Descriptors that came with the process, and descriptors whose number must stay valid while what
//! is behind it goes away. The only `unsafe` of this crate.

use crate::transport::Transport;
use rustix::fs::{FileType, fstat};
#[cfg(not(target_vendor = "apple"))]
use rustix::io::DupFlags;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

/// Two threads must not both find the same number free to be taken.
static TAKING: Mutex<()> = Mutex::new(());

/// Takes over the inherited descriptor `number`.
///
/// What a program starts with is not marked close-on-exec, what Rust code opens is: so a number
/// with the mark belongs to someone in this process and is refused, and marking what is taken
/// makes sure that it is taken once. Standard input, output and error are duplicated, since the
/// standard library goes on using them.
#[expect(unsafe_code, reason = "a number from the outside becomes a descriptor here alone")]
pub(crate) fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a descriptor is 0 or more"));
    }
    let _one_at_a_time = TAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the number is not negative, and it is borrowed only for calls that fail cleanly on a
    // number that is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed)?;
    if number <= 2 {
        return Ok(fcntl_dupfd_cloexec(borrowed, 3)?);
    }
    if flags.contains(FdFlags::CLOEXEC) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it was not inherited, or is taken already",
        ));
    }
    fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as `fcntl` said; nothing in this process owns it, since owners mark what
    // they open close-on-exec and the mark was not there; setting the mark under the lock keeps
    // every later call from taking it again.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Another descriptor of what is behind the open descriptor `number`, which stays its owner's.
///
/// # Errors
/// It is not open.
#[expect(unsafe_code, reason = "a number from the outside becomes a descriptor here alone")]
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a descriptor is 0 or more"));
    }
    // SAFETY: the number is not negative, and it is borrowed only for a call that fails cleanly on
    // a number that is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(fcntl_dupfd_cloexec(borrowed, 3)?)
}

/// Puts what is behind `with` behind `descriptor`, whose number stays open all the time: borrowed
/// views of it in other threads stay valid, while what was behind it is closed.
#[expect(
    unsafe_code,
    reason = "`dup3` takes the target by unique reference, which is not to be had"
)]
pub(crate) fn replace(descriptor: &OwnedFd, with: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the number is open, as `descriptor` is borrowed; `ManuallyDrop` keeps this second
    // owner from closing it; `dup3` leaves the number open whatever its outcome.
    let mut target = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(descriptor.as_raw_fd()) });
    #[cfg(not(target_vendor = "apple"))]
    rustix::io::dup3(with, &mut target, DupFlags::CLOEXEC)?;
    #[cfg(target_vendor = "apple")]
    {
        rustix::io::dup2(with, &mut target)?;
        fcntl_setfd(&*target, FdFlags::CLOEXEC)?;
    }
    Ok(())
}

/// Whether a stream is a socket, whose directions are ended for all that have it.
pub(crate) fn is_socket(stream: &dyn Transport) -> bool {
    let stat = stream.read_descriptor().and_then(|descriptor| fstat(descriptor).ok());
    stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket)
}
