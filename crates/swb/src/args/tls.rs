//! The options of TLS: who this side is, and whom it trusts. What the files hold is looked at when
//! the options are built, before anybody is connected to or listened for.

use std::path::PathBuf;

use clap::Args;
use switchboard::Endpoint;
use switchboard::transport::{TlsClient, TlsServer};

use crate::exit::Failure;
use crate::printer::Printer;

/// Where they stand in the long help; `-h` fits a screen without them. Said of each, since what is
/// said of a group holds for whatever is declared behind it too.
pub(crate) const HEADING: &str = "TLS (tls://host:port)";

/// Who this side is, over TLS.
#[derive(Args)]
pub(crate) struct IdentityArgs {
    /// The certificate of this side, a PEM file, and behind it its chain
    ///
    /// What listens on a port with a certificate speaks TLS, also where tls:// is not written.
    #[arg(long, value_name = "FILE", requires = "tls_key", global = true, hide_short_help = true)]
    #[arg(help_heading = HEADING)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key that belongs to it, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert", global = true, hide_short_help = true)]
    #[arg(help_heading = HEADING)]
    pub(crate) tls_key: Option<PathBuf>,

    /// An application protocol (ALPN), the one liked best first; may be repeated
    #[arg(long, value_name = "NAME", value_parser = protocol, global = true)]
    #[arg(hide_short_help = true)]
    #[arg(help_heading = HEADING)]
    pub(crate) alpn: Vec<String>,
}

/// Whom a server lets in.
#[derive(Args)]
pub(crate) struct GuestsArgs {
    /// Require a certificate of each client, of a CA in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert", global = true, hide_short_help = true)]
    #[arg(help_heading = HEADING)]
    pub(crate) tls_client_ca: Option<PathBuf>,
}

/// Whom a client trusts.
#[derive(Args)]
pub(crate) struct TrustArgs {
    /// Trust the CAs in this PEM file, and not those of the system
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    #[arg(help_heading = HEADING)]
    pub(crate) tls_ca: Option<PathBuf>,

    /// The name that the server's certificate must have [default: the host]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    #[arg(help_heading = HEADING)]
    pub(crate) tls_name: Option<String>,

    /// Take any certificate: whoever is in between reads and changes everything
    #[arg(long, conflicts_with = "tls_ca", hide_short_help = true)]
    #[arg(help_heading = HEADING)]
    pub(crate) insecure: bool,
}

impl IdentityArgs {
    fn files(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.tls_cert.as_ref().zip(self.tls_key.as_ref())
    }

    /// An option of these that was given.
    fn given(&self) -> Option<&'static str> {
        match self {
            _ if self.tls_cert.is_some() => Some("--tls-cert"),
            _ if !self.alpn.is_empty() => Some("--alpn"),
            _ => None,
        }
    }

    /// What a listener on `endpoint` speaks: on a port, with a certificate, it is TLS.
    ///
    /// # Errors
    /// A file is not what it should be; the options and the endpoint do not go together.
    pub(crate) fn server(
        &self,
        guests: &GuestsArgs,
        endpoint: &Endpoint,
    ) -> Result<Option<TlsServer>, Failure> {
        let Some((cert, key)) = self.files() else {
            return match endpoint {
                Endpoint::Tls { .. } => Err(Failure::usage(format_args!(
                    "listening on {endpoint} needs --tls-cert FILE and --tls-key FILE"
                ))),
                _ => self.refuse_without(endpoint).map(|()| None),
            };
        };
        if matches!(endpoint, Endpoint::Unix(_) | Endpoint::Abstract(_)) {
            return Err(not_tls("--tls-cert", endpoint));
        }
        let mut server = TlsServer::from_files(cert, key).map_err(Failure::usage)?;
        if !self.alpn.is_empty() {
            server = server.with_alpn(self.alpn.clone());
        }
        if let Some(ca) = &guests.tls_client_ca {
            server = server.requiring_clients_of(ca).map_err(Failure::usage)?;
        }
        Ok(Some(server))
    }

    /// Options of TLS for what speaks none would be passed over.
    fn refuse_without(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        match self.given() {
            Some(option) => Err(not_tls(option, endpoint)),
            None => Ok(()),
        }
    }
}

impl TrustArgs {
    /// What a client that connects to `endpoint` speaks, with who it is.
    ///
    /// # Errors
    /// A file is not what it should be; the options and the endpoint do not go together.
    pub(crate) fn client(
        &self,
        identity: Option<&IdentityArgs>,
        endpoint: &Endpoint,
        printer: &Printer,
    ) -> Result<TlsClient, Failure> {
        if !matches!(endpoint, Endpoint::Tls { .. }) {
            let given = [
                (self.tls_ca.is_some(), "--tls-ca"),
                (self.tls_name.is_some(), "--tls-name"),
                (self.insecure, "--insecure"),
            ];
            if let Some((_, option)) = given.iter().find(|(given, _)| *given) {
                return Err(not_tls(option, endpoint));
            }
            if let Some(identity) = identity {
                identity.refuse_without(endpoint)?;
            }
            return Ok(TlsClient::default());
        }
        let mut client = TlsClient::default();
        if let Some(ca) = &self.tls_ca {
            client = client.with_ca_file(ca).map_err(Failure::usage)?;
        }
        if let Some(name) = &self.tls_name {
            client = client.with_name(name).map_err(Failure::usage)?;
        }
        if let Some((cert, key)) = identity.and_then(IdentityArgs::files) {
            client = client.with_identity_files(cert, key).map_err(Failure::usage)?;
        }
        if let Some(identity) = identity.filter(|identity| !identity.alpn.is_empty()) {
            client = client.with_alpn(identity.alpn.clone());
        }
        if self.insecure {
            printer.talk(&format!(
                "swb: INSECURE: whoever answers as {endpoint} is believed; anyone in between can \
                 read and change everything"
            ));
            client = client.dangerous_without_verification();
        }
        Ok(client)
    }
}

/// The name of a protocol, as RFC 7301 bounds it.
fn protocol(name: &str) -> Result<String, String> {
    match name.len() {
        1..=255 => Ok(name.to_owned()),
        bytes => Err(format!("the name of a protocol has 1 to 255 bytes, and this one {bytes}")),
    }
}

fn not_tls(option: &str, endpoint: &Endpoint) -> Failure {
    Failure::usage(format_args!(
        "{option} is about TLS, and {endpoint} has none: write tls://host:port, or leave it out"
    ))
}
