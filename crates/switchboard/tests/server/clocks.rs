//! Clocks: each runs out for who keeps it waiting, and for no one else.
//!
//! The times are small and real. A test waits for what they bring about, or for another clock to
//! have run out; that something takes less than a time is never asserted.

use crate::SHARES_MEMORY;
use crate::answers::echo;
use crate::endings::{Noting, Told};
use crate::help::*;
use std::num::NonZeroU32;
use std::time::Duration;
use switchboard::server::{Heartbeat, Limits, Pending, Reply, Sender, Service, SlowPeer};
use switchboard::transport::Interest;
use switchboard::{Conversation, Ending, Error, Message, Timeouts};

everywhere! {
    who_says_nothing_is_let_go,
    who_drips_is_let_go_and_who_sends_much_is_not,
    who_takes_nothing_is_let_go,
    silence_is_filled_with_heartbeats,
    ticks_come_whether_messages_do_or_not,
    a_client_that_does_not_end_is_not_waited_for_for_ever,
}

const SHORT: Duration = Duration::from_millis(30);

/// Long enough for a client to do what it does at once.
const LONG: Duration = Duration::from_secs(1);

fn timeouts(timeouts: Timeouts) -> Limits {
    Limits { timeouts, ..Limits::default() }
}

/// Waits until more than the long time has passed: by another clock.
fn the_long_time_passes() {
    let (idle, _other) = switchboard::transport::pair().unwrap();
    let idle: Stream = std::sync::Arc::new(idle);
    let mut idle = Conversation::over(idle, &"lines".parse().unwrap()).with_timeout(LONG * 5 / 4);
    assert!(idle.recv().unwrap_err().is_timeout());
}

fn who_says_nothing_is_let_go() {
    at_once(cases(), |case| {
        let limits = timeouts(Timeouts { idle: Some(10 * SHORT), ..Timeouts::FOREVER });
        let served = case.start("lines", &limits, echo);
        let silent = served.connect();
        let mut polite = served.client();
        assert_eq!(&*polite.request(b"hello").unwrap(), b"hello", "{case}");
        assert_eq!(read_to_end(&*silent, 10).unwrap(), b"", "{case}");
        assert!(polite.recv().unwrap().is_none(), "{case}");
        drop((silent, polite));
        served.ended(Ending::TimedOut, 2);
    });
}

#[test]
fn waiting_for_the_server_is_not_being_idle() {
    // An answer that takes longer than a peer may be idle, and then the peer has its time anew.
    at_once(cases(), |case| {
        let limits = timeouts(Timeouts { idle: Some(LONG), ..Timeouts::FOREVER });
        let promises = Noted::<Vec<Pending>>::new();
        let theirs = promises.clone();
        let served = case.start("lines", &limits, move || {
            let promises = theirs.clone();
            move |_: &[u8], reply: &mut Reply<'_>| {
                let promise = reply.later();
                promises.change(|promises| promises.push(promise));
            }
        });
        let mut client = served.client();
        client.send(b"slow").unwrap();
        promises.wait(|promises| !promises.is_empty());
        the_long_time_passes();
        promises.lock().pop().unwrap().send("slow answer").unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"slow answer", "{case}");
        client.send(b"next").unwrap();
        promises.wait(|promises| !promises.is_empty());
        promises.lock().pop().unwrap().send("next answer").unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"next answer", "{case}");
    });
}

#[test]
fn a_pause_is_not_the_peers_delay() {
    // Neither between messages nor in the middle of one that does not come in a single read.
    at_once(cases(), |case| {
        let time = Some(LONG);
        let limits = timeouts(Timeouts { message: time, idle: time, ..Timeouts::FOREVER });
        let senders = Noted::<Vec<Sender>>::new();
        let theirs = senders.clone();
        let served = case.start("u32be", &limits, move || {
            let senders = theirs.clone();
            move |message: &[u8], reply: &mut Reply<'_>| {
                if message == b"pause" {
                    let sender = reply.sender(SlowPeer::Wait)?;
                    senders.change(|senders| senders.push(sender));
                    reply.pause();
                }
                reply.send(message)
            }
        });
        let large = pattern(300_000);
        for rest in [large.as_slice(), b"a small one"] {
            let mut client = served.client();
            let frame = requests("u32be", &[rest]);
            let begun = if rest.len() > 1000 { 3 } else { 0 };
            let first = [&requests("u32be", &["pause"])[..], &frame[..begun]].concat();
            write_all(&**client.transport(), &first).unwrap();
            assert_eq!(&*client.recv().unwrap().unwrap(), b"pause", "{case}");
            the_long_time_passes();
            senders.lock().pop().unwrap().resume();
            write_all(&**client.transport(), &frame[begun..]).unwrap();
            assert!(client.recv().unwrap().unwrap().bytes() == rest, "{case}");
        }
    });
}

fn who_drips_is_let_go_and_who_sends_much_is_not() {
    at_once(cases(), |case| {
        let limits = timeouts(Timeouts {
            message: Some(LONG),
            rate_min: NonZeroU32::new(100),
            ..Timeouts::FOREVER
        });
        let told = Told::new();
        let theirs = told.clone();
        let served = case.start("u32be", &limits, move || Noting(theirs.clone()));
        let honest = served.connect();
        let bytes = requests("u32be", &[pattern(10_000)]);
        // What has come before it is waited for buys no time; what comes then buys 50 seconds.
        for part in [&bytes[..10], &bytes[10..5_000]] {
            let before = served.stats().bytes_received;
            write_all(&*honest, part).unwrap();
            let read = before + part.len() as u64;
            served.wait_for("a part", |stats| stats.bytes_received == read);
        }
        // A byte now and then: a hundred a second would be enough. The honest one goes on.
        let dripping = served.connect();
        let mut told_end = Vec::new();
        let mut rest = bytes[5_000..].chunks(5);
        for byte in bytes.iter().take(1_000) {
            if write_all(&*dripping, &[*byte]).is_err() {
                break;
            }
            write_all(&*honest, rest.next().unwrap()).unwrap();
            let until = switchboard::deadline::after(SHORT);
            let wait = switchboard::transport::Wait { deadline: until, ..soon() };
            let woken = dripping.wait(Interest::READ, &wait).unwrap();
            if woken != switchboard::transport::Woken::Deadline {
                told_end = read_to_end(&*dripping, 10).unwrap();
                break;
            }
        }
        assert_eq!(told_end, b"", "{case}");
        drop(dripping);
        if SHARES_MEMORY {
            told.wait(|told| told.len() == 1);
            let error = told.lock()[0].1.clone().unwrap();
            assert!(error.is_timeout(), "{case}: {error}");
            assert!(error.to_string().contains("the rest of a message"), "{case}: {error}");
        }
        rest.for_each(|part| write_all(&*honest, part).unwrap());
        honest.finish().unwrap();
        assert!(read_to_end(&*honest, 4096).unwrap() == bytes, "{case}");
    });
}

fn who_takes_nothing_is_let_go() {
    for case in cases() {
        let limits = timeouts(Timeouts { stall: Some(SHORT), ..Timeouts::FOREVER });
        let served = case.start("u32be", &limits, || {
            |_: &[u8], reply: &mut Reply<'_>| reply.send(&pattern(8 << 20))
        });
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["much"])).unwrap();
        let stats = served.ended(Ending::TimedOut, 1);
        assert_eq!(stats.queued_bytes, 0, "{case}");
        // And so does closing, which has to deliver first.
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["much"])).unwrap();
        // It may have been let go already.
        let _ = stream.finish();
        served.ended(Ending::TimedOut, 2);
    }
}

fn silence_is_filled_with_heartbeats() {
    for case in cases() {
        let heartbeat = Heartbeat { interval: SHORT, message: b"still here".to_vec() };
        let limits = Limits { heartbeat: Some(heartbeat), ..Limits::default() };
        let served = case.start("lines", &limits, echo);
        let mut client = served.client();
        for _ in 0..3 {
            assert_eq!(&*client.recv().unwrap().unwrap(), b"still here", "{case}");
        }
        client.send(b"hello").unwrap();
        client.finish().unwrap();
        let rest: Result<Vec<_>, Error> = client.messages().collect();
        assert_eq!(rest.unwrap().last().unwrap(), b"hello", "{case}");
    }
}

/// Counts its ticks.
struct Ticking(u32);

impl Service for Ticking {
    fn message(&mut self, _: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(self.0.to_string().as_bytes())
    }

    fn tick(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.0 += 1;
        reply.send(format!("tick {}", self.0).as_bytes())
    }
}

fn ticks_come_whether_messages_do_or_not() {
    for case in cases() {
        let limits = Limits { tick: Some(SHORT), ..Limits::default() };
        let served = case.start("lines", &limits, || Ticking(0));
        let mut clients = [served.client(), served.client()];
        for number in 1..4 {
            for client in &mut clients {
                let expected = format!("tick {number}");
                assert_eq!(&*client.recv().unwrap().unwrap(), expected.as_bytes(), "{case}");
            }
        }
        drop(clients);
        served.wait_for("the end", |stats| stats.open == 0);
    }
}

fn a_client_that_does_not_end_is_not_waited_for_for_ever() {
    for case in cases() {
        let limits = Limits { linger: SHORT, ..Limits::default() };
        let served =
            case.start("lines", &limits, || |_: &[u8], reply: &mut Reply<'_>| reply.close());
        let mut client = served.client();
        client.send(b"go away").unwrap();
        served.ended(Ending::Stopped, 1);
        drop(client);
    }
}
