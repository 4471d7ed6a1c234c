//! Connecting: names, refusals, deadlines, without waiting.

use crate::help::*;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use switchboard::transport::{Interest, Wait, Woken, wait_on};
use switchboard::{
    ConnectOptions, Connecting, Endpoint, Error, ListenOptions, Listener, Stopper, Transport,
};

/// An endpoint that was free a moment ago and that nobody listens on.
fn nobody() -> Endpoint {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().into()
}

fn drive(mut connecting: Connecting) -> Result<Shared, Error> {
    loop {
        if let Some(transport) = connecting.finish()? {
            return Ok(transport);
        }
        let woken = wait_on(None, connecting.descriptor(), Interest::WRITE, &soon()).unwrap();
        assert!(matches!(woken, Woken::Ready(_)), "{woken:?}");
    }
}

/// Both ways to connect fail alike.
fn check_error(endpoint: &Endpoint, options: &ConnectOptions, check: impl Fn(Error)) {
    check(endpoint.connect(options).expect_err("connect"));
    check(endpoint.start_connect(options).and_then(drive).expect_err("start_connect"));
}

#[test]
fn a_name_is_connected_to_whichever_family_listens() {
    for address in ["127.0.0.1:0", "[::1]:0", ":0", "localhost:0"] {
        let listener = listen(address);
        let port = listener.endpoints()[0].port().unwrap();
        // Where localhost is IPv4 alone, a listener on IPv6 alone is found without a name.
        let hosts = if address == "[::1]:0" { &[""][..] } else { &["localhost", ""] };
        for host in hosts {
            let endpoint = Endpoint::tcp(*host, port);
            let client = connect(&endpoint);
            let served = listener.accept(&soon()).unwrap();
            write_all(&*client, b"x").unwrap();
            assert_eq!(read_exact(&*served, 1), b"x", "{address} from {endpoint}");
            let started = endpoint.start_connect(&ConnectOptions::default()).unwrap();
            let client = drive(started).unwrap();
            let served = listener.accept(&soon()).unwrap();
            write_all(&*client, b"y").unwrap();
            assert_eq!(read_exact(&*served, 1), b"y", "{address} from {endpoint}");
        }
    }
}

#[test]
fn refused_says_where_and_what_to_do() {
    let endpoint = nobody();
    check_error(&endpoint, &ConnectOptions::default(), |error| {
        assert!(error.is_refused(), "{error}");
        let address = endpoint.to_string().replace("tcp://", "");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot connect to {endpoint}: {address} connection refused: nothing listens \
                 there: start the server, or check the port"
            )
        );
        assert_eq!(error.fault(), switchboard::Fault::Peer);
        assert_eq!(error.ending(), None);
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn every_address_of_a_name_is_told() {
    let port = nobody().port().unwrap();
    let endpoint = Endpoint::tcp("localhost", port);
    check_error(&endpoint, &ConnectOptions::default(), |error| {
        assert!(error.is_refused(), "{error}");
        assert!(!error.attempts().is_empty());
        for attempt in error.attempts() {
            assert!(error.to_string().contains(&attempt.address), "{error}");
        }
    });
}

#[test]
fn a_name_that_does_not_resolve_says_so() {
    // RFC 6761 keeps this name free for ever.
    let endpoint = Endpoint::tcp("no-such-host.invalid", 80);
    check_error(&endpoint, &ConnectOptions::default(), |error| {
        assert!(error.is_unresolved() || error.is_timeout(), "{error}");
        assert!(error.to_string().contains("tcp://no-such-host.invalid:80"), "{error}");
        assert!(error.to_string().contains("resolve"), "{error}");
    });
}

#[test]
fn a_stop_ends_connecting() {
    let stopper = Stopper::new().unwrap();
    stopper.stop();
    let options = ConnectOptions::default().with_stopper(stopper);
    let listener = listen("127.0.0.1:0");
    for endpoint in [listener.endpoints()[0].clone(), Endpoint::tcp("localhost", 1)] {
        match endpoint.connect(&options) {
            Err(error) => assert!(error.is_stopped(), "{error}"),
            // A connection over loopback may be there before there is anything to wait for.
            Ok(_) => assert_ne!(endpoint.port(), Some(1)),
        }
    }
}

#[test]
fn no_time_at_all_is_a_timeout_with_words() {
    let options = ConnectOptions::default().with_timeout(Some(Duration::ZERO));
    let endpoint = Endpoint::tcp("no-such-host.invalid", 80);
    let error = endpoint.connect(&options).unwrap_err();
    assert!(error.is_timeout() || error.is_unresolved(), "{error}");
}

#[test]
fn a_full_unix_queue_is_waited_for_until_the_deadline() {
    let directory = Directory::new();
    let endpoint = Endpoint::unix(directory.join("s"));
    let listener = Listener::bind(&endpoint, &ListenOptions::default().with_backlog(0)).unwrap();
    let options = ConnectOptions::default().with_timeout(Some(Duration::from_millis(20)));
    let mut clients = Vec::new();
    let error = loop {
        match endpoint.connect(&options) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
        assert!(clients.len() < 10, "the backlog was not set");
    };
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("its queue stays full"), "{error}");
    let error = endpoint.start_connect(&options).unwrap_err();
    assert!(error.to_string().contains("queue is full"), "{error}");
    // Accepting makes room, and a client that waits gets in.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| endpoint.connect(&ConnectOptions::default()).unwrap());
        for _ in 0..=clients.len() {
            listener.accept(&soon()).unwrap();
        }
        waiting.join().unwrap();
    });
}

#[test]
fn a_unix_path_that_nobody_serves_says_which_way() {
    let directory = Directory::new();
    let endpoint = Endpoint::unix(directory.join("s"));
    let options = ConnectOptions::default();
    check_error(&endpoint, &options, |error| {
        assert!(error.to_string().contains("there is no such path: start the server"), "{error}");
    });
    leave_stale(directory.join("s"));
    check_error(&endpoint, &options, |error| {
        assert!(error.is_refused(), "{error}");
        assert!(error.to_string().contains("nobody serves that path any more"), "{error}");
    });
    check_error(&Endpoint::Abstract(unique().into_bytes()), &options, |error| {
        assert!(error.to_string().contains("nothing listens under that name"), "{error}");
    });
}

#[test]
fn the_local_address_is_used_and_the_other_family_left_out() {
    let listener = listen("127.0.0.1:0");
    let local: SocketAddr = "127.0.0.2:0".parse().unwrap();
    let options = ConnectOptions::default().with_local(local);
    let client = listener.endpoints()[0].connect(&options).unwrap();
    let served = listener.accept(&soon()).unwrap();
    assert!(served.name().starts_with("tcp://127.0.0.2:"), "{}", served.name());
    assert_eq!(client.local(), served.remote());
    let options = ConnectOptions::default().with_local("[::1]:0".parse().unwrap());
    check_error(&listener.endpoints()[0], &options, |error| {
        assert!(error.to_string().contains("of the other family"), "{error}");
    });
}

#[test]
fn a_socket_that_meets_itself_has_found_nobody() {
    // TCP lets a socket connect to its own port; by chance that happens to any local port.
    let endpoint = nobody();
    let local = SocketAddr::from(([127, 0, 0, 1], endpoint.port().unwrap()));
    let error = endpoint.connect(&ConnectOptions::default().with_local(local)).unwrap_err();
    assert!(error.is_refused(), "{error}");
}

#[test]
fn an_outcome_is_told_once() {
    let listener = listen("127.0.0.1:0");
    let endpoint = &listener.endpoints()[0];
    let mut connecting = endpoint.start_connect(&ConnectOptions::default()).unwrap();
    let transport: Arc<dyn Transport> = loop {
        if let Some(transport) = connecting.finish().unwrap() {
            break transport;
        }
        wait_on(None, connecting.descriptor(), Interest::WRITE, &soon()).unwrap();
    };
    assert!(connecting.descriptor().is_none());
    assert!(connecting.finish().unwrap_err().is_caller());
    assert_eq!(transport.wait(Interest::WRITE, &Wait::FOREVER).unwrap(), {
        Woken::Ready(Interest::WRITE)
    });
}

#[test]
#[cfg(not(feature = "tls"))]
fn without_tls_its_endpoints_say_what_is_missing() {
    let endpoint: Endpoint = "tls://localhost:1".parse().unwrap();
    let connected = endpoint.connect(&ConnectOptions::default()).map(drop);
    let started = endpoint.start_connect(&ConnectOptions::default()).map(drop);
    let bound = switchboard::Listener::listen("tls://localhost:0").map(drop);
    for error in [connected, started, bound].map(Result::unwrap_err) {
        assert!(error.is_caller());
        assert!(error.to_string().ends_with("build it with the feature tls"), "{error}");
    }
}
