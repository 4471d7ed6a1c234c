//! A conversation that several threads use at a time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use switchboard::{Conversation, Error, Received, SharedConversation, Timeouts};

fn two(framing: &str) -> (Arc<SharedConversation>, Conversation) {
    let (a, b) = Conversation::pair(framing).unwrap();
    (Arc::new(SharedConversation::new(a)), b)
}

/// The next message; `None` at the end.
fn recv(shared: &SharedConversation) -> Result<Option<Vec<u8>>, Error> {
    loop {
        shared.receive()?;
        match shared.look().buffered()? {
            Received::Message(message) => return Ok(Some(message.to_vec())),
            Received::Finished => return Ok(None),
            Received::Pending => {}
        }
    }
}

#[test]
fn one_thread_sends_while_another_waits() {
    let (shared, mut peer) = two("u32be");
    let reader = thread::spawn({
        let shared = Arc::clone(&shared);
        move || recv(&shared)
    });
    shared.send(b"ping").unwrap();
    assert_eq!(peer.recv_owned().unwrap().unwrap(), b"ping");
    peer.send(b"pong").unwrap();
    assert_eq!(reader.join().unwrap().unwrap().unwrap(), b"pong");
}

/// Both directions are full, and only the other thread's receiving lets the sender go on.
#[test]
fn a_sender_that_waits_keeps_nobody_from_receiving() {
    const MESSAGES: usize = 64;
    let big = vec![b'x'; 256 * 1024];
    let (shared, mut peer) = two("u32be");
    let echo = thread::spawn(move || {
        while let Some(message) = peer.recv_owned()? {
            peer.send(&message)?;
        }
        peer.close()
    });
    let sender = thread::spawn({
        let (shared, big) = (Arc::clone(&shared), big.clone());
        move || {
            shared.send_many((0..MESSAGES).map(|_| &big))?;
            shared.finish()
        }
    });
    let mut received = 0;
    while let Some(message) = recv(&shared).unwrap() {
        assert_eq!(message.len(), big.len());
        received += 1;
    }
    sender.join().unwrap().unwrap();
    echo.join().unwrap().unwrap();
    assert_eq!(received, MESSAGES);
}

#[test]
fn every_message_goes_to_one_of_several_receivers() {
    const MESSAGES: usize = 2000;
    let (shared, mut peer) = two("lines");
    let receivers: Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut received = Vec::new();
                while let Some(message) = recv(&shared).unwrap() {
                    received.push(String::from_utf8(message).unwrap().parse::<usize>().unwrap());
                }
                received
            })
        })
        .collect();
    for i in 0..MESSAGES {
        peer.queue(i.to_string().as_bytes()).unwrap();
        if i % 7 == 0 {
            peer.flush().unwrap();
        }
    }
    peer.finish().unwrap();
    let mut all: Vec<usize> = receivers.into_iter().flat_map(|r| r.join().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..MESSAGES).collect::<Vec<_>>());
}

#[test]
fn messages_of_several_senders_are_whole() {
    let (shared, mut peer) = two("u32be");
    let senders: Vec<_> = (0..4u8)
        .map(|i| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for length in 0..500 {
                    shared.send(&vec![i; length])?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..4 * 500 {
        let message = peer.recv().unwrap().unwrap();
        if let Some(&i) = message.first() {
            assert!(message.iter().all(|&byte| byte == i));
            next[usize::from(i)] += 1;
            assert_eq!(message.len(), next[usize::from(i)], "in order");
        }
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap().unwrap());
}

#[test]
fn a_timeout_loses_nothing() {
    let (shared, mut peer) = two("u32be");
    let timeouts = Timeouts::all(Duration::from_millis(1));
    shared.look().conversation().unwrap().set_timeouts(timeouts);
    let error = recv(&shared).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    peer.send(b"late").unwrap();
    assert_eq!(recv(&shared).unwrap().unwrap(), b"late");
}

#[test]
fn a_message_that_was_put_back_is_given_again() {
    let (shared, mut peer) = two("lines");
    peer.send_many(["one", "two", "three"]).unwrap();
    shared.receive().unwrap();
    let mut look = shared.look();
    assert!(matches!(look.buffered().unwrap(), Received::Message(_)));
    look.put_back();
    let mut lines = Vec::new();
    assert!(look.run(2, |message| lines.push(message.to_vec())).unwrap());
    assert_eq!(lines, [b"one".to_vec(), b"two".to_vec()]);
    let Received::Message(message) = look.buffered().unwrap() else { panic!("no third one") };
    assert_eq!(&*message, b"three");
}

#[test]
fn what_is_over_says_so() {
    let (shared, mut peer) = two("lines");
    peer.finish().unwrap();
    assert_eq!(recv(&shared).unwrap(), None);
    assert!(!shared.look().run(9, |_| ()).unwrap());
    shared.finish().unwrap();
    shared.finish().unwrap();
    shared.close().unwrap();
    shared.close().unwrap();
    assert_eq!(recv(&shared).unwrap_err().to_string(), "the conversation is closed");
    assert!(shared.send(b"x").unwrap_err().is_caller());
}
