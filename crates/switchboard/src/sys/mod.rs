//! What is particular to the operating system: waiting on descriptors, descriptors that say yes or
//! no, inherited and passed descriptors, the one in reserve, processes and memory shared with them,
//! and what errors mean.
//!
//! This folder is the only place with `unsafe`, and the place to port.
//!
//! | | Linux, Android | other Unix systems |
//! |---|---|---|
//! | the event loop's backend | `epoll` | `mio` |
//! | signals to be polled (`level`) | `counter`: eventfd | `pipe`: a pipe, a pair of sockets |
//! | many descriptors in one wait | `queue`: epoll | `many`: poll |
//! | the end of a child process | `child`: pidfd | asked again and again |
//! | how long a peer has been silent | `silence`: TCP_INFO | nobody knows |
//! | what its system has not got yet | `undelivered`: SIOCOUTQ | nobody knows |
//!
//! Linux is what is tested, and there the right column too, with the feature `portable`. For macOS
//! and FreeBSD the crate compiles (`scripts/check-portable`), and has never been run there. On
//! Windows it does not: it is written over descriptors (`std::os::fd`), which are not to be had
//! there.

mod asking;
mod backend;
mod child;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(feature = "portable")))]
mod counter;
#[cfg(all(any(target_os = "linux", target_os = "android"), any(test, not(feature = "portable"))))]
mod epoll;
mod errors;
mod fork;
mod inherited;
mod level;
mod many;
mod mapped;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
mod mio;
pub(crate) mod passing;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
mod pipe;
mod poll;
mod queue;
mod reserve;
mod silence;
pub(crate) mod socket;
mod undelivered;

/// The backend and the signals of this system.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(feature = "portable")))]
use self::counter as signal;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(feature = "portable")))]
pub(crate) use self::epoll::Epoll as SystemBackend;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
pub(crate) use self::mio::Mio as SystemBackend;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
use self::pipe as signal;
pub(crate) use backend::{Backend, Clock, Readiness};
pub(crate) use child::process_descriptor;
pub(crate) use errors::{AcceptTrouble, accept_trouble, is_exhaustion};
pub(crate) use fork::{Ended, ForkError, exit, fork, kill, may_fork, reap};
pub(crate) use inherited::{duplicate, is_socket, replace, take};
pub(crate) use level::{Gate, Level};
pub(crate) use many::{Asked, Found, Many};
pub(crate) use mapped::{Row, Table};
pub(crate) use poll::{Watch, Woke, wait};
pub(crate) use queue::{Queue, Watched};
pub(crate) use reserve::Reserve;
pub(crate) use silence::silence;
pub(crate) use undelivered::undelivered;
