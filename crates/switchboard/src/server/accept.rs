//! Where a server's connections come from.

use super::door::Entrance;
use crate::transport::Transport;
use crate::{Error, Listener};
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// What a look for a connection came to.
#[derive(Debug)]
pub(super) enum Accepted {
    Came(Arc<dyn Transport>),
    Nobody,
    /// Not looked, or no descriptor for it: when to look again.
    NotNow(Entrance),
}

/// A [`Listener`], or what the simulator has for one.
pub(super) trait Accept: Send + Sync + fmt::Debug {
    /// Accepts a connection if one waits; see [`Listener::try_accept`].
    fn try_accept(&self) -> Result<Option<Arc<dyn Transport>>, Error>;

    /// Turns one away for want of a descriptor; see [`Listener::turn_away`].
    fn turn_away(&self) -> Result<bool, Error>;

    /// What is readable when one waits.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;
}

impl Accept for Listener {
    fn try_accept(&self) -> Result<Option<Arc<dyn Transport>>, Error> {
        Listener::try_accept(self)
    }

    fn turn_away(&self) -> Result<bool, Error> {
        Listener::turn_away(self)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Listener::descriptors(self).collect()
    }
}
