//! `swb frames`: the presets, or one framing drawn.

use switchboard_frame::{Framing, Preset, Protocol, Role, presets};

use crate::args::FramesArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::json::Object;
use crate::printer::Printer;

/// Columns that notes are wrapped to.
const WIDTH: usize = 78;

pub(crate) fn run(args: &FramesArgs, printer: &Printer) -> Outcome {
    match (&args.framing, args.json) {
        (None, false) => list(printer)?,
        (None, true) => {
            for preset in presets() {
                printer.data(preset_object(preset).line().as_bytes())?;
            }
        }
        (Some(text), json) => one(text, json, printer)?,
    }
    Ok(Exit::Done)
}

/// Every preset: its name, its framing, the document it follows.
fn list(printer: &Printer) -> Result<(), Failure> {
    let width = presets().iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for preset in presets() {
        let name = preset.name;
        if preset.client == preset.server {
            out.push_str(&format!("{name:width$}  {}\n", preset.client));
        } else {
            out.push_str(&format!("{name:width$}  {}  (client)\n", preset.client));
            out.push_str(&format!("{:width$}  {}  (server)\n", "", preset.server));
        }
        out.push_str(&format!("{:width$}  {}\n", "", preset.source));
    }
    printer.data(out.as_bytes())
}

/// One framing, by its name or as a string.
fn one(text: &str, json: bool, printer: &Printer) -> Result<(), Failure> {
    let protocol: Protocol = text.parse().map_err(Failure::usage)?;
    let preset = presets().iter().find(|preset| preset.name == text);
    let (client, server) = (protocol.framing(Role::Client), protocol.framing(Role::Server));
    if json {
        let object = match preset {
            Some(preset) => preset_object(preset),
            None => Object::new("framing")
                .string("client", &client.to_string())
                .string("server", &server.to_string()),
        };
        return printer.data(object.line().as_bytes());
    }
    let mut out = String::new();
    if let Some(preset) = preset {
        out.push_str(&format!("{}: {}\n", preset.name, preset.source));
        push_wrapped(&mut out, preset.notes);
        out.push('\n');
    }
    if protocol.is_symmetric() {
        push_drawing(&mut out, "", client);
    } else {
        push_drawing(&mut out, "client: ", client);
        out.push('\n');
        push_drawing(&mut out, "server: ", server);
    }
    printer.data(out.as_bytes())
}

/// Text in lines that fit a screen.
fn push_wrapped(out: &mut String, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    if column > 0 {
        out.push('\n');
    }
}

fn push_drawing(out: &mut String, side: &str, framing: &Framing) {
    out.push_str(&format!("{side}{framing}\n"));
    let drawing = framing.describe();
    out.push_str(drawing.trim_end());
    out.push('\n');
}

fn preset_object(preset: &Preset) -> Object {
    Object::new("preset")
        .string("name", preset.name)
        .string("client", preset.client)
        .string("server", preset.server)
        .string("source", preset.source)
        .string("notes", preset.notes)
}
