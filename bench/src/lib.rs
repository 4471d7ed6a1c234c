//! What the servers here have in common: how they are called, and what they say when they listen.
//!
//! Every server of `bench/`, in whatever language, is called with `WHERE FRAMING [CERT KEY]`. WHERE
//! is `tcp`, a port of 127.0.0.1 that the system chooses, or `unix:PATH`. It prints one line when
//! it listens, the port (`ready` for a path), and serves until it is killed.

pub mod epoll;

use std::error::Error;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

/// Whatever goes wrong ends the program: the driver shows what it said.
pub type Outcome = Result<(), Box<dyn Error>>;

/// What the command line asked for.
pub struct Asked {
    /// `tcp` or `unix:PATH`.
    pub place: String,
    /// `u32be` or `lines`.
    pub framing: String,
    /// The files with a certificate and its key, for TLS.
    pub tls: Option<(String, String)>,
    /// What is left, a word of the program's own.
    pub variant: String,
}

impl Asked {
    /// Reads `VARIANT WHERE FRAMING [CERT KEY]`; programs with a single form have no VARIANT.
    pub fn with_variant() -> Asked {
        let mut words = std::env::args().skip(1);
        let variant = words.next().unwrap_or_default();
        Asked { variant, ..Asked::read(words) }
    }

    /// Reads `WHERE FRAMING [CERT KEY]`.
    pub fn plain() -> Asked {
        Asked::read(std::env::args().skip(1))
    }

    fn read(mut words: impl Iterator<Item = String>) -> Asked {
        Asked {
            place: words.next().unwrap_or("tcp".to_owned()),
            framing: words.next().unwrap_or("u32be".to_owned()),
            tls: words.next().zip(words.next()),
            variant: String::new(),
        }
    }

    /// Listens where it was asked to and says so.
    pub fn listen(&self) -> io::Result<Listener> {
        match self.place.strip_prefix("unix:") {
            Some(path) => {
                let listener = UnixListener::bind(path)?;
                say("ready")?;
                Ok(Listener::Unix(listener))
            }
            None => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                say(&listener.local_addr()?.port().to_string())?;
                Ok(Listener::Tcp(listener))
            }
        }
    }

    /// The TLS of a server with the certificate that was given: what Switchboard has too, rustls
    /// with its defaults and aws-lc.
    pub fn tls_config(&self) -> Result<Arc<rustls::ServerConfig>, Box<dyn Error>> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let (certificate, key) = self.tls.as_ref().ok_or("no certificate was given")?;
        let certificate = CertificateDer::from_pem_file(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        Ok(Arc::new(config.with_single_cert(vec![certificate], key)?))
    }
}

/// A listening socket of either family.
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The line that the driver waits for.
pub fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
