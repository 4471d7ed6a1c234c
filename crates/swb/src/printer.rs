//! The only place that prints. stdout is data, stderr is talk.
//!
//! Data is buffered: whoever is about to wait for input calls [`Printer::flush`] first, so nothing
//! that is known is held back. A printer is cheap to clone, and a whole record is written under one
//! lock, so the lines of several threads never mix.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::tcgetwinsize;

use crate::exit::Failure;

/// To the beginning of the line, and nothing on it.
const CLEAR: &str = "\r\x1b[K";

/// Between what the library calls something and what this command does.
const BEFORE_FLAGS: &str = ", swb --";

/// Bytes of output held before a write.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Writes data to stdout and talk to stderr.
#[derive(Clone)]
pub(crate) struct Printer {
    out: Arc<Mutex<BufWriter<File>>>,
    colour: bool,
    /// A status line is shown, and whatever is said takes its place.
    status: Arc<AtomicBool>,
}

/// The colours there are; nothing is said by colour alone.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Client,
    Server,
    Note,
}

impl Printer {
    /// # Errors
    /// stdout is not open.
    pub(crate) fn new() -> Result<Printer, Failure> {
        // A descriptor of our own, because the standard handle flushes at every line end.
        let stdout = io::stdout();
        let file = stdout.as_fd().try_clone_to_owned().map_err(|e| Failure::stdout(&e))?;
        let colour = stdout.is_terminal() && colour_wanted();
        let out = BufWriter::with_capacity(OUTPUT_BYTES, File::from(file));
        Ok(Printer { out: Arc::new(Mutex::new(out)), colour, status: Arc::default() })
    }

    /// Writes one record to stdout, whole.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.lock().write_all(bytes).map_err(|e| Failure::stdout(&e))
    }

    /// Writes one record to stdout and hands it on at once.
    pub(crate) fn data_now(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = self.lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Failure::stdout(&e))
    }

    /// Hands on what was written; called before every wait for input.
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        self.lock().flush().map_err(|e| Failure::stdout(&e))
    }

    /// Says something to the person. A stderr that is gone is no reason to stop.
    pub(crate) fn talk(&self, text: &str) {
        let mut err = io::stderr().lock();
        let text = in_flags(text);
        let clear = if self.status.swap(false, Ordering::Relaxed) { CLEAR } else { "" };
        // In one write: other processes of a server have the same stderr.
        let _ = err.write_all(format!("{clear}{text}\n").as_bytes());
    }

    /// Shows a line that the next one replaces; an empty one takes it away. For a terminal: it is
    /// cut to the width, because a line that has wrapped cannot be taken back.
    pub(crate) fn status(&self, text: &str) {
        let mut err = io::stderr().lock();
        let columns = tcgetwinsize(&err).map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { usize::MAX } else { columns - 1 };
        let text: String = text.chars().take(columns).collect();
        self.status.store(!text.is_empty(), Ordering::Relaxed);
        let _ = write!(err, "{CLEAR}{text}").and_then(|()| err.flush());
    }

    /// `text` in a colour, on a terminal that wants colours.
    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Client => "36",
            Colour::Server => "33",
            Colour::Note => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn lock(&self) -> MutexGuard<'_, BufWriter<File>> {
        // A thread that panicked inside a write left at worst half a line.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says why the command failed, before there is a printer or after it is gone.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "swb: {}", in_flags(text));
}

/// The text of an error in the words of this command. The library says what to do in both of its
/// faces, `with_ca_file, swb --tls-ca FILE`, and here only the flag is of use.
pub(crate) fn in_flags(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, flags)) = rest.split_once(BEFORE_FLAGS) {
        // The name of a function, a word, stands before it.
        let name = before.rfind(' ').map_or(0, |space| space + 1);
        said.push_str(&before[..name]);
        said.push_str("--");
        rest = flags;
    }
    said + rest
}

/// <https://no-color.org>: set and not empty means no colour.
fn colour_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && env::var_os("TERM").is_none_or(|v| v != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_in_flags() {
        let both = "who is it: trust its CA: with_ca_file, swb --tls-ca FILE";
        assert_eq!(in_flags(both), "who is it: trust its CA: --tls-ca FILE");
        let twice = "a: Options::b, swb --c, or d, swb --e F --g";
        assert_eq!(in_flags(twice), "a: --c, or --e F --g");
        assert_eq!(in_flags("nothing, or swb --help"), "nothing, or swb --help");
    }
}
