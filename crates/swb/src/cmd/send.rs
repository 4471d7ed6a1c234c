//! `swb send`: sends messages, half-closes, prints every reply until the end.

use std::os::fd::BorrowedFd;
use std::time::SystemTime;

use switchboard::{Ending, Error, Message};
use switchboard_frame::{Fields, Protocol};

use crate::args::SendArgs;
use crate::dialogue::{self, Dialogue, Next, Over, Talker};
use crate::exit::{Exit, Failure, Outcome};
use crate::json::Object;
use crate::lines::Lines;
use crate::payload;
use crate::printer::Printer;
use crate::signals::Interrupts;
use crate::time;
use crate::units;

pub(crate) fn run(args: &SendArgs, printer: &Printer) -> Outcome {
    let protocol = args.framing.protocol()?;
    let fields = args.fields.build()?;
    let mut expected = Vec::new();
    for text in &args.expect {
        expected.push(payload::read(text, args.hex)?);
    }
    let send = Send {
        source: source(args)?,
        refused_line: None,
        args,
        printer,
        expected,
        replies: 0,
        unexpected: false,
    };
    let interrupts = Interrupts::watch_to_end(printer)?;
    interrupts.outcome(converse(&protocol, &fields, send, &interrupts))
}

fn converse(
    protocol: &Protocol,
    fields: &Fields,
    mut send: Send<'_>,
    interrupts: &Interrupts,
) -> Outcome {
    let args = send.args;
    let mut conversation = args.connection.connect(protocol, interrupts.stopper(), send.printer)?;
    let over = Dialogue {
        conversation: &mut conversation,
        fields,
        stopper: interrupts.stopper(),
        timeout: args.timeout,
    }
    .run(&mut send)?;
    send.end(&over)?;
    dialogue::tell_what_was_not_shown(&conversation, send.printer);
    if let Over::Refused(error) = &over {
        let at = send.refused_line.map_or_else(String::new, |line| format!("line {line}: "));
        return Err(Failure::new(Exit::BadFrame, format_args!("{at}{error}")));
    }
    dialogue::outcome(over, &conversation)?;
    send.verdict()
}

fn source(args: &SendArgs) -> Result<Source, Failure> {
    let mut messages = Vec::new();
    let given: Vec<&String> = args.data.iter().chain(&args.payload).collect();
    for text in &given {
        if *text == "-" {
            if given.len() > 1 || args.count.is_some() {
                return Err(Failure::usage(
                    "-, the lines of stdin, can only be sent alone and once",
                ));
            }
            return Ok(Source::Lines(Lines::of_stdin()?));
        }
        messages.push(payload::read(text, args.hex)?);
    }
    let left = args.count.unwrap_or(1).saturating_mul(messages.len() as u64);
    Ok(Source::Given { messages, at: 0, left })
}

/// Where messages come from.
enum Source {
    /// The command line; `left` more are to be sent, from `at` on and around.
    Given { messages: Vec<Vec<u8>>, at: usize, left: u64 },
    /// stdin, a message a line.
    Lines(Lines),
}

struct Send<'a> {
    source: Source,
    refused_line: Option<u64>,
    args: &'a SendArgs,
    printer: &'a Printer,
    expected: Vec<Vec<u8>>,
    replies: u64,
    unexpected: bool,
}

impl Send<'_> {
    /// How many replies are expected in all.
    fn expected_replies(&self) -> u64 {
        self.args.count.unwrap_or(1).saturating_mul(self.expected.len() as u64)
    }

    /// Compares a reply with the one expected, if any is.
    fn compare(&mut self, reply: &[u8]) {
        let number = self.replies;
        if self.expected.is_empty() {
            return;
        }
        if number > self.expected_replies() {
            self.unexpected = true;
            self.printer.talk(&format!("swb: reply {number}: not expected: {}", self.shown(reply)));
            return;
        }
        let index = usize::try_from((number - 1) % self.expected.len() as u64).unwrap_or(0);
        let expected = &self.expected[index];
        if expected != reply {
            self.unexpected = true;
            self.printer.talk(&format!(
                "swb: reply {number}: expected {}, got {}",
                self.shown(expected),
                self.shown(reply)
            ));
        }
    }

    fn shown(&self, bytes: &[u8]) -> String {
        if self.args.hex {
            let mut text = String::from("x");
            payload::push_hex(&mut text, bytes);
            text
        } else {
            format!("\"{}\"", payload::escape(bytes))
        }
    }

    /// Whether the replies were the expected ones.
    fn verdict(&self) -> Outcome {
        let expected = self.expected_replies();
        if self.replies < expected {
            let expected = units::count(expected, "expected reply");
            let text = format!("{} of {expected} came", self.replies);
            return Err(Failure::new(Exit::No, text));
        }
        Ok(if self.unexpected { Exit::No } else { Exit::Done })
    }

    /// The last line of JSON.
    fn end(&self, over: &Over) -> Result<(), Failure> {
        if !self.args.json {
            return self.printer.flush();
        }
        let ending = match over {
            Over::Finished => Some(Ending::Finished),
            Over::Broken(error) => error.ending(),
            Over::TimedOut(_) => Some(Ending::TimedOut),
            Over::Refused(_) | Over::Interrupted => Some(Ending::Stopped),
        };
        let ending = ending.map_or("reset", Ending::name);
        let line = Object::new("end").string("ending", ending).line();
        self.printer.data_now(line.as_bytes())
    }
}

impl Talker for Send<'_> {
    fn next(&mut self) -> Result<Next, Failure> {
        match &mut self.source {
            Source::Given { left: 0, .. } => Ok(Next::End),
            Source::Given { messages, at, left } => {
                let message = messages[*at].clone();
                *at = (*at + 1) % messages.len();
                *left -= 1;
                Ok(Next::Message(message))
            }
            Source::Lines(lines) => {
                let Some(line) = lines.next() else {
                    return Ok(if lines.ended() { Next::End } else { Next::Wait });
                };
                self.refused_line = Some(line.number);
                if !self.args.hex {
                    return Ok(Next::Message(line.text.to_vec()));
                }
                payload::unhex(line.text).map(Next::Message).map_err(|why| {
                    Failure::new(Exit::BadFrame, format_args!("line {}: {why}", line.number))
                })
            }
        }
    }

    fn input(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Given { .. } => None,
            Source::Lines(lines) => Some(lines.descriptor()),
        }
    }

    fn read_input(&mut self) -> Result<(), Failure> {
        match &mut self.source {
            Source::Given { .. } => Ok(()),
            Source::Lines(lines) => lines.read(),
        }
    }

    fn received(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        self.replies += 1;
        if self.args.json {
            let line = Object::new("message")
                .number("n", message.number())
                .string("time", &time::utc(SystemTime::now()))
                .number("frame_bytes", message.frame_bytes())
                .bytes(message, self.args.hex)
                .line();
            self.printer.data(line.as_bytes())?;
        } else {
            self.printer.data(payload::line(message, self.args.hex).as_bytes())?;
        }
        self.compare(message);
        Ok(())
    }

    fn refused(&mut self, _error: &Error) -> Result<bool, Failure> {
        Ok(false)
    }

    fn peer_finished(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn pause(&mut self) -> Result<(), Failure> {
        self.printer.flush()
    }
}
