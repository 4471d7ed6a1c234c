//! Handshakes that fail, and files that are not what they should be: each in words of its own.

use crate::help::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use switchboard::server::Limits;
use switchboard::transport::{TlsClient, TlsServer};
use switchboard::{ConnectOptions, Ending, Endpoint};

/// Connecting fails with these words, and the server ends the conversation with those.
fn fails(tls: &TlsServer, client: &TlsClient, words: &str, ending: Ending, told_words: &str) {
    served(tls, &Limits::default(), |running, told| {
        let endpoint = &running.endpoints()[0];
        let error = connect(endpoint, client).unwrap_err();
        assert!(error.is_tls(), "{error}");
        assert_eq!(error.to_string(), format!("cannot connect to {endpoint}: {words}"));
        let (was_open, told_ending, told) = told.recv_timeout(PATIENCE).unwrap();
        let told = told.unwrap();
        assert!(!was_open && told.contains(told_words), "{told}, expected {told_words}");
        assert!(told.starts_with("the TLS handshake failed with tls://127.0.0.1:"), "{told}");
        assert_eq!(told_ending, ending, "{told}");
    });
}

#[test]
fn an_issuer_that_is_not_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    fails(
        &authority.issue("127.0.0.1").server(),
        &other.client(),
        "the server's certificate was issued by nobody who is trusted here: trust its CA: \
         with_ca_file, swb --tls-ca FILE",
        Ending::Reset,
        "the client does not trust who issued this server's certificate",
    );
}

#[test]
fn a_name_that_the_certificate_does_not_have() {
    let authority = Authority::new();
    fails(
        &authority.issue("example.org").server(),
        &authority.client(),
        "the server's certificate is for example.org, not for 127.0.0.1: connect to that name, or \
         say that it is meant: with_name, swb --tls-name",
        Ending::Reset,
        "the client did not accept this server's certificate",
    );
}

#[test]
fn a_certificate_that_has_expired() {
    let authority = Authority::new();
    fails(
        &authority.issue_until("127.0.0.1", 2020).server(),
        &authority.client(),
        "the server's certificate has expired",
        Ending::Reset,
        "the client found this server's certificate expired",
    );
}

#[test]
fn no_application_protocol_in_common() {
    let authority = Authority::new();
    fails(
        &authority.issue("127.0.0.1").server().with_alpn(["echo"]),
        &authority.client().with_alpn(["h2"]),
        "no application protocol (ALPN) in common: ask for one that the server speaks: with_alpn, \
         swb --alpn",
        Ending::BadPrefix,
        "no application protocol (ALPN) in common: the client asks for none of those that are \
         spoken here",
    );
}

/// In TLS 1.3 the client has connected by the time that the server looks at its certificate.
#[test]
fn a_client_without_the_certificate_that_is_required() {
    let authority = Authority::new();
    let dir = Dir::new();
    let ca = dir.file("ca.pem", &authority.cert_pem);
    let tls = authority.issue("127.0.0.1").server().requiring_clients_of(&ca).unwrap();
    served(&tls, &Limits::default(), |running, told| {
        let mut client = connect(&running.endpoints()[0], &authority.client()).unwrap();
        let error = client.recv().unwrap_err();
        assert!(error.is_tls(), "{error}");
        assert_eq!(error.ending(), Some(Ending::Reset));
        let words = "the server requires a client certificate: give one: with_identity_files, swb \
                     --tls-cert FILE --tls-key FILE";
        assert!(error.to_string().ends_with(words), "{error}");
        let (was_open, ending, told) = told.recv_timeout(PATIENCE).unwrap();
        assert!(!was_open && told.unwrap().contains("the client gave no certificate"));
        assert_eq!(ending, Ending::BadPrefix);
        // And with one it is let in.
        let own = authority.issue("someone");
        let trusting = authority.client().with_identity(vec![own.cert], own.key).unwrap();
        let mut client = connect(&running.endpoints()[0], &trusting).unwrap();
        assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
        client.close().unwrap();
    });
}

#[test]
fn a_client_that_does_not_speak_tls() {
    let tls = Authority::new().issue("localhost").server();
    served(&tls, &Limits::default(), |running, told| {
        let port = running.endpoints()[0].port().unwrap();
        let mut client = converse(
            Endpoint::tcp("127.0.0.1", port).connect(&ConnectOptions::default()).unwrap(),
            "lines",
        );
        client.send(b"GET / HTTP/1.1").unwrap();
        let error = client.recv().unwrap_err();
        assert!(error.to_string().contains("the peer speaks TLS: connect with tls://"), "{error}");
        let (_, ending, told) = told.recv_timeout(PATIENCE).unwrap();
        let told = told.unwrap();
        assert!(
            told.ends_with("the peer does not speak TLS: it has to connect with TLS (tls://)"),
            "{told}"
        );
        assert_eq!(ending, Ending::BadPrefix);
    });
}

#[test]
fn a_server_that_does_not_speak_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"220 mail.example.org ESMTP\r\n").unwrap();
        let _ = stream.read(&mut [0; 1000]);
    });
    let endpoint: Endpoint = format!("tls://127.0.0.1:{port}").parse().unwrap();
    let error = connect(&endpoint, &Authority::new().client()).unwrap_err();
    let words = "the peer does not speak TLS: what answers there is another protocol: connect with \
                 tcp://, or to the port of the server's TLS";
    assert_eq!(error.to_string(), format!("cannot connect to {endpoint}: {words}"));
    server.join().unwrap();
}

#[test]
fn a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint: Endpoint = format!("tls://127.0.0.1:{port}").parse().unwrap();
    let client = Authority::new().client();
    let options = options(&client).with_timeout(Some(Duration::from_millis(50)));
    let error = endpoint.connect(&options).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("the TLS handshake does not come"), "{error}");
    // And one that goes.
    let gone = std::thread::spawn(move || {
        // The first one is of the attempt before.
        for _ in 0..2 {
            drop(listener.accept().unwrap());
        }
    });
    let error = connect(&endpoint, &client).unwrap_err();
    assert!(error.is_tls() || error.is_reset(), "{error}");
    gone.join().unwrap();
}

#[test]
fn a_client_that_says_nothing_holds_its_place_and_a_clock() {
    let tls = Authority::new().issue("localhost").server();
    let limits = Limits { opening: Some(Duration::from_millis(50)), ..Limits::default() };
    served(&tls, &limits, |running, told| {
        let port = running.endpoints()[0].port().unwrap();
        let mut mute = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (was_open, ending, words) = told.recv_timeout(PATIENCE).unwrap();
        assert!(!was_open);
        assert_eq!(ending, Ending::TimedOut);
        assert!(words.unwrap().starts_with("the TLS handshake did not come from tls://127.0.0.1:"));
        assert_eq!(mute.read(&mut [0]).unwrap_or(0), 0);
    });
}

#[test]
fn files_are_looked_at_before_anything_is_served() {
    let dir = Dir::new();
    let authority = Authority::new();
    let (one, two) = (authority.issue("one"), authority.issue("two"));
    let cert = dir.file("cert.pem", &one.cert_pem);
    let key = dir.file("key.pem", &one.key_pem);
    let other = dir.file("other.pem", &two.key_pem);
    let empty = dir.file("empty.pem", "");
    let noise = dir.file("noise.pem", "no PEM at all\n");
    let torn = dir.file("torn.pem", &one.cert_pem[..200]);
    let missing = dir.path().join("missing.pem");
    let name = |path: &std::path::Path| path.display().to_string();
    for (cert, key, words) in [
        (&missing, &key, format!("cannot read {}: no such file", name(&missing))),
        (&cert, &missing, format!("cannot read {}: no such file", name(&missing))),
        (&empty, &key, format!("there is no certificate in {}", name(&empty))),
        (&noise, &key, format!("there is no certificate in {}", name(&noise))),
        (&key, &key, format!("there is no certificate in {}", name(&key))),
        (&cert, &empty, format!("there is no key in {}", name(&empty))),
        (&cert, &cert, format!("there is no key in {}", name(&cert))),
        (&torn, &key, format!("{} cannot be used", name(&torn))),
        (&cert, &other, format!("the key does not belong to the certificate ({}", name(&cert))),
    ] {
        let error = TlsServer::from_files(cert, key).unwrap_err();
        assert!(error.to_string().starts_with(&words), "{error}, expected {words}");
        assert!(error.is_caller());
    }
    let client = TlsClient::default().with_ca_file(&empty).unwrap_err();
    assert!(client.to_string().contains("there is no certificate in"), "{client}");
    let client = TlsClient::default().with_name("no name").unwrap_err();
    assert!(client.to_string().contains("is no name that a certificate could have"), "{client}");
    TlsServer::from_files(&cert, &key).unwrap();
}

#[test]
fn listening_needs_a_certificate() {
    let error = switchboard::Listener::listen("tls://127.0.0.1:0").unwrap_err();
    assert!(error.is_caller());
    assert!(error.to_string().contains("a certificate and its key are needed"), "{error}");
}
