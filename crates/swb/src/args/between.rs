//! Standing between clients and a server: `tap` and `chaos`.

use std::time::Duration;

use clap::Args;
use switchboard::{Endpoint, Liveness};

use crate::args::{GuestsArgs, IdentityArgs, TLS_HEADING, TrustArgs};
use crate::exit::Failure;
use crate::units;

#[derive(Args)]
pub(crate) struct BetweenArgs {
    /// Where clients connect to
    #[arg(value_name = "LISTEN")]
    pub(crate) listen: Endpoint,

    /// The server
    #[arg(value_name = "UPSTREAM")]
    pub(crate) upstream: Endpoint,

    /// End after so many conversations
    #[arg(long, value_name = "N", value_parser = units::at_least_one_in_all)]
    pub(crate) count: Option<u64>,

    /// How long reaching the server may take
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10s")]
    pub(crate) connect_timeout: Duration,

    /// How soon a side that has silently gone is found out, of tcp alone
    ///
    /// Without it a side that is silent is probed after a minute and given up after two, and one
    /// that takes nothing may pause for as long as it likes. With it TIME bounds both.
    #[arg(long, value_name = "TIME", value_parser = units::liveness)]
    pub(crate) liveness: Option<Liveness>,

    /// Print where it listens on stdout too
    #[arg(long)]
    pub(crate) print_endpoint: bool,

    /// Of LISTEN
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    #[command(flatten)]
    pub(crate) guests: GuestsArgs,

    /// Speak TLS with UPSTREAM, as if it were written tls://
    #[arg(long, hide_short_help = true, help_heading = TLS_HEADING)]
    pub(crate) tls_upstream: bool,

    /// Of UPSTREAM, when that is tls://
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

impl BetweenArgs {
    /// The server.
    ///
    /// # Errors
    /// It cannot be one; it is to speak TLS and is no host and port.
    pub(crate) fn upstream(&self) -> Result<Endpoint, Failure> {
        match &self.upstream {
            Endpoint::Stdio => {
                Err(Failure::usage("the upstream cannot be -: stdout is for what is seen"))
            }
            Endpoint::Tcp { host, port } if self.tls_upstream => {
                Ok(Endpoint::Tls { host: host.clone(), port: *port })
            }
            tls @ Endpoint::Tls { .. } => Ok(tls.clone()),
            other if self.tls_upstream => Err(Failure::usage(format_args!(
                "--tls-upstream is for a host and port, and the upstream is {other}"
            ))),
            other => Ok(other.clone()),
        }
    }
}
