//! `Poller` with thousands of sources.

use crate::help::*;
use std::collections::HashSet;
use std::sync::Arc;
use switchboard::select::Event;
use switchboard::transport::Interest;
use switchboard::{Conversation, Poller, Received, Transport, limits};

const PAIRS: u64 = 4000;

type Peers = Vec<switchboard::transport::Unix>;

/// Thousands of conversations in a poller, and their peers; the token is the index.
fn crowd(mut poller: Poller<Conversation>) -> (Poller<Conversation>, Peers) {
    let peers = (0..PAIRS).map(|token| {
        let (a, b) = unix_pair();
        poller.register(token, over(a, "lines"), Interest::READ).unwrap();
        b
    });
    let peers = peers.collect();
    (poller, peers)
}

fn at(peers: &Peers, token: u64) -> &switchboard::transport::Unix {
    &peers[usize::try_from(token).unwrap()]
}

fn tokens(events: &[Event]) -> HashSet<u64> {
    let tokens: HashSet<u64> = events.iter().map(|event| event.token).collect();
    assert_eq!(tokens.len(), events.len(), "each once");
    tokens
}

#[test]
fn of_thousands_those_that_are_ready_are_told() {
    let Some(_turn) = have_descriptors(2 * PAIRS) else { return };
    for poller in [Poller::of().unwrap(), Poller::with_poll()] {
        let (mut poller, peers) = crowd(poller);
        assert_eq!(poller.wait(NOW).unwrap(), []);
        let spoken = [0, 1, 999, 1024, 2345, PAIRS - 1];
        for token in spoken {
            at(&peers, token).write(b"one\ntwo\nthr").unwrap();
        }
        // Both messages of each, the second from the buffer; then half a message, which is looked
        // at once.
        for expected in ["one", "two"] {
            let events = poller.wait(SOON).unwrap();
            assert_eq!(tokens(&events), HashSet::from(spoken));
            for event in events {
                let got = message(poller.get_mut(event.token).unwrap());
                assert_eq!(got, expected.as_bytes());
            }
        }
        for event in poller.wait(SOON).unwrap() {
            assert!(is_pending(poller.get_mut(event.token).unwrap()));
        }
        assert_eq!(poller.wait(NOW).unwrap(), []);

        // Half of them go, the other half is still heard.
        for token in (0..PAIRS).filter(|token| token % 2 == 1) {
            assert!(poller.deregister(token).is_some());
        }
        for peer in &peers {
            // Every other one has gone.
            let _ = peer.write(b"!\n");
        }
        let mut heard = HashSet::new();
        while heard.len() < peers.len() / 2 {
            let events = poller.wait(SOON).unwrap();
            assert!(!events.is_empty(), "only {} of them in time", heard.len());
            for event in events {
                let conversation = poller.get_mut(event.token).unwrap();
                if matches!(conversation.try_recv().unwrap(), Received::Message(_)) {
                    assert!(heard.insert(event.token), "{event:?} has been heard");
                }
            }
        }
        assert!(heard.iter().all(|token| token % 2 == 0));
        assert_eq!(poller.wait(NOW).unwrap(), []);
    }
}

#[test]
fn more_than_one_wait_takes_are_told_in_turn() {
    if cfg!(feature = "portable") {
        // One poll tells of all at once.
        return;
    }
    let Some(_turn) = have_descriptors(2 * PAIRS) else { return };
    let (mut poller, peers) = crowd(Poller::of().unwrap());
    for peer in &peers {
        peer.write(b"x\n").unwrap();
    }
    let mut told = HashSet::new();
    let waits = peers.len().div_ceil(limits::POLL_EVENTS_MAX);
    for _ in 0..waits {
        // Nobody deals with any of it, and still the next ones come first.
        let events = poller.wait(SOON).unwrap();
        assert!(events.len() <= limits::POLL_EVENTS_MAX);
        told.extend(tokens(&events));
    }
    assert_eq!(told.len(), peers.len());
}

#[test]
fn all_of_thousands_may_hold_something() {
    let Some(_turn) = have_descriptors(2 * PAIRS) else { return };
    let mut poller = Poller::of().unwrap();
    let mut peers = Vec::new();
    for token in 0..PAIRS {
        let (a, b) = unix_pair();
        let mut a = Conversation::over(Arc::new(a), &"lines".parse().unwrap());
        b.write(b"one\ntwo\n").unwrap();
        assert_eq!(message(&mut a), b"one");
        poller.register(token, a, Interest::READ).unwrap();
        peers.push(b);
    }
    let events = poller.wait(SOON).unwrap();
    assert_eq!(tokens(&events).len(), peers.len());
    for event in events {
        assert_eq!(message(poller.get_mut(event.token).unwrap()), b"two");
    }
    assert_eq!(poller.wait(NOW).unwrap(), []);
}
