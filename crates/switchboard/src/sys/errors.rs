//! What the system's errors mean, sorted in one place: which of them say that descriptors or memory
//! have run out, and whom an error of `accept` concerns.

use rustix::io::Errno;
use std::io;

/// Whom an error of `accept` concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptTrouble {
    /// Nobody: no connection waits.
    NoneWaits,
    /// Nobody: a signal came between.
    Interrupted,
    /// One connection, which is gone; the next one may be fine.
    Connection,
    /// This machine, for now: the connection still waits.
    Exhausted,
    /// The listener itself: the next call says the same.
    Fatal,
}

/// Descriptors (of the process, of the system) or memory have run out.
pub(crate) fn is_exhaustion(errno: Errno) -> bool {
    match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => true,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Errno::NOSR => true,
        _ => false,
    }
}

/// Sorts an error of `accept`.
pub(crate) fn accept_trouble(error: &io::Error) -> AcceptTrouble {
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN) => AcceptTrouble::NoneWaits,
        Some(Errno::INTR) => AcceptTrouble::Interrupted,
        // A connection that went away while it waited, one that a firewall forbids, or a network
        // error that Linux reports here although it belongs to the new socket: accept(2).
        Some(
            Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::PERM
            | Errno::TIMEDOUT,
        ) => AcceptTrouble::Connection,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(Errno::NONET) => AcceptTrouble::Connection,
        Some(errno) if is_exhaustion(errno) => AcceptTrouble::Exhausted,
        // EBADF, EINVAL, ENOTSOCK, .. and whatever nobody has heard of. EOPNOTSUPP is on the list
        // of network errors in accept(2) too, but Linux says it of sockets that cannot accept at
        // all; passing over it would have a wrong socket look like one without clients.
        _ => AcceptTrouble::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(errno: Errno) -> AcceptTrouble {
        accept_trouble(&errno.into())
    }

    #[test]
    fn an_error_of_one_connection_is_passed_over() {
        for errno in [
            Errno::CONNABORTED,
            Errno::CONNRESET,
            Errno::PROTO,
            Errno::NOPROTOOPT,
            Errno::NETDOWN,
            Errno::NETUNREACH,
            Errno::HOSTDOWN,
            Errno::HOSTUNREACH,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Errno::NONET,
            Errno::PERM,
            Errno::TIMEDOUT,
        ] {
            assert_eq!(sorted(errno), AcceptTrouble::Connection, "{errno:?}");
        }
    }

    #[test]
    fn exhaustion_is_for_now_and_the_error_says_so() {
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Errno::NOSR,
        ] {
            assert_eq!(sorted(errno), AcceptTrouble::Exhausted, "{errno:?}");
            assert!(crate::Error::io("cannot accept on", errno.into()).is_exhausted(), "{errno:?}");
        }
    }

    #[test]
    fn what_the_listener_itself_has_is_fatal() {
        for errno in [
            Errno::BADF,
            Errno::INVAL,
            Errno::NOTSOCK,
            Errno::OPNOTSUPP,
            Errno::FAULT,
            Errno::ACCESS,
            Errno::IO,
            Errno::NOSYS,
        ] {
            assert_eq!(sorted(errno), AcceptTrouble::Fatal, "{errno:?}");
            assert!(!crate::Error::io("cannot accept on", errno.into()).is_exhausted());
        }
        assert_eq!(accept_trouble(&io::Error::other("no number")), AcceptTrouble::Fatal);
    }

    #[test]
    fn that_none_waits_is_no_error() {
        assert_eq!(sorted(Errno::AGAIN), AcceptTrouble::NoneWaits);
        assert_eq!(sorted(Errno::WOULDBLOCK), AcceptTrouble::NoneWaits);
        assert_eq!(sorted(Errno::INTR), AcceptTrouble::Interrupted);
    }
}
