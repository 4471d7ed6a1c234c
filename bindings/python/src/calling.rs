//! What every call of a [`Conversation`] goes through: its lock, its waits, its errors.
//!
//! **Invariant:** nobody who has the interpreter's lock waits for a conversation's; and a call that
//! a signal's handler makes never waits for the one in whose middle it came.

use crate::conversation::Conversation;
use crate::errors;
use crate::interrupt::{self, InCall, Turns};
use pyo3::prelude::*;
use std::sync::{Arc, PoisonError};
use switchboard::{Ending, Error, Look, SharedConversation};

impl Conversation {
    /// Locks it. Another thread may hold it and want the interpreter's lock: so who has that waits
    /// for nobody.
    ///
    /// # Errors
    /// This thread itself may hold it.
    pub(crate) fn look(&self, py: Python<'_>) -> PyResult<Look<'_>> {
        loop {
            if let Some(look) = self.shared.try_look() {
                return Ok(look);
            }
            if interrupt::is_moving() {
                return Err(self.within(py));
            }
            py.detach(|| drop(self.shared.look()));
        }
    }

    /// The exception of an error; an ending is noted.
    pub(crate) fn failed(&self, py: Python<'_>, error: &Error) -> PyErr {
        match error.ending() {
            None | Some(Ending::TimedOut | Ending::Stopped) => {}
            // The first one stays.
            Some(ending) => drop(self.ending.set(ending)),
        }
        if error.ending().is_some() {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        errors::exception(py, error)
    }

    /// The last ending that it has told.
    pub(crate) fn told_last(&self) -> Option<Error> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// # Errors
    /// This thread itself may hold the lock.
    pub(crate) fn may_lock(&self, py: Python<'_>) -> PyResult<()> {
        if interrupt::is_moving() {
            self.look(py)?;
        }
        Ok(())
    }

    /// What a handler of a signal is told whose call would wait for the one in whose middle it
    /// came.
    fn within(&self, py: Python<'_>) -> PyErr {
        let text = "this thread is in the middle of such a call of this conversation: a handler of \
                    a signal sets a flag or raises";
        errors::misused(py, text)
    }

    /// Whether an exception has said that nothing can be delivered any more.
    pub(crate) fn is_known(&self, py: Python<'_>) -> bool {
        let Some(told) = self.told_last() else { return false };
        // What broke in sending is told by every call that sends.
        let sends = |open: &mut switchboard::Conversation| open.send_error().is_none();
        let is_over = !self.look(py).is_ok_and(|mut look| look.conversation().is_ok_and(sends));
        is_over || !told.is_timeout() && !told.is_stopped()
    }

    /// A call that may wait, and for which turns.
    pub(crate) fn waits<T: Send>(
        &self,
        py: Python<'_>,
        turns: Turns,
        call: impl FnOnce(&SharedConversation) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let shared = &*self.shared;
        let Some(_call) = InCall::enter(Arc::as_ptr(&self.shared).addr(), turns) else {
            return Err(self.within(py));
        };
        interrupt::look_around(py)?;
        self.may_lock(py)?;
        let done = py.detach(|| call(shared));
        // A call may end well although it was interrupted: closing, when it gives up to linger.
        match interrupt::raised() {
            Some(raised) => Err(raised),
            None => done.map_err(|error| self.failed(py, &error)),
        }
    }
}
