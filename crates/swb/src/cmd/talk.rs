//! `swb talk`: a line typed is a message; what comes is shown with its time.

use std::os::fd::BorrowedFd;
use std::time::SystemTime;

use switchboard::{Error, Message};
use switchboard_frame::{Field, Fields, Protocol};

use crate::args::TalkArgs;
use crate::dialogue::{self, Dialogue, Next, Talker};
use crate::exit::{Exit, Failure, Outcome};
use crate::lines::Lines;
use crate::payload;
use crate::printer::{Colour, Printer};
use crate::signals::Interrupts;
use crate::time;

pub(crate) fn run(args: &TalkArgs, printer: &Printer) -> Outcome {
    let protocol = args.framing.protocol()?;
    let fields = args.fields.build()?;
    let talk = Talk { lines: Lines::of_stdin()?, hex: args.hex, printer };
    let interrupts = Interrupts::watch_to_end(printer)?;
    interrupts.outcome(converse(args, &protocol, &fields, talk, &interrupts))
}

fn converse(
    args: &TalkArgs,
    protocol: &Protocol,
    fields: &Fields,
    mut talk: Talk<'_>,
    interrupts: &Interrupts,
) -> Outcome {
    let printer = talk.printer;
    let mut conversation = args.connection.connect(protocol, interrupts.stopper(), printer)?;
    printer.talk(&format!("connected to {}", conversation.transport().name()));
    let over = Dialogue {
        conversation: &mut conversation,
        fields,
        stopper: interrupts.stopper(),
        timeout: args.timeout,
    }
    .run(&mut talk)?;
    printer.flush()?;
    dialogue::tell_what_was_not_shown(&conversation, printer);
    dialogue::outcome(over, &conversation)?;
    Ok(Exit::Done)
}

struct Talk<'a> {
    lines: Lines,
    hex: bool,
    printer: &'a Printer,
}

impl Talker for Talk<'_> {
    fn next(&mut self) -> Result<Next, Failure> {
        while let Some(line) = self.lines.next() {
            match payload::text(line.text, self.hex) {
                Ok(message) => return Ok(Next::Message(message)),
                // A slip of the fingers ends no conversation.
                Err(why) => self.printer.talk(&format!("swb: not sent: {why}")),
            }
        }
        Ok(if self.lines.ended() { Next::End } else { Next::Wait })
    }

    fn input(&self) -> Option<BorrowedFd<'_>> {
        Some(self.lines.descriptor())
    }

    fn read_input(&mut self) -> Result<(), Failure> {
        self.lines.read()
    }

    fn received(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let clock = self.printer.paint(Colour::Note, &time::utc_clock(SystemTime::now()));
        let mut note = String::from("<");
        for name in message.field_names() {
            // The length is plain to see.
            match message.field(name).filter(|_| name != "len") {
                Some(Field::Integer(number)) => note.push_str(&format!(" {name}={number}")),
                Some(Field::Bytes(bytes)) => {
                    note.push_str(&format!(" {name}={}", payload::field_text(bytes)));
                }
                None => {}
            }
        }
        let note = self.printer.paint(Colour::Server, &note);
        let line = format!("{clock} {note} {}", payload::line(message, self.hex));
        self.printer.data(line.as_bytes())
    }

    fn refused(&mut self, error: &Error) -> Result<bool, Failure> {
        self.printer.talk(&format!("swb: not sent: {error}"));
        Ok(true)
    }

    fn peer_finished(&mut self) -> Result<(), Failure> {
        self.printer.flush()?;
        self.printer.talk("the peer has finished sending");
        Ok(())
    }

    fn pause(&mut self) -> Result<(), Failure> {
        self.printer.flush()
    }
}
