//! Two people talk, line by line, each whenever they like. The end of stdin says goodbye.
//!
//! usage: chat listen ENDPOINT | chat ENDPOINT        as in: chat listen :7008

#![expect(clippy::print_stderr, reason = "a program talks to its user")]
#![expect(clippy::print_stdout, reason = "what the other person says is the output")]

use std::env::args;
use std::error::Error;
use std::io::stdin;
use std::process::ExitCode;
use std::thread;
use switchboard::frame::Protocol;
use switchboard::{Conversation, Listener, Timeouts};

fn meet(args: &[String]) -> Result<Conversation, Box<dyn Error>> {
    let [endpoint] = args else {
        let listener = Listener::listen(&args[1])?;
        eprintln!("listening on {}", listener.endpoints()[0]);
        return Ok(listener.accept_conversation(&"lines".parse::<Protocol>()?)?);
    };
    Ok(Conversation::connect(endpoint, "lines")?)
}

fn run(args: &[String]) -> Result<(), Box<dyn Error>> {
    // People think for longer than five minutes; that the other machine died, keepalive tells.
    let patient = Timeouts { idle: None, ..Timeouts::default() };
    let (mut receiving, mut sending) = meet(args)?.with_timeouts(patient).split()?;
    let listening = thread::spawn(move || -> Result<(), switchboard::Error> {
        while let Some(line) = receiving.recv()? {
            println!("{}", String::from_utf8_lossy(&line));
        }
        eprintln!("the other side has said goodbye");
        Ok(())
    });
    for line in stdin().lines() {
        sending.send(line?.as_bytes())?;
    }
    sending.finish()?; // We are done; the other side may not be.
    listening.join().map_err(|_| "the listening thread panicked")??;
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = args().skip(1).collect();
    if args.len() != 1 + usize::from(args.first().is_some_and(|first| first == "listen")) {
        eprintln!("usage: chat listen ENDPOINT | chat ENDPOINT");
        return ExitCode::from(2);
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::FAILURE
        }
    }
}
