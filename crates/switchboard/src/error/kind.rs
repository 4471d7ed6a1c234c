//! The kinds of errors, which kind it is that the system says, and what is told to whoever wants an
//! error of the system.

use crate::{Ending, Error};
use std::io;
use switchboard_frame::ErrorKind as FrameErrorKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Frame(FrameErrorKind),
    Finished,
    Reset,
    PeerDead,
    /// What TLS itself has found wrong, and the ending that it is.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without TLS nobody says it"))]
    Tls(Ending),
    Refused,
    Unreachable,
    Unresolved,
    TimedOut,
    Stopped,
    Interrupted,
    Limit,
    Caller,
    AddressInUse,
    AddressUnavailable,
    Permission,
    Exhausted,
    System,
}

pub(super) fn kind_of(error: &io::Error) -> Kind {
    if rustix::io::Errno::from_io_error(error).is_some_and(crate::sys::is_exhaustion) {
        return Kind::Exhausted;
    }
    #[cfg(feature = "tls")]
    if let Some(failure) =
        error.get_ref().and_then(|inner| inner.downcast_ref::<crate::transport::TlsFailure>())
    {
        return Kind::Tls(failure.ending);
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        // A stream that was reset has no other side any more.
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe => Kind::Reset,
        io::ErrorKind::ConnectionRefused => Kind::Refused,
        io::ErrorKind::TimedOut => Kind::PeerDead,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => Kind::Unreachable,
        io::ErrorKind::AddrInUse => Kind::AddressInUse,
        io::ErrorKind::AddrNotAvailable => Kind::AddressUnavailable,
        io::ErrorKind::PermissionDenied => Kind::Permission,
        io::ErrorKind::InvalidInput => Kind::Caller,
        _ => Kind::System,
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.inner.kind {
            Kind::Frame(FrameErrorKind::Truncated) | Kind::Finished => io::ErrorKind::UnexpectedEof,
            Kind::Frame(_) | Kind::Tls(_) => io::ErrorKind::InvalidData,
            Kind::Reset => io::ErrorKind::ConnectionReset,
            Kind::TimedOut | Kind::PeerDead => io::ErrorKind::TimedOut,
            Kind::Refused => io::ErrorKind::ConnectionRefused,
            Kind::Unreachable => io::ErrorKind::HostUnreachable,
            Kind::Unresolved => io::ErrorKind::NotFound,
            Kind::Caller => io::ErrorKind::InvalidInput,
            Kind::AddressInUse => io::ErrorKind::AddrInUse,
            Kind::AddressUnavailable => io::ErrorKind::AddrNotAvailable,
            Kind::Permission => io::ErrorKind::PermissionDenied,
            Kind::Exhausted => io::ErrorKind::OutOfMemory,
            // Not `Interrupted`: readers and writers of the standard library would try again.
            Kind::Stopped | Kind::Interrupted | Kind::Limit | Kind::System => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl Error {
    /// TLS failed: a certificate that is not accepted, a peer that does not speak it, ..
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.inner.kind, Kind::Tls(_))
    }
}
