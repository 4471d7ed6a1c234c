//! The fan-out as a user of Switchboard writes it. Prints its port.

#![expect(clippy::print_stdout, reason = "the port it listens at")]

use std::sync::{Arc, Mutex};
use switchboard::server::{Bytes, Sender, SlowPeer};
use switchboard::{Dispatch, Error, Reply, Server};

fn main() -> Result<(), Error> {
    let server = Server::new("u32be")?.listen("127.0.0.1:0")?;
    let server = server.with_dispatch(Dispatch::events().with_loops(1));
    println!("{}", server.endpoints()[0].port().unwrap_or(0));
    let subscribers: Arc<Mutex<Vec<Sender>>> = Arc::default();
    let serve = || {
        let subscribers = Arc::clone(&subscribers);
        move |message: &[u8], reply: &mut Reply<'_>| {
            let mut subscribers = subscribers.lock().expect("nobody panicked");
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
