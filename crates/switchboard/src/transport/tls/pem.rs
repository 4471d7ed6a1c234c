//! Certificates and keys: out of PEM files, or in memory; what is wrong with one names its file.

use super::failure::own_key;
use crate::Error;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, pki_types::pem};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The cryptography, the same for all.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    &PROVIDER
}

/// A certificate with its chain, and the key that belongs to it.
pub(super) fn identity_of_files(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(cert)?;
    let bytes = contents(key)?;
    let word = b"ENCRYPTED";
    let is_encrypted = |text: &[u8]| text.windows(word.len()).any(|part| part == word);
    let key_der = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        _ if is_encrypted(&bytes) => {
            Error::caller(format!("the key in {} is encrypted", key.display()))
                .with_advice("decrypt it first: openssl pkey -in FILE -out PLAIN")
        }
        pem::Error::NoItemsFound => Error::caller(format!("there is no key in {}", key.display()))
            .with_advice("a PEM file is wanted: -----BEGIN PRIVATE KEY-----"),
        error => broken(key, &error),
    })?;
    let files = format!(" ({}, {})", cert.display(), key.display());
    certified(chain, key_der, &files)
}

pub(super) fn identity_of_der(
    chain: Vec<Vec<u8>>,
    key: Vec<u8>,
) -> Result<Arc<CertifiedKey>, Error> {
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::try_from(key)
        .map_err(|why| Error::caller(format!("that is no private key: {why}")))?;
    certified(chain, key, "")
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    files: &str,
) -> Result<Arc<CertifiedKey>, Error> {
    let certified = CertifiedKey::from_der(chain, key, provider());
    certified.map(Arc::new).map_err(|error| Error::caller(own_key(&error) + files))
}

/// The certificates in a file, as authorities.
pub(super) fn authorities(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| broken(file, &error))?;
    }
    Ok(roots)
}

/// At least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = contents(file)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match parsed {
        Ok(certificates) if certificates.is_empty() => {
            Err(Error::caller(format!("there is no certificate in {}", file.display()))
                .with_advice("a PEM file is wanted: -----BEGIN CERTIFICATE-----"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(broken(file, &error)),
    }
}

fn contents(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|error| {
        Error::caller(format!("cannot read {}", file.display())).with_source(error)
    })
}

pub(super) fn broken(file: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::caller(format!("{} cannot be used: {error}", file.display()))
}
