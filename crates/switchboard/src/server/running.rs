//! A server in the background: [`Running`].

use super::processes::Front;
use super::{Handle, Stats};
use crate::{Endpoint, Error};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server that serves in the background; made by [`Server::start`](super::Server::start).
///
/// Dropped, it is stopped, and waited for: that can take as long as [`Handle::stop`] says.
#[derive(Debug)]
pub struct Running {
    pub(super) handle: Handle,
    /// Until it was waited for.
    pub(super) serving: Option<Serving>,
}

/// Where it serves.
#[derive(Debug)]
pub(super) enum Serving {
    Thread(JoinHandle<Result<Stats, Error>>),
    Process(Front),
}

impl Running {
    /// Asks the server things.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where it listens, with the port that was chosen for port 0.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        self.handle.endpoints()
    }

    /// Stops the server as [`Handle::stop`] does, and waits until every conversation is over.
    ///
    /// # Errors
    /// What serving said.
    pub fn stop(mut self) -> Result<Stats, Error> {
        self.handle.stop();
        self.wait()
    }

    /// Stops the server as [`Handle::drain`] does, in so much time, and waits until every
    /// conversation is over.
    ///
    /// # Errors
    /// What serving said.
    pub fn drain(mut self, within: Duration) -> Result<Stats, Error> {
        self.handle.drain(within);
        self.wait()
    }

    /// Waits until serving ends by itself: after
    /// [`with_conversations_in_all`](super::Server::with_conversations_in_all), a
    /// [`Handle::stop`] from elsewhere, a takeover, or an error.
    ///
    /// # Errors
    /// What serving said.
    pub fn join(mut self) -> Result<Stats, Error> {
        self.wait()
    }

    fn wait(&mut self) -> Result<Stats, Error> {
        match self.serving.take() {
            Some(Serving::Thread(thread)) => {
                let panicked = |_| Err(Error::caller("the server has panicked"));
                thread.join().unwrap_or_else(panicked)
            }
            Some(Serving::Process(front)) => {
                front.wait(&self.handle.shared).map(|()| self.handle.stats())
            }
            None => Ok(self.handle.stats()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        // Whoever drops it does not want to hear how it went.
        let _ = self.wait();
    }
}
