//! Whole messages over stream sockets.

#![deny(unsafe_code)]

mod connect;
pub mod deadline;
mod ending;
mod endpoint;
mod error;
pub mod limits;
mod listener;
mod liveness;
mod resolve;
mod stopper;
mod sys;
pub mod transport;

pub use connect::{ConnectOptions, Connecting};
pub use ending::Ending;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Attempt, Error, Fault};
pub use listener::{ListenOptions, Listener};
pub use liveness::Liveness;
pub use stopper::Stopper;
pub use transport::Transport;
