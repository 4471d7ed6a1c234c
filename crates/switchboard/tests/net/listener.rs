//! Listening: what is bound, what is refused, what is left behind.

use crate::help::*;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::time::Duration;
use switchboard::transport::Wait;
use switchboard::{ConnectOptions, Endpoint, Error, ListenOptions, Listener, Stopper, deadline};

fn bind(endpoint: &Endpoint) -> Result<Listener, Error> {
    Listener::bind(endpoint, &ListenOptions::default())
}

#[test]
fn a_port_alone_is_both_families() {
    let listener = listen(":0");
    let endpoints = listener.endpoints();
    let port = endpoints[0].port().unwrap();
    assert_ne!(port, 0);
    assert_eq!(endpoints, [Endpoint::tcp("", port)]);
    for host in ["127.0.0.1", "::1"] {
        let client = TcpStream::connect((host, port)).unwrap();
        let served = listener.accept(&soon()).unwrap();
        // A client over IPv4 has its IPv4 address, not one wrapped in IPv6.
        assert_eq!(
            served.remote().unwrap(),
            Endpoint::tcp(host, client.local_addr().unwrap().port())
        );
    }
}

#[test]
fn an_address_is_its_own_family_alone() {
    let listener = listen("[::]:0");
    let port = listener.endpoints()[0].port().unwrap();
    TcpStream::connect(("::1", port)).unwrap();
    // The port is still free for IPv4.
    TcpListener::bind(("0.0.0.0", port)).unwrap();
}

#[test]
fn a_name_is_each_of_its_addresses_with_one_port() {
    let listener = listen("localhost:0");
    let endpoints = listener.endpoints();
    let port = endpoints[0].port().unwrap();
    assert_eq!(listener.descriptors().count(), endpoints.len());
    for endpoint in &endpoints {
        assert_eq!(endpoint.port(), Some(port), "{endpoints:?}");
        let client = connect(endpoint);
        let served = listener.accept(&soon()).unwrap();
        assert_eq!(served.local(), client.remote());
    }
}

#[test]
fn a_port_in_use_says_so() {
    let listener = listen("127.0.0.1:0");
    let endpoint = &listener.endpoints()[0];
    let error = bind(endpoint).unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
    assert_eq!(error.fault(), switchboard::Fault::System);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {endpoint}: address already in use: another program listens there: \
             end it, or choose another port (0 for any free one)"
        )
    );
    // Every address includes that one.
    let error = bind(&Endpoint::tcp("", endpoint.port().unwrap())).unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
}

#[test]
fn a_port_is_free_again_at_once() {
    let listener = listen("127.0.0.1:0");
    let endpoint = listener.endpoints()[0].clone();
    let (client, served) = over(&listener);
    // The side that closes first keeps the port in TIME_WAIT.
    served.finish().unwrap();
    read_to_end(&*client).unwrap();
    client.finish().unwrap();
    drop((listener, served, client));
    bind(&endpoint).unwrap();
}

#[test]
fn an_address_of_another_machine_says_so() {
    // RFC 5737 keeps it for documentation: it is nobody's.
    let error = bind(&Endpoint::tcp("192.0.2.1", 0)).unwrap_err();
    assert!(error.is_address_unavailable(), "{error}");
    assert!(error.to_string().contains("none of this machine's addresses"), "{error}");
}

#[test]
fn one_stream_cannot_be_listened_on() {
    for text in ["exec:cat", "-"] {
        let error = bind(&text.parse().unwrap()).unwrap_err();
        assert!(error.is_caller(), "{error}");
        assert!(error.to_string().contains("connect to it"), "{error}");
    }
}

#[test]
fn accepting_ends_at_the_deadline_and_when_stopped() {
    let directory = Directory::new();
    for endpoint in ["127.0.0.1:0", &format!("unix:{}", directory.join("s").display())] {
        let listener = listen(endpoint);
        assert!(listener.try_accept().unwrap().is_none());
        let until = deadline::after(Duration::from_millis(5)).unwrap();
        let error = listener.accept(&Wait::until(until)).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(deadline::now() >= until);
        let stopper = Stopper::new().unwrap();
        let (about_to_wait, waiting) = mpsc::channel();
        std::thread::scope(|scope| {
            let accepting = scope.spawn(|| {
                about_to_wait.send(()).unwrap();
                listener.accept(&Wait::FOREVER.or_stopped(&stopper)).unwrap_err()
            });
            waiting.recv().unwrap();
            stopper.stop();
            let error = accepting.join().unwrap();
            assert!(error.is_stopped(), "{error}");
            assert_eq!(error.ending().unwrap().name(), "stopped");
        });
    }
}

#[test]
fn a_connection_that_is_gone_before_it_is_accepted_is_no_error() {
    let listener = listen("127.0.0.1:0");
    let client = connect(&listener.endpoints()[0]);
    client.reset().unwrap();
    drop(client);
    // Linux hands over the dead connection; other systems drop it. Either way the next one comes.
    let next = connect(&listener.endpoints()[0]);
    loop {
        let served = listener.accept(&soon()).unwrap();
        if served.remote() == next.local() {
            break;
        }
    }
}

#[test]
fn a_listener_that_cannot_listen_any_more_says_so_and_does_not_spin() {
    let listener = listen("127.0.0.1:0");
    let descriptor = listener.descriptors().next().unwrap();
    rustix::net::shutdown(descriptor, rustix::net::Shutdown::Both).unwrap();
    let error = listener.accept(&soon()).unwrap_err();
    assert!(error.to_string().contains("invalid argument"), "{error}");
    assert!(!error.is_exhausted() && !error.is_timeout() && !error.is_stopped(), "{error}");
    let counts = listener.accept_counts();
    assert_eq!((counts.calls, counts.errors, counts.exhausted), (1, 0, 0), "{counts:?}");
}

#[test]
fn two_servers_on_one_port_only_when_both_say_so() {
    let shared = ListenOptions::default().with_reuse_port(true);
    // One that did not say so is alone on its port, whatever the second one says.
    let alone = listen("127.0.0.1:0");
    for options in [ListenOptions::default(), shared.clone()] {
        let error = Listener::bind(&alone.endpoints()[0], &options).unwrap_err();
        assert!(error.is_address_in_use(), "{error}");
    }
    // One that did is joined by those that do too.
    let first = Listener::bind(&Endpoint::tcp("127.0.0.1", 0), &shared).unwrap();
    let endpoint = &first.endpoints()[0];
    assert!(bind(endpoint).unwrap_err().is_address_in_use());
    let second = Listener::bind(endpoint, &shared).unwrap();
    assert_eq!(second.endpoints(), first.endpoints());
}

#[test]
fn another_listener_takes_its_share_of_the_connections() {
    let shared = ListenOptions::default().with_reuse_port(true);
    for endpoint in [":0", "localhost:0", "127.0.0.1:0"] {
        let first = Listener::bind(&endpoint.parse().unwrap(), &shared).unwrap();
        let second = first.another().unwrap();
        assert_eq!(second.endpoints(), first.endpoints());
        let address = ("127.0.0.1", first.endpoints()[0].port().unwrap());
        // Which one gets a connection is the kernel's choice, by a hash of the client's port: that
        // one of them gets none of 64 has a chance of one in 2 to the 63rd.
        let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut accepted = [0, 0];
        while accepted.iter().sum::<usize>() < clients.len() {
            for (listener, accepted) in [&first, &second].into_iter().zip(&mut accepted) {
                *accepted += usize::from(listener.try_accept().unwrap().is_some());
            }
        }
        assert!(accepted.iter().all(|some| *some > 0), "{accepted:?}");
        // The port is there for as long as one of them is.
        drop(first);
        TcpStream::connect(address).unwrap();
        second.accept(&soon()).unwrap();
    }
}

#[test]
fn sharing_what_is_not_shared_says_what_to_do() {
    let error = listen("127.0.0.1:0").another().unwrap_err();
    assert!(error.is_caller(), "{error}");
    assert!(error.to_string().contains("made without reuse_port: set it"), "{error}");
    let shared = ListenOptions::default().with_reuse_port(true);
    let error = Listener::bind(&Endpoint::Abstract(unique().into()), &shared).unwrap_err();
    assert!(error.is_caller(), "{error}");
    assert!(error.to_string().contains("only tcp ports are shared"), "{error}");
    let error = listen(&format!("unix:@{}", unique())).another().unwrap_err();
    assert!(error.to_string().contains("tcp only"), "{error}");
    // A socket that was made elsewhere says for itself whether it shares its port.
    let made = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(Listener::from_tcp(made).unwrap().another().unwrap_err().is_caller());
}

#[test]
fn a_text_that_is_no_endpoint_says_so() {
    let error = Listener::listen("127.0.0.1").unwrap_err();
    assert!(error.is_caller(), "{error}");
    assert!(error.to_string().starts_with("cannot listen: "), "{error}");
}

#[test]
fn listeners_of_the_standard_library_are_taken_over() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = Listener::try_from(tcp).unwrap();
    assert_eq!(listener.endpoints(), [Endpoint::from(address)]);
    assert!(listener.try_accept().unwrap().is_none(), "it does not wait");
    over(&listener);

    let directory = Directory::new();
    let path = directory.join("s");
    let listener = Listener::try_from(UnixListener::bind(&path).unwrap()).unwrap();
    over(&listener);
    drop(listener);
    assert!(path.exists(), "a path that it did not make is not removed");
}

#[test]
fn a_unix_path_is_removed_with_its_listener_unless_it_is_another_one() {
    let directory = Directory::new();
    let path = directory.join("s");
    let listener = bind(&Endpoint::unix(&path)).unwrap();
    over(&listener);
    drop(listener);
    assert!(!path.exists());

    let listener = bind(&Endpoint::unix(&path)).unwrap();
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(listener);
    assert!(path.exists(), "somebody else's path was removed");
    drop(other);
}

#[test]
fn a_stale_path_is_replaced_and_a_living_one_is_in_use() {
    let directory = Directory::new();
    let path = directory.join("s");
    leave_stale(&path);
    assert!(path.exists(), "the standard library leaves it behind");
    let listener = bind(&Endpoint::unix(&path)).unwrap();
    over(&listener);

    let error = bind(&Endpoint::unix(&path)).unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
    assert!(error.to_string().contains("another program serves it"), "{error}");
    UnixStream::connect(&path).unwrap();
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let directory = Directory::new();
    let path = directory.join("precious");
    std::fs::write(&path, "data").unwrap();
    let error = bind(&Endpoint::unix(&path)).unwrap_err();
    assert!(error.to_string().contains("no socket has that path"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"data");
}

#[test]
fn the_mode_of_a_path_is_what_was_asked_for() {
    let directory = Directory::new();
    for mode in [0o600, 0o660, 0o666, 0o777] {
        let path = directory.join(format!("{mode:o}"));
        let options = ListenOptions::default().with_unix_mode(mode);
        let _listener = Listener::bind(&Endpoint::unix(&path), &options).unwrap();
        let found = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{found:o}");
    }
}

#[test]
fn bad_paths_say_what_to_do() {
    let directory = Directory::new();
    let error = bind(&Endpoint::unix(directory.join("x".repeat(200)))).unwrap_err();
    assert!(error.is_caller(), "{error}");
    assert!(error.to_string().contains("the system takes 107: choose a shorter one"), "{error}");
    for endpoint in
        [Endpoint::unix(directory.join("x".repeat(200))), Endpoint::Abstract(vec![b'x'; 200])]
    {
        let error = endpoint.connect(&ConnectOptions::default()).unwrap_err();
        assert!(error.to_string().contains("the system takes 107 bytes"), "{error}");
    }
    let error = bind(&Endpoint::unix(directory.join("missing/s"))).unwrap_err();
    assert!(error.to_string().contains("its directory is not there"), "{error}");
    let name = unique();
    let _listener = listen(&format!("unix:@{name}"));
    let error = bind(&Endpoint::Abstract(name.into_bytes())).unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
}

#[test]
fn of_two_that_start_on_one_stale_path_one_gets_it() {
    let directory = Directory::new();
    for round in 0..20 {
        let path = directory.join(format!("s{round}"));
        leave_stale(&path);
        let endpoint = Endpoint::unix(&path);
        let bound: Vec<_> = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| bind(&endpoint))).collect();
            starting.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let winners: Vec<_> = bound.iter().filter_map(|one| one.as_ref().ok()).collect();
        assert_eq!(winners.len(), 1, "{bound:?}");
        over(winners[0]);
    }
}
