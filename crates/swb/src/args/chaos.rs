//! The verb that does harm: `chaos`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use switchboard_frame::Protocol;

use crate::args::BetweenArgs;
use crate::exit::Failure;
use crate::units;

/// Stand between clients and a server, and do to their conversations what networks do.
///
/// Listens on LISTEN, connects to UPSTREAM for every client and passes all on, but for the faults
/// given. A fault is written NAME(args)@DIRECTION TRIGGER .. : 'delay(50ms, jitter=20ms)@s2c',
/// 'reset@c2s msg:3+2B', 'drop p:0.01', 'split(every=1) first:2'.
///
/// Faults: split(every=N | at=N | field, gap=20ms), coalesce(n=N, bytes=N, within=50ms), glue(1.5);
/// delay(TIME, jitter=TIME), stall(TIME), drip(BYTES/s), rate(BITS/s, burst=1k), slow-accept(TIME);
/// reset, fin, half-close, slow-close(TIME), swallow-fin, rst-for-fin; blackhole (reads and drops),
/// deaf (stops reading), dead (acknowledges nothing, of tcp, as root), heal(TIME); flip(BITS),
/// truncate(BYTES), length(+N | -N | max), garbage(BYTES), delimiter-inject; drop, dup(TIMES),
/// reorder(WINDOW), replace(FILE), inject(FILE); refuse, accept-then-close(TIME), limit-bytes(N),
/// limit-conns(N), flap(UP, DOWN).
///
/// Directions: c2s (what clients write), s2c, both (unless told, each for itself).
///
/// Triggers, all of which must hold: msg:7, msg:3+2B (2 bytes into the third message), byte:1024,
/// after:5s, every:10, p:0.01, first:2, match:/re/ (a regular expression over a message's bytes),
/// conn:3. They count in each direction of each conversation by itself, and for faults of
/// connections those that come. A fault of messages or of how they are cut and timed happens to the
/// messages that are picked, or from byte: and after: on; any other fault happens at that place.
/// Without a trigger: to every message, or at the beginning.
///
/// Without --frame there are no messages: faults that need some are refused, since a stream loses
/// no bytes, and p: is of each byte.
///
/// Each injection is a line of JSON on stdout: "conversation", "direction", "seconds" since the
/// conversation began, "fault", "message", "offset" (bytes of its direction before it) and "done".
/// The same --seed and the same traffic give the same lines but for the times.
///
/// A file for --config has one key, faults, a list: 'delay(50ms)@s2c', 'drop@c2s every:100'. SIGHUP
/// reads it again: conversations and messages from then on have its faults. A file that says none
/// is told, and the faults stay. SIGINT and SIGTERM: the first waits for the conversations under
/// way, the second aborts.
///
/// It holds 256 KiB of each direction, and the message under way, before a side is not read
/// further; 64 faults, 1,024 conversations; a conversation that a fault has silenced is reset after
/// 10 minutes, or --silence.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb chaos :7001 localhost:7000 --frame u32be --fault 'split(every=1)'
  swb chaos :6380 localhost:6379 --frame redis --fault 'reset@s2c msg:3+2B' --seed 7
  swb chaos :7001 unix:/run/app.sock --fault 'rate(64k)' --fault 'stall(5s) after:10s'
  swb chaos :5433 localhost:5432 --frame postgres --config chaos.toml")]
pub(crate) struct ChaosArgs {
    #[command(flatten)]
    pub(crate) between: BetweenArgs,

    /// The framing or protocol, see 'swb frames'; without it there are no messages
    #[arg(short = 'f', long, value_name = "FRAMING")]
    pub(crate) frame: Option<String>,

    /// The largest message body; replaces the framing's own limit
    #[arg(long, value_name = "SIZE", value_parser = units::body, requires = "frame")]
    pub(crate) max: Option<u64>,

    /// What is to go wrong; may be repeated
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Vec<String>,

    /// More faults, in this TOML file; read again at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// What decides chance; without it one is chosen, and told
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// How long a silenced conversation is kept; then both sides are reset
    ///
    /// Until then it is one of the 1,024, unless the side that hears nothing has left: that is
    /// found out at once of a Unix socket, and within two minutes of tcp.
    #[arg(long, value_name = "TIME", value_parser = units::patience, default_value = "10m")]
    pub(crate) silence: Duration,

    /// Leave the times out of the lines, so that two logs compare
    #[arg(long)]
    pub(crate) no_time: bool,
}

impl ChaosArgs {
    /// How the bytes are framed, if they are.
    ///
    /// # Errors
    /// The string describes no framing.
    pub(crate) fn protocol(&self) -> Result<Option<Protocol>, Failure> {
        let Some(frame) = &self.frame else { return Ok(None) };
        let protocol: Protocol = frame.parse().map_err(Failure::usage)?;
        Ok(Some(match self.max {
            Some(max) => protocol.with_max(max),
            None => protocol,
        }))
    }
}
