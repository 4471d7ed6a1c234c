//! Answers that are promised: in order, whoever gives them and whenever.

use crate::help::*;
use std::collections::VecDeque;
use switchboard::server::{Limits, Pending, Reply};
use switchboard::{Ending, Error};

/// The promises made, with what was asked.
type Promises = Noted<VecDeque<(Vec<u8>, Pending)>>;

/// A server that promises every answer; except for `now ..`, which it answers at once.
fn promising(case: &Case, limits: &Limits) -> (Served, Promises) {
    let promises = Promises::new();
    let theirs = promises.clone();
    let served = case.start("lines", limits, move || {
        let promises = theirs.clone();
        move |message: &[u8], reply: &mut Reply<'_>| {
            if message.starts_with(b"now ") {
                return reply.send(message);
            }
            let promise = (message.to_vec(), reply.later());
            promises.change(|promises| promises.push_back(promise));
            Ok(())
        }
    });
    (served, promises)
}

/// Takes the promises there are, once there are so many.
fn taken(promises: &Promises, count: usize) -> Vec<(Vec<u8>, Pending)> {
    promises.wait(|promises| promises.len() >= count);
    promises.lock().drain(..count).collect()
}

fn text(messages: &[Vec<u8>]) -> String {
    String::from_utf8(messages.join(&b' ')).unwrap()
}

#[test]
fn answers_given_out_of_order_leave_in_order() {
    for case in cases() {
        let (served, promises) = promising(&case, &Limits::default());
        let mut client = served.client();
        let sent: Vec<_> = (0..50).map(|i| i.to_string().into_bytes()).collect();
        client.send_many(&sent).unwrap();
        let mut random = Random::new(3);
        let mut left = taken(&promises, 50);
        std::thread::scope(|scope| {
            while !left.is_empty() {
                let (question, promise) = left.swap_remove(random.below(left.len()));
                scope.spawn(move || promise.send(question).unwrap());
            }
        });
        for question in &sent {
            assert_eq!(client.recv_owned().unwrap().as_ref(), Some(question), "{case}");
        }
        client.close().unwrap();
        let stats = served.ended(Ending::Finished, 1);
        assert_eq!((stats.messages_sent, stats.queued_bytes), (50, 0), "{case}");
    }
}

#[test]
fn what_is_sent_meanwhile_waits_behind() {
    for case in cases() {
        let (served, promises) = promising(&case, &Limits::default());
        let mut client = served.client();
        client.send_many(["now 1", "a", "now 2", "b", "skipped", "now 3"]).unwrap();
        let mut left = taken(&promises, 3);
        left.pop().unwrap().1.skip().unwrap();
        left.pop().unwrap().1.send("B").unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"now 1", "{case}");
        left.pop().unwrap().1.send("A").unwrap();
        client.finish().unwrap();
        let rest: Result<Vec<_>, Error> = client.messages().collect();
        assert_eq!(text(&rest.unwrap()), "A now 2 B now 3", "{case}");
        drop(client);
        let stats = served.ended(Ending::Finished, 1);
        assert_eq!((stats.messages_sent, stats.queued_bytes), (5, 0), "{case}");
    }
}

#[test]
fn a_promise_that_is_dropped_ends_the_conversation_behind_what_came_before() {
    for case in cases() {
        let (served, promises) = promising(&case, &Limits::default());
        let mut client = served.client();
        client.send_many(["a", "now 1", "dropped", "now 2", "c"]).unwrap();
        let mut left = taken(&promises, 3);
        left.pop().unwrap().1.send("C").unwrap();
        drop(left.pop());
        left.pop().unwrap().1.send("A").unwrap();
        let (rest, is_reset) = messages_out(&mut client);
        assert_eq!((&*text(&rest), is_reset), ("A now 1", case.has_resets()), "{case}");
        drop(client);
        let stats = served.ended(Ending::Stopped, 1);
        assert_eq!((stats.failed, stats.queued_bytes), (1, 0), "{case}");
    }
}

#[test]
fn a_peer_that_had_finished_has_not_finished_well_without_its_answer() {
    for case in cases() {
        let (served, promises) = promising(&case, &Limits::default());
        let stream = served.connect();
        write_all(&*stream, b"a\nb\n").unwrap();
        stream.finish().unwrap();
        // Two that may be known before the end is, or behind it.
        let mut left = taken(&promises, 2);
        served.wait_for("the end", |stats| stats.bytes_received == 4);
        drop(left.pop());
        left.pop().unwrap().1.send("A").unwrap();
        assert_eq!(read_out(&*stream, 100), (b"A\n".to_vec(), case.has_resets()), "{case}");
        assert_eq!(served.ended(Ending::Stopped, 1).failed, 1, "{case}");
    }
}

#[test]
fn an_answer_that_cannot_be_framed_is_not_made_up_for_by_the_next() {
    for case in cases() {
        let (served, promises) = promising(&case, &Limits::default());
        let mut client = served.client();
        client.send_many(["a", "two lines", "c"]).unwrap();
        let mut left = taken(&promises, 3);
        left.pop().unwrap().1.send("C").unwrap();
        left.pop().unwrap().1.send("two\nlines").unwrap();
        left.pop().unwrap().1.send("A").unwrap();
        let (rest, is_reset) = messages_out(&mut client);
        assert_eq!(text(&rest), "A", "{case}: C would be taken for the second answer");
        assert_eq!(is_reset, case.has_resets(), "{case}");
        drop(client);
        assert_eq!(served.ended(Ending::Stopped, 1).failed, 1, "{case}");
    }
}

#[test]
fn reading_stops_while_too_many_are_promised() {
    let limits = Limits { later_max: 3, ..Limits::default() };
    for case in cases() {
        let (served, promises) = promising(&case, &limits);
        let mut client = served.client();
        client.send_many((0..10).map(|i| i.to_string())).unwrap();
        for expected in 0..10 {
            promises.wait(|promises| promises.len() >= 3.min(10 - expected));
            assert!(promises.lock().len() <= 3, "{case}: {:?}", promises.lock());
            let (question, promise) = promises.lock().pop_front().unwrap();
            promise.send(question).unwrap();
            let answer = client.recv_owned().unwrap().unwrap();
            assert_eq!(text(&[answer]), expected.to_string(), "{case}");
        }
        client.close().unwrap();
        served.ended(Ending::Finished, 1);
    }
}

#[test]
fn a_half_close_waits_for_what_is_promised() {
    for case in cases() {
        let (served, promises) = promising(&case, &Limits::default());
        let stream = served.connect();
        write_all(&*stream, b"a\nb\nnow c\n").unwrap();
        stream.finish().unwrap();
        let mut left = taken(&promises, 2);
        let (_, b) = left.pop().unwrap();
        b.send("B").unwrap();
        left.pop().unwrap().1.send("A").unwrap();
        assert_eq!(read_to_end(&*stream, 100).unwrap(), b"A\nB\nnow c\n", "{case}");
        served.ended(Ending::Finished, 1);
    }
}

#[test]
fn a_promise_to_a_conversation_that_is_over_errs() {
    for case in cases() {
        let (served, promises) = promising(&case, &Limits::default());
        let client = served.client();
        write_all(&**client.transport(), b"a\nb\nc\n").unwrap();
        let mut left = taken(&promises, 3);
        client.abort();
        // A stream that has no resets looks half-closed, until something is sent.
        let _ = left.remove(0).1.send("too late, perhaps");
        served.ended(Ending::Reset, 1);
        let error = left.pop().unwrap().1.send("too late").unwrap_err();
        assert_eq!(error.ending(), Some(Ending::Finished), "{case}: {error}");
        assert!(left.pop().unwrap().1.skip().is_err(), "{case}");
        assert_eq!(served.stats().queued_bytes, 0, "{case}");
    }
}

#[test]
fn much_may_wait_behind_a_promise() {
    // More than the mark at which nothing is read any more: the promise must be heard still.
    let large = pattern(200_000);
    for case in cases() {
        let promises = Noted::<Vec<Pending>>::new();
        let served = case.start("u32be", &Limits::default(), {
            let (promises, large) = (promises.clone(), large.clone());
            move || {
                let (promises, large) = (promises.clone(), large.clone());
                move |_: &[u8], reply: &mut Reply<'_>| {
                    let promise = reply.later();
                    for _ in 0..5 {
                        reply.send(&large)?;
                    }
                    promises.change(|promises| promises.push(promise));
                    Ok(())
                }
            }
        });
        let mut client = served.client();
        client.send(b"everything").unwrap();
        promises.wait(|promises| promises.len() == 1);
        promises.lock().pop().unwrap().send("first").unwrap();
        assert_eq!(&*client.recv().unwrap().unwrap(), b"first", "{case}");
        for _ in 0..5 {
            assert!(client.recv().unwrap().unwrap().bytes() == &large[..], "{case}");
        }
        client.close().unwrap();
        assert_eq!(served.ended(Ending::Finished, 1).queued_bytes, 0, "{case}");
    }
}
