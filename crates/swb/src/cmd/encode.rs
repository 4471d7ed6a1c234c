//! `swb encode`: messages in, bytes out, no socket.

use switchboard_frame::{Coupler, Encoder, Fields, Role};

use crate::args::EncodeArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::lines::Lines;
use crate::payload;
use crate::printer::Printer;

pub(crate) fn run(args: &EncodeArgs, printer: &Printer) -> Outcome {
    let protocol = args.framing.protocol()?;
    let role = Role::from(args.role);
    let mut encode = Encode {
        hex: args.hex,
        fields: args.fields.build()?,
        encoder: Encoder::new(protocol.framing(role)).map_err(Failure::usage)?,
        coupler: protocol.coupler(),
        role,
        bytes: Vec::new(),
    };
    let mut lines = Lines::of_stdin()?;
    loop {
        while let Some(line) = lines.next() {
            // What went before a bad line is whole and stays written.
            let bytes = encode.line(line.text).map_err(|why| {
                Failure::new(Exit::BadFrame, format_args!("line {}: {why}", line.number))
            })?;
            printer.data(bytes)?;
        }
        if lines.ended() {
            return Ok(Exit::Done);
        }
        // What is done is shown before anything is waited for.
        printer.flush()?;
        lines.read()?;
    }
}

struct Encode {
    hex: bool,
    fields: Fields,
    encoder: Encoder,
    coupler: Coupler,
    role: Role,
    bytes: Vec<u8>,
}

impl Encode {
    /// The bytes of one line's message.
    fn line(&mut self, text: &[u8]) -> Result<&[u8], String> {
        let decoded;
        let message = if self.hex {
            decoded = payload::unhex(text)?;
            &decoded[..]
        } else {
            text
        };
        self.bytes.clear();
        // With fields the frame is built around the line; without, the line is what is received.
        let encoded = if self.fields.is_empty() {
            self.encoder.encode(message, &mut self.bytes)
        } else {
            self.encoder.encode_with(&self.fields, message, &mut self.bytes)
        };
        encoded.map_err(|e| e.to_string())?;
        for switch in self.coupler.observe(self.role, message) {
            if switch.writer == self.role {
                self.encoder.set_framing(&switch.framing).map_err(|e| e.to_string())?;
            }
        }
        Ok(&self.bytes)
    }
}
