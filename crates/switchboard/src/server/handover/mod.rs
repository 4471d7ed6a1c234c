//! A server that is restarted without a gap: its listening sockets go to the next process.
//!
//! ```text
//!  the successor                     the server
//!  "take 1"         ------------->   is it of the same user, and of this version?
//!                   <-------------   sockets, at most so many; beside them their descriptors
//!  "more"           ------------->
//!                   <-------------   more of them, or that there are no more
//!  (prepares all it needs)           (goes on serving)
//!  "ready"          ------------->
//!  begins to accept <-------------   "yours": accepts no more, and drains
//! ```
//!
//! The socket at which the server answers is among those that go over, so that a third process
//! finds the second where it would have found the first.
//!
//! The server's side is [`Handover`]: it never waits, and needs no thread of its own; whoever
//! accepts has it take a step when its one descriptor is readable. The other side is
//! [`Predecessor`]. What they say is in [`wire`].
//!
//! **Invariant:** until it has said "yours" the server serves as if nobody had asked, whatever the
//! successor does or fails to do. At most one successor is answered at a time.

mod successor;
mod wire;

pub(super) use successor::Predecessor;

use crate::session::{Event, Session};
use crate::transport::Transport;
use crate::{Endpoint, Error, ListenOptions, Listener, deadline, limits, sys};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use switchboard_frame::Role;
use wire::{Answer, Ask, Item};

/// Answers a successor.
#[derive(Debug)]
pub(super) struct Handover {
    door: Arc<Listener>,
    /// Those that the server accepts from, as long as it does.
    listeners: Vec<Weak<Listener>>,
    guest: Option<Guest>,
    /// Until when the door is left alone: there was no descriptor for a guest.
    paused: Option<Instant>,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    GoesOn,
    /// The successor accepts from now on, and this server does not.
    Taken,
}

/// A process that asks.
#[derive(Debug)]
struct Guest {
    stream: Arc<dyn Transport>,
    session: Session,
    /// What it has not been given yet.
    left: VecDeque<Item<Arc<Listener>>>,
    has_asked: bool,
    /// Why it gets nothing, if so.
    refusal: Option<String>,
    until: Instant,
}

/// Where a server may answer its successor.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, Error> {
    let fail = |error| Error::caller("cannot hand over").with_source(error);
    let endpoint: Endpoint = text.parse().map_err(fail)?;
    match endpoint {
        Endpoint::Unix(_) | Endpoint::Abstract(_) => Ok(endpoint),
        _ => Err(Error::caller("cannot hand over at")
            .at_endpoint(endpoint)
            .with_advice("sockets are passed over a unix socket only: unix:/path or unix:@name")),
    }
}

/// Listens there, for this user alone.
pub(super) fn bind(endpoint: &Endpoint) -> Result<Listener, Error> {
    let options = ListenOptions::default().with_unix_mode(0o600);
    Listener::bind(endpoint, &options).map_err(|error| {
        let is_socket = match endpoint {
            Endpoint::Unix(path) => std::fs::symlink_metadata(path)
                .is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_socket(&found.file_type())),
            _ => true,
        };
        match error.is_address_in_use() && is_socket {
            true => error.with_advice("a server answers there: take over from it, or end it"),
            false => error,
        }
    })
}

impl Handover {
    pub(super) fn new(door: Arc<Listener>, listeners: &[Arc<Listener>]) -> Handover {
        let mut each: Vec<Weak<Listener>> = Vec::new();
        for listener in listeners.iter().map(Arc::downgrade) {
            // Loops share what has no socket for each.
            if !each.iter().any(|one| one.ptr_eq(&listener)) {
                each.push(listener);
            }
        }
        let listeners = each;
        Handover { door, listeners, guest: None, paused: None }
    }

    /// What to wait for: that it is readable. There may be another one after each step.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.guest {
            Some(guest) => guest.stream.read_descriptor(),
            None if self.paused.is_some() => None,
            None => self.door.descriptors().next(),
        }
    }

    /// When to take a step though nothing is readable.
    pub(super) fn until(&self) -> Option<Instant> {
        self.guest.as_ref().map(|guest| guest.until).or(self.paused)
    }

    /// Does what can be done without waiting.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        if self.guest.is_none() {
            self.welcome(now);
        }
        let Some(guest) = &mut self.guest else { return Step::GoesOn };
        let spoken = match guest.until <= now {
            true => Err(Error::timed_out("waiting for")),
            false => guest.listen(&self.door, &self.listeners, now),
        };
        match spoken {
            Ok(Some(())) => {
                self.give_away();
                return Step::Taken;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "a successor was sent away");
                self.guest = None;
            }
        }
        Step::GoesOn
    }

    /// Lets a process in, if one of this user waits.
    fn welcome(&mut self, now: Instant) {
        self.paused = None;
        let stream = match self.door.try_accept() {
            Ok(Some(stream)) => stream,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "no successor can be answered for now");
                self.paused = now.checked_add(limits::ACCEPT_PAUSE);
                return;
            }
        };
        let refusal = check_user(&*stream).err().map(|error| error.to_string());
        let session = Session::new(&wire::protocol(), Role::Server);
        let until = now + limits::HANDOVER_TIMEOUT;
        let left = VecDeque::new();
        self.guest = Some(Guest { stream, session, left, has_asked: false, refusal, until });
    }

    /// All paths are the successor's.
    fn give_away(&self) {
        self.door.give_path_away();
        for listener in self.listeners.iter().filter_map(Weak::upgrade) {
            listener.give_path_away();
        }
    }
}

impl Guest {
    /// Reads what there is and answers it. Whether it has taken over.
    fn listen(
        &mut self,
        door: &Arc<Listener>,
        listeners: &[Weak<Listener>],
        now: Instant,
    ) -> Result<Option<()>, Error> {
        loop {
            match self.session.poll().map_err(|error| Error::frame(error, "a successor", 1))? {
                Event::Message => {
                    let ask = Ask::read(self.session.message().bytes());
                    self.until = now + limits::HANDOVER_TIMEOUT;
                    let other_version = match &ask {
                        Ask::Other(said) => Some(wire::other_version(said)),
                        _ => None,
                    };
                    if let Some(why) = self.refusal.take().or(other_version) {
                        self.answer(&Answer::Refused(why.clone()), &[])?;
                        return Err(Error::caller(why));
                    }
                    match ask {
                        Ask::Take if !self.has_asked => {
                            self.has_asked = true;
                            self.left = wire::items(door, listeners);
                            self.give()?;
                        }
                        Ask::More if self.has_asked => self.give()?,
                        Ask::Ready if self.has_asked && self.left.is_empty() => {
                            self.answer(&Answer::Yours, &[])?;
                            return Ok(Some(()));
                        }
                        _ => return Err(Error::caller("a successor asked out of turn")),
                    }
                }
                Event::Need(need) => {
                    let space = self.session.receive_space(need.get());
                    match self.stream.read(space) {
                        Ok(0) => self.session.handle_end(),
                        Ok(bytes) => self.session.handle_received(bytes),
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                        Err(error) => return Err(Error::stream("cannot hear a successor", error)),
                    }
                }
                Event::Discarded(_) => {}
                Event::Finished => return Err(Error::finished("a successor has gone away")),
            }
        }
    }

    /// Gives it the next sockets, or says that there are no more; then it has its time to prepare.
    fn give(&mut self) -> Result<(), Error> {
        let many = self.left.len().min(limits::HANDOVER_SOCKETS_AT_ONCE);
        let now: Vec<Item<Arc<Listener>>> = self.left.drain(..many).collect();
        if now.is_empty() {
            self.until += limits::HANDOVER_PREPARE_TIMEOUT;
        }
        let descriptors: Vec<BorrowedFd<'_>> = now.iter().filter_map(Item::descriptor).collect();
        self.answer(&Answer::Sockets(now.iter().map(Item::words).collect()), &descriptors)
    }

    /// One answer stands against one question, so there is always room for it: if not, whoever asks
    /// does not listen.
    fn answer(&mut self, answer: &Answer, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let fail = |error: io::Error| Error::stream("cannot answer a successor", error);
        self.session.queue(&answer.written()).map_err(|error| {
            Error::caller("an answer to a successor cannot be written").with_source(error)
        })?;
        let bytes = self.session.poll_transmit();
        let socket =
            self.stream.write_descriptor().ok_or(Errno::BADF).map_err(|e| fail(e.into()))?;
        let sent = sys::passing::write(socket, bytes, descriptors).map_err(fail)?;
        if sent < bytes.len() {
            return Err(fail(ErrorKind::WouldBlock.into()));
        }
        self.session.handle_sent(sent);
        Ok(())
    }
}

/// Whether the process at the other end is of this user, or of root. Where the system does not say,
/// the mode of the path has to do.
fn check_user(stream: &dyn Transport) -> Result<(), Error> {
    let fail = |error| Error::io("cannot tell who is at", error).at_endpoint(stream.name());
    let Some(socket) = stream.read_descriptor() else { return Ok(()) };
    let ours = rustix::process::geteuid().as_raw();
    match sys::socket::user_of_peer(socket).map_err(fail)? {
        Some(user) if user != ours && user != 0 => {
            let what = "the other process is not to be trusted";
            let why = format!("it is of user {user}, and this one of {ours}");
            Err(Error::caller(what).with_advice(why))
        }
        _ => Ok(()),
    }
}

/// The time that is left of `within`, from `since` on.
fn left_of(within: Duration, since: Instant) -> Duration {
    within.saturating_sub(deadline::now().saturating_duration_since(since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    /// What answers at a path of this test alone, and the path.
    fn handover(name: &str) -> (Handover, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!("swb-{name}-{}", std::process::id()));
        let door = bind(&Endpoint::unix(&path)).unwrap();
        let listener = Arc::new(Listener::listen("127.0.0.1:0").unwrap());
        (Handover::new(Arc::new(door), &[listener]), path)
    }

    fn say(to: &mut UnixStream, words: &str) {
        let length = u32::try_from(words.len()).unwrap();
        to.write_all(&length.to_be_bytes()).unwrap();
        to.write_all(words.as_bytes()).unwrap();
    }

    /// Whether the other side has ended, which it has if it is not to be heard from.
    fn has_ended(stream: &mut UnixStream) -> bool {
        stream.set_nonblocking(true).unwrap();
        loop {
            match stream.read(&mut [0; 256]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    #[test]
    fn who_says_nothing_has_his_time_and_who_prepares_has_more() {
        let (mut handover, path) = handover("handover-clock");
        let start = deadline::now();
        let moment = Duration::from_millis(1);
        for (words, time) in [
            (&[][..], limits::HANDOVER_TIMEOUT),
            (&["take 1"][..], limits::HANDOVER_TIMEOUT),
            (&["take 1", "more"], limits::HANDOVER_TIMEOUT + limits::HANDOVER_PREPARE_TIMEOUT),
        ] {
            let mut guest = UnixStream::connect(&path).unwrap();
            words.iter().for_each(|words| say(&mut guest, words));
            assert_eq!(handover.step(start), Step::GoesOn);
            assert_eq!(handover.until(), Some(start + time), "{words:?}");
            handover.step(start + time - moment);
            assert!(!has_ended(&mut guest), "{words:?}");
            assert_eq!(handover.step(start + time), Step::GoesOn);
            assert!(has_ended(&mut guest), "{words:?}");
            // And the next one is waited for, as long as it takes.
            assert_eq!(handover.until(), None);
            assert!(handover.descriptor().is_some());
        }
    }

    #[test]
    fn one_guest_at_a_time_and_the_one_that_is_ready_ends_it() {
        let (mut handover, path) = handover("handover-turns");
        let now = deadline::now();
        let mut first = UnixStream::connect(&path).unwrap();
        let mut second = UnixStream::connect(&path).unwrap();
        for guest in [&mut first, &mut second] {
            ["take 1", "more", "ready"].iter().for_each(|words| say(guest, words));
        }
        assert_eq!(handover.step(now), Step::Taken);
        // It is the successor's to answer the second.
        second.set_nonblocking(true).unwrap();
        assert_eq!(second.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(handover);
        assert!(path.exists(), "the path is the successor's");
        std::fs::remove_file(&path).unwrap();
    }
}
