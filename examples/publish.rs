//! What is published, all subscribers are sent: `subscribe` makes one of a conversation, every
//! other line is published. A way in is `swb talk localhost:7020 --frame lines`.
//! usage: publish [ENDPOINT [DISPATCHER]]        default: 127.0.0.1:7020 events

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::process::ExitCode;
use switchboard::server::{Group, SlowPeer};
use switchboard::{Error, Reply, Server};

fn serve() -> Result<(), Error> {
    let endpoint = args().nth(1).unwrap_or("127.0.0.1:7020".to_owned());
    let dispatch = args().nth(2).unwrap_or("events".to_owned()).parse()?;
    let server = Server::new("lines")?.listen(&endpoint)?.with_dispatch(dispatch);
    eprintln!("listening on {}", server.endpoints()[0]);
    let subscribers = Group::new();
    let stats = server.serve(|| {
        let subscribers = subscribers.clone();
        move |line: &[u8], reply: &mut Reply<'_>| match line {
            b"subscribe" => {
                // Whoever does not keep up with the others is not waited for.
                subscribers.join(reply.sender(SlowPeer::Disconnect)?)?;
                reply.send(b"subscribed")
            }
            b"unsubscribe" => {
                subscribers.leave(&reply.sender(SlowPeer::Disconnect)?);
                reply.send(b"unsubscribed")
            }
            line => {
                subscribers.send(line);
                Ok(())
            }
        }
    });
    stats.map(drop)
}

fn main() -> ExitCode {
    let served = serve().inspect_err(|error| eprintln!("publish: {error}"));
    served.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
