//! The lines of stdin, read without ever waiting for more than is asked.
//!
//! [`Lines::next`] gives what is there and [`Lines::read`] reads once, so that a loop which also
//! watches a socket can poll [`Lines::descriptor`] in between.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use crate::exit::{Exit, Failure};

/// The longest line that is taken, in bytes: far over any message's default limit, even in hex.
const LINE_BYTES_MAX: usize = 1 << 30;

/// Bytes asked for at a time.
const READ_BYTES: usize = 64 * 1024;

pub(crate) struct Lines {
    input: File,
    bytes: Vec<u8>,
    /// Where the next line begins, and up to where no LF was found.
    start: usize,
    scanned: usize,
    ended: bool,
    number: u64,
}

/// A line without its LF; a CR before the LF belongs to it.
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) text: &'a [u8],
}

impl Lines {
    /// # Errors
    /// stdin is not open.
    pub(crate) fn of_stdin() -> Result<Lines, Failure> {
        let input = io::stdin().as_fd().try_clone_to_owned().map_err(|e| cannot_read(&e))?;
        Ok(Lines {
            input: File::from(input),
            bytes: Vec::new(),
            start: 0,
            scanned: 0,
            ended: false,
            number: 0,
        })
    }

    /// The next line, if it is there whole. The last one needs no LF.
    pub(crate) fn next(&mut self) -> Option<Line<'_>> {
        let found = self.bytes[self.scanned..].iter().position(|byte| *byte == b'\n');
        let (end, next) = match found {
            Some(at) => (self.scanned + at, self.scanned + at + 1),
            None if self.ended && self.start < self.bytes.len() => {
                (self.bytes.len(), self.bytes.len())
            }
            None => {
                self.scanned = self.bytes.len();
                return None;
            }
        };
        let text = self.start..end;
        self.start = next;
        self.scanned = next;
        self.number += 1;
        Some(Line { number: self.number, text: &self.bytes[text] })
    }

    /// Whether no more will come than what [`Lines::next`] still gives.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads once; waits if nothing is there yet.
    ///
    /// # Errors
    /// stdin cannot be read, or a line has no end.
    pub(crate) fn read(&mut self) -> Result<(), Failure> {
        self.bytes.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        let held = self.bytes.len();
        if held > LINE_BYTES_MAX {
            let number = self.number + 1;
            let text = format!("line {number}: longer than {LINE_BYTES_MAX} bytes");
            return Err(Failure::new(Exit::BadFrame, text));
        }
        self.bytes.resize(held + READ_BYTES, 0);
        let read = loop {
            match self.input.read(&mut self.bytes[held..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        self.bytes.truncate(held + *read.as_ref().unwrap_or(&0));
        self.ended = read.map_err(|e| cannot_read(&e))? == 0;
        Ok(())
    }

    /// What to poll before [`Lines::read`].
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }
}

fn cannot_read(error: &io::Error) -> Failure {
    Failure::usage(format_args!("cannot read stdin: {error}"))
}
