//! Who comes first.

use crate::help::*;
use std::collections::HashMap;
use switchboard::select::{AnySource, Source, select};
use switchboard::transport::Interest;
use switchboard::{Conversation, Poller};

const PEERS: usize = 5;
const CALLS: usize = 200;

/// All are ready all the time; each is to be first about as often as any other.
fn check(first: impl Iterator<Item = usize>) {
    let mut counts = HashMap::new();
    for first in first.take(CALLS) {
        *counts.entry(first).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), PEERS, "somebody was never first: {counts:?}");
    for (peer, count) in &counts {
        // Others of this thread may take turns in between, so the shares are not exact.
        assert!(*count >= CALLS / PEERS / 2, "peer {peer} was first {count} times: {counts:?}");
    }
}

/// Busy conversations, and their peers.
fn busy() -> (Vec<Conversation>, Vec<Conversation>) {
    let both = (0..PEERS).map(|_| Conversation::pair("lines").unwrap());
    let (conversations, mut peers): (Vec<_>, Vec<_>) = both.unzip();
    for peer in &mut peers {
        peer.send_many(["more"; 1000]).unwrap();
    }
    (conversations, peers)
}

#[test]
fn in_every_list_each_is_first_in_its_turn() {
    let (conversations, _peers) = busy();
    let sources: Vec<&dyn Source> = conversations.iter().map(|one| one as _).collect();
    let results = || std::iter::repeat_with(|| select(&sources, &sources, &[], SOON).unwrap());
    check(results().map(|ready| ready.readers[0]));
    check(results().map(|ready| ready.writers[0]));
    for ready in results().take(CALLS) {
        assert_eq!(ready.readers.len(), PEERS, "and all are told");
    }
}

#[test]
fn a_loop_that_serves_the_first_only_starves_nobody() {
    let (mut conversations, _peers) = busy();
    check(std::iter::repeat_with(|| {
        let sources: Vec<&dyn Source> = conversations.iter().map(|one| one as _).collect();
        let first = select(&sources, &[], &[], SOON).unwrap().readers[0];
        assert_eq!(message(&mut conversations[first]), b"more");
        first
    }));
}

#[test]
fn callers_that_take_turns_do_not_share_them_out() {
    let (conversations, _peers) = busy();
    let sources: Vec<&dyn Source> = conversations.iter().map(|one| one as _).collect();
    check(std::iter::repeat_with(|| {
        // Another loop elsewhere: it takes every other turn.
        select(&sources[..2], &[], &[], SOON).unwrap();
        select(&sources, &[], &[], SOON).unwrap().readers[0]
    }));
}

#[test]
fn a_poller_takes_turns_too() {
    for mut poller in [Poller::new().unwrap(), Poller::with_poll()] {
        let (conversations, _peers) = busy();
        for (token, conversation) in (0..).zip(conversations) {
            poller.register(token, conversation, Interest::READ).unwrap();
        }
        check(std::iter::repeat_with(|| {
            let events = poller.wait(SOON).unwrap();
            assert_eq!(events.len(), PEERS);
            let token = events[0].token;
            let Some(AnySource::Conversation(first)) = poller.get_mut(token) else { panic!() };
            assert_eq!(message(first), b"more");
            usize::try_from(token).unwrap()
        }));
    }
}
