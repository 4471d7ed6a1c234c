//! The side of the process that takes over.

use super::wire::{Answer, Ask, Kind, Words};
use super::{check_user, left_of, wire};
use crate::session::Timeouts;
use crate::transport::{Facts, Interest, Transport, Wait, Woken};
use crate::{ConnectOptions, Conversation, Endpoint, Error, Listener, deadline, sys};
use rustix::io::Errno;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use switchboard_frame::Role;

/// The server that is taken over, as long as it waits for its successor to be ready.
#[derive(Debug)]
pub(in crate::server) struct Predecessor {
    conversation: Conversation,
    endpoint: Endpoint,
    within: Duration,
    listeners: Vec<Listener>,
}

impl Predecessor {
    /// Asks the server at `endpoint` for its listeners, and for the one at which it answers: this
    /// process answers there from now on.
    pub(in crate::server) fn ask(
        endpoint: &Endpoint,
        within: Duration,
    ) -> Result<(Predecessor, Listener), Error> {
        let since = deadline::now();
        let stream = connect(endpoint, within)?;
        let descriptors = Arc::default();
        let receiving = Receiving { stream, descriptors: Arc::clone(&descriptors) };
        let conversation =
            Conversation::with_role(Arc::new(receiving), &wire::protocol(), Role::Client);
        let listeners = Vec::new();
        let endpoint = endpoint.clone();
        let mut taken = Predecessor { conversation, endpoint, within, listeners };
        let received = taken.receive(&descriptors, since)?;
        let door = taken.sort(received)?;
        Ok((taken, door))
    }

    /// Everything that it hands over.
    fn receive(
        &mut self,
        descriptors: &Mutex<VecDeque<OwnedFd>>,
        since: Instant,
    ) -> Result<Vec<(Words, OwnedFd)>, Error> {
        let mut received = Vec::new();
        let mut ask = Ask::Take;
        loop {
            let Answer::Sockets(items) = self.request(&ask, since)? else {
                return Err(self.is_no_switchboard());
            };
            if items.is_empty() {
                return Ok(received);
            }
            for words in items {
                let descriptor = lock(descriptors).pop_front();
                received.push((words, descriptor.ok_or_else(|| self.is_no_switchboard())?));
            }
            ask = Ask::More;
        }
    }

    /// Makes listeners of it; gives the one at which a successor is answered.
    fn sort(&mut self, received: Vec<(Words, OwnedFd)>) -> Result<Listener, Error> {
        let mut sorted: BTreeMap<u32, (Words, Vec<OwnedFd>)> = BTreeMap::new();
        for (words, descriptor) in received {
            let place = sorted.entry(words.listener).or_insert_with(|| (words, Vec::new()));
            place.1.push(descriptor);
        }
        let mut door = None;
        for (words, descriptors) in sorted.into_values() {
            let asked = words.asked.parse().map_err(|_| self.is_no_switchboard())?;
            let owns_path = words.kind != Kind::Socket;
            let listener = Listener::received(descriptors, &asked, owns_path)?;
            match words.kind {
                Kind::Door => door = Some(listener),
                Kind::Socket | Kind::WithPath => self.listeners.push(listener),
            }
        }
        door.ok_or_else(|| self.is_no_switchboard())
    }

    /// The listeners that the other one has for an endpoint: none, one, or several that share a
    /// port, as every loop has its own.
    pub(in crate::server) fn matching(
        &mut self,
        is_it: impl Fn(&Listener) -> bool,
    ) -> Vec<Listener> {
        let mut found: Vec<Listener> = Vec::new();
        for listener in std::mem::take(&mut self.listeners) {
            let first = found.first().map(Listener::endpoints);
            if is_it(&listener) && first.is_none_or(|first| first == listener.endpoints()) {
                found.push(listener);
            } else {
                self.listeners.push(listener);
            }
        }
        found
    }

    /// Of the listeners that nobody has taken from it yet.
    pub(in crate::server) fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.listeners.iter().flat_map(Listener::endpoints)
    }

    /// Says that this process is ready: when it returns, the other one accepts nothing more.
    pub(in crate::server) fn ready(mut self) -> Result<(), Error> {
        // What is not wanted is closed first: it is not to outlive the other server's own.
        self.listeners.clear();
        match self.request(&Ask::Ready, deadline::now())? {
            Answer::Yours => Ok(()),
            _ => Err(self.is_no_switchboard()),
        }
    }

    fn request(&mut self, ask: &Ask, since: Instant) -> Result<Answer, Error> {
        let left = left_of(self.within, since);
        self.conversation.set_timeouts(Timeouts::all(left));
        let answered = self.conversation.send(ask.written().as_bytes());
        let answered = answered.and_then(|()| match self.conversation.recv_owned()? {
            Some(answer) => Ok(answer),
            None => Err(Error::finished("cannot take over from")),
        });
        match answered {
            Ok(answer) => match Answer::read(&answer) {
                Some(Answer::Refused(why)) => {
                    let error = Error::caller("cannot take over from").at_endpoint(&self.endpoint);
                    Err(error.with_advice(why))
                }
                Some(answer) => Ok(answer),
                None => Err(self.is_no_switchboard()),
            },
            Err(error) if error.is_frame() => Err(self.is_no_switchboard()),
            Err(error) if error.is_timeout() => Err(Error::timed_out("taking over from")
                .at_endpoint(&self.endpoint)
                .with_advice("the server there does not hand over, or is busy with another one")),
            // Whether it is an end or a reset depends on what it had not read.
            Err(_) => Err(Error::finished("cannot take over from")
                .at_endpoint(&self.endpoint)
                .with_advice("the server there gave the handover up")),
        }
    }

    fn is_no_switchboard(&self) -> Error {
        let error = Error::caller("cannot take over from").at_endpoint(&self.endpoint);
        error.with_advice("what answers there is no server that hands over as this one takes over")
    }
}

fn connect(endpoint: &Endpoint, within: Duration) -> Result<Arc<dyn Transport>, Error> {
    let options = ConnectOptions::default().with_timeout(Some(within));
    let stream = endpoint.connect(&options).map_err(|error| {
        error.with_advice("nobody hands over there: start the first server with a handover there")
    })?;
    check_user(&*stream).map(|()| stream).map_err(|error| {
        let refused = Error::caller("cannot take over from").at_endpoint(endpoint);
        refused.with_advice(error.to_string())
    })
}

/// A stream over which descriptors come; they are put aside.
#[derive(Debug)]
struct Receiving {
    stream: Arc<dyn Transport>,
    descriptors: Arc<Mutex<VecDeque<OwnedFd>>>,
}

fn lock(descriptors: &Mutex<VecDeque<OwnedFd>>) -> MutexGuard<'_, VecDeque<OwnedFd>> {
    descriptors.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Receiving {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.read_descriptor().ok_or(Errno::BADF)?;
        let mut descriptors = lock(&self.descriptors);
        sys::passing::read(socket, buffer, |one| descriptors.push_back(one))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn finish(&self) -> io::Result<()> {
        self.stream.finish()
    }

    fn reset(&self) -> io::Result<()> {
        self.stream.reset()
    }

    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        self.stream.wait(interest, until)
    }

    fn read_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.stream.read_descriptor()
    }

    fn write_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.stream.write_descriptor()
    }

    fn local(&self) -> Option<Endpoint> {
        self.stream.local()
    }

    fn remote(&self) -> Option<Endpoint> {
        self.stream.remote()
    }

    fn facts(&self) -> Facts {
        self.stream.facts()
    }
}
