//! A new certificate without a gap: the next process takes the sockets over, and is who it says.

use crate::help::*;
use switchboard::server::{Reply, Server};
use switchboard::transport::TlsServer;
use switchboard::{Dispatch, Endpoint, ListenOptions};

fn listening(server: Server, tls: &TlsServer) -> Server {
    let any: Endpoint = "tls://127.0.0.1:0".parse().unwrap();
    server.listen_on(&any, &ListenOptions::default().with_tls(tls.clone())).unwrap()
}

#[test]
fn a_successor_has_its_own_certificate_on_the_same_port() {
    for (number, dispatch) in [Dispatch::threads(), Dispatch::events()].into_iter().enumerate() {
        let place = format!("swb-tls-{number}-{}", std::process::id());
        let place = format!("unix:{}", std::env::temp_dir().join(place).display());
        let (one, two) = (Authority::new(), Authority::new());
        let server = || Server::new("lines").unwrap().with_dispatch(dispatch.clone());
        let echo = || |message: &[u8], reply: &mut Reply<'_>| reply.send(message);
        let old = listening(server(), &one.issue("127.0.0.1").server());
        let old = old.with_handover(&place).unwrap().start(echo).unwrap();
        let endpoint = old.endpoints()[0].clone();
        let mut before = connect(&endpoint, &one.client()).unwrap();
        assert_eq!(&*before.request(b"before").unwrap(), b"before");

        // Who has no certificate is told so, and the one that runs goes on.
        let nobody = server().take_over(&place, PATIENCE).unwrap();
        let error = nobody.listen("tls://127.0.0.1:0").unwrap_err();
        assert!(error.to_string().contains("a certificate and its key are needed"), "{error}");

        let new = server().take_over(&place, PATIENCE).unwrap();
        let new = listening(new, &two.issue("127.0.0.1").server()).start(echo).unwrap();
        assert_eq!(new.endpoints(), std::slice::from_ref(&endpoint));
        while !old.handle().is_taken_over() {
            std::thread::yield_now();
        }
        let mut after = connect(&endpoint, &two.client()).unwrap();
        assert_eq!(&*after.request(b"after").unwrap(), b"after");
        assert_eq!(&*before.request(b"still").unwrap(), b"still");
        before.close().unwrap();
        after.close().unwrap();
        assert_eq!(old.join().unwrap().cut_off, 0);
        new.stop().unwrap();
    }
}
