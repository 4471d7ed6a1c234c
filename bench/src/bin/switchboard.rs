//! Switchboard: the shortest service that a user writes, under any dispatcher; and the same as a
//! loop over blocking conversations.
//!
//! VARIANT is `events`, `threads`, `processes` or `conversations`.

use switchboard::transport::TlsServer;
use switchboard::{Dispatch, Endpoint, ListenOptions, Listener, Reply, Server};
use switchboard_peers::{Asked, Outcome, say};

/// The column with the most connections, and some to spare.
const AT_A_TIME: usize = 1100;

fn main() -> Outcome {
    let asked = Asked::with_variant();
    let server = Server::new(&asked.framing)?.with_listener(listener(&asked)?);
    let server = match asked.variant.as_str() {
        "conversations" => server.with_dispatch(Dispatch::threads().with_threads_max(AT_A_TIME)),
        name => server.with_dispatch(
            name.parse::<Dispatch>()?.with_threads_max(AT_A_TIME).with_processes_max(AT_A_TIME),
        ),
    };
    match &server.endpoints()[0] {
        Endpoint::Tcp { port, .. } | Endpoint::Tls { port, .. } => say(&port.to_string())?,
        _ => say("ready")?,
    }
    if asked.variant == "conversations" {
        server.serve_conversations(|conversation| {
            while let Some(message) = conversation.recv_owned()? {
                conversation.queue(&message)?;
            }
            Ok(())
        })?;
    } else {
        server.serve(|| |message: &[u8], reply: &mut Reply<'_>| reply.send(message))?;
    }
    Ok(())
}

fn listener(asked: &Asked) -> Result<Listener, Box<dyn std::error::Error>> {
    let mut options = ListenOptions::default();
    let endpoint = match (&asked.tls, asked.place.as_str()) {
        (Some((certificate, key)), _) => {
            options = options.with_tls(TlsServer::from_files(certificate, key)?);
            "tls://127.0.0.1:0"
        }
        (None, "tcp") => "127.0.0.1:0",
        (None, path) => path,
    };
    Ok(Listener::bind(&endpoint.parse()?, &options)?)
}
