//! Draining: a stop with a deadline, at which whoever is left is cut off, and named.

use crate::SHARES_MEMORY;
use crate::answers::echo;
use crate::help::*;
use std::sync::Arc;
use std::time::Duration;
use switchboard::server::{CutOff, Limits, Pending, Reply, Server, Stats};
use switchboard::{Conversation, Dispatch, Ending, Error, Stopper, Timeouts};

everywhere! {
    who_is_idle_and_ends_when_told_so_is_not_cut_off,
    a_slow_reader_gets_its_reply_within_the_time,
    a_promise_that_is_not_kept_is_cut_off,
    a_peer_that_never_reads_is_cut_off,
    a_peer_that_never_ends_is_cut_off_and_had_everything,
    one_that_is_stuck_takes_nothing_from_the_others,
    a_second_drain_makes_the_time_shorter_and_never_longer,
    a_stopper_begins_a_drain_of_the_time_that_was_agreed,
    no_time_at_all_cuts_off_at_once,
}

/// Time enough for whoever can be served, and little to wait for whoever cannot.
const BRIEF: Duration = Duration::from_millis(150);

/// No clock but that of the drain.
fn patient() -> Limits {
    Limits { timeouts: Timeouts::FOREVER, linger: PATIENCE, ..Limits::default() }
}

/// Drains, and gives who was cut off too.
fn drain(served: Served, within: Duration) -> (Stats, Vec<CutOff>) {
    let handle = served.running.handle().clone();
    let stats = served.running.drain(within).unwrap();
    assert_eq!((stats.open, stats.queued_bytes), (0, 0));
    assert_eq!(stats.cut_off, handle.cut_off().len() as u64);
    (stats, handle.cut_off())
}

/// What services have been told of their ends.
type Told = Noted<Vec<(Ending, Option<String>)>>;

/// Answers with so many bytes, or with a promise, and notes its end.
struct Answering {
    told: Told,
    promises: Noted<Vec<Pending>>,
    bytes: usize,
}

impl switchboard::Service for Answering {
    fn message(
        &mut self,
        message: switchboard::Message<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Error> {
        if &*message == b"later" {
            let promise = reply.later();
            self.promises.change(|promises| promises.push(promise));
            return Ok(());
        }
        reply.send(&pattern(self.bytes))
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        let error = error.map(ToString::to_string);
        self.told.change(|told| told.push((ending, error)));
    }
}

/// A server of those, and what they note.
fn answering(case: &Case, bytes: usize) -> (Served, Told, Noted<Vec<Pending>>) {
    let (told, promises) = (Told::new(), Noted::new());
    let theirs = (told.clone(), promises.clone());
    let served = case.start("u32be", &patient(), move || {
        let (told, promises) = theirs.clone();
        Answering { told, promises, bytes }
    });
    (served, told, promises)
}

/// The one conversation was cut off, with such words.
fn assert_cut_off(case: &Case, told: &Told, cut_off: &[CutOff], words: &str) {
    if SHARES_MEMORY {
        let told = told.lock();
        let [(Ending::Stopped, Some(error))] = &told[..] else { panic!("{case}: {told:?}") };
        assert!(error.starts_with("cut off: ") && error.contains(words), "{case}: {error}");
    }
    assert_eq!(cut_off.len(), 1, "{case}");
    assert!(cut_off[0].to_string().contains(words), "{case}: {}", cut_off[0]);
}

fn who_is_idle_and_ends_when_told_so_is_not_cut_off() {
    for case in cases() {
        let served = case.start("lines", &patient(), echo);
        let mut client = served.client();
        client.request(b"hello").unwrap();
        served.running.handle().drain(PATIENCE);
        assert!(client.recv().unwrap().is_none(), "{case}");
        drop(client);
        let (stats, cut_off) = drain(served, PATIENCE);
        assert_eq!((stats.endings.count(Ending::Stopped), cut_off), (1, vec![]), "{case}");
    }
}

fn a_slow_reader_gets_its_reply_within_the_time() {
    for case in cases() {
        let (served, told, _) = answering(&case, 4 << 20);
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["much"])).unwrap();
        served.wait_for("a queue", |stats| stats.messages_sent == 1);
        served.running.handle().drain(PATIENCE);
        let received = read_to_end(&*stream, 16 * 1024).unwrap();
        assert!(decoded("u32be", &received) == [pattern(4 << 20)], "{case}: {}", received.len());
        drop(stream);
        let (_, cut_off) = drain(served, PATIENCE);
        let all = if SHARES_MEMORY { &[(Ending::Stopped, None)][..] } else { &[] };
        assert_eq!((&told.lock()[..], cut_off), (all, vec![]), "{case}");
    }
}

/// Waits until the one promise is made.
fn is_promised(served: &Served, promises: &Noted<Vec<Pending>>) {
    served.wait_for("the promise", |stats| stats.messages_received == 1);
    if SHARES_MEMORY {
        promises.wait(|promises| promises.len() == 1);
    }
}

#[test]
fn a_promise_that_is_kept_within_the_time_is_delivered() {
    for case in cases() {
        let (served, told, promises) = answering(&case, 1);
        let mut client = served.client();
        client.send(b"later").unwrap();
        promises.wait(|promises| promises.len() == 1);
        served.running.handle().drain(PATIENCE);
        promises.lock().remove(0).send("at last").unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"at last", "{case}");
        assert!(client.recv().unwrap().is_none(), "{case}");
        drop(client);
        let (_, cut_off) = drain(served, PATIENCE);
        assert_eq!((&told.lock()[..], cut_off), (&[(Ending::Stopped, None)][..], vec![]), "{case}");
    }
}

fn a_promise_that_is_not_kept_is_cut_off() {
    at_once(cases(), |case| {
        let (served, told, promises) = answering(&case, 1);
        let mut client = served.client();
        client.send(b"later").unwrap();
        is_promised(&served, &promises);
        let (_, cut_off) = drain(served, BRIEF);
        assert_cut_off(&case, &told, &cut_off, "1 answer promised");
        assert_eq!((cut_off[0].queued_bytes, cut_off[0].promised), (0, 1), "{case}");
        if SHARES_MEMORY {
            let late = promises.lock().remove(0).send("too late");
            assert!(late.is_err(), "{case}");
        }
    });
}

fn a_peer_that_never_reads_is_cut_off() {
    at_once(cases(), |case| {
        let (served, told, _) = answering(&case, 16 << 20);
        let stream = served.connect();
        write_all(&*stream, &requests("u32be", &["much"])).unwrap();
        served.wait_for("a queue", |stats| stats.queued_bytes > 0);
        let (_, cut_off) = drain(served, BRIEF);
        assert_cut_off(&case, &told, &cut_off, "bytes queued");
        assert!(cut_off[0].queued_bytes > 1 << 20, "{case}: {cut_off:?}");
        drop(stream);
    });
}

fn a_peer_that_never_ends_is_cut_off_and_had_everything() {
    at_once(cases(), |case| {
        for begun in [&b""[..], b"\0\0\0\x09not wh"] {
            let (served, told, _) = answering(&case, 10);
            let stream = served.connect();
            write_all(&*stream, &requests("u32be", &["a", "b"])).unwrap();
            write_all(&*stream, begun).unwrap();
            let all = 10 + begun.len() as u64;
            served.wait_for("all of it", |stats| stats.bytes_received == all);
            let (_, cut_off) = drain(served, BRIEF);
            assert_cut_off(&case, &told, &cut_off, "it had everything, and did not end");
            let received = read_to_end(&*stream, 100).unwrap();
            assert_eq!(decoded("u32be", &received), vec![pattern(10); 2], "{case}");
        }
    });
}

/// As many as a small pool has places for, where there is one.
const OTHERS: u64 = if SHARES_MEMORY { 20 } else { 7 };

fn one_that_is_stuck_takes_nothing_from_the_others() {
    at_once(cases(), |case| {
        let (served, _, _) = answering(&case, 100_000);
        let stuck = served.connect();
        let many = vec!["much"; 200];
        write_all(&*stuck, &requests("u32be", &many)).unwrap();
        served.wait_for("a queue", |stats| stats.queued_bytes > 0);
        let mut others: Vec<Conversation> = (0..OTHERS).map(|_| served.client()).collect();
        for other in &mut others {
            // Nobody waits in the backlog any more; the rest is there when the drain begins.
            other.request(b"one").unwrap();
            other.send_many(["two", "three"]).unwrap();
        }
        served.running.handle().drain(PATIENCE);
        std::thread::scope(|scope| {
            for other in others {
                scope.spawn(move || {
                    let answers: Vec<_> = other.into_messages();
                    assert_eq!(answers.len(), 2);
                });
            }
        });
        let (stats, cut_off) = drain(served, BRIEF);
        assert_eq!((stats.accepted, cut_off.len()), (OTHERS + 1, 1), "{case}");
        drop(stuck);
    });
}

/// All messages of a conversation to its end.
trait IntoMessages {
    fn into_messages(self) -> Vec<Vec<u8>>;
}

impl IntoMessages for Conversation {
    fn into_messages(mut self) -> Vec<Vec<u8>> {
        self.messages().collect::<Result<_, _>>().unwrap()
    }
}

fn a_second_drain_makes_the_time_shorter_and_never_longer() {
    at_once(cases(), |case| {
        let (served, told, promises) = answering(&case, 1);
        let mut client = served.client();
        client.send(b"later").unwrap();
        is_promised(&served, &promises);
        let handle = served.running.handle().clone();
        // None at all, then an hour, then a little.
        handle.stop();
        handle.drain(Duration::from_secs(3600));
        handle.drain(BRIEF);
        handle.drain(Duration::from_secs(3600));
        handle.stop();
        let (_, cut_off) = drain(served, Duration::MAX);
        assert_cut_off(&case, &told, &cut_off, "1 answer promised");
    });
}

fn a_stopper_begins_a_drain_of_the_time_that_was_agreed() {
    at_once(dispatchers(Over::Tcp), |case| {
        let stopper = Stopper::new().unwrap();
        let server = case.server("lines", &patient()).with_stopper(&stopper).with_drain(BRIEF);
        let endpoint = server.endpoints()[0].to_string();
        let running = server.start(echo).unwrap();
        let mut client = Conversation::connect(&endpoint, "lines").unwrap();
        client.request(b"hello").unwrap();
        stopper.stop();
        assert_eq!(running.join().unwrap().cut_off, 1, "{case}");
        assert!(client.recv().unwrap().is_none(), "{case}");
    });
}

fn no_time_at_all_cuts_off_at_once() {
    for case in cases() {
        let (served, _, promises) = answering(&case, 1);
        let mut client = served.client();
        client.send(b"later").unwrap();
        is_promised(&served, &promises);
        let (stats, _) = drain(served, Duration::ZERO);
        assert_eq!(stats.cut_off, 1, "{case}");
    }
}

/// A server of blocking conversations that answer each message.
fn blocking(handler: fn(&mut Conversation) -> Result<(), Error>) -> (BlockingServer, Conversation) {
    let server = Server::new("u32be").unwrap().with_dispatch(Dispatch::threads());
    let server = server.with_limits(patient()).listen("127.0.0.1:0").unwrap();
    let handle = server.handle();
    let client = Conversation::connect(&server.endpoints()[0].to_string(), "u32be").unwrap();
    let client = client.with_timeouts(Timeouts::all(PATIENCE));
    let serving = std::thread::spawn(move || server.serve_conversations(handler));
    (BlockingServer { handle, serving }, client)
}

struct BlockingServer {
    handle: switchboard::server::Handle,
    serving: std::thread::JoinHandle<Result<Stats, Error>>,
}

/// Echoes until the peer or the server ends.
fn echo_blocking(conversation: &mut Conversation) -> Result<(), Error> {
    while let Ok(Some(message)) = conversation.recv_owned() {
        conversation.send(&message)?;
    }
    Ok(())
}

#[test]
fn a_blocking_conversation_is_cut_off_too() {
    let (server, mut client) = blocking(echo_blocking);
    assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
    // Shorter than its handler's close would wait for the end that does not come.
    server.handle.drain(BRIEF);
    let stats = server.serving.join().unwrap().unwrap();
    assert_eq!((stats.cut_off, stats.endings.count(Ending::Stopped)), (1, 1));
    assert!(server.handle.cut_off()[0].to_string().ends_with("had everything, and did not end"));
    assert!(client.recv().unwrap().is_none());
}

#[test]
fn a_blocking_conversation_whose_peer_ends_is_not() {
    let (server, mut client) = blocking(echo_blocking);
    assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
    server.handle.drain(PATIENCE);
    assert!(client.recv().unwrap().is_none());
    drop(client);
    let stats = server.serving.join().unwrap().unwrap();
    assert_eq!((stats.cut_off, stats.endings.count(Ending::Stopped)), (0, 1));
}

#[test]
fn a_stream_that_nobody_has_begun_to_serve_is_no_reason_to_wait() {
    for case in dispatchers(Over::Pair) {
        let served = case.start("lines", &patient(), echo);
        let (ours, theirs) = switchboard::transport::pair().unwrap();
        served.running.handle().adopt(Arc::new(theirs)).unwrap();
        let (_, _) = drain(served, Duration::ZERO);
        drop(ours);
    }
}
