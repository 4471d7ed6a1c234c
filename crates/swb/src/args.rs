//! The command line as it is written. What the words mean is built by each verb in `cmd`.
//!
//! The same definitions give the help, the suggestions, the completions and the man pages.

mod bench;
mod between;
mod chaos;
mod conduct;
mod doctor;
mod files;
mod guard;
mod replay;
mod serving;
mod talking;
mod tls;

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use switchboard::transport::TlsClient;
use switchboard::{ConnectOptions, Conversation, Endpoint, Liveness, Stopper};
use switchboard_frame::{Fields, Protocol, Role};

pub(crate) use crate::args::bench::{BenchArgs, Matching, Objective};
pub(crate) use crate::args::between::BetweenArgs;
pub(crate) use crate::args::chaos::ChaosArgs;
pub(crate) use crate::args::conduct::Place;
pub(crate) use crate::args::doctor::DoctorArgs;
pub(crate) use crate::args::files::{
    CompletionsArgs, DecodeArgs, DemoArgs, EncodeArgs, FramesArgs, ManArgs,
};
pub(crate) use crate::args::replay::ReplayArgs;
pub(crate) use crate::args::serving::{ServeAction, ServeArgs};
pub(crate) use crate::args::talking::{SendArgs, TalkArgs, TapArgs};
pub(crate) use crate::args::tls::{GuestsArgs, HEADING as TLS_HEADING, IdentityArgs, TrustArgs};
use crate::exit::{Exit, Failure};
use crate::printer::Printer;
use crate::units;

/// Whole messages over any stream socket.
#[derive(Parser)]
#[command(name = "swb", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
#[command(after_help = "'swb VERB -h' for a verb; 'swb man', 'swb completions' for your shell. \
    Exit: 0 done, 1 no,\n2 usage, 3 unreachable, 4 timed out, 5 bad frame, 6 reset, \
    130 interrupted, 143 terminated.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    Talk(TalkArgs),
    Send(SendArgs),
    Serve(ServeArgs),
    Tap(TapArgs),
    Chaos(ChaosArgs),
    Replay(ReplayArgs),
    Bench(BenchArgs),
    Doctor(DoctorArgs),
    Decode(DecodeArgs),
    Encode(EncodeArgs),
    Frames(FramesArgs),
    Demo(DemoArgs),
    #[command(hide = true)]
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

/// How the bytes are framed, for every verb that frames them.
#[derive(Args)]
pub(crate) struct FramingArgs {
    /// The framing or protocol: a name or a string, see 'swb frames'
    #[arg(short = 'f', long, value_name = "FRAMING")]
    pub(crate) frame: String,

    /// The largest message body; replaces the framing's own limit
    #[arg(long, value_name = "SIZE", value_parser = units::body)]
    pub(crate) max: Option<u64>,
}

impl FramingArgs {
    /// # Errors
    /// The string describes no framing: where, and what belongs there.
    pub(crate) fn protocol(&self) -> Result<Protocol, Failure> {
        let protocol: Protocol = self.frame.parse().map_err(Failure::usage)?;
        Ok(match self.max {
            Some(max) => protocol.with_max(max),
            None => protocol,
        })
    }
}

/// A side of a conversation.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleArg {
    /// The side that connects
    Client,
    /// The side that listens
    Server,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Role {
        match role {
            RoleArg::Client => Role::Client,
            RoleArg::Server => Role::Server,
        }
    }
}

/// Values for the named fields of a header.
#[derive(Args)]
pub(crate) struct FieldArgs {
    /// A header field: of an integer a number or 0x.., of bytes text with escapes or 0x and pairs
    /// of hex digits (chan=0x0102); may be repeated
    #[arg(long = "field", value_name = "NAME=VALUE")]
    pub(crate) fields: Vec<String>,
}

impl FieldArgs {
    /// # Errors
    /// A field without its `=`. Whether there is such a field, and whether it can have that value,
    /// is the encoder's to say.
    pub(crate) fn build(&self) -> Result<Fields, Failure> {
        let mut fields = Fields::new();
        for field in &self.fields {
            let Some((name, value)) = field.split_once('=') else {
                return Err(Failure::usage(format_args!("--field {field}: write NAME=VALUE")));
            };
            fields = fields.text(name, value);
        }
        Ok(fields)
    }
}

/// Where to connect to.
#[derive(Args)]
pub(crate) struct ConnectionArgs {
    /// The server: host:port, tls://host:port, unix:/path, unix:@name, exec:command, fd:N
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: Endpoint,

    /// How long connecting may take
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10s")]
    pub(crate) connect_timeout: Duration,

    /// How soon a server that has silently gone is found out, of tcp alone [default: 2m]
    #[arg(long, value_name = "TIME", value_parser = units::liveness, hide_short_help = true)]
    pub(crate) liveness: Option<Liveness>,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

impl ConnectionArgs {
    /// # Errors
    /// Each address that was tried, and why it did not work.
    pub(crate) fn connect(
        &self,
        protocol: &Protocol,
        stopper: &Stopper,
        printer: &Printer,
    ) -> Result<Conversation, Failure> {
        let options = self.options(self.tls(printer)?, stopper)?;
        let transport = self.endpoint.connect(&options).map_err(not_connected)?;
        Ok(Conversation::with_role(transport, protocol, Role::Client))
    }

    /// What TLS is spoken with.
    ///
    /// # Errors
    /// The options and the endpoint do not go together; a file is not what it should be.
    pub(crate) fn tls(&self, printer: &Printer) -> Result<TlsClient, Failure> {
        self.trust.client(Some(&self.identity), &self.endpoint, printer)
    }

    /// How to connect.
    ///
    /// # Errors
    /// It cannot be connected to.
    pub(crate) fn options(
        &self,
        tls: TlsClient,
        stopper: &Stopper,
    ) -> Result<ConnectOptions, Failure> {
        if self.endpoint == Endpoint::Stdio {
            return Err(Failure::usage("the endpoint cannot be -: stdin and stdout are taken"));
        }
        Ok(ConnectOptions::default()
            .with_timeout(Some(self.connect_timeout))
            .with_liveness(self.liveness.unwrap_or_default())
            .with_tls(tls)
            .with_stopper(stopper.clone()))
    }
}

/// The exit code of a connection that was not made.
pub(crate) fn not_connected(error: switchboard::Error) -> Failure {
    match error.is_stopped() {
        true => Failure::new(Exit::Interrupted, error),
        false => Failure::new(Exit::Unreachable, error),
    }
}
