//! How the command ends: every exit code in one place, and the failure that carries one.

use std::fmt;
use std::io;
use std::process::ExitCode;

use switchboard::Ending;

/// The exit codes. The list is part of the command's interface and only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked is done.
    Done,
    /// The answer is no: an expectation that was not met.
    No,
    /// Wrong usage, or trouble of this machine: a file that cannot be read.
    Usage,
    /// Could not connect or listen.
    Unreachable,
    /// Timed out.
    TimedOut,
    /// A bad frame, an oversized one, or a stream that ended inside one; a message that the
    /// framing cannot carry.
    BadFrame,
    /// The peer reset the connection.
    Reset,
    /// Interrupted by the user: SIGINT.
    Interrupted,
    /// Ended by whoever supervises it: SIGTERM.
    Terminated,
}

impl Exit {
    pub(crate) fn number(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::TimedOut => 4,
            Exit::BadFrame => 5,
            Exit::Reset => 6,
            // As a shell has it: 128, and the number of the signal.
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// The code of an error of a conversation that was under way.
    pub(crate) fn of(error: &switchboard::Error) -> Exit {
        if error.is_timeout() || error.is_peer_dead() {
            Exit::TimedOut
        } else if error.is_frame() || error.is_tls() && error.ending() != Some(Ending::Reset) {
            Exit::BadFrame
        } else if error.is_reset() || error.is_tls() {
            Exit::Reset
        } else if error.is_stopped() {
            Exit::Interrupted
        } else if error.is_caller() {
            // A message that the framing cannot carry.
            Exit::BadFrame
        } else {
            Exit::Usage
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

/// What every verb returns.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a verb stopped early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Told on stderr, with the exit code it gives.
    Told { exit: Exit, text: String },
    /// A command line that the definitions alone could not refuse; clap words and prints it.
    Usage(Box<clap::Error>),
    /// The reader of stdout went away: it has what it wanted, so this is a quiet end.
    ClosedStdout,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl fmt::Display) -> Failure {
        Failure::Told { exit, text: text.to_string() }
    }

    pub(crate) fn usage(text: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, text)
    }

    /// A failed write to stdout.
    pub(crate) fn stdout(error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::ClosedStdout
        } else {
            Failure::usage(format_args!("cannot write to stdout: {error}"))
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Told { text, .. } => f.write_str(text),
            Failure::Usage(error) => error.fmt(f),
            Failure::ClosedStdout => f.write_str("stdout is closed"),
        }
    }
}
