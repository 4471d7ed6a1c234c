//! Whether this thread runs a service, and what is to be done once that has had its turn.
//!
//! **Invariant:** what a service has sent to groups is posted when its turn is over, and before
//! anything else that it posts itself: others hear what it says in the order in which it said it.

use super::group::Group;
use std::cell::{Cell, RefCell};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    /// With groups that have something to be posted.
    Gathering,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Outside) };
    /// Their capacity stays for the next turn.
    static GATHERING: RefCell<Vec<Group>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, this thread runs a service.
pub(super) struct InService(());

impl InService {
    pub(super) fn enter() -> InService {
        STATE.set(State::Inside);
        InService(())
    }

    pub(super) fn is_here() -> bool {
        STATE.get() != State::Outside
    }
}

impl Drop for InService {
    fn drop(&mut self) {
        post_gathered();
        STATE.set(State::Outside);
    }
}

/// Has a group post what it has gathered when the service has had its turn.
pub(super) fn post_later(group: &Group) {
    debug_assert!(InService::is_here(), "else there is no turn to wait for");
    STATE.set(State::Gathering);
    GATHERING.with_borrow_mut(|groups| groups.push(group.clone()));
}

/// Has the groups of this turn post what they have gathered so far.
#[inline]
pub(super) fn post_gathered() {
    if STATE.get() == State::Gathering {
        STATE.set(State::Inside);
        GATHERING.with_borrow_mut(|groups| groups.drain(..).for_each(|group| group.post()));
    }
}
