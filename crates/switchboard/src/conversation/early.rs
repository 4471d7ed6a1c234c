//! Where a thread that has a shared conversation's turn to receive reads while it waits: [`Early`].
//!
//! A read that waits needs a buffer of its own: the session's is everybody's meanwhile.
//!
//! **Invariant:** what was read lies in the session before anybody takes the conversation away, see
//! [`end`](Early::end).

use super::Conversation;
use super::link::Read;
use super::receive::Awaited;
use super::turn::lock;
use crate::transport::Interest;
use crate::{Error, limits};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Early {
    /// Locked while somebody reads, and until that lies in the session.
    bytes: Mutex<Vec<u8>>,
    is_over: AtomicBool,
}

impl Early {
    /// The buffer, for one read; none once this is over. Whoever asks holds the conversation's
    /// lock, which nobody waits for who holds this one's.
    pub(super) fn begin(&self) -> Option<MutexGuard<'_, Vec<u8>>> {
        let mut bytes = match self.bytes.try_lock() {
            Ok(bytes) => bytes,
            Err(TryLockError::Poisoned(bytes)) => bytes.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        // Looked at last: whoever ends this waits for those that have begun before.
        if self.is_over() {
            return None;
        }
        bytes.resize(limits::EARLY_BYTES, 0);
        Some(bytes)
    }

    /// Whether the conversation is being taken away: whoever was reading leaves what came to that.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Nobody begins any more, and nobody is at it: for that it waits, as long as a read may.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        drop(lock(&self.bytes));
    }
}

impl Conversation {
    /// For how long what is awaited may be read blindly, if at all.
    pub(super) fn reads_early(&self, awaited: &Awaited) -> Option<Duration> {
        match awaited.interest {
            Interest::READ => self.link.reads_blindly(awaited.since, awaited.deadline),
            _ => None,
        }
    }

    /// Takes what such a read has brought; where that was all it had room for, what there is behind
    /// it too, unless a message would be lost by that. Whether there is anything to look at.
    pub(super) fn take_early(
        &mut self,
        read: io::Result<usize>,
        bytes: &[u8],
        reads_on: bool,
    ) -> Result<bool, Error> {
        let inbound = &mut self.session.inbound;
        match read {
            Ok(count) if count > 0 => {
                inbound.handle_bytes(&bytes[..count]);
                self.link.drained = count < bytes.len() && !self.link.transport.holds_input();
                if !self.link.drained && reads_on {
                    self.read_ahead();
                }
                Ok(true)
            }
            read => {
                let read = self.link.note_wait(inbound, read, bytes.len());
                Ok(self.readable(read)? != Read::Nothing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reads_at_a_time_and_nobody_once_it_is_over() {
        let early = Early::default();
        let reading = early.begin();
        assert_eq!(reading.as_ref().map(|bytes| bytes.len()), Some(limits::EARLY_BYTES));
        assert!(early.begin().is_none());
        std::thread::scope(|scope| {
            let ending = scope.spawn(|| early.end());
            while !early.is_over() {
                std::thread::yield_now();
            }
            assert!(!ending.is_finished(), "somebody is at it");
            drop(reading);
        });
        assert!(early.begin().is_none());
    }
}
