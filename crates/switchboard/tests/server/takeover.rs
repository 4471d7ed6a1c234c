//! One server takes over from another: nobody notices, and who fails at it disturbs nobody.

use crate::help::*;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;
use switchboard::server::{Handle, Limits, Reply, Running, Server};
use switchboard::{
    ConnectOptions, Conversation, Endpoint, Error, ListenOptions, Stopper, Timeouts,
};

everywhere! {
    a_chain_of_servers_serves_one_port_and_each_keeps_its_conversations,
    a_successor_that_is_never_ready_disturbs_nobody,
    the_paths_go_over_and_are_removed_by_the_last_one,
    what_waits_to_be_accepted_is_served_by_the_next_one,
    each_gets_what_it_listens_on_and_the_rest_is_closed,
    a_server_that_ends_meanwhile_is_not_taken_over,
    strangers_are_sent_away_and_the_server_goes_on,
}

/// A path of this test alone; what is there in the end is removed.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let name = format!("swb-takeover-{}-{}", std::process::id(), unique());
        Place(std::env::temp_dir().join(name))
    }

    fn endpoint(&self) -> String {
        format!("unix:{}", self.0.display())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn dispatched(case: &Case) -> Server {
    let server = Server::new("lines").unwrap().with_dispatch(case.dispatch.clone());
    server.with_limits(Limits { timeouts: Timeouts::FOREVER, ..Limits::default() })
}

/// Serves and answers with a name.
fn named(server: Server, name: &'static str) -> Running {
    let answer = move || move |_: &[u8], reply: &mut Reply<'_>| reply.send(name.as_bytes());
    server.start(answer).unwrap()
}

/// The first one, on a port of its own.
fn first(case: &Case, place: &Place) -> Running {
    let server = dispatched(case).listen("127.0.0.1:0").unwrap();
    named(server.with_handover(&place.endpoint()).unwrap(), "first")
}

fn take(case: &Case, place: &Place) -> Result<Server, Error> {
    dispatched(case).take_over(&place.endpoint(), PATIENCE)
}

/// One that takes over from whoever answers there.
fn next(case: &Case, place: &Place, name: &'static str) -> Running {
    named(take(case, place).unwrap().listen("127.0.0.1:0").unwrap(), name)
}

fn client(running: &Running) -> Conversation {
    let endpoint = running.endpoints()[0].to_string();
    let client = Conversation::connect(&endpoint, "lines").unwrap();
    client.with_timeouts(Timeouts::all(PATIENCE))
}

fn who(client: &mut Conversation) -> String {
    String::from_utf8(client.request(b"who?").unwrap().to_vec()).unwrap()
}

/// Waits until a server knows that it is taken over.
fn taken_over(running: &Handle) {
    wait_until("the takeover", || match running.is_taken_over() {
        true => Ok(()),
        false => Err("not taken over"),
    });
}

fn a_chain_of_servers_serves_one_port_and_each_keeps_its_conversations() {
    for case in dispatchers(Over::Tcp) {
        let place = Place::new();
        let one = first(&case, &place);
        let port = one.endpoints().to_vec();
        let mut a = client(&one);
        assert_eq!(who(&mut a), "first", "{case}");
        let two = next(&case, &place, "second");
        assert_eq!(two.endpoints(), port, "{case}");
        taken_over(one.handle());
        let mut b = client(&two);
        // The first goes on with what it has, and accepts no more.
        assert_eq!((who(&mut b), who(&mut a)), ("second".to_owned(), "first".to_owned()));
        let three = next(&case, &place, "third");
        taken_over(two.handle());
        let mut c = client(&three);
        let told = (who(&mut c), who(&mut b), who(&mut a));
        assert_eq!(told, ("third".to_owned(), "second".to_owned(), "first".to_owned()));
        a.close().unwrap();
        b.close().unwrap();
        let served = (one.join().unwrap().accepted, two.join().unwrap().accepted);
        assert_eq!(served, (1, 1), "{case}");
        // And still the third one answers.
        assert_eq!(who(&mut client(&three)), "third", "{case}");
        drop(c);
        three.stop().unwrap();
        assert!(!place.0.exists(), "{case}");
    }
}

fn a_successor_that_is_never_ready_disturbs_nobody() {
    for case in dispatchers(Over::Tcp) {
        let place = Place::new();
        let one = first(&case, &place);
        for _ in 0..3 {
            let given_up = take(&case, &place).unwrap().listen("127.0.0.1:0").unwrap();
            assert_eq!(who(&mut client(&one)), "first", "{case}");
            drop(given_up);
        }
        assert_eq!(who(&mut client(&one)), "first", "{case}");
        assert!(!one.handle().is_taken_over() && place.0.exists());
        let two = next(&case, &place, "second");
        taken_over(one.handle());
        assert_eq!(who(&mut client(&two)), "second", "{case}");
        assert_eq!(one.join().unwrap().cut_off, 0);
    }
}

#[test]
fn a_successor_with_a_limit_that_cannot_be_has_not_taken_over() {
    let case = &dispatchers(Over::Tcp)[0];
    let place = Place::new();
    let one = first(case, &place);
    let limits = Limits { messages_per_turn: 0, ..Limits::default() };
    let two = take(case, &place).unwrap().listen("127.0.0.1:0").unwrap().with_limits(limits);
    two.start(|| |_: &[u8], _: &mut Reply<'_>| ()).unwrap_err();
    assert_eq!(who(&mut client(&one)), "first");
}

fn the_paths_go_over_and_are_removed_by_the_last_one() {
    for case in dispatchers(Over::Tcp) {
        let (place, path) = (Place::new(), Place::new());
        let server = dispatched(&case).listen(&path.endpoint()).unwrap();
        let one = named(server.with_handover(&place.endpoint()).unwrap(), "first");
        let mode = std::fs::metadata(&place.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let two = take(&case, &place).unwrap().listen(&path.endpoint()).unwrap();
        let two = named(two, "second");
        taken_over(one.handle());
        one.join().unwrap();
        assert!(path.0.exists() && place.0.exists(), "{case}");
        assert_eq!(who(&mut client(&two)), "second", "{case}");
        two.stop().unwrap();
        assert!(!path.0.exists() && !place.0.exists(), "{case}");
    }
}

fn what_waits_to_be_accepted_is_served_by_the_next_one() {
    for shares_port in [false, true] {
        for case in dispatchers(Over::Tcp) {
            let place = Place::new();
            let any: Endpoint = "127.0.0.1:0".parse().unwrap();
            let options = ListenOptions::default().with_reuse_port(shares_port);
            let limits = Limits { conversations_max: 1, ..Limits::default() };
            let server = dispatched(&case).with_limits(limits).listen_on(&any, &options).unwrap();
            let one = named(server.with_handover(&place.endpoint()).unwrap(), "first");
            let mut clients: Vec<Conversation> = (0..40).map(|_| client(&one)).collect();
            for client in &mut clients {
                client.send(b"who?").unwrap();
            }
            wait_until("the first one", || match one.handle().stats().accepted {
                1 => Ok(()),
                accepted => Err(accepted),
            });
            let server = take(&case, &place).unwrap().listen_on(&any, &options).unwrap();
            let two = named(server, "second");
            let mut by_first = 0;
            for mut client in clients {
                let answer = client.recv_owned().unwrap().unwrap();
                by_first += u64::from(*answer == *b"first");
                client.close().unwrap();
            }
            let served = one.join().unwrap().accepted;
            assert_eq!(served, by_first, "{case}");
            assert_eq!(two.stop().unwrap().accepted, 40 - served, "{case}");
        }
    }
}

fn each_gets_what_it_listens_on_and_the_rest_is_closed() {
    for case in dispatchers(Over::Tcp) {
        let (place, old, kept) = (Place::new(), Place::new(), Place::new());
        let server = dispatched(&case).listen(&old.endpoint()).unwrap();
        let server = server.listen(&kept.endpoint()).unwrap();
        let one = named(server.with_handover(&place.endpoint()).unwrap(), "first");
        let server = take(&case, &place).unwrap().listen("127.0.0.1:0").unwrap();
        let two = named(server.listen(&kept.endpoint()).unwrap(), "second");
        taken_over(one.handle());
        one.join().unwrap();
        assert_eq!(who(&mut client(&two)), "second", "{case}");
        let refused = UnixStream::connect(&old.0);
        assert!(refused.is_err(), "{case}");
        let mut kept = Conversation::connect(&kept.endpoint(), "lines").unwrap();
        assert_eq!(who(&mut kept), "second", "{case}");
    }
}

#[test]
fn a_stuck_peer_holds_the_old_one_up_for_its_time_and_nobody_else() {
    at_once(dispatchers(Over::Tcp), |case| {
        let place = Place::new();
        let brief = Duration::from_millis(400);
        let server = dispatched(&case).listen("127.0.0.1:0").unwrap().with_drain(brief);
        let server = server.with_handover(&place.endpoint()).unwrap();
        let one =
            server.start(|| |_: &[u8], reply: &mut Reply<'_>| reply.send(&[b'x'; 2000])).unwrap();
        let stuck = one.endpoints()[0].connect(&ConnectOptions::default()).unwrap();
        // Answers for 200 MB, which no system holds.
        let mut filled = 0;
        wait_until(&format!("{case}: a queue"), || {
            filled += fill(&*stuck, &[b'\n'; 16 << 10]);
            let queued_bytes = one.handle().stats().queued_bytes;
            let is_stuck = filled >= 100_000 && queued_bytes > 0;
            if is_stuck { Ok(()) } else { Err((filled, queued_bytes)) }
        });
        let mut silent = client(&one);
        silent.request(b"hello").unwrap();
        let two = next(&case, &place, "second");
        let handle = one.handle().clone();
        assert_eq!(one.join().unwrap().cut_off, 2, "{case}");
        assert!(handle.cut_off().iter().any(|cut| cut.queued_bytes > 0), "{case}");
        assert!(silent.recv().unwrap().is_none(), "{case}");
        assert_eq!(who(&mut client(&two)), "second", "{case}");
    });
}

#[test]
fn one_that_is_taken_over_can_still_be_stopped() {
    at_once(dispatchers(Over::Tcp), |case| {
        let place = Place::new();
        let stopper = Stopper::new().unwrap();
        let server = dispatched(&case).listen("127.0.0.1:0").unwrap().with_stopper(&stopper);
        let one = named(server.with_handover(&place.endpoint()).unwrap(), "first");
        let mut a = client(&one);
        assert_eq!(who(&mut a), "first");
        let _two = next(&case, &place, "second");
        taken_over(one.handle());
        stopper.stop();
        assert!(a.recv().unwrap().is_none(), "{case}");
        drop(a);
        one.join().unwrap();
    });
}

fn a_server_that_ends_meanwhile_is_not_taken_over() {
    for case in dispatchers(Over::Tcp) {
        let place = Place::new();
        let one = first(&case, &place);
        let two = take(&case, &place).unwrap().listen("127.0.0.1:0").unwrap();
        one.stop().unwrap();
        let error = two.serve(|| |_: &[u8], _: &mut Reply<'_>| ()).unwrap_err();
        assert!(error.to_string().contains("gave the handover up"), "{case}: {error}");
    }
}

#[test]
fn blocking_conversations_are_taken_over_too() {
    let place = Place::new();
    let echo = |conversation: &mut Conversation| {
        while let Some(message) = conversation.recv_owned()? {
            conversation.send(&message)?;
        }
        Ok(())
    };
    let server = Server::new("lines").unwrap().listen("127.0.0.1:0").unwrap();
    let endpoint = server.endpoints()[0].to_string();
    let server = server.with_handover(&place.endpoint()).unwrap();
    let handle = server.handle();
    let one = std::thread::spawn(move || server.serve_conversations(echo));
    let mut a = Conversation::connect(&endpoint, "lines").unwrap();
    assert_eq!(&*a.request(b"a").unwrap(), b"a");
    let case = &dispatchers(Over::Tcp)[0];
    let two = next(case, &place, "second");
    taken_over(&handle);
    assert_eq!(who(&mut client(&two)), "second");
    assert_eq!(&*a.request(b"still here").unwrap(), b"still here");
    a.close().unwrap();
    assert_eq!(one.join().unwrap().unwrap().accepted, 1);
}

#[test]
fn more_sockets_than_go_over_at_once_all_go() {
    const SOCKETS: usize = 2 * switchboard::limits::HANDOVER_SOCKETS_AT_ONCE + 1;
    for case in dispatchers(Over::Tcp) {
        let place = Place::new();
        let listening = |mut server: Server| {
            for _ in 0..SOCKETS {
                server = server.listen("127.0.0.1:0").unwrap();
            }
            server
        };
        let server = listening(dispatched(&case)).with_handover(&place.endpoint()).unwrap();
        let one = named(server, "first");
        let two = named(listening(take(&case, &place).unwrap()), "second");
        assert_eq!(two.endpoints(), one.endpoints(), "{case}");
        taken_over(one.handle());
        for endpoint in [&two.endpoints()[0], &two.endpoints()[SOCKETS - 1]] {
            let mut client = Conversation::connect(&endpoint.to_string(), "lines").unwrap();
            assert_eq!(who(&mut client), "second", "{case}");
        }
    }
}

/// What a server says to somebody who says these things and half-closes.
fn said_to(place: &Place, messages: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut stream = UnixStream::connect(&place.0).unwrap();
    stream.write_all(&requests("u32be", messages)).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    // A server that closes with questions unread says so by a reset.
    let _ = stream.read_to_end(&mut answers);
    decoded("u32be", &answers)
}

fn strangers_are_sent_away_and_the_server_goes_on() {
    for case in dispatchers(Over::Tcp) {
        let place = Place::new();
        let one = first(&case, &place);
        let told = said_to(&place, &[b"take 2"]);
        let refusal = "Rthis server hands over by version 1, and was asked \"take 2\"";
        assert_eq!(told, [refusal.as_bytes()], "{case}");
        for out_of_turn in [&[&b"ready"[..]][..], &[b"more"], &[b"take 1", b"take 1"], &[]] {
            let told = said_to(&place, out_of_turn);
            assert!(told.iter().all(|told| told[0] == b'S'), "{case}: {told:?}");
        }
        // Not before it has been given all there is.
        let told = said_to(&place, &[b"take 1", b"more", b"GET / HTTP/1.1\r\n\r\n"]);
        assert_eq!(told.len(), 3, "{case}: {told:?}");
        let mut noise = UnixStream::connect(&place.0).unwrap();
        noise.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let _ = noise.read_to_end(&mut Vec::new());
        assert!(!one.handle().is_taken_over());
        let two = next(&case, &place, "second");
        taken_over(one.handle());
        assert_eq!(who(&mut client(&two)), "second", "{case}");
    }
}

#[test]
fn one_that_asks_and_then_says_nothing_keeps_the_next_one_waiting_only_so_long() {
    at_once(dispatchers(Over::Tcp), |case| {
        let place = Place::new();
        let one = first(&case, &place);
        let silent = UnixStream::connect(&place.0).unwrap();
        let two = next(&case, &place, "second");
        taken_over(one.handle());
        assert_eq!(who(&mut client(&two)), "second", "{case}");
        drop(silent);
    });
}

/// What taking over says where somebody else answers with these bytes and ends, or never.
fn refused_by(answer: Option<&'static [u8]>, within: Duration) -> Error {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if let Some(answer) = answer {
            let _ = stream.write_all(answer);
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = Server::new("lines").unwrap().take_over(&place.endpoint(), within).unwrap_err();
    answering.join().unwrap();
    let place = place.endpoint();
    assert!(error.to_string().contains(&place), "{error}");
    error
}

#[test]
fn who_cannot_be_taken_over_is_told_in_words() {
    let what = "what answers there is no server that hands over as this one takes over";
    for (answer, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], what),
        (b"\0\0\0\x05hello", what),
        (b"\0\0\0\x08S\0\0\0\0\0\0\0", what),
        (b"\0\0\0\x01Y", what),
        (b"\0\0\0", what),
        (b"\0\0\0\x05Rno 2", ": no 2"),
        (b"", "gave the handover up"),
    ] {
        let error = refused_by(Some(answer), PATIENCE);
        assert!(error.to_string().ends_with(words), "{answer:?}: {error}");
    }
    let error = refused_by(None, Duration::from_millis(50));
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("does not hand over, or is busy"), "{error}");
    let place = Place::new();
    let nobody = |place: &str| {
        Server::new("lines").unwrap().take_over(place, PATIENCE).unwrap_err().to_string()
    };
    let told = nobody(&place.endpoint());
    assert!(told.contains("no such file or directory: nobody hands over there"), "{told}");
    leave_stale(&place.0);
    let told = nobody(&place.endpoint());
    assert!(told.contains("connection refused: nobody hands over there"), "{told}");
    let told = nobody("127.0.0.1:7000");
    let expected = "cannot hand over at tcp://127.0.0.1:7000: sockets are passed over a unix \
                    socket only: unix:/path or unix:@name";
    assert_eq!(told, expected);
    assert!(nobody("bogus").starts_with("cannot hand over: endpoint \"bogus\": "));
}

#[test]
fn where_a_server_answers_no_second_one_does_and_a_stale_path_is_replaced() {
    let place = Place::new();
    let answering = || Server::new("lines").unwrap().with_handover(&place.endpoint());
    leave_stale(&place.0);
    let one = answering().unwrap();
    let error = answering().unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
    assert!(error.to_string().ends_with("a server answers there: take over from it, or end it"));
    drop(one);
    assert!(!place.0.exists());
    drop(answering().unwrap());
}
