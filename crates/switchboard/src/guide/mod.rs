//! The guide: what goes wrong with sockets, why, and how it is done here.
//!
//! A classic how-to on sockets fits on a few pages, and most programs that follow it still get half
//! of it wrong. These chapters go through its points one by one. Each says what the how-to says,
//! what goes wrong, how it is done here, in code that runs with the tests, which document rules,
//! and which of our tests shows it. Read them in order, or where it hurts.
//!
//! One sentence to start with: **a conversation is a framed connection.** A connection carries
//! bytes; a framing says where messages begin and end; a conversation sends and receives the
//! messages.
//!
//! ```
//! use switchboard::Conversation;
//!
//! let (mut client, mut server) = Conversation::pair("u32be")?;
//! client.send(b"a whole message")?;
//! assert_eq!(&*server.recv()?.expect("one message"), b"a whole message");
//! # Ok::<(), switchboard::Error>(())
//! ```
//!
//! | point | what the how-to says | chapter |
//! |---|---|---|
//! | H1 | a client connects, asks, reads the answer, is gone | [`connecting`] |
//! | H2 | a server binds, listens with a backlog; low ports are reserved | [`listening`] |
//! | H3 | the main loop gives it to a thread, a process, or a loop | [`dispatching`], [`events`] |
//! | H4 | a server socket only makes client sockets | [`listening`] |
//! | H5 | the two sockets are peers; who speaks first is yours to say | [`peers`] |
//! | H6 | on one machine: pipes, or a socket on loopback | [`local`] |
//! | H7 | buffered files hang when a flush is forgotten | [`batching`] |
//! | H8 | `send` and `recv` handle a part; call again | [`partial_sends`] |
//! | H9 | zero bytes received: the other side has closed | [`endings`] |
//! | H10 | one transfer, ended by the close | [`framing_choices`], [`connecting`] |
//! | H11 | else fixed size, a mark, a length, or a shutdown | [`framing_choices`] |
//! | H12 | fixed-size messages, and "connection broken" | [`framing_choices`], [`endings`] |
//! | H13 | zero bytes are data | [`framing_choices`] |
//! | H14 | a first character that says the length | [`framing_choices`] |
//! | H15 | read in pieces; put the start of the next message aside | [`split_reads`] |
//! | H16 | a length of five digits may come in pieces | [`split_reads`] |
//! | H17 | `send` does not get rid of everything in one pass | [`partial_sends`] |
//! | H18 | byte order; text is often smaller | [`byte_order`] |
//! | H19 | shut down, then close; the reply to a half-close | [`closing`], `tls` (a feature) |
//! | H20 | the other side comes down hard; no killing, no locks | [`dead_peers`] |
//! | H21 | lists of would-be readers, writers, errors, and a timeout | [`select`](mod@select) |
//! | | what a loop that never blocks has to see to | [`events`] |
//! | H22 | on Unix select works with files too | [`select`](mod@select) |
//!
//! Past the how-to: [`own_decoder`], for formats that no framing string can say.
//!
//! Not here yet: servers of processes (H3).
//!
//! Programs to start from are in `examples/`: `echo`, `request`, `chat`, `chat_room`,
//! `publish`, `select_chat`, `slow_work`, `fetch` and `larger_than_memory`, each under sixty lines.
//! Tests named `tests/..` are those of this crate.

pub mod batching;
pub mod byte_order;
pub mod closing;
pub mod connecting;
pub mod dead_peers;
pub mod dispatching;
pub mod endings;
pub mod events;
pub mod framing_choices;
pub mod listening;
pub mod local;
pub mod own_decoder;
pub mod partial_sends;
pub mod peers;
pub mod select;
pub mod split_reads;
#[cfg(feature = "tls")]
pub mod tls;
