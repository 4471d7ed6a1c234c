//! A service that fails: what it had answered is delivered, and then the peer is told that this is
//! not all.
//!
//! An end would say that it is: whoever has half of the answers would believe that he has them all.
//! So the stream is reset, where there is such a thing. But a reset takes away what the peer's
//! system has not got yet, and the system has no way to say when it has: it is looked at now and
//! then, as long as lingering may take.
//!
//! **Invariant:** who failed never says the end of the stream, where there is a reset.

use super::Turn;
use crate::server::Service;
use crate::server::line::Phase;
use crate::server::stats::Count;
use crate::{Ending, Error, deadline, limits};
use std::time::Instant;

impl<S: Service> Turn<'_, S> {
    /// The service has said that it can not go on.
    #[cold]
    pub(super) fn fail(&mut self, error: Error) {
        self.bench.counters.add(Count::Failed, 1);
        self.line.flags.failed = true;
        self.line.close(Ending::Stopped, Some(error));
    }

    #[cold]
    pub(super) fn panicked(&mut self) {
        self.bench.counters.add(Count::Panicked, 1);
        (self.line.flags.poisoned, self.line.flags.failed) = (true, true);
        self.line.close(Ending::Stopped, Some(Error::caller("the service panicked")));
    }

    /// Looks, when it is time to, whether a reset would take nothing away any more: then the
    /// conversation is over, and [reset](crate::server::bench::Bench::close).
    pub(super) fn look_whether_delivered(&mut self) {
        let now = self.bench.now;
        if !self.line.ends_by_reset() || self.line.looks_at().is_some_and(|at| at > now) {
            return;
        }
        if self.line.transport.undelivered() == Some(0) {
            self.line.phase = Phase::Over;
            return;
        }
        let extras = self.line.extras();
        let after = match extras.looks_at {
            None => limits::DELIVERY_LOOK_FIRST,
            Some(_) => limits::DELIVERY_LOOK_MAX.min(extras.looks_after * 2),
        };
        extras.looks_after = after;
        extras.looks_at = now.checked_add(after);
    }

    /// When to look again at one that lingers.
    pub(super) fn lingers_until(&self) -> Option<Instant> {
        let until = self.line.extras.as_ref().and_then(|extras| extras.lingers_until);
        deadline::earlier(until, self.line.looks_at())
    }
}
