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

    /// Whether both directions are framed alike, so that the name alone is a framing.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        self.client == self.server
    }
}

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
