//! A conversation that several threads use at a time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use switchboard::select::select_or_interrupted;
use switchboard::transport::{Interrupt, Pipe};
use switchboard::{
    Conversation, Ending, Error, Listener, Received, SharedConversation, Timeouts, select,
};

/// So long a test waits for what must come; it is never waited out.
const PATIENCE: Duration = Duration::from_secs(20);

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

#[test]
fn whoever_waits_is_told_of_a_close() {
    // The peer neither speaks nor ends, for which closing waits.
    let check = |at: &str, requests, aborts| {
        let (shared, mut peer) = over_a_socket(at);
        ask(&shared, &mut peer, requests);
        let reader = thread::spawn({
            let shared = Arc::clone(&shared);
            move || recv(&shared)
        });
        match aborts {
            true => shared.abort(),
            false => shared.close().unwrap(),
        }
        assert!(reader.join().unwrap().unwrap_err().is_caller());
    };
    thread::scope(|scope| {
        for at in ["127.0.0.1:0", "unix:"] {
            // Who waits polls, or reads.
            for requests in [0, 3] {
                scope.spawn(move || check(at, requests, false));
                scope.spawn(move || check(at, requests, true));
            }
        }
    });
}

/// Two that have waited in a read as soon as they have asked.
fn over_a_socket(at: &str) -> (Arc<SharedConversation>, Conversation) {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let name = NAMES.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("swb-shared-{}-{name}", std::process::id()));
    let listener = match at {
        "unix:" => Listener::listen(&format!("unix:{}", path.display())),
        _ => Listener::listen(at),
    }
    .unwrap();
    let endpoint = listener.endpoints()[0].to_string();
    let client = Conversation::connect(&endpoint, "lines").unwrap();
    let client = client.with_timeouts(Timeouts::all(PATIENCE));
    let peer = listener.accept_conversation(&"lines".parse().unwrap()).unwrap();
    (Arc::new(SharedConversation::new(client)), peer)
}

/// Asks so often, and is answered.
fn ask(shared: &SharedConversation, peer: &mut Conversation, requests: usize) {
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..requests {
                let question = peer.recv_owned().unwrap().unwrap();
                peer.send(&question).unwrap();
            }
        });
        for _ in 0..requests {
            assert_eq!(shared.request(b"and?", |reply| reply.to_vec()).unwrap(), b"and?");
        }
    });
}

/// A thread that waits in a read would have it, and no use for it.
#[test]
fn whoever_takes_it_has_what_comes_from_there_on() {
    for _ in 0..20 {
        let (shared, mut peer) = over_a_socket("127.0.0.1:0");
        ask(&shared, &mut peer, 3);
        thread::scope(|scope| {
            let (begins, begun) = mpsc::channel();
            let reader = scope.spawn({
                let shared = &shared;
                move || {
                    begins.send(()).unwrap();
                    recv(shared)
                }
            });
            begun.recv().unwrap();
            // Nobody can know that it waits by now; mostly it does.
            (0..200).for_each(|_| thread::yield_now());
            let mut taken = shared.take().unwrap();
            peer.send(b"late").unwrap();
            assert_eq!(taken.recv_owned().unwrap().unwrap(), b"late");
            assert!(reader.join().unwrap().unwrap_err().is_caller());
        });
    }
}

/// More than such a read takes at a time, and half of a message at its end.
#[test]
fn what_comes_together_is_there_together() {
    const MESSAGES: usize = 200;
    let (shared, mut peer) = over_a_socket("127.0.0.1:0");
    for round in 0..20 {
        ask(&shared, &mut peer, 3);
        let lines: Vec<Vec<u8>> = (0..MESSAGES).map(|i| vec![b'x'; 64 + i + round]).collect();
        thread::scope(|scope| {
            scope.spawn(|| peer.send_many(&lines).unwrap());
            let mut received = Vec::new();
            while received.len() < MESSAGES {
                assert!(shared.receive().unwrap());
                shared.look().run(MESSAGES, |line| received.push(line.to_vec())).unwrap();
            }
            assert!(received == lines);
        });
    }
}

#[test]
fn whoever_waits_in_select_finds_it_ready_when_it_is_closed() {
    let listener = Listener::listen("127.0.0.1:0").unwrap();
    let endpoint = listener.endpoints()[0].to_string();
    let client = Conversation::connect(&endpoint, "lines").unwrap();
    let shared = Arc::new(SharedConversation::new(client));
    let peer = listener.accept_conversation(&"lines".parse().unwrap()).unwrap();
    let source = shared.source().unwrap();
    let waits = thread::spawn(move || select(&[&source], &[], &[], Some(Duration::from_secs(20))));
    shared.close().unwrap();
    assert_eq!(waits.join().unwrap().unwrap().readers, [0]);
    assert!(shared.source().unwrap_err().is_caller(), "and then it is told");
    drop(peer);
}

#[test]
fn closing_a_pipe_wakes_whoever_looks_around() {
    let (reader, writer) = std::io::pipe().unwrap();
    let transport = Pipe::duplicated(reader.as_raw_fd()).unwrap();
    let mut client = Conversation::over(transport, &"lines".parse().unwrap());
    client.set_on_interrupt(|| Interrupt::Continue);
    let shared = Arc::new(SharedConversation::new(client));
    let reads = thread::spawn({
        let shared = Arc::clone(&shared);
        move || recv(&shared)
    });
    let source = shared.source().unwrap();
    let waits = thread::spawn(move || {
        let hook: &dyn Fn() -> Interrupt = &|| Interrupt::Continue;
        select_or_interrupted(&[&source], &[], &[], Some(Duration::from_secs(20)), Some(hook))
    });
    shared.close().unwrap();
    assert_eq!(waits.join().unwrap().unwrap().readers, [0]);
    assert!(reads.join().unwrap().unwrap_err().is_caller());
    drop(writer);
}

#[test]
fn one_that_is_lent_comes_back() {
    let (mut lent, mut peer) = Conversation::pair("lines").unwrap();
    let kept = SharedConversation::lend(&mut lent, |shared| {
        shared.send(b"while it is lent").unwrap();
        Arc::clone(shared)
    });
    assert!(kept.send(b"x").unwrap_err().is_caller(), "it is over for whoever kept it");
    lent.send(b"when it is back").unwrap();
    assert_eq!(peer.recv_owned().unwrap().unwrap(), b"while it is lent");
    assert_eq!(peer.recv_owned().unwrap().unwrap(), b"when it is back");
    SharedConversation::lend(&mut lent, |shared| {
        peer.finish().unwrap();
        shared.close().unwrap();
    });
    assert!(lent.send(b"x").unwrap_err().is_caller(), "it was closed meanwhile");
    assert_eq!(peer.recv_owned().unwrap(), None);
}

#[test]
fn select_knows_what_is_buffered() {
    let (shared, mut peer) = two("lines");
    let now = Some(Duration::ZERO);
    let is_ready = |time| {
        let source = shared.source().unwrap();
        !select(&[&source], &[], &[], time).unwrap().is_empty()
    };
    assert!(!is_ready(now));
    peer.send_many(["one", "two"]).unwrap();
    assert!(is_ready(None));
    assert!(shared.receive().unwrap());
    assert!(is_ready(now), "a message has been told");
    assert!(matches!(shared.look().buffered().unwrap(), Received::Message(_)));
    assert!(is_ready(now), "another one is buffered");
    assert!(matches!(shared.look().buffered().unwrap(), Received::Message(_)));
    shared.try_receive().unwrap();
    assert!(matches!(shared.look().buffered().unwrap(), Received::Pending));
    assert!(!is_ready(now));
    shared.take();
    assert!(shared.source().unwrap_err().is_caller());
}

#[test]
fn a_request_has_its_reply_or_an_error() {
    let (shared, mut peer) = two("lines");
    let answering = thread::spawn(move || {
        let question = peer.recv_owned().unwrap().unwrap();
        peer.send(&question.to_ascii_uppercase()).unwrap();
        peer.finish().unwrap();
        peer
    });
    assert_eq!(shared.request(b"hello", |reply| reply.to_vec()).unwrap(), b"HELLO");
    let _peer = answering.join().unwrap();
    let error = shared.request(b"and?", |_| ()).unwrap_err();
    assert!(error.to_string().contains("no reply"), "{error}");
}

#[test]
fn a_late_reply_is_not_taken_for_that_of_another_request() {
    let (shared, mut peer) = two("lines");
    let patience = |time| shared.look().conversation().unwrap().set_timeouts(time);
    patience(Timeouts::all(Duration::from_millis(20)));
    assert!(
        shared
            .request(b"slow", |_| ())
            .is_err_and(|error| error.ending() == Some(Ending::TimedOut))
    );
    patience(Timeouts::FOREVER);
    assert!(shared.request(b"next", |_| ()).unwrap_err().is_caller());
    peer.send(b"one").unwrap();
    assert_eq!(recv(&shared).unwrap().unwrap(), b"one");
    peer.send(b"two").unwrap();
    assert_eq!(shared.request(b"next", |reply| reply.to_vec()).unwrap(), b"two");
}

#[test]
fn threads_that_request_at_a_time_have_their_own_replies() {
    let (shared, mut peer) = two("u32be");
    let echo = thread::spawn(move || {
        while let Some(message) = peer.recv_owned()? {
            peer.send(&message)?;
        }
        peer.close()
    });
    thread::scope(|scope| {
        for thread in 0..4_u32 {
            let shared = &shared;
            scope.spawn(move || {
                for number in 0..500_u32 {
                    let message = [thread.to_be_bytes(), number.to_be_bytes()].concat();
                    let reply = shared.request(&message, |reply| reply.to_vec()).unwrap();
                    assert_eq!(reply, message);
                }
            });
        }
    });
    shared.close().unwrap();
    echo.join().unwrap().unwrap();
}
