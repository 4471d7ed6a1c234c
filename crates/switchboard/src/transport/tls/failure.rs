//! What went wrong with TLS, in words, and what ending it is.

use super::verify::is_authority;
use crate::Ending;
use rustls::{AlertDescription, CertificateError, Connection, Error as TlsError, InconsistentKeys};
use std::borrow::Cow;
use std::fmt;
use std::io;

/// Why a TLS connection is over.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    what: Cow<'static, str>,
    advice: Option<&'static str>,
    kind: io::ErrorKind,
    /// The ending of a conversation that it came to.
    pub(crate) ending: Ending,
}

impl Failure {
    fn new(what: impl Into<Cow<'static, str>>, ending: Ending) -> Failure {
        Failure { what: what.into(), advice: None, kind: io::ErrorKind::InvalidData, ending }
    }

    fn advise(self, advice: &'static str) -> Failure {
        Failure { advice: Some(advice), ..self }
    }

    /// What rustls says, on this side of the connection.
    pub(super) fn of(error: &TlsError, connection: &Connection) -> Failure {
        let is_client = matches!(connection, Connection::Client(_));
        let bad = |what: Cow<'static, str>| Failure::new(what, Ending::BadPrefix);
        match error {
            TlsError::InvalidMessage(_) if connection.is_handshaking() => {
                let failure = bad("the peer does not speak TLS".into());
                failure.advise(match is_client {
                    true => {
                        "what answers there is another protocol: connect with tcp://, or to \
                             the port of the server's TLS"
                    }
                    false => "it has to connect with TLS (tls://)",
                })
            }
            TlsError::InvalidCertificate(error) => certificate(error, is_client),
            TlsError::NoCertificatesPresented => bad("the client gave no certificate".into())
                .advise("it is required: the client has to give one of the CA that is trusted"),
            TlsError::AlertReceived(alert) => alerted(*alert, is_client),
            TlsError::NoApplicationProtocol => {
                bad("no application protocol (ALPN) in common".into())
                    .advise("the client asks for none of those that are spoken here")
            }
            TlsError::PeerIncompatible(why) => {
                let what = format!("no version or cipher of TLS in common ({why:?})");
                bad(what.into())
            }
            TlsError::DecryptError => {
                Failure::new("a record was damaged or forged", Ending::BadTrailer)
            }
            other => bad(format!("the peer broke the TLS protocol: {other}").into()),
        }
    }

    /// The stream beneath ended before the handshake was over.
    pub(super) fn ended_early() -> Failure {
        let what = "the peer ended the stream before the TLS handshake was over";
        Failure { kind: io::ErrorKind::UnexpectedEof, ..Failure::new(what, Ending::Truncated) }
    }

    /// The stream beneath ended without a `close_notify`.
    pub(super) fn cut_off() -> Failure {
        let what = "the TLS stream was cut off: it ended without a close_notify";
        Failure { kind: io::ErrorKind::UnexpectedEof, ..Failure::new(what, Ending::Truncated) }
    }

    pub(super) fn to_io(&self) -> io::Error {
        io::Error::new(self.kind, self.clone())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match self.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// The peer's certificate is not accepted here.
fn certificate(error: &CertificateError, is_client: bool) -> Failure {
    let whose = if is_client { "server" } else { "client" };
    let bad = |what: String| Failure::new(what, Ending::BadPrefix);
    let failure = bad(match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the {whose}'s certificate has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the {whose}'s certificate is not valid yet")
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("the {whose}'s certificate was issued by nobody who is trusted here")
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = presented.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "no name" } else { &names };
            format!("the {whose}'s certificate is for {names}, not for {}", expected.to_str())
        }
        CertificateError::Other(_)
            if is_authority(&TlsError::InvalidCertificate(error.clone())) =>
        {
            format!(
                "the {whose}'s certificate is that of an authority, and was issued by nobody \
                     who is trusted here"
            )
        }
        CertificateError::Revoked => format!("the {whose}'s certificate was revoked"),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("the {whose}'s certificate is not one for a {whose}")
        }
        other => format!("the {whose}'s certificate cannot be accepted: {other}"),
    });
    match error {
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::Other(_)
            if is_client =>
        {
            failure.advise("trust its CA: with_ca_file, swb --tls-ca FILE")
        }
        CertificateError::NotValidForNameContext { .. } if is_client => failure
            .advise("connect to that name, or say that it is meant: with_name, swb --tls-name"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            failure.advise("is the clock of this machine right?")
        }
        _ => failure,
    }
}

/// rustls shows the kind of a name around it: `DnsName("example.org")`.
fn plain(name: &str) -> &str {
    name.split('"').nth(1).or_else(|| name.split(['(', ')']).nth(1)).unwrap_or(name)
}

/// The peer has refused us.
fn alerted(alert: AlertDescription, is_client: bool) -> Failure {
    let (peer, own) = if is_client { ("server", "client") } else { ("client", "server") };
    let refused = |what: String| Failure::new(what, Ending::Reset);
    match alert {
        AlertDescription::CertificateRequired => {
            refused("the server requires a client certificate".to_owned())
                .advise("give one: with_identity_files, swb --tls-cert FILE --tls-key FILE")
        }
        AlertDescription::UnknownCA => {
            refused(format!("the {peer} does not trust who issued this {own}'s certificate"))
        }
        AlertDescription::CertificateExpired => {
            refused(format!("the {peer} found this {own}'s certificate expired"))
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::AccessDenied => {
            refused(format!("the {peer} did not accept this {own}'s certificate"))
        }
        AlertDescription::NoApplicationProtocol => {
            refused("no application protocol (ALPN) in common".to_owned())
                .advise("ask for one that the server speaks: with_alpn, swb --alpn")
        }
        AlertDescription::UnrecognisedName => {
            refused("the server has no certificate for that name".to_owned())
        }
        AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion => {
            refused(format!("the {peer} found no version or cipher of TLS in common"))
        }
        other => refused(format!("the {peer} ended TLS with the alert {other:?}")),
    }
}

/// What is wrong with a certificate and key of our own.
pub(super) fn own_key(error: &TlsError) -> String {
    match error {
        TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the key does not belong to the certificate".to_owned()
        }
        other => format!("the certificate and the key cannot be used: {other}"),
    }
}
