//! How a conversation stopped: [`Ending`].

use std::fmt;
use switchboard_frame::ErrorKind as FrameErrorKind;

/// How a conversation, or one direction of it, stopped. The list is closed, and its names are the
/// same in the library, the command and every binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The peer ended the stream between two messages.
    Finished,
    /// The stream ended inside a message.
    Truncated,
    /// A message is larger than the limit.
    Oversize,
    /// A frame begins with what no frame begins with.
    BadPrefix,
    /// A length that cannot be.
    BadLength,
    /// The wrong bytes after a body.
    BadTrailer,
    /// A type that the framing does not know.
    BadType,
    /// The peer broke the stream.
    Reset,
    /// A deadline of this side passed.
    TimedOut,
    /// The peer has silently gone: probes or sent bytes stayed without an answer.
    PeerDead,
    /// This side was told to stop.
    Stopped,
}

impl Ending {
    /// Every ending there is, in the order of the list.
    pub const ALL: [Ending; 11] = [
        Ending::Finished,
        Ending::Truncated,
        Ending::Oversize,
        Ending::BadPrefix,
        Ending::BadLength,
        Ending::BadTrailer,
        Ending::BadType,
        Ending::Reset,
        Ending::TimedOut,
        Ending::PeerDead,
        Ending::Stopped,
    ];

    /// The name, as the command prints it: `finished`, `timed-out`, ..
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Ending::Finished => "finished",
            Ending::Truncated => "truncated",
            Ending::Oversize => "oversize",
            Ending::BadPrefix => "bad-prefix",
            Ending::BadLength => "bad-length",
            Ending::BadTrailer => "bad-trailer",
            Ending::BadType => "bad-type",
            Ending::Reset => "reset",
            Ending::TimedOut => "timed-out",
            Ending::PeerDead => "peer-dead",
            Ending::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<FrameErrorKind> for Ending {
    fn from(kind: FrameErrorKind) -> Ending {
        match kind {
            FrameErrorKind::Truncated => Ending::Truncated,
            FrameErrorKind::Oversize => Ending::Oversize,
            FrameErrorKind::BadLength => Ending::BadLength,
            FrameErrorKind::BadTrailer => Ending::BadTrailer,
            FrameErrorKind::BadType => Ending::BadType,
            // A kind that a later version of the frame crate adds is about bytes that belong to no
            // frame until it is given its own ending here.
            _ => Ending::BadPrefix,
        }
    }
}
