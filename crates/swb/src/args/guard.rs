//! What `serve` does about peers and for its own safety: dead peers, greedy ones, privileges.
//!
//! `-h` fits a screen, so these are in `--help` alone.

use std::time::Duration;

use clap::Args;
use switchboard::server::Heartbeat;
use switchboard::{ListenOptions, Liveness, ProxyFrom};

use crate::exit::Failure;
use crate::payload;
use crate::privileges::Privileges;
use crate::units;

#[derive(Args)]
pub(crate) struct GuardArgs {
    /// How soon a client that has silently gone is found out [default: 2m]
    ///
    /// At least 3s, and of tcp alone: half of TIME is silence, then its system is probed; and so
    /// long may bytes sent to it stay unacknowledged. A client whose system still answers is a
    /// matter of --idle.
    #[arg(long, value_name = "TIME", value_parser = units::liveness, global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) liveness: Option<Liveness>,

    /// Send a message whenever nothing was sent for TIME
    ///
    /// Without MESSAGE it is the heartbeat that the protocol has (amqp, for one); MESSAGE is text
    /// with escapes.
    #[arg(long, value_name = "TIME[=MESSAGE]", value_parser = heartbeat, global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) heartbeat: Option<(Duration, Option<Vec<u8>>)>,

    /// The most at a time from one address; further ones are closed at once
    ///
    /// An IPv6 address counts with its /64, which is what one host is given; IPv4 addresses count
    /// one by one. Clients of a Unix socket have no address.
    #[arg(long, value_name = "N", value_parser = units::at_least_one, global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) max_per_address: Option<usize>,

    /// From whom a header of the PROXY protocol is required, and believed
    ///
    /// Addresses, networks and 'unix' (every client of a Unix socket), with commas between; may be
    /// repeated. A connection from there begins with a header, version 1 or 2, or it is ended; the
    /// client is then whom the header names, for --max-per-address and for programs too. From
    /// others no header is looked for.
    #[arg(long, value_name = "ADDRESS[/BITS],..", global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) proxy_from: Vec<ProxyFrom>,

    /// Serve as this user, by name or number, once the port is bound
    ///
    /// With the user's group and supplementary groups, and no way back. Started as root. The path
    /// of a Unix socket is given to the user, and stays behind where the user may not remove it.
    #[arg(long, value_name = "USER", global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) user: Option<String>,

    /// The group, by name or number [default: the user's]
    #[arg(long, value_name = "GROUP", requires = "user", global = true)]
    #[arg(hide_short_help = true)]
    pub(crate) group: Option<String>,
}

/// A time, and a message behind it.
fn heartbeat(text: &str) -> Result<(Duration, Option<Vec<u8>>), String> {
    match text.split_once('=') {
        Some((time, message)) => {
            Ok((units::patience(time)?, Some(payload::unescape(message.as_bytes())?)))
        }
        None => Ok((units::patience(text)?, None)),
    }
}

impl GuardArgs {
    /// How to listen.
    pub(crate) fn listen_options(&self) -> ListenOptions {
        let options = ListenOptions::default().with_liveness(self.liveness.unwrap_or_default());
        let proxies = self.proxy_from.iter().cloned().reduce(|all, more| all.and(&more));
        match proxies {
            Some(proxies) => options.with_proxy(proxies),
            None => options,
        }
    }

    /// Who to become once the port is bound, if somebody else.
    ///
    /// # Errors
    /// There is no such user or group.
    pub(crate) fn privileges(&self) -> Result<Option<Privileges>, Failure> {
        let user = self.user.as_deref();
        user.map(|user| Privileges::find(user, self.group.as_deref())).transpose()
    }

    /// The heartbeat of a server of this framing, if one was asked for.
    ///
    /// # Errors
    /// The protocol has none of its own.
    pub(crate) fn heartbeat(&self, framing: &str) -> Result<Option<Heartbeat>, Failure> {
        Ok(match self.heartbeat.clone() {
            None => None,
            Some((interval, Some(message))) => Some(Heartbeat { interval, message }),
            Some((interval, None)) => {
                let own = Heartbeat::of(framing, interval).map_err(|_| {
                    Failure::usage(format_args!(
                        "--heartbeat: {framing} has none that is always the same: \
                         write TIME=MESSAGE"
                    ))
                })?;
                Some(own)
            }
        })
    }
}
