//! Reads a page from a web server, to the end of the stream.
//!
//! usage: fetch HOST:PORT [PATH]        as in: fetch localhost:80 /

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;
use switchboard::frame::{Framing, Protocol, Role};
use switchboard::{ConnectOptions, Conversation, Endpoint};

fn run(address: &str, path: &str) -> Result<(), Box<dyn Error>> {
    let endpoint: Endpoint = address.parse()?;
    let transport = endpoint.connect(&ConnectOptions::default())?;
    // The client writes lines. What the server writes is one message, which its close ends.
    let protocol = Protocol::new(Framing::parse("crlf")?, Framing::parse("eof max=256MiB")?);
    let mut conversation = Conversation::with_role(transport, &protocol, Role::Client);
    let request = format!("GET {path} HTTP/1.0");
    let host = format!("Host: {}", address.trim_start_matches("tcp://"));
    conversation.send_many([&request, &host, "Connection: close", ""])?;
    let page = conversation.recv()?.ok_or("the server closed without an answer")?;

    let blank = page.windows(4).position(|four| four == b"\r\n\r\n");
    let blank = blank.ok_or("the answer has no end of its header lines")?;
    let (header, body) = (String::from_utf8_lossy(&page[..blank]), &page[blank + 4..]);
    let mut lines = header.lines();
    let status = lines.next().unwrap_or_default();
    stdout().write_all(body)?;
    // A server that dies in the middle closes too: only a length, where there is one, can tell.
    let lengths = lines.filter_map(|line| line.split_once(':'));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if let Some((_, length)) = lengths.next()
        && length.trim().parse() != Ok(body.len())
    {
        return Err(format!("{} bytes came, of{length}", body.len()).into());
    }
    eprintln!("{status}, {} bytes", body.len());
    if status.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(status.into()) }
}

fn main() -> ExitCode {
    let args: Vec<String> = args().skip(1).collect();
    let (Some(address), true) = (args.first(), args.len() <= 2) else {
        eprintln!("usage: fetch HOST:PORT [PATH]");
        return ExitCode::from(2);
    };
    match run(address, args.get(1).map_or("/", String::as_str)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fetch: {error}");
            ExitCode::FAILURE
        }
    }
}
