//! What the demo's conversations go over.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use switchboard::transport::{Faults, Faulty, Tls, TlsClient, TlsServer, Transport};
use switchboard::{ConnectOptions, Endpoint, Error, ListenOptions};

use crate::exit::Failure;

/// The name in the certificate.
const NAME: &str = "localhost";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Tcp,
    Unix,
    Tls,
}

impl Over {
    pub(super) const ALL: [Over; 3] = [Over::Tcp, Over::Unix, Over::Tls];

    /// Where a server listens; `path` is free.
    pub(super) fn endpoint(self, path: &Path) -> String {
        match self {
            Over::Tcp => "tcp://127.0.0.1:0".to_owned(),
            Over::Unix => format!("unix:{}", path.display()),
            Over::Tls => "tls://127.0.0.1:0".to_owned(),
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Over::Tcp => "tcp",
            Over::Unix => "unix",
            Over::Tls => "tls",
        })
    }
}

/// Who the servers are, and that the clients trust them.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    server: TlsServer,
    client: TlsClient,
}

impl Identity {
    /// A certificate of its own, which nobody else trusts.
    pub(super) fn new() -> Result<Identity, Failure> {
        let fail = |error: &dyn fmt::Display| {
            Failure::usage(format_args!("cannot make a certificate: {error}"))
        };
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]);
        let made = made.map_err(|error| fail(&error))?;
        let cert = made.cert.der().to_vec();
        let server = TlsServer::from_der(vec![cert.clone()], made.signing_key.serialize_der());
        let client = TlsClient::default().with_ca([cert]);
        Ok(Identity {
            server: server.map_err(|error| fail(&error))?,
            client: client.map_err(|error| fail(&error))?,
        })
    }

    pub(super) fn listen_options(&self, over: Over) -> ListenOptions {
        match over {
            Over::Tls => ListenOptions::default().with_tls(self.server.clone()),
            Over::Tcp | Over::Unix => ListenOptions::default(),
        }
    }

    /// A connection over a bad link. TLS stands above the link, and has to put up with it.
    pub(super) fn connect(
        &self,
        endpoint: &Endpoint,
        faults: Faults,
    ) -> Result<Arc<dyn Transport>, Error> {
        let (beneath, is_tls) = match endpoint {
            Endpoint::Tls { host, port } => (&Endpoint::tcp(host.clone(), *port), true),
            endpoint => (endpoint, false),
        };
        let link = beneath.connect(&ConnectOptions::default())?;
        let link = Arc::new(Faulty::new(link, faults));
        if is_tls {
            return Ok(Arc::new(Tls::client(link, &self.client, NAME)?));
        }
        Ok(link)
    }
}
