//! One source of a [`Poller`](super::Poller): what it asks the system, and what an answer means.

use super::{Event, List, Source};
use crate::sys::{Asked, Found, Queue, Watched};
use crate::transport::Interest;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Instant;

pub(super) struct Entry<S> {
    pub(super) source: S,
    pub(super) interest: Interest,
    /// It is among those that the next wait looks at.
    pub(super) touched: bool,
    /// What it is ready for whatever the system says.
    pub(super) holds: Interest,
    pub(super) deadline: Option<Instant>,
    /// Its registration; a new one whenever other descriptors are watched.
    pub(super) key: u64,
    pub(super) watched: Vec<RawFd>,
    /// The readers' question includes that a write moves something: output is pending.
    pub(super) writes_to_read: bool,
    /// The writers' question includes that a read does: the transport has to read before it writes.
    pub(super) reads_to_write: bool,
}

impl<S: Source> Entry<S> {
    /// Has the system watch what the source asks about now. Gives what is always ready. Asked anew
    /// also where nothing seems to have changed: behind the same number may be another socket.
    ///
    /// # Errors
    /// What the system said; `None`: another entry watches the descriptor.
    pub(super) fn watch(&mut self, queue: &Queue) -> Result<Interest, Option<io::Error>> {
        let mut always = Interest::NONE;
        let mut refused = None;
        let watched = &mut self.watched;
        for_each_asked(&self.source, self.interest, |descriptor, asked| {
            let number = descriptor.as_raw_fd();
            let known = watched.contains(&number);
            match queue.watch(descriptor, self.key, asked, known) {
                Ok(Watched::Yes) if known => {}
                Ok(Watched::Yes) => watched.push(number),
                Ok(Watched::Always) => {
                    watched.retain(|watched| *watched != number);
                    always.read |= asked.read;
                    always.write |= asked.write;
                }
                Ok(Watched::Twice) => refused = Some(None),
                Err(error) => refused = Some(Some(error)),
            }
        });
        refused.map_or(Ok(always), Err)
    }

    /// Takes those of its descriptors out of the system's set.
    pub(super) fn forget(&self, queue: &Queue, which: impl Fn(RawFd) -> bool) {
        for_each_asked(&self.source, Interest::BOTH, |descriptor, _| {
            let number = descriptor.as_raw_fd();
            // What is not in by this entry may be in by another one.
            if self.watched.contains(&number) && which(number) {
                queue.forget(descriptor);
            }
        });
    }

    /// What the system found on one of the descriptors, in the words of the lists.
    pub(super) fn tell(&self, token: u64, found: Found, events: &mut Events) {
        let broken = found.error || found.hang_up;
        let reads = found.read || broken || found.write && self.writes_to_read;
        let writes = found.write || broken || found.read && self.reads_to_write;
        let ready =
            Interest { read: self.interest.read && reads, write: self.interest.write && writes };
        events.add(token, ready, found.error);
    }
}

/// What a wait tells, each source once.
#[derive(Default)]
pub(super) struct Events {
    pub(super) list: Vec<Event>,
    places: HashMap<u64, usize>,
}

impl Events {
    pub(super) fn add(&mut self, token: u64, ready: Interest, error: bool) {
        if ready == Interest::NONE {
            return;
        }
        let place = *self.places.entry(token).or_insert(self.list.len());
        if place == self.list.len() {
            self.list.push(Event { token, readable: false, writable: false, error: false });
        }
        let event = &mut self.list[place];
        event.readable |= ready.read;
        event.writable |= ready.write;
        event.error |= error;
    }
}

/// What is to be asked about a source's descriptors, each of them once.
pub(super) fn for_each_asked<'a, S: Source>(
    source: &'a S,
    interest: Interest,
    mut each: impl FnMut(BorrowedFd<'a>, Asked),
) {
    let mut all: Vec<(BorrowedFd<'a>, Asked)> = Vec::new();
    let mut note = |descriptor: BorrowedFd<'a>, interest: Interest| {
        let number = descriptor.as_raw_fd();
        match all.iter_mut().find(|(known, _)| known.as_raw_fd() == number) {
            Some((_, asked)) => {
                asked.read |= interest.read;
                asked.write |= interest.write;
            }
            None => all.push((descriptor, interest.into())),
        }
    };
    if interest.read {
        source.descriptors(List::Readers, &mut note);
    }
    if interest.write {
        source.descriptors(List::Writers, &mut note);
    }
    all.into_iter().for_each(|(descriptor, asked)| each(descriptor, asked));
}
