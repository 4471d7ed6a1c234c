//! `serve`.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use switchboard::server::Dispatch;
use switchboard::{Endpoint, ListenOptions, Timeouts};

use crate::args::conduct::{ConductArgs, Place};
use crate::args::guard::GuardArgs;
use crate::args::{FramingArgs, GuestsArgs, IdentityArgs};
use crate::exit::Failure;
use crate::listening::with_tls;
use crate::units;

/// Serve: echo, discard, reply, or run a program for each conversation.
///
/// echo, discard and reply TEXT serve whole messages and need --frame. exec runs CMD for each
/// conversation, with the socket itself as its stdin and stdout and the UCSPI environment (PROTO,
/// TCPLOCALIP, TCPLOCALPORT, TCPREMOTEIP, TCPREMOTEPORT; UNIXLOCALPATH, UNIXREMOTEEUID,
/// UNIXREMOTEEGID, UNIXREMOTEPID, ..).
///
/// Messages are served under a dispatcher: 'events' drives any number of conversations from a few
/// loops, one for each processor or --loops; 'threads' gives each conversation a thread, and
/// 'processes' a process, forked off for it or one of a --pool. The answers are the same. Here
/// 'events' is the default; in the library it is 'threads'.
///
/// Where it listens is told on stderr, and with --print-endpoint on stdout. A conversation that
/// does not end well is told on stderr with its number, and touches no other. Goes on until
/// SIGINT (ctrl-C) or SIGTERM: the first answers what has come and ends within --drain, the second
/// aborts. The exit code is then 130 or 143, and 4 if somebody had to be cut off. SIGHUP ends it at
/// once, and under processes has what is open drained.
///
/// Where NOTIFY_SOCKET is set, a supervisor is told when it accepts and when it ends (READY=1,
/// STOPPING=1), and of a new process that took over (MAINPID).
#[derive(Args)]
#[command(subcommand_value_name = "WHAT", subcommand_help_heading = "What")]
#[command(disable_help_subcommand = true)]
#[command(after_long_help = "Examples:
  swb serve :7000 echo --frame u32be
  swb serve :7000 echo --frame u32be --dispatch events --loops 2 --stats
  swb serve :7000 discard --frame lines --max-conversations 100 --idle 30s
  swb serve unix:/run/app.sock --frame lines reply 'not today'
  swb serve tls://:7443 echo --frame lines --tls-cert cert.pem --tls-key key.pem
  swb serve 127.0.0.1:0 --print-endpoint exec cat -n
  swb serve activated echo --frame lines --drain 10s
  swb serve :7000 echo --frame lines --handover /run/app.take
  swb serve :7000 echo --frame lines --takeover /run/app.take")]
pub(crate) struct ServeArgs {
    /// Listen on host:port, :port, tls://:port, unix:/path, unix:@name, fd:N, activated
    ///
    /// fd:3 is a socket that listens already and came with the process. 'activated' is all of those
    /// that a supervisor has passed by LISTEN_FDS: systemd's socket units do.
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: Place,

    #[command(subcommand)]
    pub(crate) action: ServeAction,

    /// The framing or protocol: a name or a string, see 'swb frames'
    #[arg(short = 'f', long, value_name = "FRAMING", global = true)]
    pub(crate) frame: Option<String>,

    /// The largest message body; replaces the framing's own limit
    #[arg(long, value_name = "SIZE", value_parser = units::body, global = true)]
    pub(crate) max: Option<u64>,

    /// Silence that ends a conversation [default: 5m; within a message 1m]
    ///
    /// It bounds three waits: for the next message (5m unless told), for the rest of one that has
    /// begun (1m, and longer while it keeps coming at 1 KiB/s), and for a peer that takes nothing
    /// of its answers (1m). A shorter TIME shortens all three; a longer one the first only.
    #[arg(long, value_name = "TIME", value_parser = units::patience, global = true)]
    pub(crate) idle: Option<Duration>,

    /// What drives them: threads, processes or events [default: events]
    #[arg(long, value_name = "HOW", value_parser = dispatch(), hide_possible_values = true)]
    #[arg(global = true)]
    pub(crate) dispatch: Option<Dispatch>,

    /// Event loops, each in a thread [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = units::loops, global = true)]
    pub(crate) loops: Option<usize>,

    /// Processes that are started before there is anything to do
    ///
    /// Each serves one conversation after the other. There are no more than that at a time.
    #[arg(long, value_name = "N", value_parser = units::at_least_one, global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) pool: Option<usize>,

    /// The most at a time; further ones wait to be accepted
    ///
    /// Without it 10000 under events, 256 under threads or processes, and 1024 programs.
    #[arg(long, value_name = "N", value_parser = units::at_least_one, global = true)]
    pub(crate) max_conversations: Option<usize>,

    #[command(flatten)]
    pub(crate) guard: GuardArgs,

    /// End after so many conversations
    #[arg(long, value_name = "N", value_parser = units::at_least_one_in_all)]
    #[arg(global = true)]
    pub(crate) count: Option<u64>,

    /// Tell each second what was done, on stderr
    #[arg(long, global = true)]
    pub(crate) stats: bool,

    /// Print where it listens on stdout too
    #[arg(long, global = true)]
    pub(crate) print_endpoint: bool,

    #[command(flatten)]
    pub(crate) conduct: ConductArgs,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    #[command(flatten)]
    pub(crate) guests: GuestsArgs,
}

/// What is served.
#[derive(Subcommand)]
pub(crate) enum ServeAction {
    /// Send every message back
    Echo,
    /// Read every message and answer nothing
    Discard,
    /// Answer every message with TEXT
    Reply {
        /// The answer, with escapes, or @FILE
        #[arg(value_name = "TEXT", allow_hyphen_values = true)]
        text: String,
    },
    /// Run a program for each conversation
    Exec {
        /// The program and its arguments; options of serve stand before it
        #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
        #[arg(allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Nothing that there is
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// The dispatchers there are, by name.
fn dispatch() -> impl TypedValueParser<Value = Dispatch> {
    PossibleValuesParser::new(Dispatch::NAMES).try_map(|name| name.parse::<Dispatch>())
}

impl ServeArgs {
    /// How it listens.
    ///
    /// # Errors
    /// A file of TLS is not what it should be, or does not go with the endpoint.
    pub(crate) fn listen_options(&self) -> Result<ListenOptions, Failure> {
        let passed = Endpoint::Fd(3);
        let endpoint = match &self.endpoint {
            Place::At(endpoint) => endpoint,
            Place::Activated => &passed,
        };
        let tls = self.identity.server(&self.guests, endpoint)?;
        Ok(with_tls(self.guard.listen_options(), tls))
    }

    /// What is to be given to the user that serves: the paths of its own sockets, and the one at
    /// which it hands over. Those of sockets that were passed to it are their maker's.
    pub(crate) fn paths(&self, endpoints: &[Endpoint]) -> Vec<Endpoint> {
        let own = matches!(self.endpoint, Place::At(Endpoint::Unix(_)));
        let own = endpoints.iter().filter(|_| own).cloned();
        own.chain(self.conduct.handover_endpoint()).collect()
    }

    /// The framing, if one was given.
    pub(crate) fn framing(&self) -> Option<FramingArgs> {
        self.frame.clone().map(|frame| FramingArgs { frame, max: self.max })
    }

    /// The defaults, with the idle time given: who asks for less than a default means silence of
    /// every kind, not only that between messages.
    pub(crate) fn timeouts(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if let Some(idle) = self.idle {
            timeouts.idle = Some(idle);
            for bounded in [&mut timeouts.message, &mut timeouts.stall] {
                *bounded = bounded.map(|time| time.min(idle));
            }
        }
        timeouts
    }

    /// The dispatcher, with as many threads, processes or loops as were asked for.
    ///
    /// # Errors
    /// Loops, or a pool, for a dispatcher that has none.
    pub(crate) fn dispatcher(&self) -> Result<Dispatch, Failure> {
        let dispatch = self.dispatch.clone().unwrap_or_else(Dispatch::events);
        if self.loops.is_some() && dispatch.to_string() != Dispatch::events().to_string() {
            return Err(Failure::usage(format_args!(
                "--loops does not go with --dispatch {dispatch}, which has no loops: \
                 leave one of the two out"
            )));
        }
        if self.pool.is_some() && dispatch.to_string() != Dispatch::processes().to_string() {
            return Err(Failure::usage(format_args!(
                "--pool does not go with --dispatch {dispatch}, which has no processes: \
                 leave it out, or say --dispatch processes"
            )));
        }
        let dispatch = match self.max_conversations {
            Some(most) => dispatch.with_threads_max(most).with_processes_max(most),
            None => dispatch,
        };
        let dispatch = match self.pool {
            Some(processes) => dispatch.with_pool(processes),
            None => dispatch,
        };
        Ok(match self.loops {
            Some(loops) => dispatch.with_loops(loops),
            None => dispatch,
        })
    }

    /// An option that is about messages or how they are served, if one was given.
    pub(crate) fn option_about_messages(&self) -> Option<&'static str> {
        let given = [
            (self.frame.is_some(), "--frame"),
            (self.max.is_some(), "--max"),
            (self.idle.is_some(), "--idle"),
            (self.dispatch.is_some(), "--dispatch"),
            (self.loops.is_some(), "--loops"),
            (self.pool.is_some(), "--pool"),
            (self.stats, "--stats"),
            (self.guard.heartbeat.is_some(), "--heartbeat"),
        ];
        let given = given.into_iter().find_map(|(given, name)| given.then_some(name));
        given.or_else(|| self.conduct.option_about_messages())
    }
}
