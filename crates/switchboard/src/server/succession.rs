//! How a server begins where others have been, and ends where others go on: sockets that it was
//! passed, taking over and being taken over, and telling a supervisor.

use super::handover::{self, Handover, Predecessor};
use super::shared::Shared;
use super::{Server, notify};
use crate::{Endpoint, Error, ListenOptions, Listener};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a server has of that.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// Where a successor is answered.
    door: Option<Arc<Listener>>,
    /// Waits until this server is ready.
    predecessor: Option<Predecessor>,
    /// The process to tell a supervisor of, if one is to be told.
    notifies: Option<u32>,
    listeners: Vec<Weak<Listener>>,
}

impl Succession {
    /// What answers a successor, who is to have these listeners.
    pub(super) fn handover(&mut self, listeners: &[Arc<Listener>]) -> Option<Handover> {
        let all = listeners.iter().chain(&self.door);
        self.listeners = all.map(Arc::downgrade).collect();
        self.door.take().map(|door| Handover::new(door, listeners))
    }

    /// To be called when there is nothing left but to accept.
    ///
    /// # Errors
    /// The server that was to be taken over goes on.
    pub(super) fn begin(self, shared: &Shared) -> Result<(), Error> {
        let instead = self.predecessor.is_some();
        if let Some(predecessor) = self.predecessor {
            predecessor.ready()?;
            self.listeners.iter().filter_map(Weak::upgrade).for_each(|one| one.take_path());
        }
        if let Some(process) = self.notifies {
            match instead {
                true => notify::notify(&notify::ready_instead(process)),
                false => notify::notify(notify::READY),
            }
            shared.tell_of_the_stop();
        }
        Ok(())
    }
}

impl Server {
    /// Says which process removes the paths that go with the sockets.
    pub(super) fn is_of(&self, process: u32) {
        let all = self.listeners.iter().chain(&self.succession.door);
        all.for_each(|listener| listener.is_of(process));
    }

    /// Listens on an endpoint with options of one's own; otherwise as [`listen`](Self::listen).
    ///
    /// After [`take_over`](Self::take_over) it is the other server's socket for that endpoint, if
    /// it had one: the same text, `127.0.0.1:0` for one, or the same address and port, with TLS or
    /// without. It has these [options](Listener::with_options).
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn listen_on(
        mut self,
        endpoint: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Server, Error> {
        let received = self.received(|listener| listener.is_at(endpoint));
        if received.is_empty() {
            return Ok(self.with_listener(Listener::bind(endpoint, options)?));
        }
        for listener in received {
            let listener = listener.asked_for(endpoint).with_options(options)?;
            self = self.with_listener(listener);
        }
        Ok(self)
    }

    /// Accepts from the sockets that this program was started with: see [`Listener::activated`].
    /// After [`take_over`](Self::take_over) from the descriptors that the other server was started
    /// with, if it was. Either way with these [options](Listener::with_options).
    ///
    /// # Errors
    /// As [`Listener::activated`], and if there are none.
    pub fn listen_activated(mut self, options: &ListenOptions) -> Result<Server, Error> {
        let before = self.listeners.len();
        loop {
            let received = self.received(|listener| matches!(listener.asked(), Endpoint::Fd(_)));
            if received.is_empty() {
                break;
            }
            for listener in received {
                self.listeners.push(Arc::new(listener.with_options(options)?));
            }
        }
        if self.listeners.len() == before {
            for (_, listener) in Listener::activated()? {
                self.listeners.push(Arc::new(listener.with_options(options)?));
            }
        }
        if self.listeners.len() == before {
            let error = Error::caller("no socket was passed to this program");
            return Err(error.with_advice(
                "start it by a supervisor that listens for it and sets LISTEN_FDS and LISTEN_PID",
            ));
        }
        Ok(self)
    }

    /// Where the server that is to be [taken over](Self::take_over) listens and this one does not
    /// yet: what is left here when this one serves, nobody listens on any more.
    #[must_use]
    pub fn not_taken_over(&self) -> Vec<Endpoint> {
        self.succession.predecessor.iter().flat_map(Predecessor::endpoints).collect()
    }

    fn received(&mut self, is_it: impl Fn(&Listener) -> bool) -> Vec<Listener> {
        let predecessor = self.succession.predecessor.as_mut();
        predecessor.map(|predecessor| predecessor.matching(is_it)).unwrap_or_default()
    }

    /// Answers at a Unix socket, and hands all listening sockets over to a server that
    /// [takes over](Self::take_over) there: a restart without a moment at which nobody listens.
    ///
    /// The path is open to this user alone, and a process of another one, root excepted, is sent
    /// away. Until a successor has said that it is ready this server serves as if nobody had asked.
    /// Then it accepts nothing more and goes on with the conversations it has, for half of the time
    /// that [`with_drain`](Self::with_drain) gives
    /// ([`DRAIN_TIMEOUT`](crate::limits::DRAIN_TIMEOUT) in all unless told); the other half is a
    /// [drain](super::Handle::drain). Serving returns when the last of them is over.
    ///
    /// Nobody needs to be told at once, as the next conversation is the successor's anyway: who is
    /// about to send another request loses none, as long as he is done in half of the time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::server::{Reply, Server};
    ///
    /// let place = format!("swb-doc-{}", std::process::id());
    /// let place = format!("unix:{}", std::env::temp_dir().join(place).display());
    /// let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
    /// let old = Server::new("lines")?.listen("127.0.0.1:0")?.with_handover(&place)?.start(echo)?;
    /// let endpoint = old.endpoints()[0].to_string();
    ///
    /// // In another process, usually: the same port, though it asks for port 0.
    /// let new = Server::new("lines")?
    ///     .take_over(&place, Duration::from_secs(5))?
    ///     .listen("127.0.0.1:0")?
    ///     .start(echo)?;
    /// assert_eq!(new.endpoints()[0].to_string(), endpoint);
    /// old.join()?; // It had no conversations, so this is the end of it.
    ///
    /// let mut client = switchboard::Conversation::connect(&endpoint, "lines")?;
    /// assert_eq!(&*client.request(b"who?")?, b"who?");
    /// client.close()?;
    /// new.stop()?;
    /// # Ok::<(), switchboard::Error>(())
    /// ```
    ///
    /// # Errors
    /// No Unix endpoint; a server answers there ([`is_address_in_use`](Error::is_address_in_use)):
    /// take over from it; or as [`Listener::bind`].
    pub fn with_handover(mut self, endpoint: &str) -> Result<Server, Error> {
        let door = handover::bind(&handover::endpoint(endpoint)?)?;
        self.succession.door = Some(Arc::new(door));
        Ok(self)
    }

    /// Takes over from the server that hands over at that endpoint, and answers there in its place
    /// (see [`with_handover`](Self::with_handover)).
    ///
    /// What this server then [listens](Self::listen) on it has from the other one, where that
    /// listened there too, connections that wait included; the rest it binds. What it does not
    /// listen on is closed. The other one goes on until this one serves, has all it needs, and is
    /// about to accept; should it fail before, nothing has happened. It has
    /// [`HANDOVER_PREPARE_TIMEOUT`](crate::limits::HANDOVER_PREPARE_TIMEOUT) for that.
    ///
    /// Call this first of all that concerns listening. `within` is the time for the other side's
    /// answers.
    ///
    /// # Errors
    /// No Unix endpoint; nobody answers there, not in time, or not as a server of this version
    /// does; it is not of this user. [`serve`](Self::serve) says so if the other one has given up
    /// meanwhile.
    pub fn take_over(mut self, endpoint: &str, within: Duration) -> Result<Server, Error> {
        let (predecessor, door) = Predecessor::ask(&handover::endpoint(endpoint)?, within)?;
        self.succession.predecessor = Some(predecessor);
        self.succession.door = Some(Arc::new(door));
        Ok(self)
    }

    /// Tells the supervisor that has set `NOTIFY_SOCKET`, if one has, by the protocol of
    /// `sd_notify(3)`: `READY=1` when it is about to accept, `STOPPING=1` when it stops, and
    /// `MAINPID=` beside the first when it has taken over from another process. One that is taken
    /// over says nothing of its end.
    ///
    /// Under *processes*, after `start`, it is a child of this process that tells: systemd hears it
    /// with `NotifyAccess=all`.
    #[must_use]
    pub fn with_notify(mut self) -> Server {
        self.succession.notifies = Some(std::process::id());
        self
    }
}
