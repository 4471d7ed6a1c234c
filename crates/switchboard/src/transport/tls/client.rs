//! The client's side of TLS: [`TlsClient`].

use super::pem::{broken, certificates, identity_of_der, identity_of_files, provider};
use super::verify::Verifier;
use crate::Error;
use rustls::RootCertStore;
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Whom a TLS client trusts, and who it is. A clone shares what it has remembered of servers, so
/// that the next handshake is shorter.
///
/// By default: the certificates that the system trusts, and no certificate of its own.
///
/// ```no_run
/// use switchboard::transport::TlsClient;
/// use switchboard::{ConnectOptions, Endpoint};
///
/// let tls = TlsClient::default().with_ca_file("ca.pem")?.with_alpn(["echo"]);
/// let options = ConnectOptions::default().with_tls(tls);
/// let transport = "tls://example.org:7000".parse::<Endpoint>()?.connect(&options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TlsClient {
    roots: Roots,
    name: Option<ServerName<'static>>,
    alpn: Vec<Vec<u8>>,
    identity: Option<Arc<CertifiedKey>>,
    /// Made when it is first wanted.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// Who may issue a server's certificate.
#[derive(Clone, Default)]
enum Roots {
    #[default]
    System,
    These(Arc<Verifier>),
    Anyone,
}

impl TlsClient {
    /// Trusts the authorities in this PEM file, and no others. A server's own certificate may stand
    /// in it too, and is then trusted as it is: one that was signed by itself.
    ///
    /// # Errors
    /// The file cannot be read, or there is no certificate in it.
    pub fn with_ca_file(self, ca: impl AsRef<Path>) -> Result<TlsClient, Error> {
        let ca = ca.as_ref();
        let given = Verifier::of(certificates(ca)?).map_err(|error| broken(ca, &error))?;
        Ok(TlsClient { roots: Roots::These(Arc::new(given)), ..self.anew() })
    }

    /// The same in memory, as DER.
    ///
    /// # Errors
    /// One of them is no certificate.
    pub fn with_ca(self, ca: impl IntoIterator<Item = Vec<u8>>) -> Result<TlsClient, Error> {
        let ca = ca.into_iter().map(Into::into).collect();
        let given = Verifier::of(ca).map_err(|error| {
            Error::caller(format!("that is no certificate to be trusted: {error}"))
        })?;
        Ok(TlsClient { roots: Roots::These(Arc::new(given)), ..self.anew() })
    }

    /// The name that the server's certificate must have, and that it is asked for (SNI), instead of
    /// the host that is connected to.
    ///
    /// # Errors
    /// It is neither a name nor an address.
    pub fn with_name(self, name: &str) -> Result<TlsClient, Error> {
        Ok(TlsClient { name: Some(server_name(name)?), ..self })
    }

    /// The application protocols that it speaks, the one liked best first (ALPN, RFC 7301).
    #[must_use]
    pub fn with_alpn<P: Into<Vec<u8>>>(self, names: impl IntoIterator<Item = P>) -> TlsClient {
        TlsClient { alpn: names.into_iter().map(Into::into).collect(), ..self.anew() }
    }

    /// Its own certificate chain and key, of two PEM files, for servers that ask for one.
    ///
    /// # Errors
    /// A file cannot be read or has not in it what it should; the key does not belong to the
    /// certificate.
    pub fn with_identity_files(
        self,
        cert: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<TlsClient, Error> {
        let identity = identity_of_files(cert.as_ref(), key.as_ref())?;
        Ok(TlsClient { identity: Some(identity), ..self.anew() })
    }

    /// The same in memory, as DER (X.509; PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// The key is none, or does not belong to the certificate.
    pub fn with_identity(self, chain: Vec<Vec<u8>>, key: Vec<u8>) -> Result<TlsClient, Error> {
        let identity = identity_of_der(chain, key)?;
        Ok(TlsClient { identity: Some(identity), ..self.anew() })
    }

    /// Takes whatever certificate the server shows, so that anyone who can get between may read and
    /// change everything. For a look at a server of one's own.
    #[must_use]
    pub fn dangerous_without_verification(self) -> TlsClient {
        TlsClient { roots: Roots::Anyone, ..self.anew() }
    }

    /// What was made of the settings so far holds no more.
    fn anew(self) -> TlsClient {
        TlsClient { config: Arc::default(), ..self }
    }

    /// Whether it can connect to that host, before anybody is connected to.
    pub(crate) fn check(&self, host: &str) -> Result<(), Error> {
        self.connection(host).map(drop)
    }

    pub(super) fn connection(&self, host: &str) -> Result<ClientConnection, Error> {
        let name = match &self.name {
            Some(name) => name.clone(),
            // `:port` is this machine.
            None if host.is_empty() => server_name("localhost")?,
            None => server_name(host.split('%').next().unwrap_or(host))?,
        };
        ClientConnection::new(self.config()?, name)
            .map_err(|error| Error::caller(format!("cannot begin a TLS connection: {error}")))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let made = Arc::new(self.make()?);
        Ok(Arc::clone(self.config.get_or_init(|| made)))
    }

    fn make(&self) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_safe_default_protocol_versions()
            // The versions that rustls takes as safe are all that it has.
            .unwrap_or_else(|_| unreachable!("aws-lc has them"));
        let builder = match &self.roots {
            Roots::System => builder.with_root_certificates(system_roots()?),
            Roots::These(given) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::clone(given) as _)
            }
            Roots::Anyone => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier::Anyone))
            }
        };
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(
                CertifiedKey::clone(identity),
            ))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config.resumption = Resumption::default();
        Ok(config)
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("name", &self.name).finish_non_exhaustive()
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    let parsed = ServerName::try_from(name.to_owned());
    parsed.map_err(|_| {
        Error::caller(format!("\"{name}\" is no name that a certificate could have"))
            .with_advice("a host name or an address is wanted")
    })
}

/// What the system trusts, read once.
fn system_roots() -> Result<Arc<RootCertStore>, Error> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // A system's store has relics that no one can read; the others count.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    match roots.is_empty() {
        false => Ok(Arc::clone(roots)),
        true => Err(Error::caller("this system trusts no certificates").with_advice(
            "install its package of them (ca-certificates), or name a file: with_ca_file, swb \
             --tls-ca FILE",
        )),
    }
}
