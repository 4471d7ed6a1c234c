//! TLS as one more transport of the matrix: who the server is, and whom its clients trust.

use crate::help::Stream;
use std::sync::{Arc, LazyLock};
use switchboard::transport::{Tls, TlsClient, TlsServer};
use switchboard::{ListenOptions, Listener};

pub(crate) const NAME: &str = "localhost";

static BOTH: LazyLock<(TlsServer, TlsClient)> = LazyLock::new(|| {
    let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let cert = made.cert.der().to_vec();
    let key = made.signing_key.serialize_der();
    let server = TlsServer::from_der(vec![cert.clone()], key).unwrap();
    (server, TlsClient::default().with_ca([cert]).unwrap())
});

pub(crate) fn server() -> TlsServer {
    BOTH.0.clone()
}

pub(crate) fn client() -> TlsClient {
    BOTH.1.clone()
}

pub(crate) fn listener() -> Listener {
    let options = ListenOptions::default().with_tls(server());
    Listener::bind(&"tls://127.0.0.1:0".parse().unwrap(), &options).unwrap()
}

/// Two ends in memory, the client's and the server's, before the handshake.
pub(crate) fn pair() -> (Stream, Stream) {
    let (ours, theirs) = switchboard::transport::pair().unwrap();
    let ours = Tls::client(Arc::new(ours), &client(), NAME).unwrap();
    let theirs = Tls::server(Arc::new(theirs), &server()).unwrap();
    (Arc::new(ours), Arc::new(theirs))
}
