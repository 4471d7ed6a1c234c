//! What can be waited for: [`Source`].

use crate::transport::Interest;
use crate::{Connecting, Conversation, Listener, Stopper, Transport, deadline, sys};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

/// The list that a source stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Would-be readers.
    Readers,
    /// Would-be writers.
    Writers,
    /// Those whose exceptional conditions are to be told.
    Errors,
}

/// Something that can be waited for: what it holds already, and which descriptors tell the rest.
///
/// Listeners, transports of every kind, connecting sockets, conversations and stoppers are sources,
/// and so is any borrowed descriptor. For a type of your own, pass the questions on:
///
/// ```
/// use std::os::fd::BorrowedFd;
/// use switchboard::select::{List, Source, select};
/// use switchboard::{Conversation, transport::Interest};
///
/// struct Guest {
///     name: String,
///     conversation: Conversation,
/// }
///
/// impl Source for Guest {
///     fn is_ready(&self, list: List) -> bool {
///         self.conversation.is_ready(list)
///     }
///
///     fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
///         self.conversation.descriptors(list, watch);
///     }
/// }
///
/// let (conversation, mut peer) = Conversation::pair("lines")?;
/// let guest = Guest { name: "ada".to_owned(), conversation };
/// peer.send(b"hello")?;
/// assert_eq!(select(&[&guest], &[], &[], None)?.readers, [0], "{} has spoken", guest.name);
/// # Ok::<(), switchboard::Error>(())
/// ```
pub trait Source {
    /// Whether it is ready in that list whatever the system says: something is buffered here, an
    /// error is to be told, or nothing ever waits.
    fn is_ready(&self, list: List) -> bool;

    /// Gives `watch` each descriptor that makes it ready in that list, with what to wait for on it.
    /// Among the errors the interest is left out. None at all: the system will never tell.
    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest));

    /// When it becomes ready by itself: a connecting socket whose time is over has an outcome.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// Ready when a read or a write would move something, or tell an end or an error. A regular file
/// is always ready, in both lists.
impl<T: Transport + ?Sized> Source for T {
    fn is_ready(&self, list: List) -> bool {
        match list {
            List::Readers => self.holds_input() || self.read_descriptor().is_none(),
            List::Writers => self.write_descriptor().is_none(),
            List::Errors => false,
        }
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        let asked = match list {
            List::Readers => self.interest(Interest::READ),
            List::Writers => self.interest(Interest::WRITE),
            List::Errors => Interest::BOTH,
        };
        if let Some(descriptor) = self.read_descriptor().filter(|_| asked.read) {
            watch(descriptor, Interest::READ);
        }
        if let Some(descriptor) = self.write_descriptor().filter(|_| asked.write) {
            watch(descriptor, Interest::WRITE);
        }
    }
}

/// As the source that it shares.
impl<T: Source + ?Sized> Source for Arc<T> {
    fn is_ready(&self, list: List) -> bool {
        (**self).is_ready(list)
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        (**self).descriptors(list, watch);
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }
}

/// As a reader it is ready when [`try_accept`](Listener::try_accept) would give a connection (or
/// another process took it first); as a writer never.
impl Source for Listener {
    fn is_ready(&self, _: List) -> bool {
        false
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        if list != List::Writers {
            Listener::descriptors(self).for_each(|descriptor| watch(descriptor, Interest::READ));
        }
    }
}

/// It belongs in the writers, and is ready there when [`finish`](Connecting::finish) has something
/// to do: a name is resolved, an attempt has succeeded or failed, the time is over. In the readers
/// it says the same.
impl Source for Connecting {
    fn is_ready(&self, list: List) -> bool {
        let over = self.descriptor().is_none() || deadline::has_passed(Connecting::deadline(self));
        list != List::Errors && over
    }

    fn descriptors<'a>(&'a self, _: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        if let Some(descriptor) = self.descriptor() {
            watch(descriptor, self.interest());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Connecting::deadline(self)
    }
}

/// As a reader it is ready once stopped; as a writer never.
impl Source for Stopper {
    fn is_ready(&self, list: List) -> bool {
        list == List::Readers && self.is_stopped()
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        if list == List::Readers {
            watch(self.as_fd(), Interest::READ);
        }
    }
}

/// Any descriptor that the system can poll: a terminal, a pipe, a socket of a kind that is not
/// known here.
impl Source for BorrowedFd<'_> {
    fn is_ready(&self, _: List) -> bool {
        false
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        watch(*self, if list == List::Writers { Interest::WRITE } else { Interest::READ });
    }
}

/// A source of any kind, owned: what a [`Poller`](super::Poller) holds unless told otherwise.
///
/// ```
/// use switchboard::select::AnySource;
/// use switchboard::Conversation;
///
/// let (client, _server) = Conversation::pair("lines")?;
/// assert!(matches!(AnySource::from(client), AnySource::Conversation(_)));
/// # Ok::<(), switchboard::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "most of a large set are conversations, and a box for each would save nothing"
)]
pub enum AnySource {
    /// Makes connections.
    Listener(Listener),
    /// A stream of bytes.
    Stream(Arc<dyn Transport>),
    /// A connection that is being made.
    Connecting(Connecting),
    /// A framed connection.
    Conversation(Conversation),
    /// Ready once stopped.
    Stopper(Stopper),
}

impl AnySource {
    fn as_source(&self) -> &dyn Source {
        match self {
            AnySource::Listener(listener) => listener,
            AnySource::Stream(stream) => stream,
            AnySource::Connecting(connecting) => connecting,
            AnySource::Conversation(conversation) => conversation,
            AnySource::Stopper(stopper) => stopper,
        }
    }
}

/// As the source that it is.
impl Source for AnySource {
    fn is_ready(&self, list: List) -> bool {
        self.as_source().is_ready(list)
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        self.as_source().descriptors(list, watch);
    }

    fn deadline(&self) -> Option<Instant> {
        self.as_source().deadline()
    }
}

impl From<Listener> for AnySource {
    fn from(listener: Listener) -> AnySource {
        AnySource::Listener(listener)
    }
}

impl From<Arc<dyn Transport>> for AnySource {
    fn from(stream: Arc<dyn Transport>) -> AnySource {
        AnySource::Stream(stream)
    }
}

impl From<Connecting> for AnySource {
    fn from(connecting: Connecting) -> AnySource {
        AnySource::Connecting(connecting)
    }
}

impl From<Conversation> for AnySource {
    fn from(conversation: Conversation) -> AnySource {
        AnySource::Conversation(conversation)
    }
}

impl From<Stopper> for AnySource {
    fn from(stopper: Stopper) -> AnySource {
        AnySource::Stopper(stopper)
    }
}

/// A descriptor that something else in this process has, known by its number: a duplicate of it
/// is waited for, as long as this is there.
#[derive(Debug)]
pub struct Duplicate(OwnedFd);

impl Duplicate {
    /// Duplicates the descriptor with that number.
    ///
    /// # Errors
    /// It is not open, or no descriptor is left.
    pub fn of(number: i32) -> io::Result<Duplicate> {
        sys::duplicate(number).map(Duplicate)
    }
}

/// As any [descriptor](BorrowedFd).
impl Source for Duplicate {
    fn is_ready(&self, _: List) -> bool {
        false
    }

    fn descriptors<'a>(&'a self, list: List, watch: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {
        let interest = if list == List::Writers { Interest::WRITE } else { Interest::READ };
        watch(self.0.as_fd(), interest);
    }
}
