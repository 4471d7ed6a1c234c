//! What is particular to the operating system: waiting on descriptors, descriptors that say yes or
//! no, inherited descriptors, the one in reserve, and what errors mean.
//!
//! This folder is the only place with `unsafe`, and the place to port. Linux is what is tested.

mod backend;
mod epoll;
mod errors;
mod inherited;
mod level;
mod many;
mod poll;
mod queue;
mod reserve;
pub(crate) mod socket;

pub(crate) use backend::{Backend, Clock, Readiness};
pub(crate) use epoll::Epoll;
pub(crate) use errors::{AcceptTrouble, accept_trouble, is_exhaustion};
pub(crate) use inherited::{replace, take};
pub(crate) use level::{Gate, Level};
pub(crate) use many::{Asked, Found, Many};
pub(crate) use poll::{Watch, Woke, wait};
pub(crate) use queue::{Queue, Watched};
pub(crate) use reserve::Reserve;
