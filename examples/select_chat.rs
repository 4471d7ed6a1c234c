//! A chat room in one thread: what one guest says, all the others hear.
//!
//! usage: select_chat [ENDPOINT]        default: 127.0.0.1:7009; then chat 127.0.0.1:7009

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::collections::BTreeSet;
use std::process::ExitCode;
use switchboard::frame::{Protocol, Role};
use switchboard::{Conversation, Listener, Received, Source, limits, select};

fn run(endpoint: &str) -> Result<(), Box<dyn std::error::Error>> {
    let listener = Listener::bind(&endpoint.parse()?, &Default::default())?;
    eprintln!("listening on {}", listener.endpoints()[0]);
    let lines: Protocol = "lines".parse()?;
    let mut guests: Vec<Conversation> = Vec::new();
    loop {
        // The guests first, so that an index is a guest's; the door last, and only while there is
        // room. Nobody stands in the writers: a reader with pending output is woken to write it.
        let mut readers: Vec<&dyn Source> = guests.iter().map(|guest| guest as _).collect();
        if guests.len() < limits::CONVERSATIONS_MAX {
            readers.push(&listener);
        }
        let ready = select(&readers, &[], &[], None)?.readers;
        let (door, mut leaving) = (guests.len(), BTreeSet::new());
        for at in ready {
            if at == door {
                let Some(transport) = listener.try_accept()? else { continue };
                let mut guest = Conversation::with_role(transport, &lines, Role::Server);
                if guest.try_send(b"welcome").is_ok() {
                    guests.push(guest);
                }
                continue;
            }
            // One message a turn; what is buffered behind it, `select` will see.
            let line = match guests[at].try_recv() {
                Ok(Received::Message(line)) => line.to_vec(),
                Ok(Received::Pending) => continue,
                Ok(Received::Finished) | Err(_) => {
                    leaving.insert(at);
                    continue;
                }
            };
            // Who does not read, for longer than the kernel holds what was said, has left.
            let others = guests.iter_mut().enumerate().filter(|(other, _)| *other != at);
            leaving.extend(others.filter_map(|(other, guest)| {
                (!guest.try_send(&line).unwrap_or(false)).then_some(other)
            }));
        }
        leaving.into_iter().rev().for_each(|at| drop(guests.remove(at)));
    }
}

fn main() -> ExitCode {
    let endpoint = std::env::args().nth(1).unwrap_or("127.0.0.1:7009".to_owned());
    let Err(error) = run(&endpoint) else { return ExitCode::SUCCESS };
    eprintln!("select_chat: {error}");
    ExitCode::FAILURE
}
