//! An authority, what it issues, servers and clients.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use switchboard::frame::{Protocol, Role};
use switchboard::server::{Limits, Running, Server};
use switchboard::transport::{Tls, TlsClient, TlsServer, pair};
use switchboard::{
    ConnectOptions, Conversation, Dispatch, Ending, Endpoint, Error, ListenOptions, Listener,
    Message, Reply, Service, Timeouts, Transport,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Stream = Arc<dyn Transport>;

/// A certificate and its key, as DER.
pub(crate) struct Identity {
    pub(crate) cert: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) cert_pem: String,
    pub(crate) key_pem: String,
}

/// Who issues certificates.
pub(crate) struct Authority {
    pub(crate) cert: Vec<u8>,
    pub(crate) cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Each has a name of its own.
        let key = KeyPair::generate().unwrap();
        let name = format!("authority {:?}", key.public_key_raw());
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap();
        let (der, pem) = (cert.der().to_vec(), cert.pem());
        Authority { cert: der, cert_pem: pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.issue_until(name, 4000)
    }

    pub(crate) fn issue_until(&self, name: &str, year: i32) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            cert: cert.der().to_vec(),
            cert_pem: cert.pem(),
            key: key.serialize_der(),
            key_pem: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority alone.
    pub(crate) fn client(&self) -> TlsClient {
        TlsClient::default().with_ca([self.cert.clone()]).unwrap()
    }
}

impl Identity {
    pub(crate) fn server(&self) -> TlsServer {
        TlsServer::from_der(vec![self.cert.clone()], self.key.clone()).unwrap()
    }
}

/// What a server was told of its conversations.
pub(crate) type Told = Receiver<(bool, Ending, Option<String>)>;

struct Echo(std::sync::mpsc::Sender<(bool, Ending, Option<String>)>);

impl Service for Echo {
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(&message)
    }

    fn unopened(&mut self, ending: Ending, error: Option<&Error>) {
        let _ = self.0.send((false, ending, error.map(Error::to_string)));
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        let _ = self.0.send((true, ending, error.map(Error::to_string)));
    }
}

/// A server of lines over TLS on a port, under one dispatcher and then under the other.
pub(crate) fn served(tls: &TlsServer, limits: &Limits, check: impl Fn(&Running, Told)) {
    for dispatch in [Dispatch::threads(), Dispatch::events().with_loops(1)] {
        let (sender, told) = channel();
        let server = Server::new("lines").unwrap().with_dispatch(dispatch);
        let server = server.with_limits(limits.clone()).with_listener(listener(tls));
        let running = server.start(move || Echo(sender.clone())).unwrap();
        check(&running, told);
        running.stop().unwrap();
    }
}

pub(crate) fn listener(tls: &TlsServer) -> Listener {
    let options = ListenOptions::default().with_tls(tls.clone());
    Listener::bind(&"tls://127.0.0.1:0".parse().unwrap(), &options).unwrap()
}

pub(crate) fn options(client: &TlsClient) -> ConnectOptions {
    ConnectOptions::default().with_tls(client.clone()).with_timeout(Some(PATIENCE))
}

pub(crate) fn connect(to: &Endpoint, client: &TlsClient) -> Result<Conversation, Error> {
    let transport = to.connect(&options(client))?;
    Ok(converse(transport, "lines"))
}

pub(crate) fn converse(over: Stream, framing: &str) -> Conversation {
    let protocol: Protocol = framing.parse().unwrap();
    Conversation::with_role(over, &protocol, Role::Client).with_timeouts(Timeouts::all(PATIENCE))
}

/// The two ends of a stream in memory under TLS: the client's and the server's.
pub(crate) fn ends() -> (Arc<Tls>, Arc<Tls>) {
    let (a, b) = pair().unwrap();
    over(Arc::new(a), Arc::new(b))
}

pub(crate) fn over(a: Stream, b: Stream) -> (Arc<Tls>, Arc<Tls>) {
    let authority = Authority::new();
    let client = Tls::client(a, &authority.client(), "localhost").unwrap();
    let server = Tls::server(b, &authority.issue("localhost").server()).unwrap();
    (Arc::new(client), Arc::new(server))
}

/// Both handshakes, in one thread.
pub(crate) fn shake(a: &Tls, b: &Tls) {
    for _ in 0..20 {
        a.flush().unwrap();
        b.flush().unwrap();
    }
    assert!(a.opening().is_none() && b.opening().is_none());
    // What the server says of its own accord is taken.
    assert_eq!(a.read(&mut [0; 10]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// A directory of this test alone, removed at the end.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("switchboard-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
