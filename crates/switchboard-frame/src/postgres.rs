//! The coupling of `postgres`: a request for encryption is answered by one bare byte.
//!
//! From the PostgreSQL manual, "Frontend/Backend Protocol", "Message Flow": "SSL Session
//! Encryption", "GSSAPI Session Encryption" and "Canceling Requests in Progress":
//!
//! ```text
//! client                                server
//! SSLRequest      len 8, 80877103  -->
//!                                  <--  'S'            both are TLS from here: raw
//!                                  <--  'N'            no: the startup stage goes on
//!                                  <--  ErrorResponse  from a server too old to know the request
//! GSSENCRequest   len 8, 80877104  -->
//!                                  <--  'G'            both are encrypted from here: raw
//!                                  <--  'N'            no: the startup stage goes on
//! CancelRequest   len 16, 80877102 -->                 nothing; the server closes
//! StartupMessage  len, 196608, ..  -->
//!                                  <--  type, len, ..  and so does the client from here on
//! ```
//!
//! After a request the client is at its startup stage again at once, whether or not an answer is
//! ever seen: so the client's stream alone is framed right too. 'N', 'S' and 'G' are also types of
//! ordinary messages of the server, so the bare byte is looked for exactly once for each request.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::framing::{Case, Options, Shape, Stage};
use crate::integer::Reader;
use crate::record::{Counts, Integer, Item, Length, More, Record};
use crate::{Framing, Role, Switch};

const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// Told when both directions go on as bytes that cannot be read.
const WHY_RAW: &str = "encrypted from here";

/// What has passed so far.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    client: Framing,
    server: Framing,
    /// The client's next message is of the startup stage.
    startup: bool,
    /// Requests for encryption that the server has not answered yet.
    unanswered: u32,
}

impl Postgres {
    pub(crate) fn new(client: &Framing, server: &Framing) -> Postgres {
        let (client, server) = (client.clone(), server.clone());
        Postgres { client, server, startup: true, unanswered: 0 }
    }

    pub(crate) fn observe(&mut self, writer: Role, message: &[u8]) -> Vec<Switch> {
        match writer {
            Role::Client => self.client_wrote(message),
            Role::Server => self.server_wrote(message),
        }
    }

    fn client_wrote(&mut self, message: &[u8]) -> Vec<Switch> {
        if !self.startup {
            return Vec::new();
        }
        if !is_request(message) {
            self.startup = false;
            return Vec::new();
        }
        let again = Switch { writer: Role::Client, framing: self.client.clone(), why: None };
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered > 1 {
            // The answer to the request before this one is still looked for.
            return alloc::vec![again];
        }
        alloc::vec![again, self.answer()]
    }

    fn server_wrote(&mut self, message: &[u8]) -> Vec<Switch> {
        if self.unanswered == 0 {
            return Vec::new();
        }
        self.unanswered -= 1;
        match message {
            b"S" | b"G" => {
                (self.startup, self.unanswered) = (false, 0);
                let raw = Framing::from_stages(alloc::vec![Stage::once(Shape::Raw)]);
                let to = |writer| Switch { writer, framing: raw.clone(), why: Some(WHY_RAW) };
                alloc::vec![to(Role::Client), to(Role::Server)]
            }
            b"N" if self.unanswered > 0 => alloc::vec![self.answer()],
            // Behind 'N' and behind an error the server's framing goes on by itself.
            _ => Vec::new(),
        }
    }

    /// The server writes one answer, and then what it always writes:
    /// `type{"N": 0, "S": 0, "G": 0, "E": u32be,self} ; type:1 len:u32be,self`.
    fn answer(&self) -> Switch {
        let limits = self
            .server
            .stages
            .first()
            .map_or(Options::default(), |stage| Options { deliver: None, ..stage.options });
        let case = |key: &[u8], shape| Case { key: Some(key.into()), stage: Stage::once(shape) };
        let cases = alloc::vec![
            case(b"N", Shape::Fixed(0)),
            case(b"S", Shape::Fixed(0)),
            case(b"G", Shape::Fixed(0)),
            case(b"E", Shape::Record(error_response())),
        ];
        let first = Stage { times: 1, shape: Shape::Type(cases), options: limits };
        let stages = core::iter::once(first).chain(self.server.stages.iter().cloned()).collect();
        Switch { writer: Role::Server, framing: Framing::from_stages(stages), why: None }
    }
}

/// SSLRequest or GSSENCRequest.
fn is_request(message: &[u8]) -> bool {
    let mut reader = Reader::new(message);
    let is_code = |code| code == SSL_REQUEST || code == GSSENC_REQUEST;
    reader.u32_be() == Ok(8) && reader.u32_be().is_ok_and(is_code) && reader.is_empty()
}

/// `u32be,self`, behind the key.
fn error_response() -> Record {
    let kind = Integer::Binary { bytes: 4, little: false, signed: false };
    Record {
        items: alloc::vec![Item::Integer { name: Some(Box::from("len")), kind }],
        header_items: 1,
        length: Some(Length {
            item: 0,
            counts: Counts::Itself,
            mask: u64::MAX,
            short: 0,
            unit: 1,
            add: 0,
            add_items: Vec::new(),
            little_when: None,
            more: More::Never,
        }),
    }
}
