//! The framing string, read.
//!
//! Three layers: `lexer` knows characters and columns; `stage`, `record`, `length` and `options`
//! know the grammar and build a tree that still has its places; `resolve` and `check` turn the
//! tree into a [`Framing`] or say why it describes no possible stream. What they let through,
//! every decoder and encoder can run without looking for contradictions.
//!
//! No input panics, and the work is bounded: by the length of the string and by how deep `type{}`
//! nests.

mod check;
mod length;
mod lexer;
mod options;
mod record;
mod resolve;
mod stage;
pub(crate) mod words;

use alloc::format;
use alloc::string::{String, ToString};
use core::str::FromStr;

use crate::protocol::Coupling;
use crate::{Framing, FramingError, Protocol, Role};
pub use lexer::parse_size;
use lexer::{Fault, Parsed};

/// The longest framing string, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 4096;

/// How deep `type{}` may nest.
pub(crate) const TYPE_DEPTH_MAX: usize = 16;

/// The largest header or trailer of a fixed size, in bytes; what varies is bounded by the decoder.
pub(crate) const FIXED_HEADER_BYTES_MAX: usize = crate::framing::HEADER_BYTES_MAX;

impl Framing {
    /// Reads a framing string, or the name of a preset whose two directions are framed alike.
    ///
    /// # Errors
    /// The string describes no possible framing: the error has the column, what was expected there
    /// and, where there is a likely answer, what to write.
    ///
    /// ```
    /// use switchboard_frame::Framing;
    ///
    /// let framing = Framing::parse("type:1 len:u32be,self").unwrap();
    /// assert_eq!(framing, "type:1 u32be,self".parse().unwrap());
    ///
    /// let error = Framing::parse("u32").unwrap_err();
    /// assert_eq!(error.column(), 1);
    /// assert_eq!(error.hint(), Some("write u32be or u32le"));
    /// ```
    pub fn parse(text: &str) -> Result<Framing, FramingError> {
        framing(text, None).map_err(|fault| error(text, fault))
    }
}

impl FromStr for Framing {
    type Err = FramingError;

    fn from_str(text: &str) -> Result<Framing, FramingError> {
        Framing::parse(text)
    }
}

/// Reads a protocol: presets stand for what each side of them writes.
pub(crate) fn protocol(text: &str) -> Result<Protocol, FramingError> {
    let side = |role| framing(text, Some(role)).map_err(|fault| error(text, fault));
    let client = side(Role::Client)?;
    let server = side(Role::Server)?;
    let is_postgres = text.split_ascii_whitespace().next() == Some("postgres");
    let coupling = (is_postgres && !text.contains(';')).then_some(Coupling::Postgres);
    Ok(Protocol { client, server, coupling })
}

/// What `role` writes; without a role, what both write.
fn framing(text: &str, role: Option<Role>) -> Parsed<Framing> {
    if text.len() > TEXT_BYTES_MAX {
        let at = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        return Err(Fault::new(at, format!("a framing string has at most {TEXT_BYTES_MAX} bytes"))
            .hint("formats that need more are a decoder of one's own: the trait Decode"));
    }
    let stages = stage::Parser::new(text, role).stages()?;
    resolve::framing(stages)
}

fn error(text: &str, fault: Fault) -> FramingError {
    let at = fault.at.min(text.len());
    let column = text.char_indices().take_while(|(index, _)| *index < at).count() + 1;
    // The text is shown on one line above a caret: whatever would move the cursor becomes a blank.
    let shown: String =
        text.chars().take(TEXT_BYTES_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    FramingError { text: shown.to_string(), column, message: fault.message, hint: fault.hint }
}
