//! The verbs without an endpoint: `decode`, `encode`, `frames`, `demo`, `completions`, `man`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::{FieldArgs, FramingArgs, RoleArg};
use crate::units;

/// Turn bytes into messages, without a socket.
///
/// Reads FILE, or stdin, and prints each message on a line of its own: as text with the escapes \n
/// \r \t \ and \xNN for what is not printable UTF-8, or in hex with --hex. The stream's ending is
/// told on stderr when it is not a clean one.
///
/// With --json each line is an object: "message" with "n", "offset" and "frame_bytes" (on the
/// wire, over all fragments) and "hex" or "text"; "discarded" for a frame that 'oversize=discard'
/// skipped; and at last "end" with the ending. "text" is the message itself when it is UTF-8; when
/// it is not, it has the escapes, and "escaped" is true.
///
/// With --pcap it is a capture (pcap or pcapng) of one port, say: what was sent out of order or
/// twice is put together again. A connection that is open at its end has no ending.
///
/// Exit: 0 when the stream is finished, 5 when it breaks its framing or ends inside a frame, or
/// when a capture lacks bytes or is cut off in the middle of a packet.
#[derive(Args)]
#[command(after_long_help = "Examples:
  printf '5:hello,0:,' | swb decode --frame netstring
  swb decode --frame lines --max 64k --json access.log
  swb decode --frame postgres --role server --hex capture.bin
  tcpdump -i lo -w - port 6379 | swb decode --frame redis --pcap -")]
pub(crate) struct DecodeArgs {
    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// Who wrote the bytes, where a protocol's directions differ
    #[arg(long, value_enum, default_value = "client", hide_possible_values = true)]
    #[arg(value_name = "client|server")]
    pub(crate) role: RoleArg,

    /// How many bytes the decoder is given at a time
    #[arg(long, value_name = "SIZE", value_parser = units::chunk, default_value = "64k")]
    pub(crate) read_size: usize,

    /// Messages in hex
    #[arg(long)]
    pub(crate) hex: bool,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// FILE is a capture: show every TCP connection in it, both directions, as 'swb tap' does
    #[arg(long, conflicts_with_all = ["role", "read_size"])]
    pub(crate) pcap: bool,

    /// The bytes; stdin when it is absent or -
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Turn messages into bytes, without a socket.
///
/// Reads one message a line from stdin and writes their bytes to stdout. A line is the message as
/// it is, without escapes: the LF ends it, and a CR before the LF is part of the message. With
/// --hex it is hex digits, with blanks between the pairs if you like. An empty line is an empty
/// message; a last line without LF counts.
///
/// A message is what 'swb decode' shows of the framing: the body, or the whole frame with its
/// header. With --field the line is the body in either case, and the header is built from the
/// fields.
///
/// Nothing of a message that the framing cannot carry is written; those before it are. Exit 5 then,
/// with the line's number on stderr.
#[derive(Args)]
#[command(after_long_help = "Examples:
  printf 'hello\\n' | swb encode --frame u32be | xxd
  echo 00ff0a | swb encode --frame netstring --hex
  echo 'SELECT 1' | swb encode --frame 'type:1 len:u32be,self' --field type=Q")]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    pub(crate) framing: FramingArgs,

    /// Whose messages they are, where a protocol's directions differ
    #[arg(long, value_enum, default_value = "client", hide_possible_values = true)]
    #[arg(value_name = "client|server")]
    pub(crate) role: RoleArg,

    /// Lines are hex digits
    #[arg(long)]
    pub(crate) hex: bool,

    #[command(flatten)]
    pub(crate) fields: FieldArgs,
}

/// List the framings, or draw one.
///
/// Without a name: every preset with its framing and the document it follows. With one: the
/// framing drawn as it lies on the wire, with its fields, sizes and notes. Where a protocol's two
/// directions differ, both are drawn.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb frames
  swb frames postgres
  swb frames 'type:1 len:u32be,self'")]
pub(crate) struct FramesArgs {
    /// A preset's name or a framing string
    #[arg(value_name = "NAME|SPEC")]
    pub(crate) framing: Option<String>,

    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// See it work: eight framings over a link that cuts, glues and interrupts.
///
/// Starts servers on free loopback ports and on Unix sockets, each framing under threads, processes
/// and event loops, some of them over TLS; talks to them through a link that cuts every read and
/// write at random and glues others together, half-closes, vanishes and resets in the middle of
/// messages, and compares every byte. Exit 0 only if all was right.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb demo
  swb demo --time 1m --seed 7")]
pub(crate) struct DemoArgs {
    /// How long to go on
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "8s")]
    pub(crate) time: Duration,

    /// Repeat a run: the same messages, cuts and breaks
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// Print the completions for a shell.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb completions bash > ~/.local/share/bash-completion/completions/swb
  swb completions fish > ~/.config/fish/completions/swb.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page, or write all pages into a directory.
#[derive(Args)]
#[command(after_long_help = "Examples:
  swb man | man -l -
  swb man decode | man -l -
  swb man --dir /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The page of one verb
    #[arg(value_name = "VERB", conflicts_with = "dir")]
    pub(crate) verb: Option<String>,

    /// Write every page into this directory, which must exist
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
