//! What is said to the servers of each protocol, and what they say. All bodies have one size, so
//! the frames of one direction have one too.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::str::FromStr;

pub(crate) const BODY_BYTES: usize = 64;
pub(crate) const PING: &[u8] = b"PING\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    U32be,
    /// Redis.
    Resp,
    Nats,
}

impl FromStr for Protocol {
    type Err = Box<dyn Error>;

    fn from_str(name: &str) -> Result<Protocol, Self::Err> {
        match name {
            "u32be" => Ok(Protocol::U32be),
            "resp" => Ok(Protocol::Resp),
            "nats" => Ok(Protocol::Nats),
            _ => Err(format!("{name} is none of u32be, resp, nats").into()),
        }
    }
}

impl Protocol {
    /// Makes a subscriber of a connection.
    pub(crate) fn subscribe(self, mut stream: TcpStream) -> io::Result<TcpStream> {
        let (says, hears): (&[u8], &[u8]) = match self {
            Protocol::U32be => (b"\0\0\0\x09subscribe", b"\0\0\0\x09subscribe"),
            Protocol::Resp => (
                b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n",
                b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
            ),
            Protocol::Nats => {
                nats_hello(&mut stream)?;
                (b"SUB c 1\r\nPING\r\n", b"PONG\r\n")
            }
        };
        stream.write_all(says)?;
        let mut heard = vec![0; hears.len()];
        stream.read_exact(&mut heard)?;
        if heard != hears {
            return Err(io::Error::other(format!("heard {:?}", String::from_utf8_lossy(&heard))));
        }
        Ok(stream)
    }

    /// Makes a publisher of a connection.
    pub(crate) fn publish(self, mut stream: TcpStream) -> io::Result<TcpStream> {
        if self == Protocol::Nats {
            nats_hello(&mut stream)?;
        }
        Ok(stream)
    }

    pub(crate) fn append_published(self, number: u64, to: &mut Vec<u8>) {
        to.extend_from_slice(match self {
            Protocol::U32be => b"\0\0\0\x40",
            Protocol::Resp => b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$64\r\n",
            Protocol::Nats => b"PUB c 64\r\n",
        });
        to.extend_from_slice(&body(number));
        to.extend_from_slice(self.trailer());
    }

    fn append_delivered(self, number: u64, to: &mut Vec<u8>) {
        to.extend_from_slice(self.delivered_header());
        to.extend_from_slice(&body(number));
        to.extend_from_slice(self.trailer());
    }

    fn delivered_header(self) -> &'static [u8] {
        match self {
            Protocol::U32be => b"\0\0\0\x40",
            Protocol::Resp => b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n",
            Protocol::Nats => b"MSG c 1 64\r\n",
        }
    }

    fn trailer(self) -> &'static [u8] {
        if self == Protocol::U32be { b"" } else { b"\r\n" }
    }

    pub(crate) fn delivered_bytes(self) -> usize {
        self.delivered_header().len() + BODY_BYTES + self.trailer().len()
    }

    /// Whether it begins with a question that must be answered.
    pub(crate) fn is_ping(self, bytes: &[u8]) -> bool {
        self == Protocol::Nats && bytes.starts_with(PING)
    }

    pub(crate) fn answer(self, bytes: &[u8]) -> &'static [u8] {
        if self.is_ping(bytes) { b"PONG\r\n" } else { b"" }
    }

    /// Holds what a subscriber received against what was published: it had had so many messages,
    /// and so many bytes of the next one.
    pub(crate) fn verify(
        self,
        messages: u64,
        partial: usize,
        received: &[u8],
    ) -> Result<(), Box<dyn Error>> {
        let mut expected = Vec::new();
        let mut number = messages;
        while expected.len() < partial + received.len() {
            self.append_delivered(number, &mut expected);
            number += 1;
        }
        if &expected[partial..partial + received.len()] != received {
            return Err(format!("something else than messages {messages}..{number} came").into());
        }
        Ok(())
    }
}

/// The number in 16 digits, and what fills the rest.
fn body(number: u64) -> [u8; BODY_BYTES] {
    let mut body = [b'.'; BODY_BYTES];
    for (place, digit) in body[..16].iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * place) & 15) as usize];
    }
    body
}

fn nats_hello(stream: &mut TcpStream) -> io::Result<()> {
    let mut byte = [0];
    // INFO and its one line of JSON.
    while byte != *b"\n" {
        stream.read_exact(&mut byte)?;
    }
    stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n")
}
