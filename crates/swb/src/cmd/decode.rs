//! `swb decode`: bytes in, messages out, no socket.
//!
//! Memory is bounded by the framing's own limit: bytes are read as they are needed and each message
//! is printed as it comes.

use std::fs::File;
use std::io::{self, Read};

use switchboard_frame::{Coupler, Discarded, FrameError, Role};

use crate::args::DecodeArgs;
use crate::cmd::decode_pcap;
use crate::exit::{Exit, Failure, Outcome};
use crate::json::Object;
use crate::payload;
use crate::printer::Printer;
use crate::pump::{self, Event, Message, Pump};

pub(crate) fn run(args: &DecodeArgs, printer: &Printer) -> Outcome {
    let protocol = args.framing.protocol()?;
    if args.pcap {
        return decode_pcap::run(args, &protocol, printer);
    }
    let role = Role::from(args.role);
    let mut decode = Decode {
        pump: Pump::new(protocol.framing(role)),
        coupler: protocol.coupler(),
        role,
        args,
        printer,
    };
    let (mut input, name) = open(args)?;
    loop {
        // What is known is shown before anything is waited for.
        printer.flush()?;
        let read = match input.read(decode.pump.spare(args.read_size)) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(Failure::usage(format_args!("cannot read {name}: {error}")));
            }
        };
        decode.pump.filled(read);
        if let Some(exit) = decode.show(read == 0)? {
            return Ok(exit);
        }
    }
}

/// Where the bytes come from, and its name.
pub(super) fn open(args: &DecodeArgs) -> Result<(Box<dyn Read>, String), Failure> {
    match args.file.as_deref() {
        Some(path) if path.as_os_str() != "-" => {
            let file = File::open(path)
                .map_err(|e| Failure::usage(format_args!("cannot open {}: {e}", path.display())))?;
            Ok((Box::new(file), path.display().to_string()))
        }
        _ => Ok((Box::new(io::stdin().lock()), "stdin".to_owned())),
    }
}

struct Decode<'a> {
    pump: Pump,
    coupler: Coupler,
    role: Role,
    args: &'a DecodeArgs,
    printer: &'a Printer,
}

impl Decode<'_> {
    /// Prints what the bytes given so far hold; the exit code when the stream has ended.
    fn show(&mut self, at_end: bool) -> Result<Option<Exit>, Failure> {
        loop {
            let switches = match self.pump.next(at_end) {
                Event::Wait => return Ok(None),
                Event::Message(message) => {
                    self.printer.data(line(self.args, &message).as_bytes())?;
                    self.coupler.observe(self.role, message.bytes)
                }
                Event::Discarded(discarded) => {
                    self.discarded(&discarded)?;
                    continue;
                }
                Event::Finished(offset) => {
                    if self.args.json {
                        let end = Object::new("end").string("ending", "finished");
                        self.printer.data(end.number("offset", offset).line().as_bytes())?;
                    }
                    return Ok(Some(Exit::Done));
                }
                Event::Broken(error) => {
                    self.broken(&error)?;
                    return Ok(Some(Exit::BadFrame));
                }
            };
            // The other side is not heard here: only what this side itself changes is known.
            for switch in switches.iter().filter(|switch| switch.writer == self.role) {
                self.pump.switch(&switch.framing);
                if let Some(why) = switch.why {
                    self.printer.talk(&format!("swb: {why}"));
                }
            }
        }
    }

    fn discarded(&self, discarded: &Discarded) -> Result<(), Failure> {
        if self.args.json {
            let line = Object::new("discarded")
                .string("kind", "oversize")
                .number("offset", discarded.offset)
                .number_or_null("frame_bytes", discarded.frame_bytes)
                .line();
            return self.printer.data(line.as_bytes());
        }
        let declared = match discarded.declared {
            Some(declared) => format!("{declared} bytes"),
            None => "a frame".to_owned(),
        };
        self.printer.flush()?;
        self.printer.talk(&format!(
            "swb: discarded {declared} at byte {}: over the limit of {}",
            discarded.offset, discarded.limit
        ));
        Ok(())
    }

    fn broken(&self, error: &FrameError) -> Result<(), Failure> {
        if self.args.json {
            let mut end = Object::new("end")
                .string("ending", error.kind().name())
                .number("offset", error.offset())
                .number("at", error.at());
            if error.kind() == switchboard_frame::ErrorKind::Truncated {
                end = end.number_or_null("have", error.have()).number_or_null("need", error.need());
            }
            self.printer.data(end.line().as_bytes())?;
        }
        self.printer.flush()?;
        self.printer.talk(&format!("swb: {}", pump::describe(&self.pump, error)));
        Ok(())
    }
}

fn line(args: &DecodeArgs, message: &Message<'_>) -> String {
    if args.json {
        return Object::new("message")
            .number("n", message.n)
            .number("offset", message.offset)
            .number("frame_bytes", message.frame_bytes)
            .bytes(message.bytes, args.hex)
            .line();
    }
    payload::line(message.bytes, args.hex)
}
