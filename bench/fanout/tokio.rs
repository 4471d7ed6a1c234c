//! The fan-out as people write it with tokio: a task for each connection, and one broadcast
//! channel. With `batched`, its best form: what has gathered in the channel leaves in one write.
//! Prints its port.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

type Stream = Framed<TcpStream, LengthDelimitedCodec>;

fn main() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(listen())
}

async fn listen() -> io::Result<()> {
    let batched = std::env::args().nth(1).is_some_and(|arg| arg == "batched");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let (everyone, _) = broadcast::channel::<Bytes>(4096);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = Framed::new(stream, LengthDelimitedCodec::new());
        tokio::spawn(serve(stream, everyone.clone(), batched));
    }
}

async fn serve(mut stream: Stream, everyone: Sender<Bytes>, batched: bool) -> io::Result<()> {
    while let Some(message) = stream.next().await {
        let message = message?.freeze();
        if &message[..] == b"subscribe" {
            let messages = everyone.subscribe();
            stream.send(message).await?;
            return subscriber(stream, messages, batched).await;
        }
        // Nobody may be listening.
        let _ = everyone.send(message);
    }
    Ok(())
}

/// One that is too slow misses what the channel does not hold.
async fn subscriber(
    mut stream: Stream,
    mut messages: Receiver<Bytes>,
    batched: bool,
) -> io::Result<()> {
    loop {
        let message = match messages.recv().await {
            Ok(message) => message,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return Ok(()),
        };
        if !batched {
            stream.send(message).await?;
            continue;
        }
        stream.feed(message).await?;
        while let Ok(message) = messages.try_recv() {
            stream.feed(message).await?;
        }
        SinkExt::<Bytes>::flush(&mut stream).await?;
    }
}
