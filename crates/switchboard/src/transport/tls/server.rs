//! The server's side of TLS: [`TlsServer`].

use super::pem::{authorities, identity_of_der, identity_of_files, provider};
use crate::Error;
use rustls::pki_types::ServerName;
use rustls::server::{
    ClientHello, NoClientAuth, ResolvesServerCert, ServerConfig, ServerConnection,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use webpki::EndEntityCert;

/// Who a TLS server is, and whom it lets in. A clone is the same server.
///
/// Everything is looked at when it is given: a file that cannot be read or a key that belongs to
/// another certificate is told here, and not by the first client.
///
/// ```no_run
/// use switchboard::transport::TlsServer;
/// use switchboard::{ListenOptions, Listener};
///
/// let tls = TlsServer::from_files("cert.pem", "key.pem")?.with_alpn(["echo"]);
/// let options = ListenOptions::default().with_tls(tls);
/// let listener = Listener::bind(&"tls://:7000".parse()?, &options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl TlsServer {
    /// With the certificate chain and the key of two PEM files; the server's own certificate comes
    /// first, and the chain may leave the root out.
    ///
    /// # Errors
    /// A file cannot be read or has not in it what it should; the key does not belong to the
    /// certificate.
    pub fn from_files(cert: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<TlsServer, Error> {
        identity_of_files(cert.as_ref(), key.as_ref()).map(TlsServer::new)
    }

    /// The same in memory, as DER (X.509; PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// The key is none, or does not belong to the certificate.
    pub fn from_der(chain: Vec<Vec<u8>>, key: Vec<u8>) -> Result<TlsServer, Error> {
        identity_of_der(chain, key).map(TlsServer::new)
    }

    fn new(first: Arc<CertifiedKey>) -> TlsServer {
        let certificates = Arc::new(Certificates(vec![first]));
        let config = builder()
            .with_client_cert_verifier(Arc::new(NoClientAuth))
            .with_cert_resolver(Arc::clone(&certificates) as _);
        TlsServer { config: Arc::new(config), certificates }
    }

    fn change(mut self, change: impl FnOnce(&mut ServerConfig)) -> TlsServer {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// One more certificate, for clients that ask for one of its names (SNI). Who asks for a name
    /// of none gets the first.
    ///
    /// # Errors
    /// As [`from_files`](Self::from_files).
    pub fn with_certificate_files(
        mut self,
        cert: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<TlsServer, Error> {
        let mut certificates = self.certificates.0.clone();
        certificates.push(identity_of_files(cert.as_ref(), key.as_ref())?);
        let certificates = Arc::new(Certificates(certificates));
        self.certificates = Arc::clone(&certificates);
        Ok(self.change(|config| config.cert_resolver = certificates))
    }

    /// The application protocols that are spoken, the one liked best first (ALPN, RFC 7301). A
    /// client that asks for others only is refused; one that asks for none is let in.
    #[must_use]
    pub fn with_alpn<P: Into<Vec<u8>>>(self, names: impl IntoIterator<Item = P>) -> TlsServer {
        let names = names.into_iter().map(Into::into).collect();
        self.change(|config| config.alpn_protocols = names)
    }

    /// Requires a certificate of every client, issued by an authority in this PEM file.
    ///
    /// # Errors
    /// As [`from_files`](Self::from_files).
    pub fn requiring_clients_of(self, ca: impl AsRef<Path>) -> Result<TlsServer, Error> {
        self.verifying(ca.as_ref(), true)
    }

    /// As [`requiring_clients_of`](Self::requiring_clients_of), but a client without a certificate
    /// is let in too: [`TlsInfo::peer_certificate`](crate::transport::TlsInfo::peer_certificate)
    /// says which it was.
    ///
    /// # Errors
    /// As there.
    pub fn asking_clients_of(self, ca: impl AsRef<Path>) -> Result<TlsServer, Error> {
        self.verifying(ca.as_ref(), false)
    }

    fn verifying(self, ca: &Path, required: bool) -> Result<TlsServer, Error> {
        let roots = Arc::new(authorities(ca)?);
        let mut verifier =
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider()));
        if !required {
            verifier = verifier.allow_unauthenticated();
        }
        let verifier = verifier
            .build()
            .map_err(|error| Error::caller(format!("{} cannot be used: {error}", ca.display())))?;
        let mut config = builder()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&self.certificates) as _);
        config.alpn_protocols.clone_from(&self.config.alpn_protocols);
        Ok(TlsServer { config: Arc::new(config), ..self })
    }

    pub(super) fn connection(&self) -> Result<ServerConnection, Error> {
        ServerConnection::new(Arc::clone(&self.config))
            .map_err(|error| Error::caller(format!("cannot begin a TLS connection: {error}")))
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider()));
    // The versions that rustls takes as safe are all that it has.
    builder
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|_| unreachable!("aws-lc has them"))
}

/// Which certificate a client is shown.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |identity: &&Arc<CertifiedKey>| {
            let (Some(name), Some(own)) = (&asked, identity.cert.first()) else { return false };
            EndEntityCert::try_from(own)
                .is_ok_and(|own| own.verify_is_valid_for_subject_name(name).is_ok())
        };
        self.0.iter().find(is_for).or_else(|| self.0.first()).cloned()
    }
}
