//! `Poller`: registering, changing, taking out, and what is buffered. With epoll and with `poll`.

use crate::help::*;
use std::cell::Cell;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use switchboard::select::{AnySource, Event, List, Source, select};
use switchboard::transport::{Interest, pair_with_capacity};
use switchboard::{
    ConnectOptions, Connecting, Conversation, Endpoint, Poller, Received, Stopper, Transport,
    deadline,
};

const PAUSED: Interest = Interest { read: false, write: false };

fn both() -> [Poller; 2] {
    [Poller::new().unwrap(), Poller::with_poll()]
}

fn conversation(poller: &mut Poller, token: u64) -> &mut Conversation {
    match poller.get_mut(token) {
        Some(AnySource::Conversation(conversation)) => conversation,
        other => panic!("{other:?}"),
    }
}

fn readable(token: u64) -> Event {
    Event { token, readable: true, writable: false, error: false }
}

fn writable(token: u64) -> Event {
    Event { token, readable: false, writable: true, error: false }
}

#[test]
fn events_are_told_until_they_are_dealt_with() {
    for mut poller in both() {
        let (a, mut b) = Conversation::pair("lines").unwrap();
        poller.register(7, a, Interest::READ).unwrap();
        assert_eq!(poller.wait(NOW).unwrap(), []);
        b.send(b"one").unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(7)]);
        assert_eq!(poller.wait(SOON).unwrap(), [readable(7)], "level-triggered");
        assert_eq!(message(conversation(&mut poller, 7)), b"one");
        assert_eq!(poller.wait(NOW).unwrap(), []);
    }
}

#[test]
fn what_a_conversation_has_buffered_is_told_though_the_system_has_nothing() {
    for mut poller in both() {
        let (a, mut b) = Conversation::pair("lines").unwrap();
        let (c, mut d) = Conversation::pair("lines").unwrap();
        poller.register(1, a, Interest::READ).unwrap();
        poller.register(2, c, Interest::READ).unwrap();
        b.send_many(["one", "two", "three"]).unwrap();
        for expected in ["one", "two"] {
            assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
            assert_eq!(message(conversation(&mut poller, 1)), expected.as_bytes());
        }
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)], "also when nobody touched it");
        d.send(b"beside").unwrap();
        let mut events = poller.wait(SOON).unwrap();
        events.sort_unstable_by_key(|event| event.token);
        assert_eq!(events, [readable(1), readable(2)], "the system is asked all the same");
        assert_eq!(message(conversation(&mut poller, 1)), b"three");
        assert_eq!(poller.wait(SOON).unwrap(), [readable(2)]);
    }
}

#[test]
fn a_conversation_that_comes_with_a_buffered_message_is_told() {
    for mut poller in both() {
        let (mut a, mut b) = Conversation::pair("lines").unwrap();
        b.send_many(["one", "two"]).unwrap();
        assert_eq!(message(&mut a), b"one");
        poller.register(1, a, Interest::READ).unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
    }
}

#[test]
fn pending_output_wakes_a_reader() {
    for mut poller in both() {
        let (a, b) = pair_with_capacity(4).unwrap();
        poller.register(1, over(a, "lines"), Interest::READ).unwrap();
        assert_eq!(poller.wait(NOW).unwrap(), [], "nothing is pending");
        conversation(&mut poller, 1).queue(b"a reply").unwrap();
        let mut got = Vec::new();
        while got.len() < 8 {
            assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
            assert!(is_pending(conversation(&mut poller, 1)));
            assert_eq!(poller.wait(NOW).unwrap(), [], "the stream is full, or all has gone");
            let mut buffer = [0; 8];
            let count = b.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(got, b"a reply\n");
        assert_eq!(poller.wait(NOW).unwrap(), []);
    }
}

#[test]
fn an_interest_can_be_changed_and_paused() {
    for mut poller in both() {
        let (a, b) = unix_pair();
        let stream: Shared = Arc::new(a);
        poller.register(1, stream, Interest::WRITE).unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [writable(1)]);
        poller.modify(1, Interest::READ).unwrap();
        assert_eq!(poller.wait(NOW).unwrap(), []);
        b.write(b"x").unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
        poller.modify(1, Interest::BOTH).unwrap();
        let both = Event { writable: true, ..readable(1) };
        assert_eq!(poller.wait(SOON).unwrap(), [both]);
        poller.modify(1, PAUSED).unwrap();
        assert_eq!(poller.wait(NOW).unwrap(), []);
        drop(b);
        assert_eq!(poller.wait(NOW).unwrap(), [], "not even of a hang-up");
        poller.modify(1, Interest::READ).unwrap();
        assert!(poller.wait(SOON).unwrap()[0].readable);
    }
}

#[test]
fn what_is_taken_out_is_told_no_more_and_comes_back_whole() {
    for mut poller in both() {
        let (a, mut b) = Conversation::pair("lines").unwrap();
        let (c, mut d) = Conversation::pair("lines").unwrap();
        poller.register(1, a, Interest::READ).unwrap();
        poller.register(2, c, Interest::READ).unwrap();
        b.send_many(["one", "two"]).unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
        assert_eq!(message(conversation(&mut poller, 1)), b"one");
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);

        let Some(AnySource::Conversation(mut a)) = poller.deregister(1) else { panic!() };
        assert_eq!(poller.wait(NOW).unwrap(), []);
        assert_eq!(message(&mut a), b"two", "nothing of it is lost");
        assert!(poller.deregister(1).is_none());
        assert!(poller.get(1).is_none() && poller.get_mut(1).is_none());
        assert_eq!((poller.len(), poller.tokens().collect::<Vec<_>>()), (1, vec![2]));

        poller.register(1, a, Interest::READ).unwrap();
        b.send(b"three").unwrap();
        d.send(b"four").unwrap();
        assert_eq!(poller.wait(SOON).unwrap().len(), 2);
        drop((poller.deregister(1), poller.deregister(2)));
        assert!(poller.is_empty());
        assert_eq!(poller.wait(NOW).unwrap(), []);
    }
}

#[test]
fn wrong_calls_say_what_to_do() {
    for mut poller in both() {
        let stopper = Stopper::new().unwrap();
        poller.register(1, stopper.clone(), Interest::READ).unwrap();
        let error = poller.register(1, stopper, Interest::READ).unwrap_err();
        let text = "token 1 is in use: choose another one, or deregister it first";
        assert_eq!((error.is_caller(), &*error.to_string()), (true, text));
        let error = poller.modify(2, Interest::READ).unwrap_err();
        let text = "there is no token 2 in the poller: register it first";
        assert_eq!((error.is_caller(), &*error.to_string()), (true, text));
        assert_eq!(poller.len(), 1);
    }
}

#[test]
fn a_descriptor_under_two_tokens_is_refused_and_the_first_stays() {
    if cfg!(feature = "portable") {
        // Poll does not mind.
        return;
    }
    let mut poller: Poller = Poller::new().unwrap();
    let (a, b) = unix_pair();
    let stream: Shared = Arc::new(a);
    poller.register(1, Arc::clone(&stream), Interest::READ).unwrap();
    let error = poller.register(2, stream, Interest::WRITE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the descriptor of token 2 is watched under another token already: register it once, with \
         both interests"
    );
    assert_eq!(poller.len(), 1);
    b.write(b"x").unwrap();
    assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
}

#[test]
fn a_server_accepts_and_serves_in_one_set() {
    for mut poller in both() {
        let listener = listen();
        let mut client = Conversation::over(connect(&listener), &"lines".parse().unwrap());
        poller.register(0, listener, Interest::BOTH).unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(0)]);
        let Some(AnySource::Listener(listener)) = poller.get(0) else { panic!() };
        let served = listener.try_accept().unwrap().unwrap();
        let served = Conversation::over(served, &"lines".parse().unwrap());
        poller.register(1, served, Interest::READ).unwrap();
        client.send(b"hello").unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
        assert_eq!(message(conversation(&mut poller, 1)), b"hello");
        client.finish().unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
        let ended = conversation(&mut poller, 1).try_recv().unwrap();
        assert!(matches!(ended, Received::Finished));
    }
}

/// Drives a connecting socket by a poller alone.
fn outcome(poller: &mut Poller, connecting: Connecting) -> Result<Shared, switchboard::Error> {
    poller.register(9, connecting, Interest::WRITE)?;
    let outcome = loop {
        assert_eq!(poller.wait(SOON)?.len(), 1, "no outcome in time");
        let Some(AnySource::Connecting(connecting)) = poller.get_mut(9) else { panic!() };
        if let Some(outcome) = connecting.finish().transpose() {
            break outcome;
        }
    };
    poller.deregister(9);
    outcome
}

#[test]
fn a_connecting_socket_changes_its_descriptor_and_is_followed() {
    let listener = listen();
    let port = listener.endpoints()[0].port().unwrap();
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for mut poller in both() {
        // First the resolver's descriptor, then a socket for each address of the name.
        for endpoint in [Endpoint::tcp("localhost", port), Endpoint::tcp("127.0.0.1", port)] {
            let connecting = endpoint.start_connect(&ConnectOptions::default()).unwrap();
            let client = outcome(&mut poller, connecting).unwrap();
            assert_eq!(client.remote(), listener.accept(&soon()).unwrap().local());
        }
        let endpoint = Endpoint::tcp("localhost", refused);
        let connecting = endpoint.start_connect(&ConnectOptions::default()).unwrap();
        assert!(outcome(&mut poller, connecting).unwrap_err().is_refused());
        assert_eq!(poller.wait(NOW).unwrap(), []);
    }
}

#[test]
fn a_connecting_socket_wakes_it_at_its_deadline() {
    let silent = socket2::Socket::from(TcpListener::bind("127.0.0.1:0").unwrap());
    silent.listen(0).unwrap();
    let address = silent.local_addr().unwrap().as_socket().unwrap();
    let _in_the_queue = std::net::TcpStream::connect(address).unwrap();
    for mut poller in both() {
        let options = ConnectOptions::default().with_timeout(Some(Duration::from_millis(20)));
        let connecting = Endpoint::from(address).start_connect(&options).unwrap();
        let end = connecting.deadline().unwrap();
        poller.register(1, connecting, Interest::WRITE).unwrap();
        assert_eq!(poller.wait(None).unwrap(), [writable(1)]);
        assert!(deadline::now() >= end);
        assert_eq!(poller.wait(None).unwrap(), [writable(1)]);
        let Some(AnySource::Connecting(connecting)) = poller.get_mut(1) else { panic!() };
        assert!(connecting.finish().unwrap_err().is_timeout());
    }
}

/// A source of one's own that says a time, and is not ready when it comes.
#[test]
fn a_source_that_breaks_its_word_does_not_make_a_wait_spin() {
    #[derive(Debug)]
    struct Promise(Instant, Cell<u32>);

    impl Source for Promise {
        fn is_ready(&self, _: List) -> bool {
            self.1.set(self.1.get() + 1);
            false
        }
        fn descriptors<'a>(&'a self, _: List, _: &mut dyn FnMut(BorrowedFd<'a>, Interest)) {}
        fn deadline(&self) -> Option<Instant> {
            Some(self.0)
        }
    }

    let time = Duration::from_millis(20);
    let promise = || Promise(deadline::after(time / 2).unwrap(), Cell::default());
    let asked = promise();
    assert!(select(&[&asked], &[], &[], Some(time)).unwrap().is_empty());
    assert!(asked.1.get() < 4, "asked {} times", asked.1.get());
    for mut poller in [Poller::of().unwrap(), Poller::with_poll()] {
        poller.register(1, promise(), Interest::READ).unwrap();
        assert_eq!(poller.wait(Some(time)).unwrap(), []);
        let Some(Promise(_, asked)) = poller.get(1) else { panic!() };
        assert!(asked.get() < 5, "asked {} times", asked.get());
    }
}

#[test]
fn regular_files_are_always_ready_though_epoll_refuses_them() {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    for mut poller in both() {
        poller.register(1, inherited(&file), Interest::READ).unwrap();
        assert_eq!(poller.wait(None).unwrap(), [readable(1)]);
        assert_eq!(poller.wait(None).unwrap(), [readable(1)]);
    }
    let both: [Poller<BorrowedFd<'_>>; 2] = [Poller::of().unwrap(), Poller::with_poll()];
    for mut poller in both {
        poller.register(1, file.as_fd(), Interest::READ).unwrap();
        assert_eq!(poller.wait(None).unwrap(), [readable(1)]);
        poller.modify(1, PAUSED).unwrap();
        assert_eq!(poller.wait(NOW).unwrap(), []);
    }
}

#[test]
fn a_stopper_wakes_it_from_another_thread() {
    for mut poller in both() {
        let stopper = Stopper::new().unwrap();
        poller.register(3, stopper.clone(), Interest::READ).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| stopper.stop());
            assert_eq!(poller.wait(SOON).unwrap(), [readable(3)]);
        });
    }
}

#[test]
fn a_reset_is_told_as_an_error_too() {
    for mut poller in both() {
        let (a, b) = tcp_pair();
        poller.register(1, a, Interest::READ).unwrap();
        b.reset().unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [Event { error: true, ..readable(1) }]);
    }
}

#[test]
fn a_source_may_be_exchanged_in_place() {
    for mut poller in both() {
        let (a, b) = unix_pair();
        let (c, d) = unix_pair();
        let (a, c): (Shared, Shared) = (Arc::new(a), Arc::new(c));
        poller.register(1, Arc::clone(&a), Interest::READ).unwrap();
        b.write(b"x").unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
        // `a` stays open and has bytes: the system would go on telling of it for ever.
        *poller.get_mut(1).unwrap() = AnySource::from(c);
        assert_eq!(poller.wait(NOW).unwrap(), []);
        d.write(b"x").unwrap();
        assert_eq!(poller.wait(SOON).unwrap(), [readable(1)]);
        assert!(looks(&a).0);
    }
}
