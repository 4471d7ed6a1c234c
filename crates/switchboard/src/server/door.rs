//! Who is let in: how many conversations at a time, how many of one address, and when accepting
//! pauses.
//!
//! **Invariant:** while descriptors have run out, all loops together call `accept` no more often
//! than once every [`ACCEPT_PAUSE`](limits::ACCEPT_PAUSE).

use super::accept::Accept;
use super::limits::Limits;
use super::per_address::PerAddress;
use super::processes::{Board, Mine};
use super::stats::Stats;
use crate::transport::Transport;
use crate::{Endpoint, Error, limits};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Door {
    state: Mutex<State>,
    /// Descriptors have run out, as far as is known.
    is_exhausted: AtomicBool,
    /// Someone wants to be told when there is a place again.
    is_full: AtomicBool,
    accept_errors: AtomicU64,
    refused: AtomicU64,
    /// Where other processes read who was let in.
    board: OnceLock<Board>,
}

#[derive(Debug)]
struct State {
    accepted: u64,
    open: u64,
    /// Places kept for whoever is at `accept` just now: several loops may be at once.
    kept: u64,
    open_max: u64,
    /// After so many nobody is let in any more.
    accepted_max: Option<u64>,
    per_address: Option<PerAddress>,
    exhausted: Option<Exhausted>,
}

/// Since when there is no descriptor, and when to look again.
#[derive(Clone, Copy, Debug)]
struct Exhausted {
    since: Instant,
    until: Instant,
}

/// Whether to accept now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    Open,
    /// All places are taken: [`Door::leave`] says when one is free.
    Full,
    /// Not before then.
    Paused(Instant),
    /// Never again.
    Shut,
}

/// Whether a connection was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// As the so-manieth, from 1; after the last nobody is any more.
    In {
        number: u64,
        is_last: bool,
    },
    Refused,
}

impl Door {
    pub(super) fn new() -> Door {
        Door {
            state: Mutex::new(State {
                accepted: 0,
                open: 0,
                kept: 0,
                open_max: u64::MAX,
                accepted_max: None,
                per_address: None,
                exhausted: None,
            }),
            is_exhausted: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            accept_errors: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            board: OnceLock::new(),
        }
    }

    /// Tells other processes, from here on, who is let in.
    pub(super) fn tell_on(&self, board: &Board) {
        let _ = self.board.set(board.clone());
    }

    fn tell(&self, state: &State) {
        if let Some(board) = self.board.get() {
            board.tell(Mine::Accepted, state.accepted);
            board.tell(Mine::Open, state.open);
            board.tell(Mine::Refused, self.refused.load(Ordering::Relaxed));
            board.tell(Mine::AcceptErrors, self.accept_errors.load(Ordering::Relaxed));
        }
    }

    pub(super) fn set(&self, limits: &Limits, open_max: usize, accepted_max: Option<u64>) {
        let mut state = self.lock();
        state.open_max = open_max as u64;
        state.accepted_max = accepted_max;
        state.per_address = limits.conversations_per_address_max.map(PerAddress::new);
    }

    /// Lets nobody in any more; who is at `accept` just now still comes in.
    pub(super) fn shut(&self) {
        let mut state = self.lock();
        let accepted = state.accepted;
        state.accepted_max = Some(state.accepted_max.map_or(accepted, |max| max.min(accepted)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to accept now. Who is told `Open` has a place kept, and calls [`enter`](Self::enter)
    /// or [`nobody_came`](Self::nobody_came) next; while descriptors are out, nobody else tries.
    pub(super) fn entrance(&self, now: Instant) -> Entrance {
        self.ask(now, true)
    }

    /// Whether accepting makes sense.
    pub(super) fn look(&self, now: Instant) -> Entrance {
        self.ask(now, false)
    }

    fn ask(&self, now: Instant, tries: bool) -> Entrance {
        let mut state = self.lock();
        if state.accepted_max.is_some_and(|max| state.accepted >= max) {
            return Entrance::Shut;
        }
        let is_last = state.accepted_max.is_some_and(|max| state.accepted + state.kept >= max);
        if is_last || state.open + state.kept >= state.open_max {
            self.is_full.store(true, Ordering::Relaxed);
            return Entrance::Full;
        }
        match &mut state.exhausted {
            Some(exhausted) if now < exhausted.until => return Entrance::Paused(exhausted.until),
            Some(exhausted) if tries => exhausted.until = now + limits::ACCEPT_PAUSE,
            _ => {}
        }
        state.kept += u64::from(tries);
        Entrance::Open
    }

    /// The place that was kept is not needed. Whether someone else waits for one.
    pub(super) fn nobody_came(&self) -> bool {
        self.lock().kept -= 1;
        self.is_full.swap(false, Ordering::Relaxed)
    }

    /// Whether nobody is inside.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().open == 0
    }

    /// Takes a place for a connection, if it may have one. An accepted one counts against the
    /// limits; an adopted one is let in always.
    pub(super) fn enter(&self, transport: &dyn Transport, is_accepted: bool) -> Entered {
        if is_accepted {
            self.recovered();
        }
        let mut state = self.lock();
        state.kept -= u64::from(is_accepted);
        if let Some(per_address) = &mut state.per_address {
            let client = transport.client();
            if !is_accepted {
                per_address.enter_anyway(client.as_ref());
            } else if !per_address.enter(client.as_ref()) {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.tell(&state);
                return Entered::Refused;
            }
        }
        state.accepted += 1;
        state.open += 1;
        self.tell(&state);
        let number = state.accepted;
        Entered::In { number, is_last: state.accepted_max == Some(number) }
    }

    /// Counts one that entered before it was known who it is from. Whether that address may have
    /// so many: one too many is counted too, until it leaves.
    pub(super) fn identify(&self, client: &Endpoint) -> bool {
        let mut state = self.lock();
        let Some(per_address) = &mut state.per_address else { return true };
        let may = per_address.enter(Some(client));
        if !may {
            per_address.enter_anyway(Some(client));
        }
        may
    }

    /// Gives the place back, and that of whom it counted as. Whether someone waits for one, or for
    /// the last to leave.
    pub(super) fn leave(&self, client: Option<&Endpoint>) -> bool {
        let mut state = self.lock();
        state.open -= 1;
        if let Some(per_address) = &mut state.per_address {
            per_address.leave(client);
        }
        self.tell(&state);
        let is_over = state.open == 0 && state.accepted_max.is_some_and(|m| state.accepted >= m);
        is_over || state.open < state.open_max && self.is_full.swap(false, Ordering::Relaxed)
    }

    /// After an error of `accept`: until when to leave the listener alone.
    ///
    /// # Errors
    /// The listener is at its end.
    pub(super) fn failed(
        &self,
        listener: &dyn Accept,
        error: Error,
        now: Instant,
    ) -> Result<Instant, Error> {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
        if !error.is_exhausted() {
            return Err(error);
        }
        let (until, is_long) = self.exhausted(&error, now);
        // Who has waited so long is told by a reset, so that he can go elsewhere.
        if is_long && listener.turn_away()? {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.tell(&self.lock());
        Ok(until)
    }

    /// Has accepting pause, for want of something that a conversation needs.
    pub(super) fn pause(&self, error: &Error, now: Instant) {
        self.exhausted(error, now);
    }

    /// Until when to pause, and whether it has been going on for long.
    fn exhausted(&self, error: &Error, now: Instant) -> (Instant, bool) {
        let mut state = self.lock();
        if state.exhausted.is_none() {
            tracing::warn!(%error, "accepting pauses: descriptors or memory have run out");
        }
        let exhausted = state.exhausted.get_or_insert(Exhausted { since: now, until: now });
        let is_long = now.saturating_duration_since(exhausted.since) >= limits::EXHAUSTED_PATIENCE;
        // Turning away is a second call of `accept`.
        let looks = if is_long { 2 } else { 1 };
        exhausted.until = now + looks * limits::ACCEPT_PAUSE;
        self.is_exhausted.store(true, Ordering::Relaxed);
        (exhausted.until, is_long)
    }

    /// `accept` works again.
    fn recovered(&self) {
        if self.is_exhausted.load(Ordering::Relaxed) {
            self.is_exhausted.store(false, Ordering::Relaxed);
            self.lock().exhausted = None;
            tracing::info!("accepting goes on: descriptors are free again");
        }
    }

    pub(super) fn add_to(&self, stats: &mut Stats) {
        let state = self.lock();
        stats.accepted = state.accepted;
        stats.open = state.open;
        stats.refused += self.refused.load(Ordering::Relaxed);
        stats.accept_errors += self.accept_errors.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::sync::Arc;
    use std::time::Duration;

    /// A system without descriptors, and a client that waits.
    #[derive(Debug, Default)]
    struct Nothing {
        calls: AtomicU64,
    }

    impl Accept for Nothing {
        fn try_accept(&self) -> Result<Option<Arc<dyn Transport>>, Error> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let error = io::Error::from(rustix::io::Errno::MFILE);
            Err(Error::io("cannot accept on", error))
        }

        fn turn_away(&self) -> Result<bool, Error> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            Ok(true)
        }

        fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
            Vec::new()
        }
    }

    /// Loops that try whenever the door lets them, and how often the system was called.
    fn calls_within(time: Duration, loops: usize) -> (Door, u64) {
        let (door, listener) = (Door::new(), Nothing::default());
        let begin = crate::deadline::now();
        for ms in 0..u64::try_from(time.as_millis()).unwrap() {
            let now = begin + Duration::from_millis(ms);
            for _ in 0..loops {
                if door.entrance(now) == Entrance::Open {
                    let error = listener.try_accept().unwrap_err();
                    door.failed(&listener, error, now).unwrap();
                }
            }
        }
        let calls = listener.calls.load(Ordering::Relaxed);
        (door, calls)
    }

    #[test]
    fn without_descriptors_accept_is_called_eight_times_a_second() {
        for loops in [1, 4] {
            let (door, calls) = calls_within(Duration::from_secs(4), loops);
            assert_eq!(calls, 4 * 8, "{loops} loops");
            assert_eq!(door.refused.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn after_a_while_one_client_at_a_time_is_turned_away() {
        let (door, calls) = calls_within(limits::EXHAUSTED_PATIENCE, 2);
        assert_eq!((calls, door.refused.load(Ordering::Relaxed)), (5 * 8, 0));
        // From then on each look is a call that fails and one that turns away.
        let (door, calls) = calls_within(limits::EXHAUSTED_PATIENCE + Duration::from_secs(2), 2);
        assert_eq!((calls, door.refused.load(Ordering::Relaxed)), (7 * 8, 8));
    }

    #[test]
    fn the_patience_begins_anew_when_a_descriptor_was_free_in_between() {
        let (door, _) = calls_within(limits::EXHAUSTED_PATIENCE, 1);
        door.recovered();
        let listener = Nothing::default();
        let later = crate::deadline::now() + limits::EXHAUSTED_PATIENCE;
        assert_eq!(door.entrance(later), Entrance::Open);
        door.failed(&listener, listener.try_accept().unwrap_err(), later).unwrap();
        assert_eq!(door.refused.load(Ordering::Relaxed), 0);
        assert_eq!(door.entrance(later), Entrance::Paused(later + limits::ACCEPT_PAUSE));
    }
}
