//! The fan-out as a user of Switchboard writes it: a group. With `senders`, the same with a sender
//! for each subscriber. Prints its port.

use std::sync::{Arc, Mutex, PoisonError};
use switchboard::server::{Bytes, Group, Sender, SlowPeer};
use switchboard::{Dispatch, Error, Reply, Server};

fn main() -> Result<(), Error> {
    let server = Server::new("u32be")?.listen("127.0.0.1:0")?;
    let server = server.with_dispatch(Dispatch::events().with_loops(1));
    println!("{}", server.endpoints()[0].port().unwrap_or(0));
    match std::env::args().nth(1).as_deref() {
        Some("senders") => senders(server),
        _ => group(server),
    }
}

fn group(server: Server) -> Result<(), Error> {
    let subscribers = Group::new();
    let serve = || {
        let subscribers = subscribers.clone();
        move |message: &[u8], reply: &mut Reply<'_>| {
            if message == b"subscribe" {
                subscribers.join(reply.sender(SlowPeer::Disconnect)?)?;
                return reply.send(message);
            }
            subscribers.send(message);
            Ok(())
        }
    };
    server.serve(serve).map(drop)
}

fn senders(server: Server) -> Result<(), Error> {
    let subscribers: Arc<Mutex<Vec<Sender>>> = Arc::default();
    let serve = || {
        let subscribers = Arc::clone(&subscribers);
        move |message: &[u8], reply: &mut Reply<'_>| {
            let mut subscribers = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
            if message == b"subscribe" {
                subscribers.push(reply.sender(SlowPeer::Disconnect)?);
                return reply.send(message);
            }
            let message = Bytes::copy_from_slice(message);
            subscribers.retain(|subscriber| subscriber.send(message.clone()).is_ok());
            Ok(())
        }
    };
    server.serve(serve).map(drop)
}
