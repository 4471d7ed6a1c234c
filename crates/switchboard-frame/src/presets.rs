//! Framings of real protocols, by name.

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

/// Every preset, by name.
#[must_use]
pub fn presets() -> &'static [Preset] {
    &[]
}
