//! Accepting, for a dispatcher that hands each connection on: to a thread, or to a process.

use super::accept::{Accept, Accepted};
use super::door::Entrance;
use super::handover::{Handover, Step};
use super::inbox::Inbox;
use super::shared::Shared;
use crate::sys::{self, Watch};
use crate::transport::{Transport, Wait};
use crate::{Error, Stopper, deadline, limits};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

/// What connections are handed to.
pub(super) trait Hands: Sized {
    /// Takes a connection that was let in.
    ///
    /// # Errors
    /// Nothing can be served any more.
    fn hand(acceptor: &mut Acceptor<'_, Self>, entrant: Entrant) -> Result<(), Error>;

    /// Whether a stream that is let in at the limits too can be taken now.
    fn has_room(&self) -> bool {
        true
    }

    /// Called before each wait.
    ///
    /// # Errors
    /// As for [`hand`](Self::hand).
    fn look(_acceptor: &mut Acceptor<'_, Self>) -> Result<(), Error> {
        Ok(())
    }

    /// Readable when there is something to look at.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// When to look though nothing is readable.
    fn until(&self) -> Option<Instant> {
        None
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Entrant {
    pub(super) transport: Arc<dyn Transport>,
    /// Among all that were let in, from 1.
    pub(super) number: u64,
    /// From which of the listeners; one that was adopted is from none.
    pub(super) listener: Option<usize>,
}

/// Accepts, and hands on.
pub(super) struct Acceptor<'a, H> {
    pub(super) hands: H,
    pub(super) shared: &'a Arc<Shared>,
    /// Dropped when nobody is let in any more: nobody is to wait in a queue that nobody empties.
    pub(super) listeners: Vec<Arc<dyn Accept>>,
    stopper: Option<&'a Stopper>,
    pub(super) handover: Option<Handover>,
    inbox: Arc<Inbox>,
}

impl<'a, H: Hands> Acceptor<'a, H> {
    pub(super) fn new(
        hands: H,
        shared: &'a Arc<Shared>,
        listeners: Vec<Arc<dyn Accept>>,
        stopper: Option<&'a Stopper>,
        handover: Option<Handover>,
    ) -> Result<Acceptor<'a, H>, Error> {
        let inbox = Inbox::new().map_err(|error| Error::io("cannot start to accept", error))?;
        let inbox = Arc::new(inbox);
        shared.enter(&inbox, None);
        Ok(Acceptor { hands, shared, listeners, stopper, handover, inbox })
    }

    /// Accepts until the server stops or shuts.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        loop {
            self.inbox.take(&mut Vec::new());
            H::look(self)?;
            while self.hands.has_room()
                && let Some(transport) = self.shared.next_adopted()
            {
                self.begin(transport, None)?;
            }
            if self.stopper.is_some_and(Stopper::is_stopped) {
                self.shared.stop_as_agreed(deadline::now());
            }
            if self.shared.stops_at().is_some_and(|at| at <= deadline::now()) {
                self.shared.stop();
            }
            if self.shared.is_stopping() {
                return Ok(());
            }
            let until = match self.shared.door.look(deadline::now()) {
                Entrance::Shut if self.shared.door.is_empty() => return Ok(()),
                Entrance::Open => self.accept()?,
                Entrance::Full => Until::Woken,
                Entrance::Shut => {
                    // A stop is still to be heard.
                    self.listeners.clear();
                    self.handover = None;
                    self.shared.stops_at().map_or(Until::Woken, Until::At)
                }
                Entrance::Paused(until) => Until::At(until),
            };
            if self.wait(until)? {
                self.step_handover();
            }
        }
    }

    /// Answers a successor.
    fn step_handover(&mut self) {
        let now = deadline::now();
        let step = self.handover.as_mut().map(|handover| handover.step(now));
        if step == Some(Step::Taken) {
            self.handover = None;
            self.shared.taken_over(now);
        }
    }

    /// Tells those who do not look at the clock themselves that the time of a drain is over.
    pub(super) fn see_out(&mut self) -> Result<(), Error> {
        self.listeners.clear();
        self.handover = None;
        let drain = &self.shared.drain;
        while drain.has_stoppers() && !self.shared.door.is_empty() {
            if drain.is_over(deadline::now()) {
                drain.fire();
                break;
            }
            self.wait(drain.by().map_or(Until::Woken, Until::At))?;
            self.inbox.take(&mut Vec::new());
        }
        Ok(())
    }

    /// Accepts what waits. Until when to do so no more.
    fn accept(&mut self) -> Result<Until, Error> {
        for place in 0..self.listeners.len() {
            for _ in 0..limits::ACCEPTS_PER_TURN {
                match self.shared.accept(&*self.listeners[place], deadline::now())? {
                    Accepted::Came(transport) => self.begin(transport, Some(place))?,
                    Accepted::Nobody => break,
                    Accepted::NotNow(Entrance::Paused(until)) => return Ok(Until::At(until)),
                    Accepted::NotNow(_) => return Ok(Until::Woken),
                }
            }
        }
        Ok(Until::Connected)
    }

    fn begin(
        &mut self,
        transport: Arc<dyn Transport>,
        listener: Option<usize>,
    ) -> Result<(), Error> {
        match self.shared.let_in(&*transport, listener.is_some()) {
            Some(number) => H::hand(self, Entrant { transport, number, listener }),
            None => Ok(()),
        }
    }

    /// Whether a successor has said something, or has kept silent for too long.
    fn wait(&self, until: Until) -> Result<bool, Error> {
        let mut watches = vec![Watch::new(self.inbox.as_fd(), true, false)];
        watches.extend(self.hands.descriptor().map(|fd| Watch::new(fd, true, false)));
        watches.extend(self.stopper.map(|stopper| Watch::new(stopper.as_fd(), true, false)));
        let successor = self.handover.as_ref().and_then(Handover::descriptor);
        let place = watches.len();
        watches.extend(successor.map(|fd| Watch::new(fd, true, false)));
        let listeners = self.listeners.iter().flat_map(|listener| listener.descriptors());
        let mut wait = match until {
            Until::Connected => {
                watches.extend(listeners.map(|fd| Watch::new(fd, true, false)));
                Wait::FOREVER
            }
            Until::Woken => Wait::FOREVER,
            Until::At(at) => Wait::until(at),
        };
        let silent = self.handover.as_ref().and_then(Handover::until);
        let until = deadline::earlier(self.hands.until(), silent);
        wait.deadline = deadline::earlier(wait.deadline, until);
        let waited = sys::wait(&mut watches, &wait);
        waited.map_err(|error| Error::io("cannot wait for a connection", error))?;
        Ok(successor.is_some() && watches[place].readable || deadline::has_passed(silent))
    }
}

impl<H> Drop for Acceptor<'_, H> {
    fn drop(&mut self) {
        self.shared.leave(&self.inbox, None);
    }
}

/// How long to accept nothing.
#[derive(Clone, Copy)]
enum Until {
    /// A connection waits.
    Connected,
    /// There is a place again.
    Woken,
    At(Instant),
}
