//! What is particular to the operating system: waiting on descriptors, descriptors that say yes or
//! no, inherited descriptors.
//!
//! This folder is the only place with `unsafe`, and the place to port. Linux is what is tested.

mod inherited;
mod level;
mod many;
mod poll;
mod queue;
pub(crate) mod socket;

pub(crate) use inherited::{replace, take};
pub(crate) use level::{Gate, Level};
pub(crate) use many::{Asked, Found, Many};
pub(crate) use poll::{Watch, Woke, wait};
pub(crate) use queue::{Queue, Watched};
