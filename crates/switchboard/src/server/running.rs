//! A server in the background: [`Running`].

use super::dispatch::Kind;
use super::processes::{self, Front};
use super::{Handle, Server, Service, Stats};
use crate::transport::{Interest, Wait, Woken, wait_on};
use crate::{Conversation, Endpoint, Error, Stopper};
use std::io;
use std::os::fd::AsFd;
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
    /// And what is stopped when it is over.
    Thread(JoinHandle<Result<Stats, Error>>, Stopper),
    Process(Front),
}

impl Serving {
    pub(super) fn in_thread(
        serve: impl FnOnce() -> Result<Stats, Error> + Send + 'static,
    ) -> io::Result<Serving> {
        /// However it ends.
        struct Over(Stopper);

        impl Drop for Over {
            fn drop(&mut self) {
                self.0.stop();
            }
        }

        let over = Stopper::new()?;
        let told = Over(over.clone());
        let thread = std::thread::Builder::new().name("switchboard server".to_owned());
        let thread = thread.spawn(move || {
            let _told = told;
            serve()
        })?;
        Ok(Serving::Thread(thread, over))
    }
}

/// Serving in the background.
impl Server {
    /// Serves in threads of its own, until [`Running::stop`]; otherwise as [`serve`](Self::serve).
    ///
    /// # Errors
    /// A limit that cannot be, by its name; no thread is to be had. What serving says later is told
    /// by [`Running::stop`] and [`Running::join`].
    pub fn start<S, F>(self, make: F) -> Result<Running, Error>
    where
        S: Service + 'static,
        F: Fn() -> S + Send + Sync + 'static,
    {
        self.started(move |server| server.serve(make))
    }

    /// Serves conversations in threads of its own, until [`Running::stop`]; otherwise as
    /// [`serve_conversations`](Self::serve_conversations).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_conversations<H>(self, handler: H) -> Result<Running, Error>
    where
        H: Fn(&mut Conversation) -> Result<(), Error> + Send + Sync + 'static,
    {
        self.dispatch.check_waiting()?;
        self.started(move |server| server.serve_conversations(handler))
    }

    fn started(
        self,
        serve: impl FnOnce(Server) -> Result<Stats, Error> + Send + 'static,
    ) -> Result<Running, Error> {
        self.limits.check(&self.protocol)?;
        self.dispatch.check()?;
        let handle = self.handle();
        if let Kind::Processes { .. } = self.dispatch.kind {
            let sizes = self.sizes();
            let front = processes::start(self, sizes, serve)?;
            return Ok(Running { handle, serving: Some(Serving::Process(front)) });
        }
        let serving = Serving::in_thread(move || crate::host::run(|| serve(self)));
        let serving = serving.map_err(|error| Error::io("cannot start a server", error))?;
        Ok(Running { handle, serving: Some(serving) })
    }
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

    /// Waits until serving has ended, or `until` says otherwise: then [`join`](Self::join) returns
    /// soon, or it goes on. A server that has ended is [`Woken::Ready`].
    ///
    /// # Errors
    /// When waiting itself fails, which leaves the server as it was.
    pub fn wait_until(&self, until: &Wait<'_>) -> io::Result<Woken> {
        let descriptor = match &self.serving {
            Some(Serving::Thread(_, over)) => over.as_fd(),
            Some(Serving::Process(front)) => front.as_fd(),
            None => return Ok(Woken::Ready(Interest::READ)),
        };
        wait_on(Some(descriptor), None, Interest::READ, until)
    }

    fn wait(&mut self) -> Result<Stats, Error> {
        match self.serving.take() {
            Some(Serving::Thread(thread, _)) => {
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
