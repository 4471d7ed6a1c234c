//! Who this side is over TLS, and whom it trusts: a `switchboard.Tls` made into what the library
//! takes.

use crate::errors;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::path::PathBuf;
use switchboard::transport::{TlsClient, TlsServer};
use switchboard::{Endpoint, Error, ListenOptions};

/// What a `switchboard.Tls` says; the file has the certificate and the key in one if it is told
/// nothing else.
struct Given {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    name: Option<String>,
    alpn: Vec<String>,
    client_ca: Option<PathBuf>,
    insecure: bool,
}

/// Of who connects. `None` is what the library does by itself.
pub(crate) fn client(
    tls: Option<&Bound<'_, PyAny>>,
    endpoint: &Endpoint,
) -> PyResult<Option<TlsClient>> {
    let Some((given, py)) = given(tls, endpoint)?.zip(tls.map(|tls| tls.py())) else {
        return Ok(None);
    };
    if given.client_ca.is_some() {
        return Err(errors::misused(py, "client_ca= is for who listens: ca= says whom to trust"));
    }
    let make = || -> Result<TlsClient, Error> {
        let mut client = TlsClient::default();
        if let Some(ca) = &given.ca {
            client = client.with_ca_file(ca)?;
        }
        if let Some(name) = &given.name {
            client = client.with_name(name)?;
        }
        if let Some(cert) = &given.cert {
            client = client.with_identity_files(cert, given.key.as_ref().unwrap_or(cert))?;
        }
        if given.insecure {
            client = client.dangerous_without_verification();
        }
        Ok(client.with_alpn(given.alpn.clone()))
    };
    py.detach(make).map(Some).map_err(|error| errors::exception(py, &error))
}

/// Of who listens.
pub(crate) fn listening(
    tls: Option<&Bound<'_, PyAny>>,
    endpoint: &Endpoint,
) -> PyResult<ListenOptions> {
    let Some((given, py)) = given(tls, endpoint)?.zip(tls.map(|tls| tls.py())) else {
        return Ok(ListenOptions::default());
    };
    if given.ca.is_some() || given.name.is_some() || given.insecure {
        let text = "ca=, name= and insecure= are for who connects: client_ca= says who is let in";
        return Err(errors::misused(py, text));
    }
    let Some(cert) = &given.cert else {
        return Err(errors::misused(py, "who listens with TLS needs a certificate: cert=, key="));
    };
    let make = || -> Result<TlsServer, Error> {
        let mut server = TlsServer::from_files(cert, given.key.as_ref().unwrap_or(cert))?;
        if !given.alpn.is_empty() {
            server = server.with_alpn(given.alpn.clone());
        }
        match &given.client_ca {
            Some(ca) => server.requiring_clients_of(ca),
            None => Ok(server),
        }
    };
    let server = py.detach(make).map_err(|error| errors::exception(py, &error))?;
    Ok(ListenOptions::default().with_tls(server))
}

/// What was given, where it goes with the endpoint.
fn given(tls: Option<&Bound<'_, PyAny>>, endpoint: &Endpoint) -> PyResult<Option<Given>> {
    let Some(tls) = tls else { return Ok(None) };
    let py = tls.py();
    let class = py.import("switchboard._certificates")?.getattr("Tls")?;
    if !tls.is_instance(&class)? {
        let kind = tls.get_type().name()?;
        let advice = "wrap(context.wrap_socket(..)) takes a socket of the module ssl";
        let text = format!("tls= is a switchboard.Tls, not {kind}: {advice}");
        return Err(PyTypeError::new_err(text));
    }
    if !matches!(endpoint, Endpoint::Tls { .. }) {
        let advice = "write tls://host:port, or leave it out";
        let text = format!("tls= is about TLS, and {endpoint} has none: {advice}");
        return Err(errors::misused(py, &text));
    }
    let file = "the path of a PEM file";
    let given = Given {
        ca: field(tls, "ca", file)?,
        cert: field(tls, "cert", file)?,
        key: field(tls, "key", file)?,
        name: field(tls, "name", "a name")?,
        alpn: field(tls, "alpn", "a list of names")?,
        client_ca: field(tls, "client_ca", file)?,
        insecure: field(tls, "insecure", "True or False")?,
    };
    if given.key.is_some() && given.cert.is_none() {
        return Err(errors::misused(py, "key= is the key of a certificate: give cert= too"));
    }
    Ok(Some(given))
}

/// A field of it.
fn field<'py, T>(tls: &Bound<'py, PyAny>, name: &str, what: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    let value = tls.getattr(name)?;
    let repr = value.repr()?;
    value.extract().map_err(|_| PyTypeError::new_err(format!("{name}= is {what}, not {repr}")))
}
