//! What is agreed on, and which server is believed.

use crate::help::*;
use std::sync::Arc;
use switchboard::server::Limits;
use switchboard::transport::{Tls, TlsClient, Wait, pair, wait_on};
use switchboard::{ConnectOptions, Endpoint, Listener, Poller, Transport, transport::Interest};

#[test]
fn both_sides_can_ask_what_was_agreed() {
    let authority = Authority::new();
    let dir = Dir::new();
    let ca = dir.file("ca.pem", &authority.cert_pem);
    let server = authority.issue("localhost").server().with_alpn(["echo", "other"]);
    let server = server.asking_clients_of(&ca).unwrap();
    let own = authority.issue("client.example.org");
    let bare = authority.client().with_alpn(["other"]);
    let known = bare.clone().with_identity(vec![own.cert.clone()], own.key).unwrap();
    for (client, names) in [(bare, &[][..]), (known, &["client.example.org".to_owned()])] {
        let (a, b) = pair().unwrap();
        let a = Tls::client(Arc::new(a), &client, "localhost").unwrap();
        let b = Tls::server(Arc::new(b), &server).unwrap();
        assert_eq!((a.tls(), b.tls()), (None, None), "nothing is agreed yet");
        shake(&a, &b);
        let (a, b) = (a.tls().unwrap(), b.tls().unwrap());
        assert_eq!((a.version, b.version), ("TLS 1.3", "TLS 1.3"));
        assert_eq!(a.cipher, b.cipher);
        assert!(a.cipher.starts_with("TLS13_"), "{}", a.cipher);
        assert_eq!((a.alpn, b.alpn), (Some(b"other".to_vec()), Some(b"other".to_vec())));
        assert_eq!((a.server_name, b.server_name), (None, Some("localhost".to_owned())));
        assert_eq!(a.peer_names, ["localhost"]);
        assert_eq!(b.peer_names, names);
        assert_eq!(b.peer_certificate.is_some(), !names.is_empty());
    }
}

#[test]
fn a_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let authority = Authority::new();
    let dir = Dir::new();
    let two = authority.issue("*.two.example");
    let (cert, key) = (dir.file("cert", &two.cert_pem), dir.file("key", &two.key_pem));
    let server = authority.issue("one.example").server();
    let server = server.with_certificate_files(&cert, &key).unwrap();
    for (name, shown) in [("one.example", "one.example"), ("www.two.example", "*.two.example")] {
        let (a, b) = pair().unwrap();
        let a = Tls::client(Arc::new(a), &authority.client(), name).unwrap();
        let b = Tls::server(Arc::new(b), &server).unwrap();
        shake(&a, &b);
        assert_eq!(a.tls().unwrap().peer_names, [shown]);
    }
}

#[test]
fn a_name_may_be_given_instead_of_the_host() {
    let authority = Authority::new();
    let client = authority.client().with_name("example.org").unwrap();
    served(&authority.issue("example.org").server(), &Limits::default(), |running, _| {
        let mut client = connect(&running.endpoints()[0], &client).unwrap();
        assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
        client.close().unwrap();
    });
}

/// What `openssl req -x509` makes: an authority, and used as a server's certificate.
#[test]
fn a_certificate_that_is_given_is_trusted_as_it_is() {
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap().der().to_vec();
    let server = Identity { cert: cert.clone(), key: key.serialize_der(), ..blank() }.server();
    let client = TlsClient::default().with_ca([cert]).unwrap();
    served(&server, &Limits::default(), |running, _| {
        let mut trusting = connect(&running.endpoints()[0], &client).unwrap();
        assert_eq!(&*trusting.request(b"hello").unwrap(), b"hello");
        trusting.close().unwrap();
        let elsewhere = client.clone().with_name("example.org").unwrap();
        let error = connect(&running.endpoints()[0], &elsewhere).unwrap_err();
        assert!(error.to_string().contains("is for 127.0.0.1, not for example.org"), "{error}");
        let error = connect(&running.endpoints()[0], &Authority::new().client()).unwrap_err();
        assert!(error.to_string().contains("that of an authority"), "{error}");
    });
}

fn blank() -> Identity {
    let (cert, key) = (Vec::new(), Vec::new());
    Identity { cert, key, cert_pem: String::new(), key_pem: String::new() }
}

#[test]
fn whoever_does_not_verify_takes_anyone() {
    let server = Authority::new().issue("nobody").server();
    let client = TlsClient::default().dangerous_without_verification();
    served(&server, &Limits::default(), |running, _| {
        let mut client = connect(&running.endpoints()[0], &client).unwrap();
        assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
        client.close().unwrap();
    });
}

#[test]
fn connecting_may_be_waited_for_elsewhere() {
    let authority = Authority::new();
    served(&authority.issue("localhost").server(), &Limits::default(), |running, _| {
        let port = running.endpoints()[0].port().unwrap();
        let endpoint: Endpoint = format!("tls://localhost:{port}").parse().unwrap();
        let options = options(&authority.client());
        let mut connecting = endpoint.start_connect(&options).unwrap();
        let stream = loop {
            if let Some(stream) = connecting.finish().unwrap() {
                break stream;
            }
            let until = Wait { deadline: connecting.deadline(), ..Wait::FOREVER };
            let descriptor = connecting.descriptor();
            wait_on(descriptor, descriptor, connecting.interest(), &until).unwrap();
        };
        assert!(stream.tls().is_some());
        // And by a poller.
        let mut poller = Poller::new().unwrap();
        poller.register(1, endpoint.start_connect(&options).unwrap(), Interest::WRITE).unwrap();
        let stream = loop {
            assert!(!poller.wait(Some(PATIENCE)).unwrap().is_empty());
            let Some(switchboard::select::AnySource::Connecting(connecting)) = poller.get_mut(1)
            else {
                panic!("it is the one there is")
            };
            if let Some(stream) = connecting.finish().unwrap() {
                break stream;
            }
        };
        let mut client = converse(stream, "lines");
        assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
    });
}

#[test]
fn a_unix_socket_may_speak_it_too() {
    let authority = Authority::new();
    let name = format!("unix:@switchboard-tls-{}", std::process::id());
    let listener = Listener::listen(&name).unwrap();
    let listener = listener.with_tls(authority.issue("localhost").server());
    let server = std::thread::spawn(move || {
        let mut served = listener.accept_conversation(&"lines".parse().unwrap()).unwrap();
        let message = served.recv_owned().unwrap().unwrap();
        served.send(&message).unwrap();
        served.close().unwrap();
    });
    let endpoint: Endpoint = name.parse().unwrap();
    let bare = endpoint.connect(&ConnectOptions::default()).unwrap();
    let tls = Tls::client(bare, &authority.client(), "localhost").unwrap();
    let mut client = converse(Arc::new(tls), "lines");
    assert_eq!(&*client.request(b"hello").unwrap(), b"hello");
    assert!(client.recv().unwrap().is_none());
    client.close().unwrap();
    server.join().unwrap();
}
