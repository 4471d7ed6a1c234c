//! The clocks of a conversation: when to look again, and what happens when one has run out.

use super::Turn;
use crate::server::Service;
use crate::server::line::Phase;
use crate::{Ending, Error, deadline, limits};
use std::time::Instant;

impl<S: Service> Turn<'_, S> {
    /// Ticks and heartbeats that are due.
    pub(super) fn clocks(&mut self) {
        let now = self.bench.now;
        if self.line.phase != Phase::Open {
            return;
        }
        if let Some(tick) = self.bench.setup.limits.tick
            && self.line.extras().ticks_at.is_some_and(|at| at <= now)
        {
            self.line.extras().ticks_at = now.checked_add(tick);
            self.call(S::tick);
        }
        if self.heartbeat().is_some_and(|due| due <= now) {
            let setup = std::sync::Arc::clone(&self.bench.setup);
            if let Some(heartbeat) = &setup.limits.heartbeat {
                self.line.said = now;
                self.queue(&heartbeat.message);
            }
        }
    }

    /// When the next heartbeat is due; a peer that has yet to take something needs none.
    fn heartbeat(&self) -> Option<Instant> {
        let owes = self.queued() > 0 || self.line.held() > 0 || self.line.flags.holds;
        if owes || self.line.flags.finishing {
            return None;
        }
        let heartbeat = self.bench.setup.limits.heartbeat.as_ref()?;
        self.line.said.checked_add(heartbeat.interval)
    }

    /// When to look again though nothing happens.
    pub(in crate::server) fn due(&mut self) -> Option<Instant> {
        let shared = &self.bench.shared;
        let cut_off = if shared.is_stopping() { shared.drain.by() } else { None };
        deadline::earlier(cut_off, self.own_clocks())
    }

    fn own_clocks(&mut self) -> Option<Instant> {
        if self.line.phase == Phase::Lingering {
            return self.lingers_until();
        }
        if self.line.flags.opening {
            return self.opens_until();
        }
        let mut patience = deadline::earlier(self.stall(), self.silence());
        if self.session.outbound.pending() > 0 || self.line.flags.holds {
            let look = self.bench.now.checked_add(limits::STALL_LOOK_INTERVAL);
            patience = deadline::earlier(patience, look);
        }
        if self.line.phase != Phase::Open {
            return patience;
        }
        let ticks_at = self.line.extras.as_ref().and_then(|extras| extras.ticks_at);
        deadline::earlier(patience, deadline::earlier(ticks_at, self.heartbeat()))
    }

    /// When a peer that takes nothing, or an answer that does not come while the conversation or
    /// the server ends, is given up.
    fn stall(&mut self) -> Option<Instant> {
        let timeouts = self.bench.setup.limits.timeouts;
        let ends = self.line.phase == Phase::Closing || self.bench.shared.is_stopping();
        let promised = ends && self.line.held() > 0;
        if self.session.outbound.pending() == 0 && !promised && !self.line.flags.holds {
            return None;
        }
        self.session.outbound.stall_deadline(&timeouts, self.bench.now, false)
    }

    /// When a peer that says nothing is given up.
    fn silence(&mut self) -> Option<Instant> {
        let timeouts = self.bench.setup.limits.timeouts;
        let since = self.silent_since()?;
        if !self.session.inbound.at_end() && self.session.inbound.has_begun() {
            return self.session.inbound.poll_deadline(&timeouts, self.bench.now);
        }
        timeouts.idle.and_then(|idle| since.checked_add(idle))
    }

    /// Since when it has been waited for what the peer says next; `None` while it is not.
    fn silent_since(&self) -> Option<Instant> {
        if self.line.phase != Phase::Open || self.line.flags.owes {
            return None;
        }
        let inbound = &self.session.inbound;
        match inbound.at_end() {
            // The service goes on alone, as long as it has something to say.
            true => Some(self.line.heard.max(self.line.said)),
            // What it does not want to hear it cannot miss.
            false if !self.wants_bytes() => None,
            false if inbound.has_begun() => Some(inbound.waits_since().unwrap_or(self.bench.now)),
            false => Some(self.line.heard),
        }
    }

    /// Who was not listened to was not silent meanwhile.
    pub(super) fn put_off_silence(&mut self) {
        let (now, full) = (self.bench.now, self.line.flags.full);
        let Some(extras) = &mut self.line.extras else { return };
        if full {
            extras.full_since.get_or_insert(now);
        } else if let Some(since) = extras.full_since.take() {
            let meanwhile = now.saturating_duration_since(since);
            // Heard since then it has been, if there were messages to be given yet.
            self.line.heard = now.min(self.line.heard + meanwhile);
            self.session.inbound.put_off(meanwhile);
        }
    }

    /// Ends the conversation if one of its clocks has run out. Silence is only what was `looked`
    /// for in this turn.
    pub(super) fn expire(&mut self, looked: bool) {
        let now = self.bench.now;
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let name = self.line.transport.name();
        if is_over(self.stall()) {
            // Without bytes it was an answer that was waited for, and the clock is the same.
            let since = self.session.outbound.stalled_since();
            let error = Error::timed_out("waiting to send to").at_endpoint(name).since(since, now);
            self.line.close(Ending::TimedOut, Some(error));
            self.line.phase = Phase::Over;
        } else if (looked || self.session.inbound.at_end()) && is_over(self.silence()) {
            let what = match self.session.inbound.has_begun() {
                true => "waiting for the rest of a message from",
                false => "waiting for a message from",
            };
            let number = self.session.inbound.messages() + 1;
            let since = self.silent_since();
            let error = Error::timed_out(what).at_endpoint(name).at_message(number);
            self.line.close(Ending::TimedOut, Some(error.since(since, now)));
        }
    }
}
