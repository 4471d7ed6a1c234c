//! `swb encode`: messages in, bytes out, no socket.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;

use switchboard_frame::{Encoder, Role};

use crate::args::EncodeArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::payload;
use crate::printer::Printer;

/// The longest line that is read, in bytes: far over any message's default limit, even in hex.
const LINE_BYTES_MAX: u64 = 1 << 30;

pub(crate) fn run(args: &EncodeArgs, printer: &Printer) -> Outcome {
    let protocol = args.framing.protocol()?;
    let role = Role::from(args.role);
    let fields = args.fields.build()?;
    let mut encoder = Encoder::new(protocol.framing(role)).map_err(Failure::usage)?;
    let mut coupler = protocol.coupler();
    let mut lines = Lines::new()?;
    let mut bytes = Vec::new();
    while let Some(line) = lines.next(printer)? {
        let bad = |why: &dyn std::fmt::Display| {
            Failure::new(Exit::BadFrame, format_args!("line {}: {why}", line.number))
        };
        let decoded;
        let message = if args.hex {
            decoded = payload::unhex(line.text).map_err(|e| bad(&e))?;
            &decoded[..]
        } else {
            line.text
        };
        bytes.clear();
        // With fields the frame is built around the line; without, the line is what is received.
        let encoded = if fields.is_empty() {
            encoder.encode(message, &mut bytes)
        } else {
            encoder.encode_with(&fields, message, &mut bytes)
        };
        // What went before a bad line is whole and stays written.
        encoded.map_err(|e| bad(&e))?;
        printer.data(&bytes)?;
        for switch in coupler.observe(role, message) {
            if switch.writer == role {
                encoder.set_framing(&switch.framing).map_err(|e| bad(&e))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// The lines of stdin.
struct Lines {
    input: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

struct Line<'a> {
    /// Counted from 1.
    number: u64,
    /// Without its LF.
    text: &'a [u8],
}

impl Lines {
    fn new() -> Result<Lines, Failure> {
        let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(|e| cannot_read(&e))?;
        let input = BufReader::with_capacity(64 * 1024, File::from(stdin));
        Ok(Lines { input, line: Vec::new(), number: 0 })
    }

    fn next(&mut self, printer: &Printer) -> Result<Option<Line<'_>>, Failure> {
        if !self.input.buffer().contains(&b'\n') {
            // What is done is shown before anything is waited for.
            printer.flush()?;
        }
        self.line.clear();
        let mut limited = (&mut self.input).take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut self.line).map_err(|e| cannot_read(&e))?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let number = self.number;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() as u64 == LINE_BYTES_MAX {
            let text =
                format_args!("line {number}: longer than {LINE_BYTES_MAX} bytes").to_string();
            return Err(Failure::new(Exit::BadFrame, text));
        }
        Ok(Some(Line { number, text: &self.line }))
    }
}

fn cannot_read(error: &io::Error) -> Failure {
    Failure::usage(format_args!("cannot read stdin: {error}"))
}
