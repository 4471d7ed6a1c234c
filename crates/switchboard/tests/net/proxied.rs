//! Connections that begin with a PROXY header: read to its last byte and no further, required from
//! whom it is believed from, and from nobody else.

use crate::help::soon;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;
use switchboard::transport::{Interest, Wait, Woken, open};
use switchboard::{Endpoint, ListenOptions, Listener, ProxyFrom, Transport};

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 443\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x9c\x41\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A client, and its connection as it is accepted by who trusts these.
fn accepted(from: &str) -> (TcpStream, Arc<dyn Transport>) {
    let from: ProxyFrom = from.parse().unwrap();
    let options = ListenOptions::default().with_proxy(from);
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let client = TcpStream::connect(("127.0.0.1", listener.endpoints()[0].port().unwrap()));
    let client = client.unwrap();
    client.set_nodelay(true).unwrap();
    (client, listener.accept(&soon()).unwrap())
}

/// Reads once, waiting for it.
fn read(from: &dyn Transport, into: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let woken = from.wait(Interest::READ, &soon()).unwrap();
                assert!(matches!(woken, Woken::Ready(_)), "{woken:?}");
            }
            done => return done,
        }
    }
}

fn endpoint(text: &str) -> Option<Endpoint> {
    Some(text.parse().unwrap())
}

#[test]
fn a_header_is_read_however_it_is_cut_and_nothing_behind_it() {
    for header in [V1, V2] {
        for cut in 1..=header.len() {
            let (mut client, served) = accepted("127.0.0.1");
            assert_eq!(served.opening(), Some("the PROXY header"));
            assert_eq!(served.client(), None, "nobody knows yet");
            client.write_all(&header[..cut]).unwrap();
            let pending = served.wait(Interest::READ, &soon()).unwrap();
            assert_eq!(pending, Woken::Ready(Interest::READ));
            let flushed = served.flush().unwrap();
            assert!(flushed, "it holds nothing that was written");
            if cut < header.len() {
                assert!(served.opening().is_some(), "{cut} bytes are enough?");
                for result in [served.read(&mut [0; 9]), served.write(b"early")] {
                    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
                }
                // What has come is taken, so that nobody spins over it.
                assert_eq!(peek(&*served), None);
            }
            client.write_all(&header[cut..]).unwrap();
            client.write_all(b"\r\nstream").unwrap();
            let mut bytes = [0; 8];
            let mut filled = 0;
            while filled < bytes.len() {
                filled += read(&*served, &mut bytes[filled..]).unwrap();
            }
            assert_eq!(&bytes, b"\r\nstream", "cut at {cut}");
            assert_eq!(served.opening(), None);
            assert_eq!(served.remote(), endpoint("192.0.2.7:40001"));
            assert_eq!(served.client(), served.remote());
            assert_eq!(served.local(), endpoint("198.51.100.1:443"));
            assert_eq!(served.name(), "tcp://192.0.2.7:40001");
        }
    }
}

/// How many bytes wait in the system.
fn peek(served: &dyn Transport) -> Option<usize> {
    let socket = served.read_descriptor().unwrap();
    let mut room = [0; 64];
    let flags = rustix::net::RecvFlags::PEEK.union(rustix::net::RecvFlags::DONTWAIT);
    rustix::net::recv(socket, &mut room, flags).ok().map(|(_, bytes)| bytes)
}

#[test]
fn of_the_socket_the_header_alone_is_taken() {
    for header in [V1, V2, LOCAL] {
        let (mut client, served) = accepted("127.0.0.1");
        client.write_all(&[header, b"a program's"].concat()).unwrap();
        open(&*served, &soon()).unwrap();
        assert_eq!(peek(&*served), Some(b"a program's".len()));
    }
}

#[test]
fn a_proxy_that_speaks_for_itself_is_what_it_is_and_counts_as_nobody() {
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let (mut client, served) = accepted("127.0.0.1");
        client.write_all(header).unwrap();
        open(&*served, &soon()).unwrap();
        assert_eq!(served.remote(), Some(client.local_addr().unwrap().into()));
        assert_eq!(served.local(), Some(client.peer_addr().unwrap().into()));
        assert_eq!(served.client(), None);
    }
}

#[test]
fn from_others_a_header_is_not_looked_for() {
    let (mut client, served) = accepted("127.0.0.2,unix,::/0");
    client.write_all(V1).unwrap();
    assert_eq!(served.opening(), None);
    let mut bytes = [0; 5];
    read(&*served, &mut bytes).unwrap();
    assert_eq!(&bytes, b"PROXY");
    assert_eq!(served.remote(), Some(client.local_addr().unwrap().into()));
}

#[test]
fn what_is_no_header_breaks_the_connection_and_says_why() {
    for (bytes, why) in [
        (&b"GET / HTTP/1.1\r\n"[..], "it does not begin with one"),
        (b"PROXY TCP4 192.0.2.7\r\n", "its line has not two addresses and two ports"),
    ] {
        let (mut client, served) = accepted("127.0.0.1");
        client.write_all(bytes).unwrap();
        let error = open(&*served, &soon()).unwrap_err();
        let name = Endpoint::from(client.local_addr().unwrap());
        assert_eq!(error.to_string(), format!("the PROXY header failed with {name}: {why}"));
        for _ in 0..2 {
            assert_eq!(served.flush().unwrap_err().kind(), ErrorKind::InvalidData);
            assert_eq!(served.read(&mut [0]).unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }
    let (mut client, served) = accepted("127.0.0.1");
    client.write_all(&V1[..20]).unwrap();
    drop(client);
    let error = open(&*served, &soon()).unwrap_err();
    assert!(error.to_string().ends_with(": the connection ended within it"), "{error}");
}

#[test]
fn a_header_that_does_not_come_is_not_waited_for_for_ever() {
    let (_client, served) = accepted("127.0.0.1");
    let error = open(&*served, &Wait::until(switchboard::deadline::now())).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().starts_with("the PROXY header did not come from tcp://"), "{error}");
}

#[test]
fn who_says_nothing_at_all_is_at_its_end() {
    let (client, served) = accepted("127.0.0.1");
    drop(client);
    assert_eq!(read(&*served, &mut [0]).unwrap(), 0);
    assert_eq!(served.opening(), None);
}

/// One thread reads, another writes; the header is read by one of the two.
#[test]
fn who_waits_to_write_is_woken_when_another_has_read_the_header() {
    let (mut client, served) = accepted("127.0.0.1");
    let (waits, begun) = std::sync::mpsc::channel();
    let writer = {
        let served = Arc::clone(&served);
        std::thread::spawn(move || {
            assert_eq!(served.write(b"hello").unwrap_err().kind(), ErrorKind::WouldBlock);
            waits.send(()).unwrap();
            while served.write(b"hello").is_err() {
                let woken = served.wait(Interest::WRITE, &soon()).unwrap();
                assert!(matches!(woken, Woken::Ready(_)), "{woken:?}");
            }
        })
    };
    begun.recv().unwrap();
    client.write_all(V1).unwrap();
    open(&*served, &soon()).unwrap();
    writer.join().unwrap();
}

#[test]
fn a_unix_socket_has_headers_if_that_was_said() {
    let name = format!("unix:@switchboard-proxied-{}", std::process::id());
    let endpoint: Endpoint = name.parse().unwrap();
    let options = ListenOptions::default().with_proxy("unix".parse().unwrap());
    let listener = Listener::bind(&endpoint, &options).unwrap();
    let connected = endpoint.connect(&switchboard::ConnectOptions::default()).unwrap();
    let served = listener.accept(&soon()).unwrap();
    connected.write(V2).unwrap();
    open(&*served, &soon()).unwrap();
    assert_eq!(served.remote(), self::endpoint("192.0.2.7:40001"));
    // And both ways behind it.
    served.write(b"hello").unwrap();
    let mut bytes = [0; 5];
    read(&*connected, &mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
}
