//! One loop, many peers: nobody holds up the others, nor more memory than it may.

use crate::answers::echo;
use crate::help::*;
use std::sync::OnceLock;
use switchboard::limits;
use switchboard::server::{Limits, Reply};

const PER_TURN: usize = 10;

/// Messages of a flood.
const FLOOD: usize = 30_000;

#[test]
fn a_peer_that_floods_lets_others_have_their_turn() {
    for over in [Over::Tcp, Over::Unix, Over::Pair] {
        let case = one_loop(over);
        let limits = Limits { messages_per_turn: PER_TURN, ..Limits::default() };
        // How many messages of the flood were handled, and at which of them the other's was.
        let handled = Noted::<(usize, Option<usize>)>::new();
        let canary = std::sync::Arc::new(OnceLock::<Stream>::new());
        let theirs = (handled.clone(), std::sync::Arc::clone(&canary));
        let served = case.start("u16be", &limits, move || {
            let (handled, canary) = theirs.clone();
            move |message: &[u8], reply: &mut Reply<'_>| {
                if message == b"canary" {
                    handled.change(|(count, at)| *at = Some(*count));
                    return reply.send(message);
                }
                handled.change(|(count, _)| *count += 1);
                if handled.lock().0 == 55 {
                    // Sent from in here, so that it is known when it came.
                    let canary = canary.get().unwrap();
                    write_all(&**canary, &requests("u16be", &["canary"])).unwrap();
                    // On a busy machine it does not come as it is sent.
                    wait_until("the canary", || match canary.undelivered() {
                        Some(bytes) if over == Over::Tcp && bytes > 0 => Err(bytes),
                        _ => Ok(()),
                    });
                }
                Ok(())
            }
        });
        let stream = served.connect();
        served.wait_for("the canary", |stats| stats.open == 1);
        canary.set(stream).unwrap();
        let flood = served.connect();
        // More than one read takes: the system goes on telling of it.
        write_all(&*flood, &requests("u16be", &vec![b"flood"; FLOOD])).unwrap();
        handled.wait(|(count, at)| at.is_some() && *count == FLOOD);
        let at = handled.lock().1.unwrap();
        assert!((55..=55 + 2 * PER_TURN).contains(&at), "{case}: behind message {at} of the flood");
        assert_eq!(decoded("u16be", &read_count(&**canary.get().unwrap(), 8)), [b"canary"]);
    }
}

fn read_count(stream: &dyn switchboard::Transport, count: usize) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 100]);
    while bytes.len() < count {
        let read = read_some(stream, &mut buffer).unwrap();
        assert_ne!(read, 0);
        bytes.extend_from_slice(&buffer[..read]);
    }
    bytes
}

#[test]
fn a_peer_that_never_reads_holds_no_more_than_its_limit() {
    const REPLY: usize = 32 << 10;
    // Large requests, so that the system's buffers hold few of them.
    const ASK: usize = 8 << 10;
    let reply = bytes::Bytes::from(pattern(REPLY));
    for over in [Over::Tcp, Over::Unix, Over::Pair] {
        let case = one_loop(over);
        let much = reply.clone();
        let served = case.start("u32be", &Limits::default(), move || {
            let much = much.clone();
            move |message: &[u8], reply: &mut Reply<'_>| match message.len() {
                ASK => reply.send(&much),
                _ => reply.send(message),
            }
        });
        let asks = requests("u32be", &vec![[0; ASK]; 2_000]);
        let (greedy, mut filled) = (served.connect(), 0);
        let mut canary = served.client();
        let mut full = 0;
        while full < 100 {
            filled += fill(&*greedy, &asks[filled..]);
            assert_eq!(&*canary.request(b"canary").unwrap(), b"canary", "{case}");
            let queued = usize::try_from(served.stats().queued_bytes).unwrap();
            assert!(queued <= limits::QUEUE_HIGH_BYTES + REPLY + 4, "{case}: {queued} bytes");
            full += usize::from(queued >= limits::QUEUE_LOW_BYTES);
        }
        // All of it was only put off.
        let count = filled.div_ceil(ASK + 4);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                write_all(&*greedy, &asks[filled..count * (ASK + 4)]).unwrap();
                greedy.finish().unwrap();
            });
            let received = read_to_end(&*greedy, 100_000).unwrap();
            assert_eq!(received.len(), count * (REPLY + 4), "{case}");
        });
    }
}

#[test]
fn all_peers_together_hold_no_more_than_theirs() {
    const REPLY: usize = 64 << 10;
    const PEERS: usize = 20;
    let all_max = 1 << 20;
    let case = one_loop(Over::Unix);
    let much = bytes::Bytes::from(pattern(REPLY));
    let limits = Limits { queued_bytes_in_all_max: all_max, ..Limits::default() };
    let served = case.start("u32be", &limits, move || {
        let much = much.clone();
        move |message: &[u8], reply: &mut Reply<'_>| match message {
            // Who is over the limit is answered nothing.
            b"much" => drop(reply.send(&much)),
            _ => reply.send(message).unwrap(),
        }
    });
    let asks = requests("u32be", &vec![b"much"; 200]);
    let peers: Vec<_> = (0..PEERS).map(|_| served.connect()).collect();
    let mut canary = served.client();
    // One turn may pass it, and a reply for each of those that had nothing queued.
    let most = all_max + limits::QUEUE_HIGH_BYTES + REPLY + PEERS * (REPLY + 4);
    for peer in &peers {
        write_all(&**peer, &asks).unwrap();
    }
    served.wait_for("all full", |stats| stats.queued_bytes > all_max as u64);
    for _ in 0..100 {
        assert_eq!(&*canary.request(b"canary").unwrap(), b"canary");
        let queued = usize::try_from(served.stats().queued_bytes).unwrap();
        assert!(queued <= most, "{queued} bytes");
    }
}

#[test]
fn two_that_write_without_reading_do_not_stop_the_loop() {
    let bytes = requests("u32be", &vec![pattern(10_000); 1_000]);
    for over in [Over::Tcp, Over::Unix, Over::Pair] {
        let case = one_loop(over);
        let served = case.start("u32be", &Limits::default(), echo);
        let peers = [served.connect(), served.connect()];
        let mut canary = served.client();
        std::thread::scope(|scope| {
            for peer in &peers {
                scope.spawn(|| {
                    write_all(&**peer, &bytes).unwrap();
                    peer.finish().unwrap();
                });
            }
            let full = 2 * limits::QUEUE_LOW_BYTES as u64;
            served.wait_for("both full", |stats| stats.queued_bytes >= full);
            for _ in 0..20 {
                assert_eq!(&*canary.request(b"canary").unwrap(), b"canary", "{case}");
            }
            for peer in &peers {
                assert!(read_to_end(&**peer, 50_000).unwrap() == bytes, "{case}");
            }
        });
    }
}
