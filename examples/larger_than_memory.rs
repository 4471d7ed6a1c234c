//! A file of any size as one message: neither side ever holds more than a small piece of it.
//!
//! usage: larger_than_memory send ENDPOINT FILE | larger_than_memory receive ENDPOINT FILE

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::error::Error;
use std::fs::File;
use std::process::ExitCode;
use switchboard::frame::Protocol;
use switchboard::{Conversation, Listener};

/// The limit is there even here: 1024 GiB, and not what a peer likes to announce.
const FRAMING: &str = "u64be max=1024GiB";

fn send(endpoint: &str, path: &str) -> Result<(), Box<dyn Error>> {
    let mut file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let mut conversation = Conversation::connect(endpoint, FRAMING)?;
    let bytes = file.metadata()?.len();
    conversation.send_from(&mut file, bytes)?;
    conversation.close()?;
    eprintln!("sent {bytes} bytes");
    Ok(())
}

fn receive(endpoint: &str, path: &str) -> Result<(), Box<dyn Error>> {
    let mut file = File::create(path).map_err(|error| format!("{path}: {error}"))?;
    let listener = Listener::listen(endpoint)?;
    eprintln!("listening on {}", listener.endpoints()[0]);
    let mut conversation = listener.accept_conversation(&FRAMING.parse::<Protocol>()?)?;
    let bytes = conversation.recv_to(&mut file)?.ok_or("the sender had nothing to send")?;
    conversation.close()?;
    eprintln!("received {bytes} bytes");
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["send", endpoint, path] => send(endpoint, path),
        ["receive", endpoint, path] => receive(endpoint, path),
        _ => {
            eprintln!("usage: larger_than_memory send|receive ENDPOINT FILE");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larger_than_memory: {error}");
            ExitCode::FAILURE
        }
    }
}
