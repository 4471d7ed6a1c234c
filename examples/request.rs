//! Sends one message and prints the one that comes back.
//!
//! usage: request ENDPOINT FRAMING MESSAGE        as in: request 127.0.0.1:7007 lines hello

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;
use switchboard::{Conversation, Error};

fn run(endpoint: &str, framing: &str, message: &str) -> Result<(), Error> {
    let conversation = Conversation::connect(endpoint, framing)?;
    let mut conversation = conversation.with_timeout(Duration::from_secs(10));
    let reply = conversation.request(message.as_bytes())?;
    let mut out = stdout().lock();
    let written = out.write_all(&reply).and_then(|()| out.write_all(b"\n"));
    written.map_err(|error| Error::io("cannot print the reply", error))?;
    conversation.close()
}

fn main() -> ExitCode {
    let args: Vec<String> = args().skip(1).collect();
    let [endpoint, framing, message] = &args[..] else {
        eprintln!("usage: request ENDPOINT FRAMING MESSAGE");
        return ExitCode::from(2);
    };
    match run(endpoint, framing, message) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("request: {error}");
            ExitCode::FAILURE
        }
    }
}
