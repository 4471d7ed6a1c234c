//! The verbs that talk: `talk`, `send`, `serve`, `tap`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};
use switchboard::{Endpoint, Timeouts};

use crate::args::{ConnectionArgs, FieldArgs, FramingArgs};
use crate::units;

/// Talk to a server: a line typed is a message.
///
/// Each line of stdin is sent as a message: text with the escapes \n \r \t \0 \\ \" \xNN, or hex
/// digits with --hex. What comes is shown with its time (UTC) and its fields. The end of stdin
/// (ctrl-D) is a half-close: what the server still has to say is awaited. A line that is no
/// message is told, and the talk goes on.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb talk localhost:6379 --frame redis
  swb talk localhost:7000 --frame u32be --hex
  swb talk unix:/run/app.sock --frame 'type:1 len:u32be' --field type=Q")]
pub(crate) struct TalkArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// Lines are hex digits, and messages are shown in hex
    #[arg(long)]
    pub(crate) hex: bool,

    #[command(flatten)]
    pub(crate) fields: FieldArgs,

    /// How long the server may be silent once stdin has ended
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "30s")]
    pub(crate) timeout: Duration,
}

/// Send messages, half-close, and print every reply until the end.
///
/// A message is text with the escapes \n \r \t \0 \\ \" \xNN, or hex digits with --hex; @FILE or
/// @- is the bytes of a file or of stdin as one message; - sends each line of stdin as a message,
/// as it is (or as hex digits), while replies are printed. Without a message nothing is sent.
/// Replies are printed as 'swb decode' prints messages.
///
/// With --expect the replies must be exactly those given, in order (--count times). Exit 1 when
/// they are not; 3 when the server cannot be reached, 4 when nothing moves for --timeout, 5 for a
/// bad frame or a message that the framing cannot carry, 6 when the server resets.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb send localhost:7000 --frame u32be --data hello --expect hello
  swb send localhost:6379 --frame redis --data 'PING\\r\\n'
  printf 'one\\ntwo\\n' | swb send localhost:7000 --frame netstring -
  swb send localhost:7000 --frame u32be @request.bin --json")]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// A message, @FILE, or - for the lines of stdin
    #[arg(value_name = "MESSAGE")]
    pub(crate) payload: Option<String>,

    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// A message or @FILE; may be repeated
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) data: Vec<String>,

    /// A reply that must come; may be repeated
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true)]
    pub(crate) expect: Vec<String>,

    /// Send, and expect, all of it so many times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    #[command(flatten)]
    pub(crate) fields: FieldArgs,

    /// Messages are hex digits, and replies are printed in hex
    #[arg(long)]
    pub(crate) hex: bool,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// How long nothing may move
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "30s")]
    pub(crate) timeout: Duration,
}

/// Serve: echo, discard, reply, or run a program for each conversation.
///
/// echo, discard and reply TEXT serve whole messages and need --frame. exec runs CMD for each
/// conversation, with the socket itself as its stdin and stdout and the UCSPI environment (PROTO,
/// TCPLOCALIP, TCPLOCALPORT, TCPREMOTEIP, TCPREMOTEPORT; UNIXLOCALPATH, UNIXREMOTEEUID,
/// UNIXREMOTEEGID, UNIXREMOTEPID, ..).
///
/// Where it listens is told on stderr, and with --print-endpoint on stdout. Goes on until
/// interrupted: once answers what has come and ends, twice aborts.
#[derive(Args)]
#[command(subcommand_value_name = "WHAT", subcommand_help_heading = "What")]
#[command(disable_help_subcommand = true)]
#[command(after_long_help = "Examples:
  swb serve :7000 echo --frame u32be
  swb serve unix:/run/app.sock --frame lines reply 'not today'
  swb serve 127.0.0.1:0 --print-endpoint exec cat -n")]
pub(crate) struct ServeArgs {
    /// Where to listen: host:port, :port, unix:/path
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: Endpoint,

    #[command(subcommand)]
    pub(crate) action: ServeAction,

    /// The framing or protocol: a name or a string, see 'swb frames'
    #[arg(short = 'f', long, value_name = "FRAMING", global = true)]
    pub(crate) frame: Option<String>,

    /// The largest message body; replaces the framing's own limit
    #[arg(long, value_name = "SIZE", value_parser = units::size, global = true)]
    pub(crate) max: Option<u64>,

    /// How long a conversation may be silent [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = units::duration, global = true)]
    pub(crate) idle: Option<Duration>,

    /// End after so many conversations
    #[arg(long, value_name = "N", global = true)]
    pub(crate) count: Option<u64>,

    /// Print where it listens on stdout too
    #[arg(long, global = true)]
    pub(crate) print_endpoint: bool,
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
}

impl ServeArgs {
    /// The framing, if one was given.
    pub(crate) fn framing(&self) -> Option<FramingArgs> {
        self.frame.clone().map(|frame| FramingArgs { frame, max: self.max })
    }

    /// The defaults, with the idle time given.
    pub(crate) fn timeouts(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if self.idle.is_some() {
            timeouts.idle = self.idle;
        }
        timeouts
    }

    /// An option that is about messages, if one was given.
    pub(crate) fn framing_option(&self) -> Option<&'static str> {
        let given = [
            (self.frame.is_some(), "--frame"),
            (self.max.is_some(), "--max"),
            (self.idle.is_some(), "--idle"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

/// Stand between clients and a server, and show the messages.
///
/// Listens on LISTEN, connects to UPSTREAM for every client, passes all bytes on unchanged and
/// prints each message of both directions: conversation, time (UTC), direction (> from the client,
/// < from the server), number, size on the wire, fields, and the message as text with escapes, or
/// below as a hex dump with --hex. Half-closes and resets are passed on as they come. Where a
/// direction breaks its framing, that is told, and its bytes go on, and without --json they are
/// shown as they come.
///
/// With --json each line is an object: "message" with "conversation", "n", "direction" ("client"
/// or "server" wrote it), "time", "frame_bytes", "fields" and "hex" (and "text", unless --hex);
/// "discarded"; "raw" with "why" when a direction is not framed any more; "end" with the
/// stream's "ending", which after a "raw" says how the bytes ended. Opaque bytes in "fields" are in
/// hex.
///
/// Goes on until interrupted: once waits for the conversations under way, twice aborts. With
/// --print-endpoint the first line of stdout is the endpoint, before any message.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb tap :5433 localhost:5432 --frame postgres
  swb tap 127.0.0.1:0 unix:/run/app.sock --frame u32be --hex
  swb tap :6380 localhost:6379 --frame redis --json | jq .text")]
pub(crate) struct TapArgs {
    /// Where clients connect to
    #[arg(value_name = "LISTEN")]
    pub(crate) listen: Endpoint,

    /// The server
    #[arg(value_name = "UPSTREAM")]
    pub(crate) upstream: Endpoint,

    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// Messages as hex dumps; with --json no "text" beside "hex"
    #[arg(long)]
    pub(crate) hex: bool,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// End after so many conversations
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,

    /// How long reaching the server may take
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10s")]
    pub(crate) connect_timeout: Duration,

    /// Print where it listens on stdout too
    #[arg(long)]
    pub(crate) print_endpoint: bool,
}
