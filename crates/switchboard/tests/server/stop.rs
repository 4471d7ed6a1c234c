//! Stopping: what has come is answered, everyone is told, and serving returns.

use crate::SHARES_MEMORY;
use crate::answers::echo;
use crate::help::*;
use switchboard::server::{Limits, Reply};
use switchboard::{Conversation, Ending, Error, Stopper, Timeouts};

everywhere! {
    many_that_are_idle_are_told,
    a_peer_that_does_not_read_holds_a_stop_up_only_so_long,
    a_server_that_is_dropped_stops,
    a_stopper_stops_it,
    a_server_that_was_stopped_before_it_began_serves_nobody,
    a_stop_amid_a_flood_loses_no_answer,
    a_close_amid_answers_loses_no_request,
}

#[test]
fn whole_messages_that_have_come_are_answered() {
    // Far more than one turn gives, and more than one read takes.
    const COUNT: usize = 30_000;
    for case in cases() {
        let (begun, go_on) = (Noted::<bool>::new(), Noted::<bool>::new());
        let theirs = (begun.clone(), go_on.clone());
        let served = case.start("u32be", &Limits::default(), move || {
            let (begun, go_on) = theirs.clone();
            move |message: &[u8], reply: &mut Reply<'_>| {
                if message == b"wait" {
                    begun.change(|begun| *begun = true);
                    go_on.wait(|go_on| *go_on);
                }
                reply.send(message)
            }
        });
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["wait"])).unwrap();
        begun.wait(|begun| *begun);
        // As many as the system holds, to the last whole message.
        let sent = requests("u32be", &vec![b"1234"; COUNT]);
        let filled = fill(&*stream, &sent[..60_000]);
        served.running.handle().stop();
        go_on.change(|go_on| *go_on = true);
        let received = read_to_end(&*stream, 10_000).unwrap();
        assert_eq!(received.len() / 8, 1 + filled / 8, "{case}");
        drop(stream);
        let stats = served.stop();
        assert_eq!(stats.endings.count(Ending::Stopped), 1, "{case}");
        assert_eq!((stats.open, stats.queued_bytes), (0, 0), "{case}");
    }
}

/// As many as a small pool has places for, where there is one.
const IDLE: u64 = if SHARES_MEMORY { 100 } else { 8 };

fn many_that_are_idle_are_told() {
    for case in dispatchers(Over::Tcp).into_iter().chain(dispatchers(Over::Unix)) {
        let served = case.start("lines", &Limits::default(), echo);
        let mut clients: Vec<_> = (0..IDLE).map(|_| served.client()).collect();
        for client in &mut clients {
            client.request(b"hello").unwrap();
        }
        served.running.handle().stop();
        for client in clients {
            let mut client = client;
            assert!(client.recv().unwrap().is_none(), "{case}");
        }
        let stats = served.stop();
        assert_eq!((stats.endings.count(Ending::Stopped), stats.open), (IDLE, 0), "{case}");
    }
}

fn a_peer_that_does_not_read_holds_a_stop_up_only_so_long() {
    for case in cases() {
        let time = Some(std::time::Duration::from_millis(50));
        let timeouts = Timeouts { stall: time, ..Timeouts::FOREVER };
        let served = case.start("u32be", &Limits { timeouts, ..Limits::default() }, || {
            |_: &[u8], reply: &mut Reply<'_>| reply.send(&pattern(8 << 20))
        });
        let mut canary = served.client();
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["much"])).unwrap();
        // The canary too has been let in, by whichever loop.
        served.wait_for("both", |stats| (stats.accepted, stats.messages_sent) == (2, 1));
        served.running.handle().stop();
        assert!(canary.recv().unwrap().is_none(), "{case}");
        drop(canary);
        let stats = served.stop();
        assert_eq!((stats.endings.sum(), stats.queued_bytes), (2, 0), "{case}");
    }
}

#[test]
fn what_is_promised_is_delivered_after_a_stop() {
    for case in cases() {
        let promises = Noted::<Vec<switchboard::server::Pending>>::new();
        let theirs = promises.clone();
        let served = case.start("lines", &Limits::default(), move || {
            let promises = theirs.clone();
            move |_: &[u8], reply: &mut Reply<'_>| {
                let promise = reply.later();
                promises.change(|promises| promises.push(promise));
            }
        });
        let mut client = served.client();
        client.send_many(["a", "b"]).unwrap();
        promises.wait(|promises| promises.len() == 2);
        served.running.handle().stop();
        for answer in ["B", "A"] {
            promises.lock().pop().unwrap().send(answer).unwrap();
        }
        let rest: Result<Vec<_>, Error> = client.messages().collect();
        assert_eq!(rest.unwrap(), [b"A", b"B"], "{case}");
        drop(client);
        served.stop();
    }
}

fn a_server_that_is_dropped_stops() {
    for case in cases() {
        let served = case.start("lines", &Limits::default(), echo);
        let mut client = served.client();
        client.request(b"hello").unwrap();
        let handle = served.running.handle().clone();
        std::thread::scope(|scope| {
            scope.spawn(|| drop(served));
            assert!(client.recv().unwrap().is_none(), "{case}");
            client.close().unwrap();
        });
        assert_eq!(handle.stats().open, 0, "{case}");
        let (ours, _theirs) = switchboard::transport::pair().unwrap();
        assert!(handle.adopt(std::sync::Arc::new(ours)).unwrap_err().is_caller(), "{case}");
    }
}

fn a_stopper_stops_it() {
    for case in dispatchers(Over::Tcp) {
        for in_all in [None, Some(1)] {
            // When no more are accepted, too: the last one may have a long way to go.
            let stopper = Stopper::new().unwrap();
            let server = case.server("lines", &Limits::default()).with_stopper(&stopper);
            let server = match in_all {
                Some(in_all) => server.with_conversations_in_all(in_all),
                None => server,
            };
            let endpoint = server.endpoints()[0].to_string();
            let running = server.start(echo).unwrap();
            let mut client = Conversation::connect(&endpoint, "lines").unwrap();
            client.set_timeouts(Timeouts::all(PATIENCE));
            client.request(b"hello").unwrap();
            stopper.stop();
            assert!(client.recv().unwrap().is_none(), "{case}, {in_all:?}");
            drop(client);
            let stats = running.join().unwrap();
            assert_eq!(stats.endings.count(Ending::Stopped), 1, "{case}");
        }
    }
}

fn a_server_that_was_stopped_before_it_began_serves_nobody() {
    for case in dispatchers(Over::Tcp) {
        let server = case.server("lines", &Limits::default());
        server.handle().stop();
        assert_eq!(server.serve(echo).unwrap().accepted, 0, "{case}");
    }
}

#[test]
fn what_waits_behind_promises_is_answered_after_a_stop_too() {
    let limits = Limits { later_max: 2, ..Limits::default() };
    for case in cases() {
        let promises = Noted::<Vec<switchboard::server::Pending>>::new();
        let theirs = promises.clone();
        let served = case.start("lines", &limits, move || {
            let promises = theirs.clone();
            move |_: &[u8], reply: &mut Reply<'_>| {
                let promise = reply.later();
                promises.change(|promises| promises.push(promise));
            }
        });
        let stream = served.connect();
        write_all(&*stream, b"a\nb\nc\nd\ne\n").unwrap();
        promises.wait(|promises| promises.len() == 2);
        served.wait_for("all of it", |stats| stats.bytes_received == 10);
        served.running.handle().stop();
        for number in 1..=5 {
            promises.wait(|promises| !promises.is_empty());
            let promise = promises.lock().remove(0);
            promise.send(format!("answer {number}")).unwrap();
        }
        let received = decoded("lines", &read_to_end(&*stream, 100).unwrap());
        assert_eq!(received.len(), 5, "{case}");
        drop(stream);
        served.stop();
    }
}

/// What is answered while a peer floods reaches it: no reset for what it sent too late destroys it.
fn a_stop_amid_a_flood_loses_no_answer() {
    // No more than a server that lingers reads: it sees the client's end then, however late.
    const FLOOD: usize = 12_000;
    const { assert!(FLOOD * 1_004 < switchboard::limits::LINGER_BYTES_MAX) };
    let limits = Limits { linger: PATIENCE, ..Limits::default() };
    // Without lingering, about half of the times it would come out right.
    for case in (0..6).flat_map(|_| dispatchers(Over::Tcp)) {
        let served = case.start("u32be", &limits, || {
            |message: &[u8], reply: &mut Reply<'_>| reply.send(message)
        });
        let (mut receiving, mut sending) = served.client().split().unwrap();
        let handle = served.running.handle().clone();
        let received = std::thread::scope(|scope| {
            scope.spawn(move || (0..FLOOD).all(|_| sending.send(&[7; 1_000]).is_ok()));
            let mut received = 0_u64;
            while receiving.recv().unwrap().is_some() {
                received += 1;
                if received == 200 {
                    handle.stop();
                }
            }
            drop(receiving);
            received
        });
        let stats = served.running.join().unwrap();
        assert_eq!(received, stats.messages_sent, "{case}");
    }
}

/// A client that sends much, reads nothing and closes: everything it sent arrives.
fn a_close_amid_answers_loses_no_request() {
    // Large ones, so that even a slow machine answers them all while the client lingers; and no
    // more than it reads ahead while it sends, however little the systems between hold.
    const REQUESTS: u64 = 1_300;
    assert!(REQUESTS * 801 <= switchboard::limits::READ_AHEAD_BYTES_MAX as u64);
    for case in dispatchers(Over::Tcp) {
        let served = case.start("lines", &Limits::default(), || {
            |message: &[u8], reply: &mut Reply<'_>| reply.send(message)
        });
        let mut client = served.client();
        client.send_many((0..REQUESTS).map(|_| [b'x'; 800])).unwrap();
        client.close().unwrap();
        let stats = served.running.stop().unwrap();
        assert_eq!(stats.messages_received, REQUESTS, "{case}");
    }
}
