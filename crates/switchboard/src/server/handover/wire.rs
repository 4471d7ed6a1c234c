//! What a server and its successor say to each other: `u32be` messages over a Unix socket.
//!
//! ```text
//!  an ask      the words themselves: "take 1", "more", "ready"; 1 is the version
//!  an answer   +---+------------------------
//!              | Y |                          it is yours
//!              | R | why                      refused
//!              | S | item item ..             sockets; none: there are no more
//!              +---+------------------------
//!  an item     +------+---------+--------+----------+-----------------------
//!              | kind | listener| length | what was asked for when it was made
//!              | u8   | u32be   | u16be  | "tcp://:7000"
//!              +------+---------+--------+----------+-----------------------
//!              kind: 0 a socket, 1 one whose path goes with it, 2 where a successor is answered
//!
//!  INPUT   53 00 00000000 000b 7463703a2f2f3a37303030
//!  DECODED one socket of listener 0, made for tcp://:7000
//! ```
//!
//! The descriptors lie beside an answer, one for each item, in that order.

use crate::Listener;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use switchboard_frame::Protocol;

/// Both sides have the same one, or nothing is handed over.
const VERSION: u32 = 1;

pub(super) fn protocol() -> Protocol {
    let framing = "u32be max=64KiB".parse();
    // It is a constant, and the tests parse it.
    framing.expect("the framing of a handover")
}

/// What a successor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Take,
    More,
    Ready,
    /// What another version says, or another program.
    Other(String),
}

impl Ask {
    pub(super) fn read(message: &[u8]) -> Ask {
        let take = Ask::Take.written();
        match message {
            b"more" => Ask::More,
            b"ready" => Ask::Ready,
            _ if message == take.as_bytes() => Ask::Take,
            _ => Ask::Other(String::from_utf8_lossy(message).chars().take(32).collect()),
        }
    }

    pub(super) fn written(&self) -> String {
        match self {
            Ask::Take => format!("take {VERSION}"),
            Ask::More => "more".to_owned(),
            Ask::Ready => "ready".to_owned(),
            Ask::Other(words) => words.clone(),
        }
    }
}

/// Why somebody is refused who said that.
pub(super) fn other_version(said: &str) -> String {
    format!(
        "this server hands over by version {VERSION}, and was asked \"{}\"",
        said.escape_debug()
    )
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Sockets(Vec<Words>),
    Yours,
    Refused(String),
}

/// A socket and what is known of it; `L` is the listener it belongs to.
#[derive(Debug)]
pub(super) struct Item<L> {
    words: Words,
    listener: L,
    /// Which socket of the listener.
    place: usize,
}

/// What is said of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) kind: Kind,
    /// Which sockets are one listener.
    pub(super) listener: u32,
    pub(super) asked: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Socket,
    /// Its path is removed by whoever has it.
    WithPath,
    /// Where a successor is answered.
    Door,
}

impl Item<Arc<Listener>> {
    pub(super) fn words(&self) -> Words {
        self.words.clone()
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.listener.descriptors().nth(self.place)
    }
}

/// Everything there is to hand over, the door first.
pub(super) fn items(
    door: &Arc<Listener>,
    listeners: &[Weak<Listener>],
) -> VecDeque<Item<Arc<Listener>>> {
    let listeners = listeners.iter().filter_map(Weak::upgrade);
    let mut items = VecDeque::new();
    for (number, listener) in (0..).zip(std::iter::once(Arc::clone(door)).chain(listeners)) {
        let kind = match number {
            0 => Kind::Door,
            _ if listener.owns_path() => Kind::WithPath,
            _ => Kind::Socket,
        };
        let asked = listener.asked().to_string();
        for place in 0..listener.descriptors().count() {
            let words = Words { kind, listener: number, asked: asked.clone() };
            items.push_back(Item { words, listener: Arc::clone(&listener), place });
        }
    }
    items
}

impl Answer {
    pub(super) fn written(&self) -> Vec<u8> {
        match self {
            Answer::Yours => b"Y".to_vec(),
            Answer::Refused(why) => [b"R", why.as_bytes()].concat(),
            Answer::Sockets(items) => {
                let mut bytes = b"S".to_vec();
                for Words { kind, listener, asked } in items {
                    bytes.push(*kind as u8);
                    bytes.extend(listener.to_be_bytes());
                    // An endpoint is a path or a name of the system, or a few words more.
                    let asked = &asked.as_bytes()[..asked.len().min(usize::from(u16::MAX))];
                    let length = u16::try_from(asked.len()).unwrap_or(u16::MAX);
                    bytes.extend(length.to_be_bytes());
                    bytes.extend(asked);
                }
                bytes
            }
        }
    }

    /// `None`: no server of this kind says that.
    pub(super) fn read(message: &[u8]) -> Option<Answer> {
        let (&first, mut rest) = message.split_first()?;
        match first {
            b'Y' if rest.is_empty() => return Some(Answer::Yours),
            b'R' => return Some(Answer::Refused(String::from_utf8_lossy(rest).into_owned())),
            b'S' => {}
            _ => return None,
        }
        let mut items = Vec::new();
        while let Some((header, after)) = rest.split_first_chunk::<7>() {
            let [kind, l0, l1, l2, l3, n0, n1] = *header;
            let kind = match kind {
                0 => Kind::Socket,
                1 => Kind::WithPath,
                2 => Kind::Door,
                _ => return None,
            };
            let (asked, after) = after.split_at_checked(u16::from_be_bytes([n0, n1]).into())?;
            let asked = String::from_utf8(asked.to_vec()).ok()?;
            items.push(Words { kind, listener: u32::from_be_bytes([l0, l1, l2, l3]), asked });
            rest = after;
        }
        rest.is_empty().then_some(Answer::Sockets(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let words = |kind, listener, asked: &str| Words { kind, listener, asked: asked.to_owned() };
        for answer in [
            Answer::Yours,
            Answer::Refused("no".to_owned()),
            Answer::Sockets(vec![]),
            Answer::Sockets(vec![
                words(Kind::Door, 0, "unix:/run/app"),
                words(Kind::Socket, 1, "tcp://:7000"),
                words(Kind::WithPath, 70_000, ""),
            ]),
        ] {
            assert_eq!(Answer::read(&answer.written()), Some(answer));
        }
        for ask in [Ask::Take, Ask::More, Ask::Ready, Ask::Other("take 2".to_owned())] {
            assert_eq!(Ask::read(ask.written().as_bytes()), ask);
        }
        let one = Answer::Sockets(vec![words(Kind::Socket, 0, "tcp://:7000")]);
        assert_eq!(one.written(), b"S\0\0\0\0\0\0\x0btcp://:7000");
        assert!(protocol().framing(switchboard_frame::Role::Server).to_string().contains("u32be"));
    }

    #[test]
    fn what_no_server_says_is_no_answer() {
        for bytes in [
            &b""[..],
            b"Y?",
            b"X",
            b"S\x03\0\0\0\0\0\0",
            b"S\0\0\0\0\0\0",
            b"S\0\0\0\0\0\0\x05abc",
            b"S\0\0\0\0\0\0\x01\xff",
        ] {
            assert_eq!(Answer::read(bytes), None, "{bytes:?}");
        }
    }
}
