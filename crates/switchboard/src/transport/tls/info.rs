//! What was agreed on: [`TlsInfo`] of a connection.

use crate::transport::TlsInfo;
use rustls::pki_types::CertificateDer;
use rustls::{Connection, ProtocolVersion};
use webpki::EndEntityCert;

/// `None` until the handshake is over.
pub(super) fn of(connection: &Connection) -> Option<TlsInfo> {
    if connection.is_handshaking() {
        return None;
    }
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    let suite = connection.negotiated_cipher_suite()?;
    Some(TlsInfo {
        version: match connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            _ => "TLS 1.2",
        },
        cipher: suite.suite().as_str().unwrap_or("unknown"),
        alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        server_name: match connection {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        },
        peer_names: certificate.map(names).unwrap_or_default(),
        peer_certificate: certificate.map(|der| der.to_vec()),
    })
}

/// The DNS names of a certificate.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    match EndEntityCert::try_from(certificate) {
        Ok(parsed) => parsed.valid_dns_names().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    }
}
