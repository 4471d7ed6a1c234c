//! `doctor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgGroup, Args};

use crate::args::{ConnectionArgs, FieldArgs, FramingArgs};
use crate::units;

/// More runs of a probe tell nothing new.
const RUNS_MAX: usize = 1000;
/// A longer pause is not what a network does between two segments.
const GAP_MAX: Duration = Duration::from_secs(10);
/// What a server is said to do within a time is waited for, so long and a little longer.
const STATED_MAX: Duration = Duration::from_secs(24 * 3600);

/// Find out what a server's socket code gets wrong.
///
/// Sends what the network sends sooner or later: messages in pieces, glued together, cut off;
/// peers that stop in the middle, reset, fall silent or never read. Each question is a probe
/// ('--list' shows them); what a server did is told beside what a right one does, what the usual
/// bug is and how it is cured.
///
/// The server is asked with an exchange that it answers: --echo, or --send and what it replies. If
/// it does not answer that, nothing is asked. It may be written in any language; it is sent nothing
/// but bytes. With --exec it is started here, and its memory, descriptors and processor time are
/// looked at too.
///
/// Exit 0 when nothing failed, 1 when something did, 2 when nothing could be asked, 3 when there is
/// no server, 130 when it was interrupted: what is known by then is told.
///
/// What is asked in turn takes ten minutes for each of --runs at the most, about a minute with a
/// healthy server; beside that --idle and --dead are waited for. It holds one message of each
/// conversation, of --max or 64 MiB at the most, and has fewer than 256 descriptors.
#[derive(Args)]
#[command(group = ArgGroup::new("exchange").required(true).args(["echo", "send", "list"]))]
#[command(mut_arg("endpoint", |arg| for_all_but_the_list(arg, "localhost:1")))]
#[command(mut_arg("frame", |arg| for_all_but_the_list(arg, "lines")))]
#[command(mut_arg("connect_timeout", |arg| arg.hide_short_help(true)))]
#[command(mut_arg("fields", |arg| arg.hide_short_help(true)))]
#[command(after_long_help = "Examples:
  swb doctor localhost:7000 --frame u32be --echo
  swb doctor localhost:6379 --frame redis --send '*1\\r\\n$4\\r\\nPING\\r\\n' --expect '+PONG\\r\\n'
  swb doctor 127.0.0.1:0 --frame lines --echo --exec 'python3 server.py {port}'
  swb doctor localhost:7000 --frame u32be --echo --only F1,F2 --json")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// The server sends every message back
    #[arg(long)]
    pub(crate) echo: bool,

    /// A request that the server answers with one message: text with escapes, or @FILE
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true, conflicts_with = "echo")]
    pub(crate) send: Option<String>,

    /// What it answers [default: what it answers first]
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true, requires = "send")]
    pub(crate) expect: Option<String>,

    /// How the answer begins, where the rest is another one each time
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true, requires = "send")]
    #[arg(conflicts_with = "expect", hide_short_help = true)]
    pub(crate) expect_start: Option<String>,

    /// What is sent and expected is given as hex digits
    #[arg(long, requires = "send", hide_short_help = true)]
    pub(crate) hex: bool,

    #[command(flatten)]
    pub(crate) fields: FieldArgs,

    /// Bytes that begin each conversation, as a protocol has it: a login, a version
    ///
    /// They are sent as they are, before any request and in one piece; what they are answered with
    /// is passed over by --greeting.
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true, hide_short_help = true)]
    pub(crate) open: Option<String>,

    /// Messages that the server sends at the start of each conversation, or to --open
    #[arg(long, value_name = "N", default_value = "0", hide_short_help = true)]
    pub(crate) greeting: u16,

    /// Start the server with sh: {port}, or {endpoint}, is where it has to listen
    ///
    /// With port 0 in ENDPOINT a free one is chosen. It has --connect-timeout until it accepts, and
    /// is ended at the end, with all that it has started.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,

    /// How long the server lets a client be silent before it closes
    #[arg(long, value_name = "TIME", value_parser = stated)]
    pub(crate) idle: Option<Duration>,

    /// How soon the server finds out that a client is dead
    #[arg(long, value_name = "TIME", value_parser = stated)]
    pub(crate) dead: Option<Duration>,

    /// Ask these alone: F1,C3
    #[arg(long, value_name = "ID,..", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// How often each is asked
    #[arg(long, value_name = "N", default_value = "3", value_parser = runs)]
    pub(crate) runs: usize,

    /// The pause between two pieces of what is cut
    #[arg(long, value_name = "TIME", value_parser = gap, default_value = "20ms")]
    #[arg(hide_short_help = true)]
    pub(crate) gap: Duration,

    /// Ask what may harm an address that is not this machine's
    #[arg(long)]
    pub(crate) intrusive: bool,

    /// The probes, and what each is about; asks nothing
    #[arg(long)]
    pub(crate) list: bool,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the results as JUnit's XML too
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub(crate) junit: Option<PathBuf>,
}

fn runs(text: &str) -> Result<usize, String> {
    units::one_up_to(text, RUNS_MAX)
}

fn gap(text: &str) -> Result<Duration, String> {
    units::patience_up_to(text, GAP_MAX)
}

fn stated(text: &str) -> Result<Duration, String> {
    units::patience_up_to(text, STATED_MAX)
}

/// What has to be written, but where nothing is asked and it is of no matter.
fn for_all_but_the_list(arg: Arg, other: &'static str) -> Arg {
    arg.required(false).required_unless_present("list").default_value_if("list", "true", other)
}
