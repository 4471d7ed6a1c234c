//! The verb that says again what was said: `replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::ConnectionArgs;
use crate::units;

/// Send to a server what clients sent in a recording, read by read.
///
/// FILE is what 'swb tap --record' wrote. For each of its conversations one is begun with ENDPOINT,
/// each read of the client is one write, with the pauses that there were, and its ends and resets
/// come as they came; a reset waits for the answers that had come before it. With --fast there are
/// no pauses: the conversations come one after the other, and a write waits only until as many
/// messages were answered as had been before it.
///
/// With --diff the answers are compared with those of the recording, message by message, and the
/// first difference in each conversation is shown; exit 1 if there is one, and 2 if the recording
/// has no answers. What comes behind a reset of the client is not compared. Without, what was
/// answered is counted. Where the server is gone, what was found until then is told, and exit 3.
///
/// A recording that ends in the middle of something, because tap was killed, is told and played as
/// far as it goes. If that is in the middle of a line, it is exit 5 when nothing else is wrong.
///
/// It holds the recording, of at most 256 MiB, and as much of answers. Without --fast there may be
/// at most 1,024 conversations in it.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb tap :7001 localhost:7000 --frame u32be --record session.swb
  swb replay session.swb localhost:7000 --fast --diff
  swb replay session.swb unix:/run/app.sock")]
pub(crate) struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// Without the pauses of the recording
    #[arg(long)]
    pub(crate) fast: bool,

    /// Compare the answers with those of the recording
    #[arg(long)]
    pub(crate) diff: bool,

    /// The largest message body; replaces the limit of the framing that was recorded
    #[arg(long, value_name = "SIZE", value_parser = units::body)]
    pub(crate) max: Option<u64>,

    /// Print JSON, one object a line: conversations, differences and a summary
    #[arg(long)]
    pub(crate) json: bool,

    /// How long an answer is waited for
    #[arg(long, value_name = "TIME", value_parser = units::patience, default_value = "30s")]
    pub(crate) timeout: Duration,
}
