//! How `serve` begins and ends beside other programs: draining.
//!
//! `-h` fits a screen, so these are in `--help` alone.

use std::time::Duration;

use clap::Args;

use crate::units;

#[derive(Args)]
#[command(next_help_heading = "Beginning and ending")]
pub(crate) struct ConductArgs {
    /// How long ending may take, then who is left is cut off [default: 30s]
    ///
    /// After SIGINT or SIGTERM nothing more is accepted, what has come is answered, and every peer
    /// is told and waited for. Who takes nothing or does not end by then is cut off and told on
    /// stderr, and the exit code is 4.
    #[arg(long, value_name = "TIME", value_parser = units::duration, global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) drain: Option<Duration>,
}

impl ConductArgs {
    pub(crate) fn drain(&self) -> Duration {
        self.drain.unwrap_or(switchboard::limits::DRAIN_TIMEOUT)
    }

    /// An option that is about the server of messages, if one was given.
    pub(crate) fn option_about_messages(&self) -> Option<&'static str> {
        self.drain.is_some().then_some("--drain")
    }
}
