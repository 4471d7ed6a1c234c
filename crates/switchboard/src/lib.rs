//! Whole messages over stream sockets.

#![deny(unsafe_code)]

mod connect;
mod conversation;
pub mod deadline;
mod ending;
mod endpoint;
mod error;
pub mod guide;
pub mod host;
pub mod limits;
mod listener;
mod liveness;
mod proxy;
mod resolve;
pub mod select;
pub mod server;
pub mod session;
mod stopper;
mod sys;
pub mod transport;

pub use connect::{ConnectOptions, Connecting};
pub use conversation::{
    Conversation, Look, Messages, Received, ReceivingHalf, SendingHalf, SharedConversation,
    SharedSource, lost_bytes,
};
pub use ending::Ending;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Attempt, Error, Fault};
pub use listener::{AcceptCounts, ListenOptions, Listener};
pub use liveness::Liveness;
pub use proxy::ProxyFrom;
pub use select::{Poller, Ready, Source, select};
pub use server::{Dispatch, Reply, Server, Service};
pub use session::{Message, Timeouts};
pub use stopper::Stopper;
pub use switchboard_frame as frame;
pub use transport::Transport;

/// The README's code, run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
