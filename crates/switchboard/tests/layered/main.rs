//! Transports with a protocol of their own: they open, hold what is written, read ahead, and have
//! an end that is not only the end of what carries them.
//!
//! The one here does all of that in the most unhelpful way: nothing that is written goes anywhere
//! before it is flushed, and what was read is given in small bites.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod cuts;
mod help;

use help::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use switchboard::server::{Limits, Running, Server};
use switchboard::transport::{Faults, Faulty, Interest, Trace, pair_with_capacity};
use switchboard::{
    Conversation, Dispatch, Ending, Poller, Received, Reply, Service, Source, Transport, select,
};

/// Echoes, and counts those who came as far as to be told to it.
struct Echo(Arc<AtomicU32>);

impl Service for Echo {
    fn opened(&mut self, _: &mut Reply<'_>) -> Result<(), switchboard::Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn unopened(&mut self, _: Ending, _: Option<&switchboard::Error>) {
        self.0.fetch_add(100, Ordering::Relaxed);
    }

    fn message(
        &mut self,
        message: switchboard::Message<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), switchboard::Error> {
        reply.send(&message)
    }

    fn closed(&mut self, _: Ending, _: Option<&switchboard::Error>) {
        self.0.fetch_add(1000, Ordering::Relaxed);
    }
}

/// Under each dispatcher: a server, and how often its service was told what.
fn servers(limits: &Limits, mut check: impl FnMut(Running, Arc<AtomicU32>)) {
    for dispatch in [Dispatch::threads(), Dispatch::events().with_loops(1)] {
        let told = Arc::new(AtomicU32::new(0));
        let theirs = Arc::clone(&told);
        let server = Server::new("u32be").unwrap().with_dispatch(dispatch);
        let server = server.with_limits(limits.clone());
        check(server.start(move || Echo(Arc::clone(&theirs))).unwrap(), told);
    }
}

#[test]
fn nothing_is_held_back_for_ever_in_a_server() {
    servers(&Limits::default(), |running, told| {
        let (ours, theirs) = layered();
        running.handle().adopt(theirs).unwrap();
        let mut client = converse(ours, "u32be");
        for size in [0, 1, 5, 100, 4000, 200_000] {
            let message = vec![b'x'; size];
            assert!(*client.request(&message).unwrap() == message);
        }
        client.finish().unwrap();
        assert!(client.recv().unwrap().is_none(), "it says goodbye too");
        client.close().unwrap();
        ended(&running, Ending::Finished);
        assert_eq!(told.load(Ordering::Relaxed), 1001);
    });
}

#[test]
fn a_server_closes_when_what_it_said_is_delivered() {
    for dispatch in [Dispatch::threads(), Dispatch::events().with_loops(1)] {
        let server = Server::new("lines").unwrap().with_dispatch(dispatch);
        let running = server
            .start(|| {
                |_: &[u8], reply: &mut Reply<'_>| {
                    reply.send(&[b'x'; 3000])?;
                    reply.close();
                    Ok(())
                }
            })
            .unwrap();
        let (ours, theirs) = layered();
        running.handle().adopt(theirs).unwrap();
        let mut client = converse(ours, "lines");
        client.send(b"hello").unwrap();
        assert_eq!(client.recv().unwrap().unwrap().len(), 3000);
        assert!(client.recv().unwrap().is_none());
        client.close().unwrap();
        ended(&running, Ending::Stopped);
    }
}

#[test]
fn answers_are_delivered_before_a_server_closes() {
    // The client sends all it has and its end before it reads anything.
    servers(&Limits::default(), |running, _| {
        let (ours, theirs) = layered();
        // Through wrappers that pass everything on.
        let theirs = Arc::new(Faulty::new(theirs, Faults::new(1).bytes_per_call(3)));
        running.handle().adopt(Arc::new(Trace::new(theirs, |_| {}))).unwrap();
        let (mut receiving, mut sending) = converse(ours, "u32be").split().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                sending.send_many((0..200).map(|n| vec![b'a'; n])).unwrap();
                sending.finish().unwrap();
            });
            for n in 0..200 {
                assert_eq!(receiving.recv().unwrap().unwrap().len(), n);
            }
            assert!(receiving.recv().unwrap().is_none());
        });
        ended(&running, Ending::Finished);
    });
}

#[test]
fn who_does_not_open_is_let_go_and_the_service_hears_nothing() {
    let limits = Limits { opening: Some(Duration::from_millis(50)), ..Limits::default() };
    servers(&limits, |running, told| {
        let (ours, theirs) = pair_with_capacity(1000).unwrap();
        running.handle().adopt(over(theirs)).unwrap();
        // It is told something, and never says what it is to say.
        ended(&running, Ending::TimedOut);
        assert_eq!(told.load(Ordering::Relaxed), 100);
        drop(ours);
    });
}

#[test]
fn an_opening_that_fails_ends_the_conversation() {
    for (bytes, ending) in [(&b"GET /"[..], Ending::BadPrefix), (b"h", Ending::Truncated)] {
        servers(&Limits::default(), |running, told| {
            let (ours, theirs) = pair_with_capacity(1000).unwrap();
            running.handle().adopt(over(theirs)).unwrap();
            ours.write(bytes).unwrap();
            ours.finish().unwrap();
            ended(&running, ending);
            assert_eq!(told.load(Ordering::Relaxed), 100);
        });
    }
}

#[test]
fn a_stop_does_not_wait_for_who_has_not_opened() {
    servers(&Limits { opening: None, ..Limits::default() }, |running, told| {
        let (_ours, theirs) = pair_with_capacity(1000).unwrap();
        running.handle().adopt(over(theirs)).unwrap();
        let stats = running.stop().unwrap();
        assert_eq!(stats.endings.count(Ending::Stopped), stats.endings.sum());
        // The stop may have come before it was taken in.
        assert_eq!(told.load(Ordering::Relaxed) % 100, 0);
    });
}

#[test]
fn a_conversation_says_what_did_not_come() {
    let (ours, _theirs) = pair_with_capacity(1000).unwrap();
    let mut client = converse(over(ours), "lines");
    client.set_opening_timeout(Some(Duration::from_millis(10)));
    for _ in 0..2 {
        let error = client.recv().unwrap_err();
        assert!(error.is_timeout());
        let text = "the preface did not come from layered, message 1: timed out";
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let error = client.send(b"hello").unwrap_err();
    assert!(error.is_timeout() && error.to_string().starts_with("the preface did not come from"));
}

#[test]
fn a_send_that_returned_has_been_handed_on() {
    let (ours, theirs) = layered();
    let (mut a, mut b) = (converse(ours.clone(), "lines"), converse(theirs, "lines"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(b.recv().unwrap().unwrap().len(), 10_000);
            b.close().unwrap();
        });
        a.send(&[b'a'; 10_000]).unwrap();
        assert!(ours.lock().output.is_empty());
        assert!(a.recv().unwrap().is_none());
        a.close().unwrap();
        assert!(ours.lock().output.is_empty());
    });
}

#[test]
fn dropping_hands_on_what_goes() {
    let (ours, theirs) = layered();
    let (mut a, mut b) = (converse(ours, "lines"), converse(theirs, "lines"));
    assert!(matches!(a.try_recv().unwrap(), Received::Pending));
    assert!(matches!(b.try_recv().unwrap(), Received::Pending));
    a.queue(b"last words").unwrap();
    drop(a);
    assert_eq!(&*b.recv().unwrap().unwrap(), b"last words");
}

/// One thread, two conversations, each waited for only for what it is about to do.
#[test]
fn select_wakes_for_what_it_has_to_do() {
    let (ours, theirs) = layered();
    let (mut a, mut b) = (converse(ours, "lines"), converse(theirs, "lines"));
    let message = vec![b'm'; 3000];
    let mut flushed = false;
    // To write it has to read first, and there is nothing to be read.
    assert!(a.try_send(&message).unwrap() && !a.try_flush().unwrap());
    assert!(select(&[], &[&a], &[], Some(Duration::ZERO)).unwrap().is_empty());
    loop {
        let writers: &[&dyn Source] = if flushed { &[] } else { &[&a] };
        let ready = select(&[&b], writers, &[], Some(PATIENCE)).unwrap();
        assert!(!ready.is_empty(), "flushed: {flushed}");
        if !ready.writers.is_empty() {
            flushed = a.try_flush().unwrap();
        }
        if !ready.readers.is_empty()
            && let Received::Message(received) = b.try_recv().unwrap()
        {
            assert!(flushed && *received == message);
            return;
        }
    }
}

#[test]
fn a_poller_wakes_for_what_it_has_to_do() {
    for with_poll in [false, true] {
        let mut poller: Poller<Conversation> = match with_poll {
            true => Poller::with_poll(),
            false => Poller::of().unwrap(),
        };
        let (ours, theirs) = layered();
        poller.register(1, converse(ours, "lines"), Interest::WRITE).unwrap();
        poller.register(2, converse(theirs, "lines"), Interest::READ).unwrap();
        let (mut sent, mut received) = (0, 0);
        while received < 5 {
            let events = poller.wait(Some(PATIENCE)).unwrap();
            assert!(!events.is_empty(), "{sent} sent, {received} received");
            for event in events {
                let conversation = poller.get_mut(event.token).unwrap();
                match event.token {
                    1 if sent < 5 => {
                        sent += u32::from(conversation.try_send(&[b'm'; 3000]).unwrap());
                    }
                    1 => {
                        if conversation.try_flush().unwrap() {
                            poller.modify(1, Interest::NONE).unwrap();
                        }
                    }
                    _ => {
                        if let Received::Message(message) = conversation.try_recv().unwrap() {
                            assert_eq!(message.len(), 3000);
                            received += 1;
                        }
                    }
                }
            }
        }
    }
}
