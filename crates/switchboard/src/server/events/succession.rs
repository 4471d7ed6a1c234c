//! A loop that answers a successor beside its conversations. One loop of a server does.

use super::{Loop, SUCCESSOR};
use crate::Error;
use crate::server::handover::{Handover, Step};
use crate::sys::Backend;

impl<B: Backend, S, F> Loop<'_, B, S, F> {
    /// Answers a successor from here on.
    pub(in crate::server) fn answer(&mut self, handover: Option<Handover>) -> Result<(), Error> {
        self.handover = handover;
        self.watch_handover()
    }

    fn watch_handover(&mut self) -> Result<(), Error> {
        let descriptor = self.handover.as_ref().and_then(Handover::descriptor);
        let Some(descriptor) = descriptor else { return Ok(()) };
        let watched = self.backend.watch_descriptor(descriptor, SUCCESSOR, false);
        watched.map_err(|error| Error::io("cannot watch for a successor", error))
    }

    fn unwatch_handover(&mut self) {
        if let Some(descriptor) = self.handover.as_ref().and_then(Handover::descriptor) {
            // It was watched, and the system can always forget. Closing it would not do: the
            // successor has it too.
            let _ = self.backend.unwatch_descriptor(descriptor);
        }
    }

    pub(super) fn step_handover(&mut self) -> Result<(), Error> {
        self.unwatch_handover();
        let now = self.bench.now;
        match self.handover.as_mut().map(|handover| handover.step(now)) {
            Some(Step::Taken) => {
                self.handover = None;
                self.bench.shared.taken_over(now);
            }
            Some(Step::GoesOn) => self.watch_handover()?,
            None => {}
        }
        Ok(())
    }

    /// There is nothing to hand over any more.
    pub(super) fn end_handover(&mut self) {
        self.unwatch_handover();
        self.handover = None;
    }
}
