//! tokio-util's Framed with `next` and `send`, as its documentation has it. `PORT u32be|lines`

use std::io;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec, LinesCodec, LinesCodecError};

#[tokio::main]
async fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let listener = TcpListener::bind(format!("127.0.0.1:{}", words[1])).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        match words[2].as_str() {
            "lines" => drop(tokio::spawn(lines(stream))),
            _ => drop(tokio::spawn(messages(stream))),
        }
    }
}

async fn messages(stream: TcpStream) -> io::Result<()> {
    let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
    while let Some(message) = framed.next().await {
        framed.send(message?.freeze()).await?;
    }
    Ok(())
}

async fn lines(stream: TcpStream) -> Result<(), LinesCodecError> {
    let mut framed = Framed::new(stream, LinesCodec::new());
    while let Some(line) = framed.next().await {
        framed.send(line?).await?;
    }
    Ok(())
}
