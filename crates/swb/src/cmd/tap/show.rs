//! What `tap` prints: one record a message, as text or as JSON.

use std::time::SystemTime;

use switchboard::Ending;
use switchboard_frame::{Discarded, ErrorKind, Field, FrameError, Role};

use crate::cmd::tap::watch::Count;
use crate::exit::Failure;
use crate::json::Object;
use crate::payload;
use crate::printer::{Colour, Printer};
use crate::pump::Message;
use crate::time;
use crate::units;

/// Bytes a line of a dump.
const DUMP_BYTES: usize = 16;

/// How messages are shown.
pub(crate) struct Show {
    pub(crate) printer: Printer,
    pub(crate) json: bool,
    pub(crate) hex: bool,
}

/// Which conversation, which direction, when.
pub(crate) struct Stamp {
    conversation: u64,
    writer: Role,
    time: SystemTime,
}

impl Stamp {
    pub(crate) fn new(conversation: u64, writer: Role, time: Option<SystemTime>) -> Stamp {
        Stamp { conversation, writer, time: time.unwrap_or_else(SystemTime::now) }
    }

    fn object(&self, kind: &str) -> Object {
        Object::new(kind).number("conversation", self.conversation)
    }
}

impl Count {
    fn text(self) -> String {
        format!("{}, {}", units::count(self.messages, "message"), units::bytes(self.bytes))
    }
}

impl Show {
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        self.printer.flush()
    }

    pub(crate) fn message(&self, stamp: &Stamp, message: &Message<'_>) -> Result<(), Failure> {
        if self.json {
            let mut object = stamp
                .object("message")
                .number("n", message.n)
                .string("direction", stamp.writer.name())
                .string("time", &time::utc(stamp.time))
                .number("frame_bytes", message.frame_bytes);
            let mut fields = None;
            for (name, value) in message.fields() {
                let object = fields.take().unwrap_or_else(Object::plain);
                fields = Some(match value {
                    Field::Integer(number) => object.number(name, number),
                    Field::Bytes(bytes) => object.string(name, &hex(bytes)),
                });
            }
            if let Some(fields) = fields {
                object = object.object("fields", fields);
            }
            object = object.bytes(message.bytes, true);
            if !self.hex {
                object = object.bytes(message.bytes, false);
            }
            return self.printer.data(object.line().as_bytes());
        }
        let mut note = format!("#{} {}", message.n, units::bytes(message.frame_bytes));
        for (name, value) in message.fields() {
            match value {
                Field::Integer(number) => note.push_str(&format!(" {name}={number}")),
                Field::Bytes(bytes) => {
                    note.push_str(&format!(" {name}={}", payload::field_text(bytes)));
                }
            }
        }
        self.text(stamp, &note, Some(message.bytes))
    }

    pub(crate) fn discarded(&self, stamp: &Stamp, discarded: &Discarded) -> Result<(), Failure> {
        if self.json {
            let line = stamp
                .object("discarded")
                .string("direction", stamp.writer.name())
                .string("kind", ErrorKind::Oversize.name())
                .number("offset", discarded.offset)
                .number_or_null("frame_bytes", discarded.frame_bytes)
                .line();
            return self.printer.data(line.as_bytes());
        }
        let size = discarded.declared.map_or_else(|| "a frame".to_owned(), units::bytes);
        let note = format!(
            "discarded {size} at byte {}, over the limit of {}",
            discarded.offset, discarded.limit
        );
        self.text(stamp, &note, None)
    }

    /// From here on the direction is not framed.
    pub(crate) fn raw(
        &self,
        stamp: &Stamp,
        why: &str,
        error: Option<&FrameError>,
    ) -> Result<(), Failure> {
        if !self.json {
            return self.text(stamp, &format!("raw from here: {why}"), None);
        }
        let mut object =
            stamp.object("raw").string("direction", stamp.writer.name()).string("why", why);
        if let Some(error) = error {
            object = object
                .string("kind", error.kind().name())
                .number("offset", error.offset())
                .number("at", error.at());
        }
        self.printer.data(object.line().as_bytes())
    }

    /// Bytes of a direction that is not framed any more. JSON has one line for all of them, which
    /// says why.
    pub(crate) fn raw_bytes(&self, stamp: &Stamp, bytes: &[u8]) -> Result<(), Failure> {
        if self.json || bytes.is_empty() {
            return Ok(());
        }
        let note = format!("raw {}", units::bytes(bytes.len() as u64));
        self.text(stamp, &note, Some(bytes))
    }

    pub(crate) fn end(
        &self,
        stamp: &Stamp,
        ending: Ending,
        truncated: Option<&FrameError>,
        count: Count,
    ) -> Result<(), Failure> {
        let ending = truncated.map_or(ending.name(), |error| error.kind().name());
        if self.json {
            let mut object = stamp
                .object("end")
                .string("direction", stamp.writer.name())
                .string("ending", ending)
                .number("messages", count.messages)
                .number("bytes", count.bytes);
            if let Some(error) = truncated {
                object = object
                    .number("offset", error.offset())
                    .number("at", error.at())
                    .number_or_null("have", error.have())
                    .number_or_null("need", error.need());
            }
            return self.printer.data(object.line().as_bytes());
        }
        let mut note = format!("end {ending}: {}", count.text());
        if let Some(error) = truncated {
            note.push_str(&format!("; {error}"));
        }
        self.text(stamp, &note, None)
    }

    /// A direction that the other side ended, by `ending`.
    pub(crate) fn over(&self, stamp: &Stamp, ending: Ending, count: Count) -> Result<(), Failure> {
        let (ending, by) = (ending.name(), stamp.writer.other().name());
        if self.json {
            let object = stamp
                .object("end")
                .string("direction", stamp.writer.name())
                .string("ending", ending)
                .string("by", by)
                .number("messages", count.messages)
                .number("bytes", count.bytes);
            return self.printer.data(object.line().as_bytes());
        }
        self.text(stamp, &format!("over ({by} {ending}): {}", count.text()), None)
    }

    /// A line: conversation, time, direction, note; and the bytes behind it or below it.
    fn text(&self, stamp: &Stamp, note: &str, bytes: Option<&[u8]>) -> Result<(), Failure> {
        let (arrow, colour) = match stamp.writer {
            Role::Client => (">", Colour::Client),
            Role::Server => ("<", Colour::Server),
        };
        let clock = self.printer.paint(Colour::Note, &time::utc_clock(stamp.time));
        let note = self.printer.paint(colour, &format!("{arrow} {note}"));
        let mut line = format!("{} {clock} {note}", stamp.conversation);
        match bytes {
            Some(bytes) if self.hex => {
                line.push('\n');
                push_dump(&mut line, bytes);
            }
            Some(bytes) => {
                line.push_str(": ");
                line.push_str(&payload::escape(bytes));
                line.push('\n');
            }
            None => line.push('\n'),
        }
        self.printer.data(line.as_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    payload::push_hex(&mut text, bytes);
    text
}

/// Offset, hex and printable ASCII, sixteen bytes a line.
fn push_dump(out: &mut String, bytes: &[u8]) {
    for (index, chunk) in bytes.chunks(DUMP_BYTES).enumerate() {
        out.push_str(&format!("    {:04x} ", index * DUMP_BYTES));
        for (at, byte) in chunk.iter().enumerate() {
            if at == DUMP_BYTES / 2 {
                out.push(' ');
            }
            out.push(' ');
            payload::push_hex(out, &[*byte]);
        }
        let missing = DUMP_BYTES - chunk.len();
        let gap = if chunk.len() <= DUMP_BYTES / 2 { 1 } else { 0 };
        out.extend(std::iter::repeat_n(' ', missing * 3 + gap + 2));
        for byte in chunk {
            let shown = if byte.is_ascii_graphic() || *byte == b' ' { *byte } else { b'.' };
            out.push(char::from(shown));
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_keeps_its_columns() {
        let mut out = String::new();
        push_dump(&mut out, b"0123456789abcdef\x00\xffxyz");
        let whole = "    0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef";
        let gap = " ".repeat(34);
        assert_eq!(out, format!("{whole}\n    0010  00 ff 78 79 7a{gap}  ..xyz\n"));
    }
}
