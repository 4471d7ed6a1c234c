//! An echo server: sends every message back as it came, under any dispatcher.
//!
//! usage: echo [ENDPOINT [FRAMING [DISPATCHER]]]        default: 127.0.0.1:7007 lines events

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::process::ExitCode;
use switchboard::{Dispatch, Error, Reply, Server};

/// Ten lines: the service is the closure, and `dispatch` is the one word to change.
fn serve(endpoint: &str, framing: &str, dispatch: Dispatch) -> Result<(), Error> {
    let server = Server::new(framing)?.listen(endpoint)?.with_dispatch(dispatch);
    for endpoint in server.endpoints() {
        eprintln!("listening on {endpoint}");
    }
    server.serve(|| |message: &[u8], reply: &mut Reply<'_>| reply.send(message))?;
    Ok(())
}

fn run() -> Result<(), Error> {
    let endpoint = args().nth(1).unwrap_or("127.0.0.1:7007".to_owned());
    let framing = args().nth(2).unwrap_or("lines".to_owned());
    let dispatch = args().nth(3).unwrap_or("events".to_owned()).parse()?;
    serve(&endpoint, &framing, dispatch)
}

fn main() -> ExitCode {
    if args().len() > 4 || args().nth(1).is_some_and(|first| first == "-h" || first == "--help") {
        eprintln!(
            "usage: echo [ENDPOINT [FRAMING [DISPATCHER]]]        \
             default: 127.0.0.1:7007 lines events"
        );
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
