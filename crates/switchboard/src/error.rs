//! What can go wrong, by whose fault: [`Error`].

mod after;
mod around;
mod kind;

use crate::Ending;
use kind::{Kind, kind_of};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use switchboard_frame::{ErrorKind as FrameErrorKind, FrameError};

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The other side: it broke the stream or the framing, refused, or is gone.
    Peer,
    /// The code that called: something that cannot be, or not now.
    Caller,
    /// This machine: an address in use, no permission, no descriptors left.
    System,
    /// A limit or a deadline that this side set.
    Limit,
}

/// What went wrong, with the endpoint, the message and the byte where they are known. One word
/// wide; clones are cheap.
///
/// The text names the cause by itself; [`source`](StdError::source) has the cause as a value too.
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: Kind,
    /// What was being done or what is wrong: `cannot connect`, `timed out`.
    what: String,
    endpoint: Option<String>,
    message_number: Option<u64>,
    byte_offset: Option<u64>,
    after: Option<Duration>,
    advice: Option<String>,
    partial: Arc<[u8]>,
    /// Where in the stream they begin, and the bytes around the fault.
    around: Option<(u64, Arc<[u8]>)>,
    attempts: Arc<[Attempt]>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// One address that was tried, and why it did not work.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The address.
    pub address: String,
    /// What the system said.
    pub error: Arc<io::Error>,
}

/// Asking.
impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self.inner.kind {
            Kind::Frame(FrameErrorKind::Oversize) | Kind::TimedOut | Kind::Limit => Fault::Limit,
            Kind::Frame(_)
            | Kind::Finished
            | Kind::Reset
            | Kind::PeerDead
            | Kind::Tls(_)
            | Kind::Refused => Fault::Peer,
            Kind::Stopped | Kind::Interrupted | Kind::Caller => Fault::Caller,
            Kind::Unreachable
            | Kind::Unresolved
            | Kind::AddressInUse
            | Kind::AddressUnavailable
            | Kind::Permission
            | Kind::Exhausted
            | Kind::System => Fault::System,
        }
    }

    /// How the conversation stopped, if this error is such a stop.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        match self.inner.kind {
            Kind::Frame(kind) => Some(kind.into()),
            Kind::Finished => Some(Ending::Finished),
            Kind::Reset => Some(Ending::Reset),
            Kind::PeerDead => Some(Ending::PeerDead),
            Kind::Tls(ending) => Some(ending),
            Kind::TimedOut => Some(Ending::TimedOut),
            Kind::Stopped | Kind::Interrupted => Some(Ending::Stopped),
            _ => None,
        }
    }

    /// A deadline of this side passed. A peer found dead is [`is_peer_dead`](Self::is_peer_dead).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.kind == Kind::TimedOut
    }

    /// The stream ended inside a message; [`partial`](Self::partial) has what arrived of it.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.inner.kind == Kind::Frame(FrameErrorKind::Truncated)
    }

    /// A message is larger than the limit.
    #[must_use]
    pub fn is_oversize(&self) -> bool {
        self.inner.kind == Kind::Frame(FrameErrorKind::Oversize)
    }

    /// The peer broke the framing, or ended inside a message.
    #[must_use]
    pub fn is_frame(&self) -> bool {
        matches!(self.inner.kind, Kind::Frame(_))
    }

    /// The peer broke the stream.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        self.inner.kind == Kind::Reset
    }

    /// The peer has silently gone.
    #[must_use]
    pub fn is_peer_dead(&self) -> bool {
        self.inner.kind == Kind::PeerDead
    }

    /// A [`Stopper`](crate::Stopper) stopped the call, or a hook for interrupts ended it.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.inner.kind, Kind::Stopped | Kind::Interrupted)
    }

    /// Nobody listens there: of all addresses that were tried at least one said so.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.inner.kind == Kind::Refused
    }

    /// The name has no address.
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        self.inner.kind == Kind::Unresolved
    }

    /// Someone else listens there already.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        self.inner.kind == Kind::AddressInUse
    }

    /// The address is none of this machine's.
    #[must_use]
    pub fn is_address_unavailable(&self) -> bool {
        self.inner.kind == Kind::AddressUnavailable
    }

    /// Not permitted to this user.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        self.inner.kind == Kind::Permission
    }

    /// Descriptors or memory ran out: a listener should pause and try again.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.inner.kind == Kind::Exhausted
    }

    /// The call itself was wrong.
    #[must_use]
    pub fn is_caller(&self) -> bool {
        self.inner.kind == Kind::Caller
    }

    /// The endpoint, as in the text.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.inner.endpoint.as_deref()
    }

    /// The number of the message at fault in its direction of the conversation, from 1.
    #[must_use]
    pub fn message_number(&self) -> Option<u64> {
        self.inner.message_number
    }

    /// The offset in the stream, in bytes.
    #[must_use]
    pub fn byte_offset(&self) -> Option<u64> {
        self.inner.byte_offset.or_else(|| self.frame_error().map(FrameError::offset))
    }

    /// What the decoder said, when the framing is broken.
    #[must_use]
    pub fn frame_error(&self) -> Option<&FrameError> {
        self.source_as()
    }

    /// What the system said, when it said something.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        self.source_as()
    }

    /// What had arrived of the message when the stream ended inside it.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        &self.inner.partial
    }

    /// Each address that was tried, and why it did not work.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.inner.attempts
    }

    fn source_as<T: StdError + 'static>(&self) -> Option<&T> {
        self.inner.source.as_deref().and_then(|source| source.downcast_ref())
    }
}

/// Making: for transports and conversations of your own.
impl Error {
    fn new(kind: Kind, what: impl Into<String>) -> Error {
        Error {
            inner: Box::new(Inner {
                kind,
                what: what.into(),
                endpoint: None,
                message_number: None,
                byte_offset: None,
                after: None,
                advice: None,
                partial: Arc::new([]),
                around: None,
                attempts: Arc::new([]),
                source: None,
            }),
        }
    }

    /// A broken framing: at which endpoint, and at which message of that direction, from 1.
    #[must_use]
    pub fn frame(error: FrameError, endpoint: impl fmt::Display, message_number: u64) -> Error {
        Error::new(Kind::Frame(error.kind()), "")
            .with_source(error)
            .at_endpoint(endpoint)
            .at_message(message_number)
    }

    /// What the system said while doing `what` ("cannot receive"). Its kind decides the rest: a
    /// reset, a dead peer, no descriptors left, ..
    ///
    /// `TimedOut` from the system is a peer found dead; a deadline that passes is made with
    /// [`timed_out`](Self::timed_out).
    #[must_use]
    pub fn io(what: impl Into<String>, error: io::Error) -> Error {
        let kind = kind_of(&error);
        Error::new(kind, what).with_source(error)
    }

    /// What the system said of a stream that had been there, while doing `what`. As
    /// [`io`](Self::io); but a peer to which no way leads any more is a peer found dead.
    #[must_use]
    pub fn stream(what: impl Into<String>, error: io::Error) -> Error {
        let mut error = Error::io(what, error);
        if error.inner.kind == Kind::Unreachable {
            error.inner.kind = Kind::PeerDead;
        }
        error
    }

    /// The peer ended its stream where that was not expected: `what` says so.
    #[must_use]
    pub fn finished(what: impl Into<String>) -> Error {
        Error::new(Kind::Finished, what)
    }

    /// A deadline passed while doing `what`.
    #[must_use]
    pub fn timed_out(what: impl Into<String>) -> Error {
        Error::new(Kind::TimedOut, what)
    }

    /// A stopper stopped `what`.
    #[must_use]
    pub fn stopped(what: impl Into<String>) -> Error {
        Error::new(Kind::Stopped, what)
    }

    /// The hook for interrupts ended `what`.
    #[must_use]
    pub fn interrupted(what: impl Into<String>) -> Error {
        Error::new(Kind::Interrupted, what)
    }

    /// A mistake of the caller.
    #[must_use]
    pub fn caller(what: impl Into<String>) -> Error {
        Error::new(Kind::Caller, what)
    }

    /// A limit that this side set was reached.
    #[must_use]
    pub fn limit(what: impl Into<String>) -> Error {
        Error::new(Kind::Limit, what)
    }

    /// What another process said, of which no more than the text has come over.
    /// A request where the reply to an earlier one may still come, and would be taken for its own.
    #[must_use]
    pub fn reply_owed(endpoint: impl fmt::Display) -> Error {
        Error::caller("cannot request from").at_endpoint(endpoint).with_advice(
            "the reply to an earlier request has not come in its time and may still come: \
             receive it first, or close the conversation",
        )
    }

    pub(crate) fn told(text: impl Into<String>, is_caller: bool, is_exhausted: bool) -> Error {
        let kind = match (is_caller, is_exhausted) {
            (true, _) => Kind::Caller,
            (_, true) => Kind::Exhausted,
            _ => Kind::System,
        };
        Error::new(kind, text)
    }

    /// A name without addresses.
    pub(crate) fn unresolved(what: impl Into<String>, error: io::Error) -> Error {
        Error::new(Kind::Unresolved, what).with_source(error)
    }

    /// All addresses that were tried, none of which worked: the kind is that of the one that tells
    /// most.
    pub(crate) fn attempts_failed(what: impl Into<String>, attempts: Vec<Attempt>) -> Error {
        let kinds: Vec<Kind> = attempts.iter().map(|attempt| kind_of(&attempt.error)).collect();
        let telling = [Kind::Refused, Kind::Permission, Kind::PeerDead, Kind::Unreachable];
        let found = telling.into_iter().find(|kind| kinds.contains(kind));
        let mut error = Error::new(found.or(kinds.first().copied()).unwrap_or(Kind::System), what);
        if error.inner.kind == Kind::PeerDead {
            // Before there is a peer, the system's own time limit is a time limit.
            error.inner.kind = Kind::TimedOut;
        }
        error.inner.source = attempts.first().map(|first| Arc::clone(&first.error) as _);
        error.inner.attempts = attempts.into();
        error
    }

    /// With the addresses that were tried until then.
    pub(crate) fn with_attempts(mut self, attempts: Vec<Attempt>) -> Error {
        self.inner.attempts = attempts.into();
        self
    }

    /// With the endpoint.
    #[must_use]
    pub fn at_endpoint(mut self, endpoint: impl fmt::Display) -> Error {
        self.inner.endpoint = Some(endpoint.to_string());
        self
    }

    /// With the number of the message in its direction, from 1.
    #[must_use]
    pub fn at_message(mut self, number: u64) -> Error {
        self.inner.message_number = Some(number);
        self
    }

    /// With the offset in the stream, in bytes.
    #[must_use]
    pub fn at_byte(mut self, offset: u64) -> Error {
        self.inner.byte_offset = Some(offset);
        self
    }

    /// With what to do about it, in words.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<String>) -> Error {
        self.inner.advice = Some(advice.into());
        self
    }

    /// With what had arrived of the message at fault.
    #[must_use]
    pub fn with_partial(mut self, partial: impl Into<Vec<u8>>) -> Error {
        self.inner.partial = partial.into().into();
        self
    }

    /// With the cause, which the text then ends with.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Error {
        self.inner.source = Some(Arc::new(source));
        self
    }
}

impl fmt::Debug for Error {
    /// The kind and the text, and not the bytes: they may be many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({self})", self.inner.kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.inner;
        let mut between = "";
        if !inner.what.is_empty() {
            f.write_str(&inner.what)?;
            between = " ";
        }
        if let Some(endpoint) = &inner.endpoint {
            write!(f, "{between}{endpoint}")?;
            between = ", ";
        }
        if let Some(number) = inner.message_number {
            write!(f, "{between}message {number}")?;
            between = ", ";
        }
        if let Some(offset) = inner.byte_offset {
            write!(f, "{between}byte {offset}")?;
        }
        match inner.kind {
            Kind::TimedOut if inner.attempts.is_empty() => {
                after::tell(f, "timed out", inner.after, "")?;
            }
            Kind::PeerDead => after::tell(f, "peer dead", inner.after, " without an answer")?,
            Kind::Stopped => f.write_str(": stopped")?,
            Kind::Interrupted => f.write_str(": interrupted")?,
            _ => {}
        }
        for (i, attempt) in inner.attempts.iter().enumerate() {
            let between = if i == 0 { ": " } else { "; " };
            write!(f, "{between}{} {}", attempt.address, Said(&attempt.error))?;
        }
        if let (Some(source), true) = (&inner.source, inner.attempts.is_empty()) {
            match source.downcast_ref::<io::Error>() {
                // Which is that the peer is dead, in other words.
                Some(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Some(error) => write!(f, ": {}", Said(error))?,
                None => write!(f, ": {source}")?,
            }
        }
        match &inner.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

/// What the system said, in the house's case and without the number behind it.
struct Said<'a>(&'a io::Error);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let text = text.split(" (os error").next().unwrap_or(&text);
        let mut chars = text.chars();
        match chars.next() {
            // A word in capitals is a name and stays as it is.
            Some(first) if !chars.clone().next().is_some_and(char::is_uppercase) => {
                write!(f, "{}{}", first.to_lowercase(), chars.as_str())
            }
            _ => f.write_str(text),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
