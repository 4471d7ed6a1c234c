//! Serving with blocking conversations.

use crate::help::*;
use std::sync::Arc;
use switchboard::server::Limits;
use switchboard::transport::pair;
use switchboard::{Conversation, Ending, Error, Timeouts};

/// More than any system takes at once.
const LARGE: usize = 8 << 20;

/// Serves with `handler` while `check` runs; the last count.
fn serve(
    case: &Case,
    handler: impl Fn(&mut Conversation) -> Result<(), Error> + Send + Sync,
    check: impl FnOnce(&dyn Fn() -> Conversation, &switchboard::server::Handle),
) -> switchboard::server::Stats {
    let server = case.server("lines", &Limits::default());
    let handle = server.handle();
    let connect = || {
        let stream: Stream = match handle.endpoints().first() {
            Some(endpoint) => endpoint.connect(&Default::default()).unwrap(),
            None => {
                let (ours, theirs) = pair().unwrap();
                handle.adopt(Arc::new(theirs)).unwrap();
                Arc::new(ours)
            }
        };
        Conversation::over(stream, &"lines".parse().unwrap()).with_timeouts(Timeouts::all(PATIENCE))
    };
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve_conversations(handler).unwrap());
        check(&connect, &handle);
        handle.stop();
        serving.join().unwrap()
    })
}

fn threads() -> Vec<Case> {
    [Over::Tcp, Over::Unix, Over::Pair]
        .into_iter()
        .map(|over| dispatchers(over).remove(0))
        .collect()
}

fn echo(conversation: &mut Conversation) -> Result<(), Error> {
    while let Some(message) = conversation.recv_owned()? {
        match &message[..] {
            b"panic" => std::panic::panic_any("on purpose"),
            b"fail" => return Err(Error::caller("told to fail")),
            b"other" => return Err(Error::timed_out("waiting for").at_endpoint("another server")),
            b"large" => {
                // None of it is written yet when it fails.
                conversation.queue(&[b'x'; LARGE])?;
                return Err(Error::caller("told to fail"));
            }
            b"close" => return Ok(()),
            _ => conversation.queue(&message)?,
        }
    }
    Ok(())
}

#[test]
fn a_blocking_conversation_answers_and_closes() {
    for case in threads() {
        let stats = serve(&case, echo, |connect, _| {
            let mut client = connect();
            client.send_many(["a", "b", "c"]).unwrap();
            client.finish().unwrap();
            let all: Result<Vec<_>, Error> = client.messages().collect();
            assert_eq!(all.unwrap(), [b"a", b"b", b"c"], "{case}");
            let mut client = connect();
            client.send_many(["a", "close", "b"]).unwrap();
            assert_eq!(&*client.recv().unwrap().unwrap(), b"a", "{case}");
            assert!(client.recv().unwrap().is_none(), "{case}");
        });
        let (finished, stopped) =
            (stats.endings.count(Ending::Finished), stats.endings.count(Ending::Stopped));
        assert_eq!((finished, stopped, stats.open), (1, 1, 0), "{case}");
        assert_eq!((stats.messages_received, stats.messages_sent), (5, 4), "{case}");
    }
}

#[test]
fn a_panic_or_an_error_ends_one_only() {
    for case in threads() {
        let stats = serve(&case, echo, |connect, handle| {
            let mut other = connect();
            for request in ["panic", "fail", "other"] {
                let mut client = connect();
                client.send_many(["a", "b", request]).unwrap();
                let expected = (vec![b"a".to_vec(), b"b".to_vec()], case.has_resets());
                assert_eq!(messages_out(&mut client), expected, "{case}, {request}");
                assert_eq!(&*other.request(b"still here").unwrap(), b"still here", "{case}");
            }
            wait_until("their ends", || match handle.stats().endings.sum() {
                3 => Ok(()),
                other => Err(other),
            });
            other.close().unwrap();
        });
        assert_eq!((stats.panicked, stats.failed, stats.accepted), (1, 2, 4), "{case}");
        assert_eq!(stats.endings.count(Ending::Stopped), 3, "{case}: {}", stats.endings);
    }
}

#[test]
fn what_was_queued_before_an_error_is_delivered() {
    // Over a Unix socket it is one try, as when a conversation is dropped.
    for case in threads().into_iter().filter(Case::has_resets) {
        serve(&case, echo, |connect, handle| {
            let mut client = connect();
            client.send(b"large").unwrap();
            client.finish().unwrap();
            let answer = client.recv_owned().unwrap().expect("an answer");
            assert_eq!(answer.len(), LARGE, "{case}");
            // The other one ends only when this system has it all.
            wait_until("its end", || match handle.stats().open {
                0 => Ok(()),
                open => Err(open),
            });
            assert!(client.recv().unwrap_err().is_reset(), "{case}");
        });
    }
}

#[test]
fn a_stop_ends_every_wait() {
    for case in threads() {
        let stats = serve(&case, echo, |connect, handle| {
            let mut clients: Vec<_> = (0..10).map(|_| connect()).collect();
            for client in &mut clients {
                assert_eq!(&*client.request(b"hello").unwrap(), b"hello", "{case}");
            }
            handle.stop();
            for client in &mut clients {
                assert!(client.recv().unwrap().is_none(), "{case}");
            }
        });
        assert_eq!((stats.endings.count(Ending::Stopped), stats.failed), (10, 0), "{case}");
    }
}

#[test]
fn event_loops_are_not_kept_waiting() {
    let server = one_loop(Over::Tcp).server("lines", &Limits::default());
    let error = server.serve_conversations(echo).unwrap_err();
    assert!(error.is_caller() && error.to_string().contains("events"), "{error}");
}
