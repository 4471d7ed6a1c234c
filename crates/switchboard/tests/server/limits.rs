//! What bounds a server: how many, how much, and what cannot be.

use crate::answers::echo;
use crate::help::*;
use std::time::Duration;
use switchboard::server::{Heartbeat, Limits, Reply, Server, Service};
use switchboard::{Conversation, Dispatch, Ending, Error, ListenOptions, Message, Timeouts};

everywhere! {
    at_the_limit_the_next_one_waits_until_a_place_is_free,
    one_address_may_have_so_many,
    a_message_that_is_too_large_is_an_ending_or_passed_over,
    a_reply_that_passes_the_queue_is_refused,
    what_cannot_be_is_refused_by_name,
    a_server_may_serve_so_many_and_no_more,
}

fn at_the_limit_the_next_one_waits_until_a_place_is_free() {
    for case in dispatchers(Over::Tcp).into_iter().chain(dispatchers(Over::Unix)) {
        let limits = Limits { conversations_max: 2, ..Limits::default() };
        let served = case.start("lines", &limits, echo);
        let mut inside = [served.client(), served.client()];
        for client in &mut inside {
            assert_eq!(&*client.request(b"inside").unwrap(), b"inside", "{case}");
        }
        let mut waiting: Vec<_> = (0..5).map(|_| served.client()).collect();
        for client in &mut waiting {
            client.send(b"let me in").unwrap();
        }
        for client in &mut inside {
            assert_eq!(&*client.request(b"still inside").unwrap(), b"still inside", "{case}");
        }
        let stats = served.stats();
        assert_eq!((stats.open, stats.accepted), (2, 2), "{case}");
        let [first, second] = inside;
        first.close().unwrap();
        let mut came = 0;
        // In whatever order two loops take them: each is served once one before it has left.
        let mut leaving = Some(second);
        while came < 5 {
            wait_until("the next one", || {
                let found = waiting.iter_mut().position(|client| {
                    matches!(client.try_recv().unwrap(), switchboard::Received::Message(_))
                });
                found.map(|at| waiting.remove(at).close().unwrap()).ok_or("nobody")
            });
            came += 1;
            drop(leaving.take());
        }
        let stats = served.ended(Ending::Finished, 7);
        assert_eq!((stats.accepted, stats.refused), (7, 0), "{case}");
    }
}

#[test]
fn loops_that_accept_at_once_do_not_pass_the_limit_together() {
    /// Counts how many of it there are at a time, and the most there ever were.
    struct Counted(Noted<(usize, usize)>);

    impl Service for Counted {
        fn opened(&mut self, _: &mut Reply<'_>) -> Result<(), Error> {
            self.0.change(|(now, most)| {
                *now += 1;
                *most = *now.max(most);
            });
            Ok(())
        }

        fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
            reply.send(&message)
        }

        fn closed(&mut self, _: Ending, _: Option<&Error>) {
            self.0.change(|(now, _)| *now -= 1);
        }
    }

    for case in dispatchers(Over::Tcp) {
        let counted = Noted::<(usize, usize)>::new();
        let theirs = counted.clone();
        let limits = Limits { conversations_max: 1, ..Limits::default() };
        let server = case.server("lines", &limits).with_conversations_in_all(400);
        let endpoint = server.endpoints()[0].to_string();
        let running = server.start(move || Counted(theirs.clone())).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let mut client = Conversation::connect(&endpoint, "lines").unwrap();
                        assert_eq!(&*client.request(b"one").unwrap(), b"one");
                    }
                });
            }
        });
        let stats = running.join().unwrap();
        assert_eq!((counted.lock().1, stats.accepted), (1, 400), "{case}");
    }
}

fn one_address_may_have_so_many() {
    for case in dispatchers(Over::Tcp) {
        let limits = Limits { conversations_per_address_max: Some(2), ..Limits::default() };
        let served = case.start("lines", &limits, echo);
        let mut clients = [served.client(), served.client()];
        for client in &mut clients {
            assert_eq!(&*client.request(b"inside").unwrap(), b"inside", "{case}");
        }
        let turned_away = served.connect();
        assert_eq!(read_to_end(&*turned_away, 10).unwrap_or_default(), b"", "{case}");
        let stats = served.stats();
        assert_eq!((stats.refused, stats.accepted), (1, 2), "{case}");
        let [first, mut second] = clients;
        first.close().unwrap();
        served.wait_for("a free place", |stats| stats.open == 1);
        let mut third = served.client();
        assert_eq!(&*third.request(b"inside").unwrap(), b"inside", "{case}");
        assert_eq!(&*second.request(b"inside").unwrap(), b"inside", "{case}");
    }
}

#[test]
fn threads_have_a_limit_of_their_own() {
    let case = dispatchers(Over::Tcp).remove(0);
    let server = case.server("lines", &Limits::default());
    let endpoint = server.endpoints()[0].to_string();
    let dispatch = Dispatch::threads().with_threads_max(1).with_stack_bytes(64 * 1024);
    let running = server.with_dispatch(dispatch).start(echo).unwrap();
    let mut first = Conversation::connect(&endpoint, "lines").unwrap();
    assert_eq!(&*first.request(b"first").unwrap(), b"first");
    let mut second = Conversation::connect(&endpoint, "lines").unwrap();
    second.send(b"second").unwrap();
    assert_eq!(&*first.request(b"first").unwrap(), b"first");
    assert_eq!(running.handle().stats().open, 1);
    first.close().unwrap();
    assert_eq!(&*second.recv().unwrap().unwrap(), b"second");
}

fn a_message_that_is_too_large_is_an_ending_or_passed_over() {
    for case in cases() {
        let limits = Limits { message_bytes_max: Some(5), ..Limits::default() };
        let served = case.start("lines oversize=discard", &limits, echo);
        let stream = served.connect();
        let received = exchange(&*stream, &[b"12345\n123456\n", &[b'x'; 100_000], b"\nafter\n"]);
        assert_eq!(received.unwrap(), b"12345\nafter\n", "{case}");
        let stats = served.ended(Ending::Finished, 1);
        assert_eq!((stats.messages_received, stats.messages_discarded), (2, 2), "{case}");
        let served = case.start("lines", &limits, echo);
        let stream = served.connect();
        write_all(&*stream, b"12345\n123456\nafter\n").unwrap();
        assert_eq!(read_to_end(&*stream, 100).unwrap(), b"12345\n", "{case}");
        drop(stream);
        served.ended(Ending::Oversize, 1);
    }
}

fn a_reply_that_passes_the_queue_is_refused() {
    const QUEUE: usize = 1 << 20;
    for case in cases() {
        let limits = Limits { queued_bytes_max: QUEUE, ..Limits::default() };
        let served = case.start("u32be", &limits, || {
            |_: &[u8], reply: &mut Reply<'_>| {
                let piece = pattern(300_000);
                // The system takes some, as long as the peer reads nothing; then the queue fills.
                let refused = (0..1_000).find_map(|_| reply.send(&piece).err());
                let error = refused.unwrap_or_else(|| Error::caller("all were taken"));
                let text = error.to_string();
                assert!(text.contains("queued_bytes_max"), "{text}");
                assert!(text.contains("300000 bytes behind"), "{text}");
                assert!(text.contains("the limit of 1048576"), "{text}");
                assert!((QUEUE - 300_004..=QUEUE).contains(&reply.queued_bytes()));
                reply.close();
            }
        });
        let mut client = served.client();
        client.send(b"much").unwrap();
        // Counted at the end of the turn; what was queued in it the system may have taken by now.
        served.wait_for("the turn", |stats| stats.messages_received > 0);
        let mut received = 0;
        while let Some(message) = client.recv().unwrap() {
            assert_eq!(message.len(), 300_000, "{case}");
            received += 1;
        }
        drop(client);
        let stats = served.ended(Ending::Stopped, 1);
        assert_eq!((stats.panicked, stats.messages_sent), (0, received), "{case}");
    }
}

fn what_cannot_be_is_refused_by_name() {
    let zero = Some(Duration::ZERO);
    let limits = Limits::default;
    let times = |timeouts| Limits { timeouts, ..limits() };
    let heartbeat = Heartbeat { interval: Duration::ZERO, message: Vec::new() };
    let refused = [
        ("conversations_max", Limits { conversations_max: 0, ..limits() }),
        (
            "conversations_per_address_max",
            Limits { conversations_per_address_max: Some(0), ..limits() },
        ),
        ("message_bytes_max", Limits { message_bytes_max: Some(0), ..limits() }),
        ("messages_per_turn", Limits { messages_per_turn: 0, ..limits() }),
        ("queue_high_bytes", Limits { queue_high_bytes: 0, ..limits() }),
        ("queue_low_bytes", Limits { queue_low_bytes: 256 * 1024, ..limits() }),
        ("queued_bytes_max", Limits { queued_bytes_max: 0, ..limits() }),
        ("queued_bytes_in_all_max", Limits { queued_bytes_in_all_max: 0, ..limits() }),
        ("later_max", Limits { later_max: 0, ..limits() }),
        ("timeouts.idle", times(Timeouts { idle: zero, ..Timeouts::FOREVER })),
        ("timeouts.message", times(Timeouts { message: zero, ..Timeouts::FOREVER })),
        ("timeouts.stall", times(Timeouts { stall: zero, ..Timeouts::FOREVER })),
        ("tick", Limits { tick: zero, ..limits() }),
        ("heartbeat.interval", Limits { heartbeat: Some(heartbeat), ..limits() }),
    ];
    for case in dispatchers(Over::Tcp) {
        for (name, limits) in &refused {
            let error = case.server("lines", limits).start(echo).unwrap_err();
            assert!(error.is_caller() && error.to_string().contains(name), "{name}: {error}");
            let error = case.server("lines", limits).serve(echo).unwrap_err();
            assert!(error.to_string().contains(name), "{name}: {error}");
            let served = case.server("lines", limits).serve_conversations(|_| Ok(()));
            assert!(served.is_err(), "{name}");
        }
    }
}

#[test]
fn a_dispatcher_needs_something_to_run_on() {
    for (name, dispatch) in [
        ("threads", Dispatch::threads().with_threads_max(0)),
        ("processes", Dispatch::processes().with_processes_max(0)),
        ("processes", Dispatch::processes().with_pool(0)),
        ("events", Dispatch::events().with_loops(0)),
    ] {
        let server = Server::new("lines").unwrap().with_dispatch(dispatch);
        let error = server.serve(echo).unwrap_err();
        assert!(error.is_caller() && error.to_string().contains(name), "{error}");
    }
    let error = "fibres".parse::<Dispatch>().unwrap_err();
    assert!(error.to_string().contains("write threads, processes or events"), "{error}");
    assert!(Server::new("u9").unwrap_err().is_caller());
    assert!(Server::new("lines").unwrap().listen("nowhere:x").is_err());
}

#[test]
fn a_port_that_is_taken_is_told() {
    let first = Server::new("lines").unwrap().listen("127.0.0.1:0").unwrap();
    let taken = first.endpoints()[0].clone();
    let error = Server::new("lines").unwrap().listen(&taken.to_string()).unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
    assert!(switchboard::Listener::bind(&taken, &ListenOptions::default()).is_err());
}

fn a_server_may_serve_so_many_and_no_more() {
    for case in dispatchers(Over::Tcp) {
        let server = case.server("lines", &Limits::default()).with_conversations_in_all(3);
        let endpoint = server.endpoints()[0].to_string();
        let running = server.start(echo).unwrap();
        for _ in 0..3 {
            let mut client = Conversation::connect(&endpoint, "lines").unwrap();
            assert_eq!(&*client.request(b"hello").unwrap(), b"hello", "{case}");
            if running.handle().stats().accepted == 3 {
                // Nobody is kept waiting for the last one to leave.
                wait_until(&format!("{case}: refused"), || {
                    let refused = Conversation::connect(&endpoint, "lines").err();
                    refused.ok_or_else(|| "connected".to_owned())
                });
            }
            client.close().unwrap();
        }
        let stats = running.join().unwrap();
        assert_eq!((stats.accepted, stats.endings.count(Ending::Finished)), (3, 3), "{case}");
    }
}
