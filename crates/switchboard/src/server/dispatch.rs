//! How conversations are driven: [`Dispatch`].

use crate::{Error, limits};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// How a server drives its conversations: one word to change, and no change to the service.
///
/// | | *threads* | *events* |
/// |---|---|---|
/// | a conversation costs | a thread: a stack, a switch for each message | a few hundred bytes |
/// | a slow handler holds up | its own conversation | all conversations of its loop |
/// | at a time | [`THREADS_MAX`] | [`CONVERSATIONS_MAX`] |
/// | to wait inside a handler | yes | no: [`later`](super::Reply::later) |
///
/// [`THREADS_MAX`]: limits::THREADS_MAX
/// [`CONVERSATIONS_MAX`]: limits::CONVERSATIONS_MAX
///
/// The names are read from strings too:
///
/// ```
/// use switchboard::server::Dispatch;
///
/// let dispatch: Dispatch = "events".parse()?;
/// assert_eq!(dispatch.to_string(), "events");
/// assert_eq!(
///     "fibres".parse::<Dispatch>().unwrap_err().to_string(),
///     "no dispatcher is called fibres: write threads or events"
/// );
/// # Ok::<(), switchboard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Threads { threads_max: usize, stack_bytes: usize },
    Events { loops: usize },
}

impl Default for Dispatch {
    /// [`threads`](Self::threads): a handler may wait.
    fn default() -> Dispatch {
        Dispatch::threads()
    }
}

impl Dispatch {
    /// A thread for each conversation, out of a pool.
    #[must_use]
    pub fn threads() -> Dispatch {
        let kind = Kind::Threads {
            threads_max: limits::THREADS_MAX,
            stack_bytes: limits::THREAD_STACK_BYTES,
        };
        Dispatch { kind }
    }

    /// Event loops, one for each processor that this process may use.
    #[must_use]
    pub fn events() -> Dispatch {
        let loops = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Dispatch { kind: Kind::Events { loops } }
    }

    /// The most threads at a time, each with one conversation:
    /// [`THREADS_MAX`](limits::THREADS_MAX) if nothing is said. Of *threads*; the others keep as
    /// they are. [`serve`](super::Server::serve) refuses 0.
    #[must_use]
    pub fn with_threads_max(mut self, threads: usize) -> Dispatch {
        if let Kind::Threads { threads_max, .. } = &mut self.kind {
            *threads_max = threads;
        }
        self
    }

    /// The stack of each thread, in bytes: [`THREAD_STACK_BYTES`](limits::THREAD_STACK_BYTES) if
    /// nothing is said. The system has a least size of its own. Of *threads*.
    #[must_use]
    pub fn with_stack_bytes(mut self, bytes: usize) -> Dispatch {
        if let Kind::Threads { stack_bytes, .. } = &mut self.kind {
            *stack_bytes = bytes;
        }
        self
    }

    /// How many loops, each in a thread of its own (the first in that which serves): one for each
    /// processor if nothing is said. Of *events*. [`serve`](super::Server::serve) refuses 0.
    #[must_use]
    pub fn with_loops(mut self, count: usize) -> Dispatch {
        if let Kind::Events { loops } = &mut self.kind {
            *loops = count;
        }
        self
    }

    /// Conversations at a time, as far as there is something to run them on.
    pub(super) fn conversations_max(&self) -> usize {
        match self.kind {
            Kind::Threads { threads_max, .. } => threads_max,
            Kind::Events { .. } => usize::MAX,
        }
    }

    /// Refuses what could serve nothing, before anything is served.
    pub(super) fn check(&self) -> Result<(), Error> {
        let runs_on = match self.kind {
            Kind::Threads { threads_max, .. } => threads_max,
            Kind::Events { loops } => loops,
        };
        if runs_on > 0 {
            return Ok(());
        }
        Err(Error::caller(format!("the dispatcher {self} has nothing to run on"))
            .with_advice("give it at least one thread or loop"))
    }

    /// The names there are, as [`FromStr`] reads them.
    pub const NAMES: [&'static str; 2] = ["threads", "events"];
}

impl fmt::Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Threads { .. } => "threads",
            Kind::Events { .. } => "events",
        })
    }
}

impl FromStr for Dispatch {
    type Err = Error;

    fn from_str(name: &str) -> Result<Dispatch, Error> {
        match name {
            "threads" => Ok(Dispatch::threads()),
            "events" => Ok(Dispatch::events()),
            _ => Err(Error::caller(format!("no dispatcher is called {name}"))
                .with_advice(format!("write {}", Dispatch::NAMES.join(" or ")))),
        }
    }
}
