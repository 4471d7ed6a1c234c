//! When a wait asks its hook for interrupts: [`Asking`].
//!
//! A signal that comes between the caller's last look and the system's wait interrupts nothing. So
//! a hook is asked unasked too, once in each [`INTERRUPT_LOOK_INTERVAL`], counted over all the
//! waits of a thread: many short ones are as good as a long one, and cost no more.
//!
//! [`INTERRUPT_LOOK_INTERVAL`]: limits::INTERRUPT_LOOK_INTERVAL

use crate::transport::Interrupt;
use crate::{deadline, limits};
use std::cell::Cell;
use std::time::Instant;

thread_local! {
    /// Until when no hook has to be asked again in this thread.
    static FRESH_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A signal has ended a read that waits, which asks nobody: the next wait of this thread does.
pub(super) fn signalled() {
    FRESH_UNTIL.set(None);
}

/// What a wait asks, if anything.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a>(Option<&'a dyn Fn() -> Interrupt>);

impl<'a> Asking<'a> {
    pub(super) fn new(hook: Option<&'a dyn Fn() -> Interrupt>) -> Asking<'a> {
        Asking(hook)
    }

    /// Asks, because a signal has come. Whether the wait is to end.
    pub(super) fn ends(self) -> bool {
        self.0.is_some_and(|hook| {
            let said = hook();
            FRESH_UNTIL.set(deadline::after(limits::INTERRUPT_LOOK_INTERVAL));
            said == Interrupt::End
        })
    }

    /// Asks, if the time has come and this is no mere look: one until a deadline that has passed.
    /// Whether the wait is to end.
    pub(super) fn ends_before(self, deadline: Option<Instant>) -> bool {
        let is_due = || FRESH_UNTIL.get().is_none_or(|at| deadline::has_passed(Some(at)));
        self.0.is_some() && is_due() && !deadline::has_passed(deadline) && self.ends()
    }

    /// How long the system may wait, of a wait until `deadline`.
    pub(super) fn until(self, deadline: Option<Instant>) -> Option<Instant> {
        match self.0 {
            Some(_) => deadline::earlier(deadline, FRESH_UNTIL.get()),
            None => deadline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::many::{Asked, Many};
    use super::super::poll::{Watch, Woke, wait};
    use super::*;
    use crate::transport::Wait;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// Says to end when it is asked for the `n`th time.
    fn nth(n: u32) -> (impl Fn() -> Interrupt, std::sync::Arc<AtomicU32>) {
        let count = std::sync::Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let hook = move || match counted.fetch_add(1, Ordering::Relaxed) + 1 == n {
            true => Interrupt::End,
            false => Interrupt::Continue,
        };
        (hook, count)
    }

    #[test]
    fn without_any_signal_a_hook_ends_a_wait() {
        let (a, _b) = UnixStream::pair().expect("a pair of sockets");
        let (hook, count) = nth(3);
        let until = Wait { on_interrupt: Some(&hook), ..Wait::FOREVER };
        let mut watches = [Watch::new(a.as_fd(), true, false)];
        assert_eq!(wait(&mut watches, &until).ok(), Some(Woke::Interrupted));
        assert_eq!(count.load(Ordering::Relaxed), 3);
        let (hook, count) = nth(2);
        let mut many = Many::default();
        many.ask(a.as_fd(), Asked { read: true, ..Asked::default() });
        assert_eq!(many.wait(None, Some(&hook)).ok(), Some(false));
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn short_waits_are_counted_together() {
        let (a, _b) = UnixStream::pair().expect("a pair of sockets");
        let (hook, count) = nth(2);
        let interval = limits::INTERRUPT_LOOK_INTERVAL;
        let begun = deadline::now();
        let mut waits = 0;
        loop {
            let deadline = deadline::after(Duration::from_millis(10));
            let until = Wait { on_interrupt: Some(&hook), deadline, ..Wait::FOREVER };
            let woke = wait(&mut [Watch::new(a.as_fd(), true, false)], &until).ok();
            if woke == Some(Woke::Interrupted) {
                break;
            }
            waits += 1;
            assert_eq!(woke, Some(Woke::Deadline));
            assert_eq!(count.load(Ordering::Relaxed), 1, "before the first, and not each time");
        }
        assert!(waits > 1 && deadline::now() >= begun + interval);
    }

    #[test]
    fn a_look_asks_nobody() {
        let (a, _b) = UnixStream::pair().expect("a pair of sockets");
        let (hook, count) = nth(1);
        let look = Wait { on_interrupt: Some(&hook), ..Wait::until(deadline::now()) };
        let woke = wait(&mut [Watch::new(a.as_fd(), true, false)], &look).ok();
        assert_eq!((woke, count.load(Ordering::Relaxed)), (Some(Woke::Deadline), 0));
    }
}
