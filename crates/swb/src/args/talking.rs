//! The verbs that talk: `talk`, `send`, `tap`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::{BetweenArgs, ConnectionArgs, FieldArgs, FramingArgs};
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
  swb talk tls://example.org:7443 --frame lines --tls-ca ca.pem
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
    #[arg(long, value_name = "N", value_parser = units::at_least_one_in_all)]
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
/// stream's "ending", which after a "raw" says how the bytes ended, and "by" where that was the
/// ending of the other side, and this one is over with it. Opaque bytes in "fields" are in hex.
///
/// Goes on until SIGINT or SIGTERM: the first waits for the conversations under way, the second
/// aborts. With --record all that passes is written to a new file too, read by read, with its
/// times, for 'swb replay'; with --pcap as packets that it could have been, one TCP connection for
/// each conversation, without TLS; who has no address, as at a Unix socket, is 192.0.2.1 or
/// 192.0.2.2. What is shown is in these files already, which only this user may read. With
/// --print-endpoint the first line of stdout is the endpoint, before any message.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb tap :5433 localhost:5432 --frame postgres
  swb tap 127.0.0.1:0 unix:/run/app.sock --frame u32be --hex
  swb tap :8080 tls://example.org:443 --frame http1
  swb tap tls://:7443 localhost:7000 --frame lines --tls-cert cert.pem --tls-key key.pem
  swb tap :6380 localhost:6379 --frame redis --json | jq .text
  swb tap :7001 localhost:7000 --frame u32be --record session.swb --pcap session.pcapng")]
pub(crate) struct TapArgs {
    #[command(flatten)]
    pub(crate) between: BetweenArgs,

    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// Messages as hex dumps; with --json no "text" beside "hex"
    #[arg(long)]
    pub(crate) hex: bool,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Keep what passes in this file, for 'swb replay'
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// Keep it as packets in this file, for Wireshark
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
}
