//! How conversations are driven: [`Dispatch`].

use crate::{Error, limits};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// How a server drives its conversations: one word to change, and no change to the service.
///
/// | | *threads* | *processes* | *events* |
/// |---|---|---|---|
/// | a conversation costs | a thread: a stack | a process | a few hundred bytes |
/// | a slow handler holds up | its own conversation | its own | all conversations of its loop |
/// | a handler that crashes takes along | the server | its own conversation | the server |
/// | at a time | [`THREADS_MAX`] | [`PROCESSES_MAX`] | [`CONVERSATIONS_MAX`] |
/// | to wait inside a handler | yes | yes | no: [`later`](super::Reply::later) |
/// | conversations share memory | yes | no | yes |
///
/// [`THREADS_MAX`]: limits::THREADS_MAX
/// [`PROCESSES_MAX`]: limits::PROCESSES_MAX
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
///     "no dispatcher is called fibres: write threads, processes or events"
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
    Processes { processes_max: usize, pool: Option<usize> },
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

    /// A process for each conversation, forked off when it is accepted: whatever happens to it, a
    /// crash or an abort, happens to no other one, and its peer is told by a reset. No memory is
    /// shared: what a service changes there is seen by its own conversation alone, and
    /// [`Reply::sender`](super::Reply::sender) is refused.
    ///
    /// The process that [serves](super::Server::serve), or calls
    /// [`start`](super::Server::start), must have no other threads then: what those hold would be
    /// held in the child for ever. SIGINT and SIGTERM do nothing in the processes of conversations:
    /// they end when the one that accepts does. Linux only.
    ///
    /// ```
    /// use switchboard::Dispatch;
    ///
    /// let dispatch = Dispatch::processes().with_processes_max(100);
    /// assert_eq!(dispatch.to_string(), "processes");
    /// ```
    #[must_use]
    pub fn processes() -> Dispatch {
        let processes_max = limits::PROCESSES_MAX;
        Dispatch { kind: Kind::Processes { processes_max, pool: None } }
    }

    /// The most processes with a conversation each; [`PROCESSES_MAX`](limits::PROCESSES_MAX) if
    /// nothing is said. Of *processes*. [`serve`](super::Server::serve) refuses 0.
    #[must_use]
    pub fn with_processes_max(mut self, processes: usize) -> Dispatch {
        if let Kind::Processes { processes_max, .. } = &mut self.kind {
            *processes_max = processes;
        }
        self
    }

    /// So many processes are started before there is anything to do, serve one conversation after
    /// the other, and are replaced when they die: that saves a fork for each conversation, and one
    /// that leaves something behind leaves it to the next. There are no more conversations than
    /// that at a time. Of *processes*. [`serve`](super::Server::serve) refuses 0.
    #[must_use]
    pub fn with_pool(mut self, processes: usize) -> Dispatch {
        if let Kind::Processes { pool, .. } = &mut self.kind {
            *pool = Some(processes);
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
            Kind::Processes { processes_max, pool } => pool.unwrap_or(processes_max),
            Kind::Events { .. } => usize::MAX,
        }
    }

    /// Refuses what could serve nothing, before anything is served.
    pub(super) fn check(&self) -> Result<(), Error> {
        let runs_on = match self.kind {
            Kind::Threads { threads_max, .. } => threads_max,
            Kind::Processes { processes_max, pool } => pool.unwrap_or(processes_max),
            Kind::Events { loops } => loops,
        };
        if runs_on > 0 {
            return Ok(());
        }
        Err(Error::caller(format!("the dispatcher {self} has nothing to run on"))
            .with_advice("give it at least one thread, process or loop"))
    }

    /// Refuses what must not be kept waiting, for handlers that wait.
    pub(super) fn check_waiting(&self) -> Result<(), Error> {
        match self.kind {
            Kind::Threads { .. } | Kind::Processes { .. } => Ok(()),
            Kind::Events { .. } => {
                let what = "a blocking conversation cannot be served under the dispatcher events";
                Err(Error::caller(what).with_advice("use threads or processes, or write a Service"))
            }
        }
    }

    /// The names there are, as [`FromStr`] reads them.
    pub const NAMES: [&'static str; 3] = ["threads", "processes", "events"];
}

impl fmt::Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Threads { .. } => "threads",
            Kind::Processes { .. } => "processes",
            Kind::Events { .. } => "events",
        })
    }
}

impl FromStr for Dispatch {
    type Err = Error;

    fn from_str(name: &str) -> Result<Dispatch, Error> {
        match name {
            "threads" => Ok(Dispatch::threads()),
            "processes" => Ok(Dispatch::processes()),
            "events" => Ok(Dispatch::events()),
            _ => Err(Error::caller(format!("no dispatcher is called {name}"))
                .with_advice("write threads, processes or events")),
        }
    }
}
