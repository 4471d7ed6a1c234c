//! One thread at a time, of several that share a conversation: [`Turn`].
//!
//! Whoever waits for a turn is not deaf meanwhile: its deadline, its stopper and the hook for
//! interrupts are looked at in each [`TURN_LOOK_INTERVAL`](limits::TURN_LOOK_INTERVAL). Nobody can
//! say here whether a signal came, so the hook is asked each time.

use crate::transport::{Interrupt, Wait, Woken};
use crate::{Stopper, deadline, limits};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What one thread has at a time.
#[derive(Default)]
pub(super) struct Turn {
    taken: Mutex<bool>,
    free: Condvar,
    /// How many have it or wait for it.
    wanted: AtomicUsize,
}

/// Had until it is dropped.
pub(super) struct Taken<'a> {
    turn: &'a Turn,
}

impl Turn {
    /// Whether anybody has it or waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > 0
    }

    /// Takes it, if nobody has it.
    pub(super) fn try_take(&self) -> Option<Taken<'_>> {
        let mut taken = lock(&self.taken);
        if *taken {
            return None;
        }
        *taken = true;
        self.wanted.fetch_add(1, Ordering::AcqRel);
        Some(Taken { turn: self })
    }

    /// Takes it, and waits for that.
    ///
    /// # Errors
    /// What came first.
    pub(super) fn take(&self, until: &Wait<'_>) -> Result<Taken<'_>, Woken> {
        self.wanted.fetch_add(1, Ordering::AcqRel);
        let taken = self.wait(until);
        self.wanted.fetch_sub(1, Ordering::AcqRel);
        taken
    }

    fn wait(&self, until: &Wait<'_>) -> Result<Taken<'_>, Woken> {
        loop {
            if let Some(taken) = self.try_take() {
                return Ok(taken);
            }
            let taken = lock(&self.taken);
            if *taken {
                drop(self.free.wait_timeout(taken, limits::TURN_LOOK_INTERVAL));
            }
            if until.stopper.is_some_and(Stopper::is_stopped) {
                return Err(Woken::Stopped);
            }
            if until.on_interrupt.is_some_and(|hook| hook() == Interrupt::End) {
                return Err(Woken::Interrupted);
            }
            if deadline::has_passed(until.deadline) {
                return Err(Woken::Deadline);
            }
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *lock(&self.turn.taken) = false;
        // Who waits has said so before it found the turn taken. To wake nobody is a call too.
        if self.turn.wanted.fetch_sub(1, Ordering::AcqRel) > 1 {
            self.turn.free.notify_one();
        }
    }
}

/// What a panic of another thread has left is as good as before: nothing panics half way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn whoever_waits_is_not_deaf() {
        let turn = Turn::default();
        assert!(!turn.is_wanted());
        let taken = turn.try_take();
        assert!(taken.is_some() && turn.try_take().is_none());
        let soon = deadline::now() + Duration::from_millis(1);
        assert_eq!(turn.take(&Wait::until(soon)).err(), Some(Woken::Deadline));
        let end = || Interrupt::End;
        let until = Wait { on_interrupt: Some(&end), ..Wait::FOREVER };
        assert_eq!(turn.take(&until).err(), Some(Woken::Interrupted));
        let stopper = Stopper::new().expect("a descriptor is left");
        stopper.stop();
        assert_eq!(turn.take(&Wait::FOREVER.or_stopped(&stopper)).err(), Some(Woken::Stopped));
        assert!(turn.is_wanted(), "it is had");
        drop(taken);
        assert!(!turn.is_wanted());
    }

    #[test]
    fn whoever_waits_has_it_next() {
        let turn = Turn::default();
        let taken = turn.try_take();
        std::thread::scope(|scope| {
            let next = scope.spawn(|| turn.take(&Wait::FOREVER).is_ok());
            drop(taken);
            assert!(next.join().is_ok_and(|had| had));
        });
        assert!(!turn.is_wanted());
    }
}
