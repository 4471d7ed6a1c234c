//! Waiting for many things at a time in one thread: [`select()`], and [`Poller`] for large sets.
//!
//! Neither moves a byte. They say who is ready, and calls that do not wait
//! ([`try_recv`](crate::Conversation::try_recv), [`try_send`](crate::Conversation::try_send),
//! [`try_accept`](crate::Listener::try_accept), [`finish`](crate::Connecting::finish)) do the rest.
//!
//! **Invariant:** what is buffered counts. The system sees a message leave its own buffer and
//! arrive in ours, and then has nothing to tell; a loop that asks the system alone sleeps beside a
//! whole message. Here what is held is seen before the system is asked. The other way round nothing
//! is told for ever: half a message that has been looked at is no reason to wake.
//!
//! "Ready" is what is known without moving anything. A call may still find nothing (the connection
//! was aborted before it was accepted; the bytes that came were half a message), so use the calls
//! that do not wait.

mod entry;
mod poller;
mod source;

pub use poller::{Event, Poller};
pub use source::{AnySource, Duplicate, List, Source};

use crate::sys::{Asked, Found, Many};
use crate::transport::Interrupt;
use crate::{Error, deadline};
use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// Who is ready: indices into the lists that were given to [`select()`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read, an accept or a `try_recv` gives something.
    pub readers: Vec<usize>,
    /// A write or a `try_send` moves something; a connect has an outcome.
    pub writers: Vec<usize>,
    /// Something exceptional has happened.
    pub errors: Vec<usize>,
}

impl Ready {
    /// Nobody is: the timeout has passed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.readers.is_empty() && self.writers.is_empty() && self.errors.is_empty()
    }
}

/// Waits until one of these is ready or the timeout has passed, and says which are, each as an
/// index into its list. Everything that is ready is told, not only the first.
///
/// The lists may be of any length (there is no limit of 1024 here), they may be empty, and the same
/// source may stand in several. With three empty lists it waits for the time alone. `None` waits
/// for ever. A signal does not end it.
///
/// | | as a reader | as a writer |
/// |---|---|---|
/// | listener | a connection waits | never |
/// | stream | bytes, the end or an error can be read | a write moves something or tells an error |
/// | regular file | always | always |
/// | [`Connecting`](crate::Connecting) | as a writer | `finish` has something to do |
/// | conversation | `try_recv` has something to tell or to write | `try_send` or `try_flush` has |
/// | [`Stopper`](crate::Stopper) | it has been stopped | never |
///
/// A conversation's message, ending or error counts when it is buffered already; so does pending
/// output that the peer has room for, also of a reader, since `try_recv` writes it.
///
/// What has ended stays ready as a reader, since the end can be read again and again: take it out
/// of the list. The errors are what Linux calls `POLLPRI` (urgent data on TCP), `POLLERR` (a reset
/// or a failed connect that no call has told yet; a pipe whose reader is gone) and `POLLNVAL` (no
/// descriptor), and what a conversation has found before. A stream that has ended in both
/// directions (`POLLHUP`) is no error: readers and writers hear of it.
///
/// Who comes first in a list of results changes from call to call, so that a loop which serves the
/// first only starves nobody.
///
/// The timeouts of a conversation are not looked at: what you wait for is yours to say. A socket
/// that is connecting wakes it at its deadline.
///
/// # Errors
/// The system cannot poll: it is out of memory, or there are more descriptors than the process may
/// have open.
///
/// # Examples
/// A conversation whose second message is buffered already is ready, though its socket has nothing
/// to tell any more:
///
/// ```
/// use std::time::Duration;
/// use switchboard::{Conversation, Received, select};
///
/// let (mut a, mut to_a) = Conversation::pair("lines")?;
/// let (b, mut to_b) = Conversation::pair("lines")?;
/// assert!(select(&[&a, &b], &[], &[], Some(Duration::ZERO))?.is_empty());
///
/// to_a.send_many(["one", "two"])?; // Both come with one read.
/// assert_eq!(select(&[&a, &b], &[], &[], None)?.readers, [0]);
/// assert!(matches!(a.try_recv()?, Received::Message(_)));
/// assert_eq!(select(&[&a, &b], &[], &[], None)?.readers, [0]);
/// assert!(matches!(a.try_recv()?, Received::Message(_)));
/// assert!(select(&[&a, &b], &[], &[], Some(Duration::ZERO))?.is_empty());
///
/// to_b.send(b"three")?;
/// let ready = select(&[&a, &b], &[&a], &[], None)?;
/// assert_eq!((ready.readers, ready.writers), (vec![1], vec![0]));
/// # Ok::<(), switchboard::Error>(())
/// ```
pub fn select(
    readers: &[&dyn Source],
    writers: &[&dyn Source],
    errors: &[&dyn Source],
    timeout: Option<Duration>,
) -> Result<Ready, Error> {
    select_or_interrupted(readers, writers, errors, timeout, None)
}

/// As [`select`], but a signal that interrupts the wait has `on_interrupt` called, which says
/// whether to go on; it is called now and then too, as
/// [`Wait::on_interrupt`](crate::transport::Wait::on_interrupt) says.
///
/// # Errors
/// As [`select`]; and `on_interrupt` has said to end.
pub fn select_or_interrupted(
    readers: &[&dyn Source],
    writers: &[&dyn Source],
    errors: &[&dyn Source],
    timeout: Option<Duration>,
    on_interrupt: Option<&dyn Fn() -> Interrupt>,
) -> Result<Ready, Error> {
    let lists = [(List::Readers, readers), (List::Writers, writers), (List::Errors, errors)];
    let end = timeout.and_then(deadline::after);
    let mut hung_up = HashSet::new();
    loop {
        let mut ready = look(&lists, end, on_interrupt, &mut hung_up)?;
        if !ready.is_empty() || deadline::has_passed(end) {
            for list in [&mut ready.readers, &mut ready.writers, &mut ready.errors] {
                let first = turn(list.len());
                list.rotate_left(first);
            }
            return Ok(ready);
        }
        // A connecting socket's time is over, or all that came is told to nobody: once more.
    }
}

/// One round: what is held, then what the system says. Descriptors that have hung up, which is told
/// unasked and is no error, are put into `hung_up` and not asked about among the errors again.
fn look(
    lists: &[(List, &[&dyn Source]); 3],
    end: Option<Instant>,
    on_interrupt: Option<&dyn Fn() -> Interrupt>,
    hung_up: &mut HashSet<RawFd>,
) -> Result<Ready, Error> {
    let mut ready = [Vec::new(), Vec::new(), Vec::new()];
    let mut many = Many::default();
    let mut asked = Vec::new();
    let mut until = end;
    for (at, (list, sources)) in lists.iter().enumerate() {
        for (index, source) in sources.iter().enumerate() {
            let by_itself = coming(*source);
            if source.is_ready(*list) {
                ready[at].push(index);
                continue;
            }
            until = deadline::earlier(until, by_itself);
            source.descriptors(*list, &mut |descriptor, interest| {
                let number = descriptor.as_raw_fd();
                let question = match list {
                    List::Errors if hung_up.contains(&number) => return,
                    List::Errors => Asked { urgent: true, ..Asked::default() },
                    List::Readers | List::Writers => interest.into(),
                };
                asked.push((at, index, number, question, many.ask(descriptor, question)));
            });
        }
    }
    if ready.iter().any(|list| !list.is_empty()) {
        until = Some(deadline::now());
    }
    if !many.wait(until, on_interrupt).map_err(cannot_wait)? {
        return Err(Error::interrupted("waiting for readiness"));
    }
    for (at, index, number, question, place) in asked {
        let found = many.found(place);
        let is_ready = match lists[at].0 {
            List::Errors => is_error(found),
            List::Readers | List::Writers => found.answers(question),
        };
        if is_ready {
            ready[at].push(index);
        } else if found.hang_up {
            hung_up.insert(number);
        }
    }
    for list in &mut ready {
        list.sort_unstable();
        list.dedup();
    }
    let [readers, writers, errors] = ready;
    Ok(Ready { readers, writers, errors })
}

/// When a source becomes ready by itself, if that is still to come. Asked before whether it is
/// ready: a time that passes in between makes the wait a short one, and none is missed.
fn coming<S: Source + ?Sized>(source: &S) -> Option<Instant> {
    source.deadline().filter(|at| !deadline::has_passed(Some(*at)))
}

fn is_error(found: Found) -> bool {
    found.urgent || found.error
}

fn cannot_wait(error: io::Error) -> Error {
    let too_many = error.kind() == io::ErrorKind::InvalidInput;
    let error = Error::io("cannot wait for readiness", error);
    match too_many {
        true => error.with_advice(
            "there may be more descriptors than the process may have open: raise the limit \
             (ulimit -n)",
        ),
        false => error,
    }
}

thread_local! {
    static TURNS: Cell<u64> = const { Cell::new(0) };
}

/// Whose turn it is to be first among `count`. Multiples of the golden ratio spread evenly over any
/// count, whichever of its thread's turns a caller gets: also when two callers take them
/// alternately. Each thread has turns of its own, so that no other can fall into step with it.
fn turn(count: usize) -> usize {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    if count < 2 {
        return 0;
    }
    let turn = TURNS.replace(TURNS.get().wrapping_add(1)).wrapping_mul(GOLDEN_RATIO);
    // The upper half of the product is below `count`.
    usize::try_from((u128::from(turn) * count as u128) >> 64).unwrap_or(0)
}
