//! What is particular to the operating system: waiting on descriptors, descriptors that say yes or
//! no, inherited descriptors.
//!
//! This folder is the only place with `unsafe`, and the place to port. Linux is what is tested.

mod backend;
mod epoll;
mod inherited;
mod level;
mod poll;
pub(crate) mod socket;

pub(crate) use backend::{Backend, Found};
pub(crate) use epoll::Epoll;
pub(crate) use inherited::{replace, take};
pub(crate) use level::{Gate, Level};
pub(crate) use poll::{Watch, Woke, wait};
