//! Reaching conversations from elsewhere, and peers that do not read.

use crate::help::*;
use switchboard::server::{Limits, Reply, Sender, SlowPeer};
use switchboard::{Ending, limits};

/// A server that gives a sender to each conversation at its first message, and echoes.
fn reachable(case: &Case, limits: &Limits, policy: SlowPeer) -> (Served, Noted<Vec<Sender>>) {
    let senders = Noted::<Vec<Sender>>::new();
    let theirs = senders.clone();
    let served = case.start("u32be", limits, move || {
        let senders = theirs.clone();
        move |message: &[u8], reply: &mut Reply<'_>| match message {
            b"join" => {
                let sender = reply.sender(policy)?;
                senders.change(|senders| senders.push(sender));
                Ok(())
            }
            b"pause" => {
                reply.pause();
                reply.send(b"paused")
            }
            _ => reply.send(message),
        }
    });
    (served, senders)
}

/// A client that has joined, and how it is reached.
fn joined(served: &Served, senders: &Noted<Vec<Sender>>) -> (switchboard::Conversation, Sender) {
    let mut client = served.client();
    client.send(b"join").unwrap();
    senders.wait(|senders| !senders.is_empty());
    let sender = senders.lock().pop().unwrap();
    (client, sender)
}

#[test]
fn what_one_says_reaches_many() {
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::DropNewest);
        let mut everyone: Vec<_> = (0..20).map(|_| joined(&served, &senders)).collect();
        let large = bytes::Bytes::from(pattern(100_000));
        std::thread::scope(|scope| {
            let senders: Vec<_> = everyone.iter().map(|(_, sender)| sender.clone()).collect();
            scope.spawn(move || {
                for sender in &senders {
                    sender.send("hello").unwrap();
                    sender.send(large.clone()).unwrap();
                    sender.send("").unwrap();
                }
            });
        });
        for (client, sender) in &mut everyone {
            assert_eq!(&*client.recv().unwrap().unwrap(), b"hello", "{case}");
            assert!(client.recv().unwrap().unwrap().bytes() == pattern(100_000), "{case}");
            assert_eq!(&*client.recv().unwrap().unwrap(), b"", "{case}");
            assert_eq!(sender.dropped(), 0, "{case}");
        }
    }
}

/// Pushes until it has been refused or dropped, to a peer that reads nothing.
fn push_until(sender: &Sender, served: &Served, is_done: impl Fn(bool) -> bool) -> usize {
    let message = pattern(64 << 10);
    let held_max = limits::SENDER_BYTES_MAX + limits::QUEUE_HIGH_BYTES + 4 * message.len();
    for sent in 0..10_000 {
        let refused = sender.send(message.clone()).is_err();
        let queued = served.stats().queued_bytes;
        assert!(queued <= held_max as u64, "{queued} bytes are queued to a peer that takes none");
        if is_done(refused) {
            return sent;
        }
    }
    panic!("the queue has no end");
}

#[test]
fn a_slow_peer_may_lose_the_newest() {
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::DropNewest);
        let (mut client, sender) = joined(&served, &senders);
        let sent = push_until(&sender, &served, |_| sender.dropped() == 100);
        client.set_timeouts(switchboard::Timeouts::all(PATIENCE));
        for _ in 0..=sent - 100 {
            assert!(client.recv().unwrap().unwrap().bytes() == pattern(64 << 10), "{case}");
        }
        served.wait_for("nothing queued", |stats| stats.queued_bytes == 0);
        sender.send("the next one fits").unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"the next one fits", "{case}");
    }
}

#[test]
fn a_slow_peer_may_lose_the_oldest() {
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::DropOldest);
        let (mut client, sender) = joined(&served, &senders);
        let sent = push_until(&sender, &served, |_| sender.dropped() == 100);
        sender.send("the newest").unwrap();
        let mut received = 0;
        while client.recv().unwrap().unwrap().bytes() != b"the newest" {
            received += 1;
        }
        assert_eq!(received + usize::try_from(sender.dropped()).unwrap(), sent + 1, "{case}");
    }
}

#[test]
fn a_slow_peer_may_be_cut_off() {
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::Disconnect);
        let (client, sender) = joined(&served, &senders);
        push_until(&sender, &served, |refused| refused);
        // Whatever is tried afterwards, it is cut off though its queue is full, and holds nothing.
        for _ in 0..1_000 {
            assert!(sender.send("x").is_err(), "{case}");
        }
        let stats = served.ended(Ending::Stopped, 1);
        assert_eq!(stats.queued_bytes, 0, "{case}");
        assert!(sender.is_closed(), "{case}");
        drop(client);
    }
}

#[test]
fn a_sender_may_wait_for_a_slow_peer() {
    const MESSAGES: usize = 200;
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::Wait);
        let (mut client, sender) = joined(&served, &senders);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..MESSAGES {
                    sender.send(pattern(64 << 10)).unwrap();
                }
            });
            served.wait_for("a full queue", |stats| stats.queued_bytes > 512 << 10);
            for _ in 0..MESSAGES {
                assert!(client.recv().unwrap().unwrap().bytes() == pattern(64 << 10), "{case}");
            }
        });
        assert_eq!(sender.dropped(), 0, "{case}");
    }
}

#[test]
fn who_waits_for_a_peer_that_leaves_is_told() {
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::Wait);
        let (client, sender) = joined(&served, &senders);
        std::thread::scope(|scope| {
            let waits = scope
                .spawn(|| (0..10_000).find_map(|_| sender.send(pattern(64 << 10)).err()).unwrap());
            served.wait_for("a full queue", |stats| stats.queued_bytes > 512 << 10);
            client.abort();
            let error = waits.join().unwrap();
            assert_eq!(error.ending(), Some(Ending::Finished), "{case}: {error}");
        });
        assert_eq!(served.ended(Ending::Reset, 1).queued_bytes, 0, "{case}");
    }
}

#[test]
fn a_service_that_would_wait_for_itself_is_refused() {
    for case in cases() {
        let served = case.start("u32be", &Limits::default(), || {
            |_: &[u8], reply: &mut Reply<'_>| {
                let sender = reply.sender(SlowPeer::Wait).unwrap();
                let refused = (0..1_000).find_map(|_| sender.send(pattern(64 << 10)).err());
                let error = refused.unwrap();
                assert!(error.to_string().contains("must not wait"), "{error}");
                sender.close();
            }
        });
        let mut client = served.client();
        client.send(b"all at once").unwrap();
        while client.recv().unwrap().is_some() {}
        drop(client);
        let stats = served.ended(Ending::Stopped, 1);
        assert_eq!((stats.panicked, stats.failed), (0, 0), "{case}");
    }
}

#[test]
fn a_sender_of_a_conversation_that_is_over_errs() {
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::Wait);
        let (client, sender) = joined(&served, &senders);
        assert!(!sender.is_closed(), "{case}");
        client.close().unwrap();
        served.ended(Ending::Finished, 1);
        assert!(sender.is_closed(), "{case}");
        let error = sender.send("too late").unwrap_err();
        assert_eq!(error.ending(), Some(Ending::Finished), "{case}: {error}");
        sender.resume();
        sender.finish();
        sender.close();
        // Its place is another's now, who must hear nothing of it.
        let (mut other, _) = joined(&served, &senders);
        assert!(sender.send("to whoever has its place").is_err(), "{case}");
        assert_eq!(&*other.request(b"own").unwrap(), b"own", "{case}");
    }
}

#[test]
fn a_sender_closes_and_finishes_behind_what_it_sent() {
    for case in cases() {
        for closes in [true, false] {
            let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::Wait);
            let (mut client, sender) = joined(&served, &senders);
            sender.send("last").unwrap();
            if closes {
                sender.close()
            } else {
                sender.finish()
            }
            assert_eq!(&*client.recv().unwrap().unwrap(), b"last", "{case}");
            assert!(client.recv().unwrap().is_none(), "{case}");
            client.finish().unwrap();
            drop(client);
            served.ended(if closes { Ending::Stopped } else { Ending::Finished }, 1);
        }
    }
}

/// What a sender was told had been taken is delivered, though the conversation is closed from
/// another side while most of it lies in the queue.
#[test]
fn what_was_sent_before_a_stop_arrives() {
    const MESSAGES: u32 = 1_200;
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::Wait);
        let (mut client, sender) = joined(&served, &senders);
        let message = |n: u32| [&n.to_be_bytes()[..], &[0; 1_000]].concat();
        // Nobody reads: what the system does not hold, the queues of the server do.
        (0..MESSAGES).for_each(|n| sender.send(message(n)).unwrap());
        served.running.handle().stop();
        for n in 0..MESSAGES {
            assert!(client.recv().unwrap().unwrap().bytes() == message(n), "{case}: {n}");
        }
        assert!(client.recv().unwrap().is_none(), "{case}");
        assert!(sender.send("too late").is_err(), "{case}");
        client.close().unwrap();
    }
}

#[test]
fn reading_may_pause() {
    for case in cases() {
        let (served, senders) = reachable(&case, &Limits::default(), SlowPeer::Wait);
        let (mut client, sender) = joined(&served, &senders);
        // Those behind it came in the same read, perhaps: they wait all the same.
        client.send_many(["pause", "one", "two"]).unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"paused", "{case}");
        sender.send("meanwhile").unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"meanwhile", "{case}");
        assert_eq!(served.stats().messages_received, 2, "{case}");
        sender.resume();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"one", "{case}");
        assert_eq!(&*client.recv().unwrap().unwrap(), b"two", "{case}");
        client.send_many(["pause", "three"]).unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"paused", "{case}");
        client.finish().unwrap();
        sender.resume();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"three", "{case}");
        assert!(client.recv().unwrap().is_none(), "{case}");
        served.ended(Ending::Finished, 1);
    }
}
