//! How `serve` begins and ends beside other programs: where it is told to listen, draining, one
//! process after the other on the same port.
//!
//! `-h` fits a screen, so these are in `--help` alone.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use switchboard::server::Server;
use switchboard::{Endpoint, EndpointError, Error, ListenOptions};

use crate::exit::{Exit, Failure};
use crate::units;

/// How long a server that is to be taken over has for its answers.
const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where to listen, as it is written.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    At(Endpoint),
    /// On whatever sockets this program was started with.
    Activated,
}

impl FromStr for Place {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Place, EndpointError> {
        match text {
            "activated" => Ok(Place::Activated),
            _ => text.parse().map(Place::At),
        }
    }
}

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

    /// Hand the listening sockets over at this Unix socket, to a --takeover
    ///
    /// For the first start. SOCKET is a path, unix:/path or unix:@name, and open to this user and
    /// root alone. It is an error if a server answers there already, and a path that one has left
    /// behind is replaced.
    #[arg(long, value_name = "SOCKET", value_parser = socket, global = true)]
    #[arg(hide_short_help = true, conflicts_with = "takeover")]
    pub(crate) handover: Option<String>,

    /// Take the listening sockets over from the server that answers at SOCKET
    ///
    /// For every further start, beside the server that runs: 'swb serve :7000 --takeover SOCKET ..'
    /// with the same ENDPOINT as before (another one is refused) has the same socket, connections
    /// that wait included, and answers at SOCKET from then on. The other one accepts until this one
    /// is ready, then goes on with the conversations it has for half of its --drain, and ends
    /// within all of it. If it does not answer within 5 seconds, or not as this version does, this
    /// one ends with exit code 3 and nothing has happened.
    ///
    /// In a shell it is started with & beside the other. In a unit of systemd: Type=notify,
    /// NotifyAccess=all, --handover in ExecStart, and
    /// ExecReload=/bin/sh -c 'swb serve :7000 --takeover SOCKET .. &'.
    #[arg(long, value_name = "SOCKET", value_parser = socket, global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) takeover: Option<String>,
}

/// A path, or a Unix endpoint.
fn socket(text: &str) -> Result<String, String> {
    let text = if text.starts_with("unix:") { text.to_owned() } else { format!("unix:{text}") };
    text.parse::<Endpoint>().map(|_| text).map_err(|error| error.to_string())
}

impl ConductArgs {
    pub(crate) fn drain(&self) -> Duration {
        self.drain.unwrap_or(switchboard::limits::DRAIN_TIMEOUT)
    }

    /// Where a successor is answered.
    pub(crate) fn handover_endpoint(&self) -> Option<Endpoint> {
        self.handover.as_ref().or(self.takeover.as_ref())?.parse().ok()
    }

    /// The server, listening at that place: on sockets of its own, or on those of the server that
    /// it takes over from.
    ///
    /// # Errors
    /// Nobody can be taken over there, or somebody would have to be; it cannot listen.
    pub(crate) fn listening(
        &self,
        mut server: Server,
        place: &Place,
        options: &ListenOptions,
    ) -> Result<Server, Failure> {
        let fail = |error: Error| Failure::new(Exit::Unreachable, with_flag(&error));
        if let Some(socket) = &self.takeover {
            server = server.take_over(socket, TAKEOVER_TIMEOUT).map_err(fail)?;
        }
        let theirs = server.not_taken_over();
        server = match place {
            Place::At(endpoint) => {
                let listening = server.listen_on(endpoint, options);
                listening.map_err(|error| match theirs.is_empty() {
                    true => fail(error),
                    false => other_place(endpoint, &theirs, &format!(" ({error})")),
                })?
            }
            Place::Activated => server.listen_activated(options).map_err(fail)?,
        };
        if let (Place::At(endpoint), false) = (place, server.not_taken_over().is_empty()) {
            return Err(other_place(endpoint, &theirs, ""));
        }
        if let Some(socket) = &self.handover {
            server = server.with_handover(socket).map_err(fail)?;
        }
        Ok(server)
    }

    /// An option that is about the server of messages, if one was given.
    pub(crate) fn option_about_messages(&self) -> Option<&'static str> {
        let given = [
            (self.drain.is_some(), "--drain"),
            (self.handover.is_some(), "--handover"),
            (self.takeover.is_some(), "--takeover"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

/// Taking over and listening elsewhere would leave clients that nobody serves any more.
fn other_place(endpoint: &Endpoint, theirs: &[Endpoint], why: &str) -> Failure {
    let theirs: Vec<String> = theirs.iter().map(Endpoint::to_string).collect();
    let theirs = theirs.join(" and ");
    let text = format!(
        "cannot take over: the other server listens on {theirs}, and this one was to listen on \
         {endpoint}{why}: write the same ENDPOINT; the other one goes on"
    );
    Failure::new(Exit::Unreachable, text)
}

/// The text of an error with the flag that does what it says; the library knows of no flags.
fn with_flag(error: &Error) -> String {
    let text = error.to_string();
    let flag = match &text {
        text if text.ends_with("take over from it, or end it") => " (--takeover)",
        text if text.ends_with("with a handover there") => " (--handover)",
        _ => "",
    };
    text + flag
}
