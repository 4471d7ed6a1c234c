//! What there is to say about a fault: what it does, to which direction, and when.
//!
//! A value, and no more: `parse` reads it, `shown` says it again, `plan` refuses what cannot be.

use super::parse;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use switchboard_frame::Role;

/// One fault, read from `NAME(args)@DIRECTION TRIGGER ..`.
///
/// ```
/// use switchboard::transport::fault::{Direction, Fault, Kind};
///
/// let fault: Fault = "delay(50ms, jitter=20ms)@s2c every:10".parse()?;
/// assert!(matches!(fault.kind, Kind::Delay { .. }));
/// assert_eq!(fault.direction, Direction::ServerToClient);
/// assert_eq!(fault.to_string(), "delay(50ms, jitter=20ms)@s2c every:10");
/// // A refusal names the column.
/// let wrong = "reset@s2x".parse::<Fault>().unwrap_err();
/// assert_eq!(wrong.column(), 7);
/// # Ok::<(), switchboard::transport::fault::FaultError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What it does.
    pub kind: Kind,
    /// Whose bytes it is about.
    pub direction: Direction,
    /// When; all of them must hold. Without any: always, or at once.
    pub triggers: Vec<Trigger>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Writes pieces with a pause between them.
    Split {
        /// Where the cuts are.
        cut: Cut,
        /// The pause between two pieces.
        gap: Duration,
    },
    /// Gathers messages, or bytes, to write them at once.
    Coalesce {
        /// So many messages.
        messages: Option<u64>,
        /// So many bytes.
        bytes: Option<u64>,
        /// What came is written at the latest so long after the first of it.
        within: Duration,
    },
    /// Writes so many messages at once, and half messages too.
    Glue {
        /// Messages a write, in hundredths; at least 101.
        hundredths: u64,
        /// As for [`Kind::Coalesce`].
        within: Duration,
        /// The pause between two writes.
        gap: Duration,
    },
    /// Hands on later, in the same order.
    Delay {
        /// By so much.
        time: Duration,
        /// And by chance so much more or less, at most.
        jitter: Duration,
    },
    /// Pauses once.
    Stall {
        /// For so long.
        time: Duration,
    },
    /// One byte after the other.
    Drip {
        /// Bytes a second.
        bytes_per_second: u64,
    },
    /// So much and no more.
    Rate {
        /// Bits a second.
        bits_per_second: u64,
        /// Bytes that go at once after a pause.
        burst: u64,
    },
    /// A connection is left alone for a while before the server is connected to.
    SlowAccept {
        /// For so long.
        time: Duration,
    },
    /// Resets both sides.
    Reset,
    /// Ends both sides in order, as if the writer had closed.
    Fin,
    /// Ends this direction; the other one goes on.
    HalfClose,
    /// The end of this direction comes later.
    SlowClose {
        /// By so much.
        time: Duration,
    },
    /// The end of this direction never comes.
    SwallowFin,
    /// The end of this direction comes as a reset.
    RstForFin,
    /// Reads what comes and drops it.
    Blackhole,
    /// Reads no more: the writer's window fills up.
    Deaf,
    /// Acknowledges nothing any more. It needs a privilege.
    Dead,
    /// Ends a silence of this direction.
    Heal {
        /// So long after it began.
        after: Duration,
    },
    /// Flips bits of a message, or of a byte.
    Flip {
        /// So many.
        bits: u64,
    },
    /// Leaves out the last bytes of a message.
    Truncate {
        /// So many.
        bytes: u64,
    },
    /// Has a message announce another length.
    Length {
        /// Which.
        change: LengthChange,
    },
    /// Bytes by chance before a message, or at a place of the stream.
    Garbage {
        /// So many.
        bytes: u64,
    },
    /// Repeats a message's delimiter in the middle of it.
    DelimiterInject,
    /// Leaves a message out.
    Drop,
    /// Hands a message on more than once.
    Dup {
        /// So often more.
        times: u64,
    },
    /// Hands messages on in another order.
    Reorder {
        /// Messages of which the order is changed.
        window: u64,
        /// They wait for each other for so long.
        within: Duration,
    },
    /// Another message in the place of this one.
    Replace {
        /// The message.
        file: PathBuf,
    },
    /// Another message before this one.
    Inject {
        /// The message.
        file: PathBuf,
    },
    /// Resets a connection at once.
    Refuse,
    /// Closes a connection.
    AcceptThenClose {
        /// So long after it came.
        after: Duration,
    },
    /// Ends a conversation once so many bytes came.
    LimitBytes {
        /// So many.
        bytes: u64,
    },
    /// Resets connections that are too many.
    LimitConns {
        /// So many may be open at once.
        count: u64,
    },
    /// In turns the server can be reached and cannot.
    Flap {
        /// It can, for so long.
        up: Duration,
        /// It cannot.
        down: Duration,
    },
}

/// Where [`Kind::Split`] cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Behind every so many bytes, counted from the message's first.
    Every(u64),
    /// Behind so many bytes, once a message.
    At(u64),
    /// In the middle of the header, of the body and of the trailer of each message.
    Field,
}

/// What [`Kind::Length`] makes of an announced length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthChange {
    /// So much more, or less.
    By(i64),
    /// The most that the field holds.
    Max,
}

/// Whose bytes a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the client writes.
    ClientToServer,
    /// What the server writes.
    ServerToClient,
    /// Either, each for itself.
    Both,
}

impl Direction {
    /// Whether what `writer` writes is meant.
    #[must_use]
    pub fn is_of(self, writer: Role) -> bool {
        match self {
            Direction::ClientToServer => writer == Role::Client,
            Direction::ServerToClient => writer == Role::Server,
            Direction::Both => true,
        }
    }

    /// The direction of what `writer` writes.
    #[must_use]
    pub fn of(writer: Role) -> Direction {
        match writer {
            Role::Client => Direction::ClientToServer,
            Role::Server => Direction::ServerToClient,
        }
    }

    /// `c2s`, `s2c` or `both`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Direction::ClientToServer => "c2s",
            Direction::ServerToClient => "s2c",
            Direction::Both => "both",
        }
    }
}

/// When a fault happens.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Trigger {
    /// At this message of the direction, from 1 on; or so many bytes into it.
    Message {
        /// Which.
        n: u64,
        /// How far in, in bytes.
        plus: u64,
    },
    /// Behind so many bytes of the direction.
    Byte(u64),
    /// So long after the conversation began.
    After(Duration),
    /// No more than so many times, of those that all the others pick.
    First(u64),
    /// Every so many of those that the others pick, `first` and `p` excepted.
    Every(u64),
    /// By chance, with a probability from 0 to 1.
    Chance(f64),
    /// Messages in which this is found.
    Match(Pattern),
    /// In this conversation, from 1 on.
    Conversation(u64),
}

/// What looks into messages for [`Trigger::Match`].
pub type Matcher = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// A pattern, as it was written and as it is looked for.
#[derive(Clone)]
pub struct Pattern {
    pub(super) text: String,
    pub(super) matcher: Matcher,
}

impl Pattern {
    /// The pattern `text`, found by `matcher`.
    pub fn new(text: impl Into<String>, matcher: Matcher) -> Pattern {
        Pattern { text: text.into(), matcher }
    }

    /// Whether it is in this message.
    #[must_use]
    pub fn is_in(&self, message: &[u8]) -> bool {
        (self.matcher)(message)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl Fault {
    /// Reads a fault, and patterns with `compile`: this library has no regular expressions.
    ///
    /// # Errors
    /// The text says no fault: the column, what is wrong, what belongs there.
    pub fn parse_with(
        text: &str,
        compile: &dyn Fn(&str) -> Result<Matcher, String>,
    ) -> Result<Fault, FaultError> {
        parse::fault(text, compile)
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    /// As [`Fault::parse_with`], where a pattern is the text itself.
    fn from_str(text: &str) -> Result<Fault, FaultError> {
        parse::fault(text, &|pattern| {
            let wanted = pattern.as_bytes().to_vec();
            if wanted.is_empty() {
                return Err("an empty pattern is in every message".to_owned());
            }
            let found =
                move |message: &[u8]| message.windows(wanted.len()).any(|window| window == wanted);
            Ok(Arc::new(found))
        })
    }
}

/// Why a text says no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    pub(super) column: usize,
    pub(super) message: String,
}

impl FaultError {
    /// Where, in characters from 1 on.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for FaultError {}
