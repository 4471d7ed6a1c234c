//! An echo server: sends every message back as it came.
//!
//! usage: echo [ENDPOINT [FRAMING]]        default: 127.0.0.1:7007 lines

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::error::Error;
use std::process::ExitCode;
use switchboard::frame::Protocol;
use switchboard::{Conversation, Listener, ServeOptions, serve};

/// The service: ten lines, one conversation.
fn echo(conversation: &mut Conversation) -> Result<(), switchboard::Error> {
    while let Some(message) = conversation.recv_owned()? {
        // Queued, not sent: replies to requests that came together leave together. Whatever is
        // queued goes out before `recv_owned` waits.
        conversation.queue(&message)?;
    }
    Ok(())
}

fn run() -> Result<(), Box<dyn Error>> {
    let endpoint = args().nth(1).unwrap_or("127.0.0.1:7007".to_owned());
    let framing = args().nth(2).unwrap_or("lines".to_owned());
    let protocol: Protocol = framing.parse()?;
    let listener = Listener::listen(&endpoint)?;
    for endpoint in listener.endpoints() {
        eprintln!("listening on {endpoint}");
    }
    serve(&listener, &protocol, &ServeOptions::default(), echo)?;
    Ok(())
}

fn main() -> ExitCode {
    if args().len() > 3 || args().nth(1).is_some_and(|first| first == "-h" || first == "--help") {
        eprintln!("usage: echo [ENDPOINT [FRAMING]]        default: 127.0.0.1:7007 lines");
        return ExitCode::from(2);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}
