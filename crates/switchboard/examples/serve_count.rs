//! Serves so many messages in one process, for a count of instructions: `serve_count DISPATCH
//! FRAMING BYTES IN_FLIGHT ROUNDS`. The client sends the same bytes in each round and looks at
//! nothing, so what it takes is next to nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use switchboard::server::{Dispatch, Reply, Server};
use switchboard_frame::{Encoder, Framing};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("DISPATCH FRAMING BYTES IN_FLIGHT ROUNDS");
    let (dispatch, framing): (Dispatch, String) = (next()?.parse()?, next()?);
    let mut number = || -> Result<usize, Failure> { Ok(next()?.parse()?) };
    let (bytes, in_flight, rounds) = (number()?, number()?, number()?);

    let server = Server::new(&framing)?.listen("127.0.0.1:0")?.with_dispatch(dispatch);
    let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    let running = server.start(echo)?;

    let mut encoder = Encoder::new(&Framing::parse(&framing)?)?;
    let mut sent = Vec::new();
    for _ in 0..in_flight {
        encoder.encode(&vec![b'm'; bytes], &mut sent)?;
    }
    let mut received = vec![0; sent.len()];
    let port = running.endpoints()[0].port().ok_or("no port")?;
    let mut client = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    for _ in 0..rounds {
        client.write_all(&sent)?;
        client.read_exact(&mut received)?;
    }
    assert!(received == sent, "an echo");
    drop(client);
    running.stop()?;
    Ok(())
}
