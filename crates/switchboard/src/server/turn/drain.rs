//! What a conversation still does once the server has been told to stop.
//!
//! Everything that had come is answered: what is buffered, and what the system has received and
//! nobody has read yet. A peer that goes on sending is no reason to go on for ever: see
//! [`DRAIN_BYTES_MAX`].

use super::Turn;
use crate::Ending;
use crate::limits::DRAIN_BYTES_MAX;
use crate::server::line::{Held, Phase};
use crate::server::{CutOff, Service};

impl<S: Service> Turn<'_, S> {
    /// Whether something may lie in the system that came before the stop, and can be read now.
    pub(super) fn drains(&self) -> bool {
        self.bench.shared.is_stopping() && !self.line.flags.drained && self.wants_bytes()
    }

    /// The same, now or once there is room for what it comes to.
    fn is_to_drain(&self) -> bool {
        !self.line.flags.drained
            && !self.line.flags.paused
            && !self.session.inbound.at_end()
            && !self.line.is_broken()
    }

    /// So many bytes were read after the stop; none is all there was.
    pub(super) fn drained(&mut self, bytes: usize) {
        let extras = self.line.extras();
        extras.drained_bytes = extras.drained_bytes.saturating_add(bytes);
        self.line.flags.drained = bytes == 0 || extras.drained_bytes >= DRAIN_BYTES_MAX;
    }

    /// Ends the conversation if the server was to be done by now. Whether it did.
    pub(in crate::server) fn cut_off(&mut self) -> bool {
        let shared = &self.bench.shared;
        if self.line.phase == Phase::Over
            || !shared.is_stopping()
            || !shared.drain.is_over(self.bench.now)
        {
            return false;
        }
        let held = self.line.extras.iter().flat_map(|extras| &extras.held);
        let promised = held.filter(|held| matches!(held, Held::Promise(_))).count();
        let (peer, queued_bytes) = (self.line.transport.name(), self.queued());
        let error = self.bench.cut_off(CutOff { peer, queued_bytes, promised });
        self.line.close(Ending::Stopped, Some(error));
        self.line.phase = Phase::Over;
        true
    }

    /// Closes if the server is stopping and everything that had come is given.
    pub(super) fn stop(&mut self) {
        // What a full queue or promised answers keep back comes to its turn; the time that a stall
        // may take bounds both.
        let goes_on = self.line.flags.backlog && !self.line.flags.paused;
        if self.bench.shared.is_stopping() && !goes_on && !self.is_to_drain() {
            self.line.close(Ending::Stopped, None);
        }
    }
}
