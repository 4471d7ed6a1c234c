//! A framing for each direction, and what one direction changes in the other.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::postgres::Postgres;
use crate::{Framing, FramingError};

/// Which side of a conversation writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that connects.
    Client,
    /// The side that listens.
    Server,
}

impl Role {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Role {
        match self {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }

    /// `client` or `server`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Client => "client",
            Role::Server => "server",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A framing for each direction, perhaps coupled: a frame seen in one direction may change the
/// framing of either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    pub(crate) client: Framing,
    pub(crate) server: Framing,
    pub(crate) coupling: Option<Coupling>,
}

/// The couplings there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coupling {
    Postgres,
}

/// What a frame changes: from here on `writer` writes `framing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The side whose framing changes.
    pub writer: Role,
    /// The framing from here on.
    pub framing: Framing,
    /// Told to the user when the stream can be read no further: `encrypted from here`.
    pub why: Option<&'static str>,
}

/// The running state of a protocol's coupling: shown every message of both directions, in the
/// order they pass, it says what changes.
///
/// # Examples
/// ```
/// use switchboard_frame::{Protocol, Role};
///
/// let mut coupler = "postgres".parse::<Protocol>()?.coupler();
/// let ssl_request = b"\x00\x00\x00\x08\x04\xd2\x16\x2f";
/// let switches = coupler.observe(Role::Client, ssl_request);
/// // The client is at its first message again, and the server answers with one byte.
/// assert_eq!(switches.len(), 2);
/// let switches = coupler.observe(Role::Server, b"S");
/// assert_eq!(switches[0].why, Some("encrypted from here"));
/// # Ok::<(), switchboard_frame::FramingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Coupler {
    state: Option<Postgres>,
}

impl Coupler {
    /// Shows the coupling a message that `writer` wrote, before any answer to it is looked at.
    /// Returns what changes, from the end of this message on; nearly always nothing, and then
    /// nothing is allocated.
    pub fn observe(&mut self, writer: Role, message: &[u8]) -> Vec<Switch> {
        match &mut self.state {
            Some(postgres) => postgres.observe(writer, message),
            None => Vec::new(),
        }
    }
}

impl Protocol {
    /// The same framing in both directions.
    #[must_use]
    pub fn symmetric(framing: Framing) -> Protocol {
        Protocol { client: framing.clone(), server: framing, coupling: None }
    }

    /// A framing for what the client writes, another for what the server writes.
    #[must_use]
    pub fn new(client: Framing, server: Framing) -> Protocol {
        Protocol { client, server, coupling: None }
    }

    /// The framing of what `writer` writes.
    #[must_use]
    pub fn framing(&self, writer: Role) -> &Framing {
        match writer {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// Whether both directions have the same framing.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        self.client == self.server
    }

    /// This protocol with another bound on every message's body, in bytes.
    #[must_use]
    pub fn with_max(&self, bytes: u64) -> Protocol {
        Protocol {
            client: self.client.with_max(bytes),
            server: self.server.with_max(bytes),
            coupling: self.coupling,
        }
    }

    /// Reads a preset of two directions by its name, or any framing string for both.
    ///
    /// # Errors
    /// The string describes no framing: the column, what was expected, what to write.
    pub fn parse(text: &str) -> Result<Protocol, FramingError> {
        crate::parse::protocol(text)
    }

    /// Whether a frame of one direction may change the framing of the other.
    #[must_use]
    pub fn is_coupled(&self) -> bool {
        self.coupling.is_some()
    }

    /// The running state of the coupling.
    #[must_use]
    pub fn coupler(&self) -> Coupler {
        let state = |Coupling::Postgres| Postgres::new(&self.client, &self.server);
        Coupler { state: self.coupling.map(state) }
    }
}

impl FromStr for Protocol {
    type Err = FramingError;

    /// A preset of two directions by its name, or any framing string for both.
    fn from_str(text: &str) -> Result<Protocol, FramingError> {
        crate::parse::protocol(text)
    }
}
