//! Listening with TLS. Accepting does not wait for a handshake: whoever serves the connection does.

use super::{ListenOptions, Listening};
use crate::{Endpoint, Error};

#[cfg(feature = "tls")]
use super::Listener;
#[cfg(feature = "tls")]
use crate::transport::{Tls, TlsServer, Transport};
#[cfg(feature = "tls")]
use std::sync::Arc;

/// Whether it can be listened on there.
pub(super) fn check(asked: &Endpoint, options: &ListenOptions) -> Result<(), Error> {
    if !matches!(asked, Endpoint::Tls { .. }) {
        return Ok(());
    }
    #[cfg(feature = "tls")]
    return match options.tls {
        Some(_) => Ok(()),
        None => Err(Error::caller("cannot listen on").at_endpoint(asked).with_advice(
            "a certificate and its key are needed: ListenOptions::with_tls, swb --tls-cert FILE \
             --tls-key FILE",
        )),
    };
    #[cfg(not(feature = "tls"))]
    {
        let _ = options;
        Err(crate::connect::without_tls("cannot listen on", asked))
    }
}

/// What sockets are called whose connections speak TLS.
pub(super) fn name(sockets: &mut [Listening], options: &ListenOptions) {
    #[cfg(feature = "tls")]
    if options.tls.is_some() {
        for listening in sockets {
            if let Endpoint::Tcp { host, port } = &listening.endpoint {
                listening.endpoint = Endpoint::Tls { host: host.clone(), port: *port };
            }
        }
    }
    #[cfg(not(feature = "tls"))]
    let _ = (sockets, options);
}

#[cfg(feature = "tls")]
impl Listener {
    /// Has everything that is accepted speak TLS, also over a Unix socket or a listener that was
    /// taken over: as [`ListenOptions::with_tls`].
    #[must_use]
    pub fn with_tls(mut self, tls: TlsServer) -> Listener {
        self.options.tls = Some(tls);
        name(&mut self.sockets, &self.options);
        self
    }

    /// A connection as it is served.
    pub(super) fn wrapped(&self, bare: Arc<dyn Transport>) -> Arc<dyn Transport> {
        let Some(tls) = &self.options.tls else { return bare };
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
