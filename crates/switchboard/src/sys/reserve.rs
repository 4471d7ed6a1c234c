//! A descriptor kept for the moment when there is none left.

use super::signal::spare;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

/// One descriptor that nothing uses. Giving it up frees a number in the process's table and a place
/// in the system's, so that one call that needs both can be made.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// None when it could not be taken; the next use tries again.
    held: Mutex<Option<OwnedFd>>,
}

impl Reserve {
    /// A reserve, empty if there is no descriptor even now.
    pub(crate) fn new() -> Reserve {
        Reserve { held: Mutex::new(spare().ok()) }
    }

    /// Calls `with_room` with the reserve given up, then takes it again. `None`, without a call:
    /// descriptors have not run out, or the reserve is not to be had. One caller at a time.
    ///
    /// What `with_room` opened must be closed when it returns; else there is nothing to take again.
    /// Another thread may take the number first: `with_room` then finds none, as before.
    pub(crate) fn give_up_for<T>(&self, with_room: impl FnOnce() -> T) -> Option<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = spare().ok();
        }
        if held.is_none() || spare().is_ok() {
            return None;
        }
        *held = None;
        let outcome = with_room();
        *held = spare().ok();
        Some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_there_are_descriptors_the_reserve_is_kept() {
        let reserve = Reserve::new();
        assert_eq!(reserve.give_up_for(|| "called"), None);
        assert!(reserve.held.lock().unwrap().is_some());
    }

    #[test]
    fn an_empty_reserve_is_filled_at_the_next_use() {
        let reserve = Reserve { held: Mutex::new(None) };
        assert_eq!(reserve.give_up_for(|| "called"), None);
        assert!(reserve.held.lock().unwrap().is_some());
    }
}
