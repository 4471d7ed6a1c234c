//! Listening with TLS. Accepting does not wait for a handshake: whoever serves the connection does.

use super::{ListenOptions, Listener};
use crate::{Endpoint, Error};

#[cfg(feature = "tls")]
use crate::transport::{Tls, TlsServer, Transport};
#[cfg(feature = "tls")]
use std::sync::Arc;

impl ListenOptions {
    /// Whether what is asked for at an endpoint can be had.
    #[cfg(feature = "tls")]
    pub(crate) fn check(&self, endpoint: &Endpoint) -> Result<(), Error> {
        if matches!(endpoint, Endpoint::Tls { .. }) && self.tls.is_none() {
            return Err(Error::caller("cannot listen on").at_endpoint(endpoint).with_advice(
                "a certificate and its key are needed: ListenOptions::with_tls, swb --tls-cert \
                 FILE --tls-key FILE",
            ));
        }
        Ok(())
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn check(&self, endpoint: &Endpoint) -> Result<(), Error> {
        match endpoint {
            Endpoint::Tls { .. } => Err(crate::connect::without_tls("cannot listen on", endpoint)),
            _ => Ok(()),
        }
    }
}

/// Sockets as of TCP; what they accept is wrapped.
pub(super) fn bind(
    endpoint: &Endpoint,
    host: &str,
    port: u16,
    options: &ListenOptions,
) -> Result<Listener, Error> {
    options.check(endpoint)?;
    let sockets = super::tcp::bind(host, port, options)?;
    let listener = Listener::made_of(sockets, options.clone(), endpoint.clone(), None);
    Ok(listener.with_options(options))
}

#[cfg(feature = "tls")]
impl Listener {
    /// Has everything that is accepted speak TLS, also over a Unix socket or a listener that was
    /// taken over. [`bind`](Self::bind) on `tls://` does this by itself.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsServer) -> Listener {
        for listening in &mut self.sockets {
            if let Endpoint::Tcp { host, port } = &listening.endpoint {
                listening.endpoint = Endpoint::Tls { host: host.clone(), port: *port };
            }
        }
        self.tls = Some(tls);
        self
    }

    /// A connection as it is served.
    pub(super) fn wrapped(&self, bare: Arc<dyn Transport>) -> Arc<dyn Transport> {
        let Some(tls) = &self.tls else { return bare };
        match Tls::server(Arc::clone(&bare), tls) {
            Ok(tls) => Arc::new(tls),
            Err(error) => {
                // It is nobody's stream then: in the clear it must not be served.
                tracing::warn!(%error, "a connection could not begin TLS");
                let _ = bare.reset();
                bare
            }
        }
    }
}
