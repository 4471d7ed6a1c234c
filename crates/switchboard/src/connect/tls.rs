//! The TLS of a connection that was just made. Without the feature `tls` there is none, and an
//! endpoint that asks for it says so.

use super::ConnectOptions;
use crate::transport::{Tcp, Transport, Wait};
use crate::{Endpoint, Error};
use std::sync::Arc;

#[cfg(feature = "tls")]
use crate::transport::{Interest, Tls, Woken, wait_on};
#[cfg(feature = "tls")]
use std::io::ErrorKind;

#[cfg(feature = "tls")]
const WHAT: &str = "cannot connect to";

/// Refuses what cannot come to a handshake, before anybody is connected to.
pub(super) fn check(endpoint: &Endpoint, options: &ConnectOptions) -> Result<(), Error> {
    let Endpoint::Tls { host, .. } = endpoint else { return Ok(()) };
    #[cfg(feature = "tls")]
    return options.tls.check(host).map_err(|error| error.at_endpoint(endpoint));
    #[cfg(not(feature = "tls"))]
    {
        let _ = (host, options);
        Err(without_tls("cannot connect to", endpoint))
    }
}

/// The transport that the endpoint asks for, over a connection: with the handshake done.
pub(super) fn opened(
    endpoint: &Endpoint,
    tcp: Tcp,
    options: &ConnectOptions,
    until: &Wait<'_>,
) -> Result<Arc<dyn Transport>, Error> {
    #[cfg(feature = "tls")]
    if matches!(endpoint, Endpoint::Tls { .. }) {
        let tls = begun(endpoint, tcp, options)?;
        while !advance(endpoint, &tls)? {
            let wanted = tls.interest(Interest::READ);
            let waited = wait_on(tls.read_descriptor(), tls.write_descriptor(), wanted, until);
            match waited.map_err(|error| Error::io(WHAT, error).at_endpoint(endpoint))? {
                Woken::Ready(_) => {}
                Woken::Deadline => return Err(late(endpoint)),
                Woken::Stopped => return Err(Error::stopped(WHAT).at_endpoint(endpoint)),
                Woken::Interrupted => return Err(Error::interrupted(WHAT).at_endpoint(endpoint)),
            }
        }
        return Ok(tls);
    }
    let _ = (endpoint, options, until);
    Ok(Arc::new(tcp))
}

/// TLS over a connection, before its handshake.
#[cfg(feature = "tls")]
pub(super) fn begun(
    endpoint: &Endpoint,
    tcp: Tcp,
    options: &ConnectOptions,
) -> Result<Arc<Tls>, Error> {
    let Endpoint::Tls { host, .. } = endpoint else {
        return Err(Error::caller("no TLS is asked for").at_endpoint(endpoint));
    };
    Tls::client(Arc::new(tcp), &options.tls, host).map(Arc::new)
}

/// Gets on with the handshake, without waiting. Whether it is over.
#[cfg(feature = "tls")]
pub(super) fn advance(endpoint: &Endpoint, tls: &Tls) -> Result<bool, Error> {
    match tls.flush() {
        Err(error) if error.kind() != ErrorKind::Interrupted => {
            Err(Error::io(WHAT, error).at_endpoint(endpoint))
        }
        _ => Ok(tls.opening().is_none()),
    }
}

#[cfg(feature = "tls")]
pub(super) fn late(endpoint: &Endpoint) -> Error {
    let advice =
        "it connects, and the TLS handshake does not come: is it TLS that is spoken there?";
    Error::timed_out(WHAT).at_endpoint(endpoint).with_advice(advice)
}

/// What an endpoint of TLS says without the feature.
#[cfg(not(feature = "tls"))]
pub(crate) fn without_tls(what: &str, endpoint: &Endpoint) -> Error {
    Error::caller(what)
        .at_endpoint(endpoint)
        .with_advice("this program was built without TLS: build it with the feature tls")
}
