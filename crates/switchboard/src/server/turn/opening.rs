//! Before the first byte: the transport opens (a TLS handshake, ..), and nothing else is done.
//!
//! The service is told nothing until it is open, so a client that never comes that far costs a
//! place and a clock, which begins when its connection is accepted and does not begin anew.

use super::Turn;
use crate::server::Service;
use crate::server::line::Phase;
use crate::{Ending, Error};
use std::io::ErrorKind;
use std::time::Instant;

impl<S: Service> Turn<'_, S> {
    /// Gets on with it. Whether the turn goes on: it is open, or it never will be.
    #[cold]
    pub(super) fn open(&mut self) -> bool {
        let flushed = self.line.transport.flush();
        if !self.bench.identify(&*self.line.transport, &mut self.line.flags.counted) {
            return self.give_up(Ending::Stopped, None);
        }
        let Some(what) = self.line.transport.opening() else {
            self.line.flags.opening = false;
            self.line.heard = self.bench.now;
            self.line.said = self.bench.now;
            return true;
        };
        match flushed {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let cut = (error.kind() == ErrorKind::UnexpectedEof).then_some(Ending::Truncated);
                let error = self.line.io(&format!("{what} failed with"), error);
                return self
                    .give_up(error.ending().or(cut).unwrap_or(Ending::BadPrefix), Some(error));
            }
            Ok(_) if self.opens_until().is_some_and(|until| until <= self.bench.now) => {
                let error = Error::timed_out(format!("{what} did not come from"))
                    .at_endpoint(self.line.transport.name())
                    .since(Some(self.line.heard), self.bench.now);
                return self.give_up(Ending::TimedOut, Some(error));
            }
            Ok(_) if self.bench.shared.is_stopping() => return self.give_up(Ending::Stopped, None),
            Ok(_) => {}
        }
        false
    }

    /// It closes without having been open. The service has heard nothing of it, and never does.
    fn give_up(&mut self, ending: Ending, error: Option<Error>) -> bool {
        self.line.flags.opening = false;
        self.line.flags.unopened = true;
        let has_failed = error.as_ref().is_some_and(|error| !error.is_timeout());
        self.line.close(ending, error);
        if !has_failed {
            // There is nothing to deliver, and nobody to wait for.
            self.line.phase = Phase::Over;
        }
        has_failed
    }

    /// When a transport that is not open yet is given up.
    pub(super) fn opens_until(&self) -> Option<Instant> {
        self.bench.setup.limits.opening.and_then(|time| self.line.heard.checked_add(time))
    }
}
