//! What one says, all hear. A way in is `swb talk localhost:7010 --frame lines`.
//! usage: chat_room [ENDPOINT [DISPATCHER]]        default: 127.0.0.1:7010 events

#![expect(clippy::print_stderr, reason = "a program talks to its user")]

use std::env::args;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use switchboard::server::{Sender, SlowPeer};
use switchboard::{Ending, Error, Message, Reply, Server, Service};

/// Those who are here. No call under its lock waits.
type Room = Arc<Mutex<Vec<Sender>>>;

struct Guest {
    name: String,
    room: Room,
}

impl Guest {
    fn tell_all(&self, what: &str) {
        let line = format!("{}: {what}", self.name);
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.retain(|guest| guest.send(line.clone()).is_ok()); // Else it is here no longer.
    }
}

impl Service for Guest {
    fn opened(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.name = reply.remote().map_or("somebody".to_owned(), |remote| remote.to_string());
        let guest = reply.sender(SlowPeer::Disconnect)?;
        self.room.lock().unwrap_or_else(PoisonError::into_inner).push(guest);
        self.tell_all("hello");
        Ok(())
    }

    fn message(&mut self, message: Message<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
        self.tell_all(&String::from_utf8_lossy(&message));
        Ok(())
    }

    fn closed(&mut self, ending: Ending, _: Option<&Error>) {
        self.tell_all(&format!("gone ({ending})"));
    }
}

fn serve() -> Result<(), Error> {
    let endpoint = args().nth(1).unwrap_or("127.0.0.1:7010".to_owned());
    let dispatch = args().nth(2).unwrap_or("events".to_owned()).parse()?;
    let server = Server::new("lines")?.listen(&endpoint)?.with_dispatch(dispatch);
    eprintln!("listening on {}", server.endpoints()[0]);
    let room = Room::default(); // What is made for each guest shares it.
    server.serve(|| Guest { name: String::new(), room: Arc::clone(&room) }).map(drop)
}

fn main() -> ExitCode {
    let served = serve().inspect_err(|error| eprintln!("chat_room: {error}"));
    served.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
