//! `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::{ConnectionArgs, FieldArgs, FramingArgs};
use crate::units;

/// Load a server with messages, and measure how it answers.
///
/// Opens connections, sends the same message over and over and takes each message that comes back
/// for the reply to the oldest one that is not answered: an echo, or any protocol in which each
/// request has one reply.
///
/// Without --rate the loop is closed: each connection has --depth requests in flight, and a reply
/// is answered by the next request. That finds the highest rate. Its latencies leave out what would
/// have been sent while the server stalled. With --rate the loop is open: messages are due on a
/// schedule, whatever the server does, and latency counts from when each was due; the service time,
/// from when it was really sent, stands beside it. A run whose schedule this program itself could
/// not keep is marked invalid, and exits 1; so is one with a connection that had no reply at all,
/// or with replies that nobody asked for.
///
/// Numbers and rates may be written 10k or 1.5M, which are thousands and millions; the units of a
/// size are powers of 1024.
///
/// On machines with several processors give the server and this program one each (taskset).
#[derive(Args)]
#[command(mut_arg("connect_timeout", |arg| arg.hide_short_help(true)))]
#[command(mut_arg("fields", |arg| arg.hide_short_help(true)))]
#[command(mut_arg("max", |arg| arg.hide_short_help(true)))]
#[command(after_long_help = "Examples:
  swb bench localhost:7000 --frame u32be
  swb bench localhost:7000 --frame u32be -c 50 --depth 64 --size 1k --server-pid $(pidof app)
  swb bench localhost:7000 --frame lines --rate 10000 --duration 30s --slo p99.9=5ms
  swb bench localhost:6379 --frame redis --data 'PING\\r\\n' --depth 16
  swb bench localhost:8080 -f http1 --reconnect --data 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'
  swb bench unix:/run/app.sock --frame 'len:u32be id:u32be' --match field:id --verify
  swb bench localhost:7000 --frame lines -r 5000 --json --hgrm out.hgrm --svg out.svg")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// Connections at a time
    #[arg(short = 'c', long, value_name = "N", value_parser = units::at_least_one)]
    #[arg(default_value = "50")]
    pub(crate) connections: usize,

    /// Requests in flight on each, in the closed loop
    #[arg(long, value_name = "D", value_parser = units::at_least_one, default_value = "1")]
    #[arg(conflicts_with = "rate")]
    pub(crate) depth: usize,

    /// Messages a second in all (10k, 1.5M), at most 100M: the open loop
    #[arg(short = 'r', long, value_name = "R", value_parser = units::rate)]
    pub(crate) rate: Option<f64>,

    /// How large the message is, or with --field its body
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "64")]
    #[arg(conflicts_with = "data")]
    pub(crate) size: u64,

    /// That message itself: text with escapes, or @FILE
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,

    /// --data is hex digits
    #[arg(long, requires = "data", hide_short_help = true)]
    pub(crate) hex: bool,

    #[command(flatten)]
    pub(crate) fields: FieldArgs,

    /// How long is measured [default: 10s, with --count as long as it takes]
    #[arg(long, value_name = "TIME", value_parser = units::patience)]
    pub(crate) duration: Option<Duration>,

    /// How long the load goes on before that [default: 1s, with --count none]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) warm_up: Option<Duration>,

    /// End after so many messages, or after --duration
    #[arg(long, value_name = "N", value_parser = units::at_least_one_in_all)]
    #[arg(hide_short_help = true)]
    pub(crate) count: Option<u64>,

    /// Replies come in 'order', or have a number: 'field:NAME'
    ///
    /// With field:NAME each message has its number in that field of its header, and so has its
    /// reply.
    #[arg(long = "match", value_name = "HOW", value_parser = matching, default_value = "order")]
    pub(crate) matching: Matching,

    /// Open a conversation again that the server has ended between two replies
    ///
    /// At once, and as often as it happens: for servers that end each after so many requests or so
    /// long a time. Requests that it leaves without a reply count as errors, 'ended'. The run is
    /// given up when connecting again fails, or when a few in a row end without a reply.
    #[arg(long, hide_short_help = true)]
    pub(crate) reconnect: bool,

    /// Each reply must be the message that was sent; else exit 1
    #[arg(long)]
    pub(crate) verify: bool,

    /// The server's process: what it and its children use of a processor
    #[arg(long, value_name = "PID", value_parser = units::at_least_one_in_all)]
    pub(crate) server_pid: Option<u64>,

    /// Exit 1 if a latency is above it; may be repeated
    #[arg(long, value_name = "pQ=TIME", value_parser = objective)]
    pub(crate) slo: Vec<Objective>,

    /// Never sleep: a whole processor for it, and no time for waking up
    #[arg(long, hide_short_help = true)]
    pub(crate) spin: bool,

    /// One JSON object a line: one for each second, and the summary
    #[arg(long)]
    pub(crate) json: bool,

    /// Write latencies by percentile, as HdrHistogram's plotters read them
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,

    /// Draw latencies by percentile
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Which reply answers which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Matching {
    /// Each the oldest that is not answered.
    Order,
    /// The one with the same number in this field.
    Field(String),
}

/// A latency that so many of a hundred are to be below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Objective {
    pub(crate) percentile: f64,
    pub(crate) limit: Duration,
}

fn matching(text: &str) -> Result<Matching, String> {
    match text.strip_prefix("field:") {
        Some(name) if !name.is_empty() => Ok(Matching::Field(name.to_owned())),
        None if text == "order" => Ok(Matching::Order),
        _ => Err("replies are matched by 'order' or by 'field:NAME'".to_owned()),
    }
}

fn objective(text: &str) -> Result<Objective, String> {
    let wrong = || "an objective is written p99.9=5ms; max=50ms is of all".to_owned();
    let (name, limit) = text.split_once('=').ok_or_else(wrong)?;
    let percentile = match name.strip_prefix('p') {
        Some(number) => number.parse().map_err(|_| wrong())?,
        None if name == "max" => 100.0,
        None => return Err(wrong()),
    };
    if !(percentile > 0.0 && percentile <= 100.0) {
        return Err("a percentile is above 0 and at most 100".to_owned());
    }
    Ok(Objective { percentile, limit: units::fine(limit)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives() {
        let limit = Duration::from_micros(250);
        assert_eq!(objective("p99.9=250us"), Ok(Objective { percentile: 99.9, limit }));
        assert_eq!(objective("max=250us"), Ok(Objective { percentile: 100.0, limit }));
        for wrong in ["p99", "p0=1ms", "p101=1ms", "99=1ms", "p99=1", "pxx=1ms", "pNaN=1ms"] {
            assert!(objective(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ways_of_matching() {
        assert_eq!(matching("order"), Ok(Matching::Order));
        assert_eq!(matching("field:id"), Ok(Matching::Field("id".to_owned())));
        for wrong in ["", "field:", "id", "order:id"] {
            assert!(matching(wrong).is_err(), "{wrong}");
        }
    }
}
