//! tokio, on a runtime of one thread, since a server here has one processor.
//!
//! VARIANT is `framed`, tokio-util's codecs as most people write them, with `next` and `send`;
//! `batched`, the same with `feed`, and `flush` once nothing more has come; `by-hand`, a BytesMut
//! for each direction.

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::future::FutureExt as _;
use futures_util::sink::SinkExt as _;
use futures_util::stream::StreamExt as _;
use std::io;
use switchboard_peers::{Asked, Listener, Outcome};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::{Decoder, Encoder, Framed, LengthDelimitedCodec, LinesCodec};

/// What a read has room for at least, and the size of a buffer at rest.
const READ_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy)]
enum Form {
    Framed,
    Batched,
    ByHand,
    FramedLines,
    BatchedLines,
}

impl Form {
    fn of(asked: &Asked) -> Result<Form, String> {
        match (asked.variant.as_str(), asked.framing.as_str()) {
            ("framed", "u32be") => Ok(Form::Framed),
            ("batched", "u32be") => Ok(Form::Batched),
            ("by-hand", "u32be") => Ok(Form::ByHand),
            ("framed", "lines") => Ok(Form::FramedLines),
            ("batched", "lines") => Ok(Form::BatchedLines),
            (variant, framing) => Err(format!("there is no {variant} of {framing}")),
        }
    }
}

fn main() -> Outcome {
    let asked = Asked::with_variant();
    let form = Form::of(&asked)?;
    let tls = match &asked.tls {
        Some(_) => Some(TlsAcceptor::from(asked.tls_config()?)),
        None => None,
    };
    let listener = asked.listen()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(accept(listener, tls, form))
}

async fn accept(listener: Listener, tls: Option<TlsAcceptor>, form: Form) -> Outcome {
    match listener {
        Listener::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(converse(stream, form));
            }
        }
        Listener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                match tls.clone() {
                    Some(tls) => tokio::spawn(async move {
                        if let Ok(stream) = tls.accept(stream).await {
                            converse(stream, form).await;
                        }
                    }),
                    None => tokio::spawn(converse(stream, form)),
                };
            }
        }
    }
}

/// How one connection ends is of no interest here.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, form: Form) {
    let by_length = LengthDelimitedCodec::new;
    let by_line = LinesCodec::new;
    match form {
        Form::Framed => framed::<_, _, Bytes, _>(Framed::new(stream, by_length())).await.ok(),
        Form::Batched => batched::<_, _, Bytes, _>(Framed::new(stream, by_length())).await.ok(),
        Form::ByHand => by_hand(stream).await.ok(),
        Form::FramedLines => framed::<_, _, String, _>(Framed::new(stream, by_line())).await.ok(),
        Form::BatchedLines => batched::<_, _, String, _>(Framed::new(stream, by_line())).await.ok(),
    };
}

/// `M` is what is sent for what is received: `Bytes` for `BytesMut`, a `String` for itself.
async fn framed<S, C, M, E>(mut framed: Framed<S, C>) -> Result<(), E>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Decoder<Item: Into<M>, Error = E> + Encoder<M, Error = E>,
    E: From<io::Error>,
{
    while let Some(message) = framed.next().await {
        framed.send(message?.into()).await?;
    }
    Ok(())
}

async fn batched<S, C, M, E>(mut framed: Framed<S, C>) -> Result<(), E>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Decoder<Item: Into<M>, Error = E> + Encoder<M, Error = E>,
    E: From<io::Error>,
{
    while let Some(message) = framed.next().await {
        framed.feed(message?.into()).await?;
        // What has come with it, until a message would have to be waited for.
        while let Some(Some(message)) = framed.next().now_or_never() {
            framed.feed(message?.into()).await?;
        }
        framed.flush().await?;
    }
    Ok(())
}

async fn by_hand<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    let mut input = BytesMut::with_capacity(READ_BYTES);
    let mut output = BytesMut::with_capacity(READ_BYTES);
    let mut wanted = READ_BYTES;
    loop {
        input.reserve(wanted);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        wanted = READ_BYTES;
        while let Some((prefix, _)) = input.split_first_chunk::<4>() {
            let whole = 4 + u32::from_be_bytes(*prefix) as usize;
            if input.len() < whole {
                wanted = wanted.max(whole - input.len());
                break;
            }
            output.extend_from_slice(&input[..whole]);
            input.advance(whole);
        }
        stream.write_all(&output).await?;
        output.clear();
    }
}
