//! Joins the fragments of a message; copies only then.

use alloc::vec::Vec;

/// Joins the fragments of a message. A message of one frame passes through and is not copied.
///
/// The size of what is collected is bounded by the decoder, which counts the fragments' bodies
/// against `max` before it delivers them.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    parts: Vec<u8>,
    open: bool,
}
