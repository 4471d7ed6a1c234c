//! Framings of real protocols, by name.

use crate::Role;

/// A preset: a name for a framing, or for one in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name, as written in a framing string.
    pub name: &'static str,
    /// What the client writes.
    pub client: &'static str,
    /// What the server writes.
    pub server: &'static str,
    /// The RFC or official document.
    pub source: &'static str,
    /// What a user must know: checksums, limits, what the framing cannot see.
    pub notes: &'static str,
}

impl Preset {
    /// What `writer` writes, as a framing string.
    #[must_use]
    pub fn framing(&self, writer: Role) -> &'static str {
        match writer {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// The message by which `writer` says that it is still there, where the protocol has one that
    /// is always the same: of `amqp`, `bgp`, `bittorrent`, and the client of `mqtt`.
    ///
    /// ```
    /// use switchboard_frame::{Role, preset};
    ///
    /// let mqtt = preset("mqtt").unwrap();
    /// assert_eq!(mqtt.heartbeat(Role::Client), Some(&b"\xc0\x00"[..])); // PINGREQ
    /// assert_eq!(mqtt.heartbeat(Role::Server), None);
    /// ```
    #[must_use]
    pub fn heartbeat(&self, writer: Role) -> Option<&'static [u8]> {
        match (self.name, writer) {
            // AMQP 0-9-1, section 4.2.7: a frame of type 8 on channel 0, and nothing in it.
            ("amqp", _) => Some(b"\x08\0\0\0\0\0\0\xce"),
            // RFC 4271, section 4.4: a KEEPALIVE is a header alone.
            ("bgp", _) => Some(&BGP_KEEPALIVE),
            // BEP 3: a message of length 0.
            ("bittorrent", _) => Some(b""),
            // MQTT 3.1.1, section 3.12: only the client asks.
            ("mqtt", Role::Client) => Some(b"\xc0\0"),
            _ => None,
        }
    }

    /// Whether both directions are framed alike, so that the name alone is a framing.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        self.client == self.server
    }
}

/// A marker of ones, the length 19, type 4.
const BGP_KEEPALIVE: [u8; 19] =
    *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x13\x04";

/// Every preset, by name.
#[must_use]
pub fn presets() -> &'static [Preset] {
    &TABLE
}

/// The preset of that name.
///
/// ```
/// let preset = switchboard_frame::preset("postgres").unwrap();
/// assert_eq!(preset.server, "type:1 len:u32be,self");
/// assert!(!preset.is_symmetric());
/// ```
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.name == name)
}

/// A preset, or one side of it, as named in a framing string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) preset: &'static Preset,
    /// The side, when the name says it.
    pub(crate) role: Option<Role>,
}

/// Looks up `NAME`, `NAME-client` and `NAME-server`.
pub(crate) fn side(name: &str) -> Option<Side> {
    if let Some(preset) = preset(name) {
        return Some(Side { preset, role: None });
    }
    let (bare, role) = match name.strip_suffix("-client") {
        Some(bare) => (bare, Role::Client),
        None => (name.strip_suffix("-server")?, Role::Server),
    };
    preset(bare).map(|preset| Side { preset, role: Some(role) })
}

mod table;

use table::TABLE;
