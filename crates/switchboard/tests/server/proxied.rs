//! Clients behind a proxy: counted by their own address, and not served before it is known.

use crate::answers::echo;
use crate::help::*;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use switchboard::server::{Limits, Running};
use switchboard::{Ending, ListenOptions, Listener, Message, Reply, Server, Service};

everywhere! {
    clients_count_by_the_address_that_their_proxy_says,
    without_its_header_nobody_is_served,
}

/// A server of lines that believes this machine.
fn start<S: Service + 'static>(
    case: &Case,
    limits: &Limits,
    make: impl Fn() -> S + Send + Sync + 'static,
) -> Running {
    let options = ListenOptions::default().with_proxy("127.0.0.1".parse().unwrap());
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let server = Server::new("lines").unwrap().with_listener(listener);
    let server = server.with_dispatch(case.dispatch.clone()).with_limits(limits.clone());
    server.start(make).unwrap()
}

fn connect(running: &Running) -> TcpStream {
    let port = running.endpoints()[0].port().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A client whose address the proxy says is this one.
fn from(running: &Running, address: &str) -> TcpStream {
    let mut stream = connect(running);
    write!(stream, "PROXY TCP4 {address} 198.51.100.1 40001 443\r\n").unwrap();
    stream
}

/// Whether it is answered; else the connection is at its end.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 6];
    let asked = stream.write_all(b"hello\n").and_then(|()| stream.read_exact(&mut answer));
    match asked {
        Ok(()) => answer == *b"hello\n",
        Err(error) => {
            let kinds =
                [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            assert!(kinds.contains(&error.kind()), "{error}");
            false
        }
    }
}

fn clients_count_by_the_address_that_their_proxy_says() {
    for case in dispatchers(Over::Tcp) {
        let limits = Limits { conversations_per_address_max: Some(2), ..Limits::default() };
        let running = start(&case, &limits, echo);
        let mut inside = [1, 2].map(|_| from(&running, "192.0.2.7"));
        for one in &mut inside {
            assert!(is_served(one), "{case}");
        }
        let mut other = from(&running, "192.0.2.8");
        assert!(is_served(&mut other), "{case}: somebody else, by the same proxy");
        // The proxy's own checks count for nobody.
        let mut checks = [1, 2, 3].map(|_| connect(&running));
        for check in &mut checks {
            check.write_all(b"PROXY UNKNOWN\r\n").unwrap();
            assert!(is_served(check), "{case}");
        }
        let mut third = from(&running, "192.0.2.7");
        assert!(!is_served(&mut third), "{case}");
        assert_eq!(running.handle().stats().refused, 1, "{case}");
        let [first, mut second] = inside;
        drop(first);
        until(&running, "a place of its address", |_| is_served(&mut from(&running, "192.0.2.7")));
        assert!(is_served(&mut second), "{case}");
        drop((second, other, checks));
        running.stop().unwrap();
    }
}

/// A service that must not be told anything.
struct Nobody;

impl Service for Nobody {
    fn opened(&mut self, _: &mut Reply<'_>) -> Result<(), switchboard::Error> {
        panic!("nobody has come so far");
    }

    fn message(&mut self, _: Message<'_>, _: &mut Reply<'_>) -> Result<(), switchboard::Error> {
        panic!("nobody has come so far");
    }
}

fn without_its_header_nobody_is_served() {
    for case in dispatchers(Over::Tcp) {
        // Each has its own server: however slow, the first one is not to be late.
        for (opening, begun, ending) in [
            (PATIENCE, &b"hello\n"[..], Ending::BadPrefix),
            (Duration::from_millis(50), b"PROXY TCP4 192.0", Ending::TimedOut),
        ] {
            let limits = Limits { opening: Some(opening), ..Limits::default() };
            let running = start(&case, &limits, || Nobody);
            let mut stream = connect(&running);
            // It may have been let go already.
            let _ = stream.write_all(begun);
            let mut bytes = Vec::new();
            let read = stream.read_to_end(&mut bytes);
            assert!(read.is_ok() || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
            assert_eq!(bytes, b"", "{case}");
            drop(stream);
            until(&running, "its end", |running| {
                let stats = running.handle().stats();
                (stats.accepted, stats.open) == (1, 0)
            });
            let stats = running.stop().unwrap();
            assert_eq!(stats.endings.count(ending), 1, "{case}: {}", stats.endings);
            assert_eq!((stats.endings.sum(), stats.panicked), (1, 0), "{case}");
        }
    }
}

/// Waits until it is so.
fn until(running: &Running, what: &str, mut is_so: impl FnMut(&Running) -> bool) {
    let end = switchboard::deadline::after(PATIENCE);
    while !is_so(running) {
        assert!(!switchboard::deadline::has_passed(end), "never: {what}");
        std::thread::yield_now();
    }
}

#[cfg(feature = "tls")]
#[test]
fn tls_begins_behind_the_header() {
    use std::sync::Arc;
    use switchboard::transport::{Tcp, Tls};

    for case in dispatchers(Over::Tcp) {
        let options = ListenOptions::default().with_tls(crate::tls::server());
        let options = options.with_proxy("127.0.0.1".parse().unwrap());
        let listener = Listener::bind(&"tls://127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let limits = Limits { conversations_per_address_max: Some(1), ..Limits::default() };
        let server = Server::new("lines").unwrap().with_listener(listener).with_limits(limits);
        let running = server.with_dispatch(case.dispatch.clone()).start(echo).unwrap();
        let converse = || {
            let tcp = Arc::new(Tcp::from(from(&running, "192.0.2.7")));
            let tls = Tls::client(tcp, &crate::tls::client(), crate::tls::NAME).unwrap();
            switchboard::Conversation::over(Arc::new(tls), &"lines".parse().unwrap())
        };
        let mut client = converse();
        assert_eq!(&*client.request(b"hello").unwrap(), b"hello", "{case}");
        // Refused when the header has come, before anything is said of TLS.
        assert!(converse().request(b"hello").is_err(), "{case}");
        assert_eq!(running.handle().stats().refused, 1, "{case}");
        client.close().unwrap();
        running.stop().unwrap();
    }
}
