//! What an event loop asks of the system: [`Backend`].
//!
//! A backend tells which of the things it watches are ready, and what time it is; it reads and
//! writes nothing. The one of Linux is `epoll`, elsewhere it is mio, and the tests have one that is
//! simulated.

use crate::transport::{Interest, Transport};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tells when things are ready. Readiness is a level: as long as it is so, every wait tells it
/// again.
pub(crate) trait Backend {
    /// The clock that only goes forward.
    fn clock(&self) -> Clock;

    /// Changes what a transport is watched for, from `before` to `interest`; `NONE` on either side
    /// is not watched at all.
    ///
    /// # Errors
    /// The system cannot watch such a thing, or has no memory for it.
    fn watch(
        &mut self,
        transport: &Arc<dyn Transport>,
        key: u64,
        before: Interest,
        interest: Interest,
    ) -> io::Result<()>;

    /// Watches a descriptor for reading. `is_shared`: other loops watch it too, and it is enough
    /// that one of them wakes; a backend that cannot do that wakes them all.
    ///
    /// # Errors
    /// As for [`watch`](Self::watch).
    fn watch_descriptor(
        &mut self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        is_shared: bool,
    ) -> io::Result<()>;

    /// Watches it no longer.
    ///
    /// # Errors
    /// When it was not watched.
    fn unwatch_descriptor(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()>;

    /// Waits until something is ready or `timeout` has passed, and puts what is ready into `found`,
    /// which is emptied first.
    ///
    /// # Errors
    /// The system cannot wait. That a signal came is no error: nothing is found.
    fn wait(&mut self, found: &mut Vec<Readiness>, timeout: Option<Duration>) -> io::Result<()>;
}

/// Tells the time.
pub(crate) type Clock = Box<dyn Fn() -> Instant>;

/// Something that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) key: u64,
    /// For what, errors and hang-ups included: the next call tells which it is.
    pub(crate) ready: Interest,
}

/// Changes what the descriptors of a transport are watched for, by `change(descriptor, before,
/// interest)`: the one it has for both directions, or each of two.
///
/// # Errors
/// What `change` says; there is no descriptor for a direction that is asked for.
pub(super) fn watch_each(
    transport: &dyn Transport,
    before: Interest,
    interest: Interest,
    mut change: impl FnMut(BorrowedFd<'_>, Interest, Interest) -> io::Result<()>,
) -> io::Result<()> {
    let (read, write) = (transport.read_descriptor(), transport.write_descriptor());
    if let (Some(both), Some(write)) = (read, write)
        && both.as_raw_fd() == write.as_raw_fd()
    {
        return change(both, before, interest);
    }
    let missing = || {
        let what = "it has no descriptor that could be watched";
        Err(io::Error::new(io::ErrorKind::Unsupported, what))
    };
    match read {
        Some(read) => {
            let only = |interest| Interest { write: false, ..interest };
            change(read, only(before), only(interest))?;
        }
        None if interest.read => return missing(),
        None => {}
    }
    match write {
        Some(write) => {
            let only = |interest| Interest { read: false, ..interest };
            change(write, only(before), only(interest))
        }
        None if interest.write => missing(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline;
    use crate::transport::{Unix, pair_with_capacity};
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    const KEY: u64 = 1 << 63 | 7;

    /// Runs a test over each backend there is.
    fn over_each(test: impl Fn(&mut dyn Backend)) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        test(&mut crate::sys::epoll::Epoll::new().unwrap());
        #[cfg(any(not(any(target_os = "linux", target_os = "android")), feature = "portable"))]
        test(&mut crate::sys::mio::Mio::new().unwrap());
    }

    /// A transport and its peer.
    fn socket() -> (Arc<dyn Transport>, UnixStream) {
        let (a, b) = UnixStream::pair().unwrap();
        (Arc::new(Unix::from(a)), b)
    }

    /// What a look without a wait finds, one entry a key.
    fn look(backend: &mut dyn Backend) -> Vec<(u64, Interest)> {
        wait(backend, Duration::ZERO)
    }

    fn wait(backend: &mut dyn Backend, timeout: Duration) -> Vec<(u64, Interest)> {
        // What was found before is not to stay.
        let mut found = vec![Readiness { key: 0, ready: Interest::BOTH }];
        backend.wait(&mut found, Some(timeout)).unwrap();
        let mut by_key = std::collections::BTreeMap::new();
        for Readiness { key, ready } in found {
            let all = by_key.entry(key).or_insert(Interest::NONE);
            *all = Interest { read: all.read || ready.read, write: all.write || ready.write };
        }
        by_key.into_iter().collect()
    }

    #[test]
    fn what_is_ready_is_told_by_every_wait_until_it_is_dealt_with() {
        over_each(|backend| {
            let (transport, mut peer) = socket();
            backend.watch(&transport, KEY, Interest::NONE, Interest::READ).unwrap();
            assert_eq!(look(backend), []);
            peer.write_all(b"two").unwrap();
            for _ in 0..3 {
                assert_eq!(look(backend), [(KEY, Interest::READ)]);
            }
            // One read that does not take all there is.
            assert_eq!(transport.read(&mut [0; 2]).unwrap(), 2);
            assert_eq!(look(backend), [(KEY, Interest::READ)]);
            assert_eq!(transport.read(&mut [0; 2]).unwrap(), 1);
            assert_eq!(look(backend), []);
            // More comes while it is told already.
            for _ in 0..2 {
                peer.write_all(b"more").unwrap();
                assert_eq!(look(backend), [(KEY, Interest::READ)]);
            }
        });
    }

    #[test]
    fn an_end_is_told_as_a_level_too() {
        over_each(|backend| {
            let (transport, peer) = socket();
            backend.watch(&transport, KEY, Interest::NONE, Interest::READ).unwrap();
            peer.shutdown(std::net::Shutdown::Write).unwrap();
            for _ in 0..3 {
                assert_eq!(look(backend), [(KEY, Interest::READ)]);
            }
            drop(peer);
            for _ in 0..3 {
                assert_eq!(look(backend), [(KEY, Interest::BOTH)]);
            }
        });
    }

    #[test]
    fn what_is_watched_for_can_be_changed_and_ended() {
        over_each(|backend| {
            let (transport, mut peer) = socket();
            let mut before = Interest::NONE;
            let mut watch = |backend: &mut dyn Backend, interest| {
                backend.watch(&transport, KEY, before, interest).unwrap();
                before = interest;
            };
            watch(backend, Interest::READ);
            assert_eq!(look(backend), []);
            watch(backend, Interest::BOTH);
            assert_eq!(look(backend), [(KEY, Interest::WRITE)]);
            peer.write_all(b"m").unwrap();
            for _ in 0..2 {
                assert_eq!(look(backend), [(KEY, Interest::BOTH)]);
            }
            watch(backend, Interest::READ);
            assert_eq!(look(backend), [(KEY, Interest::READ)]);
            watch(backend, Interest::WRITE);
            assert_eq!(look(backend), [(KEY, Interest::WRITE)]);
            watch(backend, Interest::NONE);
            assert_eq!(look(backend), []);
            // Not even that the peer has gone.
            drop(peer);
            assert_eq!(look(backend), []);
        });
    }

    #[test]
    fn a_socket_that_is_full_is_told_when_there_is_room() {
        over_each(|backend| {
            let (transport, mut peer) = socket();
            backend.watch(&transport, KEY, Interest::NONE, Interest::BOTH).unwrap();
            while transport.write(&[0; 4096]).is_ok() {}
            assert_eq!(look(backend), []);
            peer.set_nonblocking(true).unwrap();
            while peer.read(&mut [0; 4096]).is_ok() {}
            for _ in 0..2 {
                assert_eq!(look(backend), [(KEY, Interest::WRITE)]);
            }
        });
    }

    #[test]
    fn two_descriptors_of_one_transport_are_told_under_one_key() {
        over_each(|backend| {
            let (here, there) = pair_with_capacity(2).unwrap();
            let here: Arc<dyn Transport> = Arc::new(here);
            backend.watch(&here, KEY, Interest::NONE, Interest::BOTH).unwrap();
            assert_eq!(look(backend), [(KEY, Interest::WRITE)]);
            assert_eq!(here.write(b"mm").unwrap(), 2);
            assert_eq!(look(backend), []);
            assert_eq!(there.write(b"m").unwrap(), 1);
            assert_eq!(look(backend), [(KEY, Interest::READ)]);
            assert_eq!(there.read(&mut [0; 2]).unwrap(), 2);
            for _ in 0..2 {
                assert_eq!(look(backend), [(KEY, Interest::BOTH)]);
            }
            backend.watch(&here, KEY, Interest::BOTH, Interest::WRITE).unwrap();
            assert_eq!(look(backend), [(KEY, Interest::WRITE)]);
            backend.watch(&here, KEY, Interest::WRITE, Interest::READ).unwrap();
            assert_eq!(look(backend), [(KEY, Interest::READ)]);
            backend.watch(&here, KEY, Interest::READ, Interest::NONE).unwrap();
            assert_eq!(look(backend), []);
        });
    }

    #[test]
    fn a_timeout_is_neither_cut_short_nor_a_reason_to_find_anything() {
        over_each(|backend| {
            let (transport, peer) = socket();
            backend.watch(&transport, KEY, Interest::NONE, Interest::READ).unwrap();
            for micros in [0, 1, 400, 1_000, 2_500] {
                let timeout = Duration::from_micros(micros);
                let began = deadline::now();
                assert_eq!(wait(backend, timeout), []);
                assert!(deadline::now() - began >= timeout);
            }
            // Timeouts past what any system's types hold end at the event.
            drop(peer);
            for timeout in [Duration::MAX, Duration::from_secs(1 << 40)] {
                assert_eq!(look(backend), [(KEY, Interest::BOTH)]);
                assert_eq!(wait(backend, timeout), [(KEY, Interest::BOTH)]);
            }
        });
    }

    #[test]
    fn a_bare_descriptor_is_watched_for_reading_until_it_is_not() {
        over_each(|backend| {
            for is_shared in [false, true] {
                let (here, mut peer) = UnixStream::pair().unwrap();
                backend.watch_descriptor(here.as_fd(), KEY, is_shared).unwrap();
                assert_eq!(look(backend), []);
                peer.write_all(b"m").unwrap();
                for _ in 0..2 {
                    assert_eq!(look(backend), [(KEY, Interest::READ)]);
                }
                backend.unwatch_descriptor(here.as_fd()).unwrap();
                assert_eq!(look(backend), []);
                assert!(backend.unwatch_descriptor(here.as_fd()).is_err());
            }
        });
    }

    #[test]
    fn what_is_closed_is_watched_no_longer_and_its_number_is_free() {
        over_each(|backend| {
            for key in [1, 2, 3] {
                let (here, mut peer) = UnixStream::pair().unwrap();
                backend.watch_descriptor(here.as_fd(), key, false).unwrap();
                peer.write_all(b"m").unwrap();
                assert_eq!(look(backend), [(key, Interest::READ)]);
                // Told, and closed before the next wait.
                drop(here);
                assert_eq!(look(backend), []);
            }
        });
    }

    #[test]
    fn more_than_one_wait_tells_is_told_by_the_waits_after_it() {
        over_each(|backend| {
            let sockets: Vec<_> = (0..300).map(|_| UnixStream::pair().unwrap()).collect();
            let mut left: std::collections::BTreeSet<u64> = (0..300).collect();
            for (key, (here, peer)) in (0..).zip(&sockets) {
                backend.watch_descriptor(here.as_fd(), key, false).unwrap();
                (&*peer).write_all(b"m").unwrap();
            }
            while !left.is_empty() {
                for (key, ready) in look(backend) {
                    assert_eq!(ready, Interest::READ);
                    left.remove(&key);
                }
            }
        });
    }
}
