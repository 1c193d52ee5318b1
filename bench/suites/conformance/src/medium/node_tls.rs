//! TLS of the simulated node: its own, or that of a mutant, which verifies certificates less than it should.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;
use farlink_ports::tls::{PeerCertificate, Tls, TlsRole, TlsSettings};
use rustls::CertificateError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use serde::Deserialize;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::secure::{Identity, Secure, Verdict};

/// id-kp-bundleSecurity (RFC 9174 appendix B), as it stands in a certificate.
const BUNDLE_SECURITY: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 35];

/// What is wrong with a certificate (RFC 9174 sections 4.4.2 and 4.4.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// It is of version 1 or 2.
    Version,
    /// No trusted root vouches for it.
    Issuer,
    /// Its signature is not that of its issuer.
    Signature,
    /// It is not valid any more.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Its extended key usage lacks id-kp-bundleSecurity.
    Purpose,
    /// Its key usage lacks digitalSignature.
    Usage,
    /// Anything else.
    Other,
}

/// TLS of a mutant.
#[derive(Clone)]
pub struct Careless {
    identity: Identity,
    /// The authority that it trusts.
    anchor: TrustAnchor<'static>,
    /// What it passes over. Without anything, its alerts tell what is wrong.
    forgives: Option<Flaw>,
}

impl std::fmt::Debug for Careless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Careless").field("forgives", &self.forgives).finish_non_exhaustive()
    }
}

impl Careless {
    /// Of a node with this certificate chain and key that trusts this authority, all as PEM.
    ///
    /// # Errors
    /// They cannot be used, in words.
    pub fn new((chain, key): (&str, &str), authority: &str, forgives: Option<Flaw>) -> Result<Self, String> {
        let root = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(|error| error.to_string())?;
        let anchor = anchor_from_trusted_cert(&root).map_err(|error| error.to_string())?.to_owned();
        Ok(Careless { identity: Identity::pem(chain, key)?, anchor, forgives })
    }

    fn verdict(&self) -> Verdict {
        let (anchor, forgives) = (self.anchor.clone(), self.forgives);
        Arc::new(move |certificate, others| match (flaw(certificate, others, &anchor), forgives) {
            (None, _) => Ok(()),
            (found, Some(_)) if found == forgives => Ok(()),
            (_, Some(_)) => Err(CertificateError::BadEncoding),
            (Some(Flaw::Expired), None) => Err(CertificateError::Expired),
            (Some(Flaw::Issuer), None) => Err(CertificateError::UnknownIssuer),
            (Some(Flaw::Signature), None) => Err(CertificateError::BadSignature),
            (Some(_), None) => Err(CertificateError::BadEncoding),
        })
    }
}

/// What is wrong with a certificate of TCPCL, if anything is.
fn flaw(certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>], anchor: &TrustAnchor<'_>) -> Option<Flaw> {
    let verified = EndEntityCert::try_from(certificate).and_then(|end_entity| {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let purpose = KeyUsage::required_if_present(BUNDLE_SECURITY);
        let anchors = std::slice::from_ref(anchor);
        end_entity.verify_for_usage(algorithms, anchors, others, UnixTime::now(), purpose, None, None).map(drop)
    });
    match verified {
        Ok(()) => {
            let (_, read) = X509Certificate::from_der(certificate).ok()?;
            let usage = read.key_usage().ok()?;
            usage.is_some_and(|usage| !usage.value.digital_signature()).then_some(Flaw::Usage)
        }
        Err(webpki::Error::UnsupportedCertVersion) => Some(Flaw::Version),
        Err(webpki::Error::UnknownIssuer) => Some(Flaw::Issuer),
        Err(webpki::Error::InvalidSignatureForPublicKey) => Some(Flaw::Signature),
        Err(webpki::Error::CertExpired { .. }) => Some(Flaw::Expired),
        Err(webpki::Error::CertNotValidYet { .. }) => Some(Flaw::NotYetValid),
        Err(webpki::Error::RequiredEkuNotFoundContext(_)) => Some(Flaw::Purpose),
        Err(_) => Some(Flaw::Other),
    }
}

/// TLS on one connection of the node.
pub(super) enum NodeTls {
    Own(Tls),
    Mutants(Secure),
}

impl std::fmt::Debug for NodeTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeTls").field("handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}

impl NodeTls {
    /// Begins a handshake with the peer at this address.
    pub(super) fn new(
        role: TlsRole,
        settings: &TlsSettings,
        peer: IpAddr,
        careless: Option<&Careless>,
    ) -> Result<Self, String> {
        let Some(careless) = careless else { return Tls::new(role, settings, peer).map(NodeTls::Own) };
        let secure = match role {
            TlsRole::Client { server_name } => {
                let named = server_name.map(ServerName::try_from).transpose().map_err(|error| error.to_string())?;
                Secure::client(&careless.identity, careless.verdict(), named.unwrap_or(ServerName::from(peer)))
            }
            TlsRole::Server => Secure::server(&careless.identity, careless.verdict()),
        };
        secure.map(NodeTls::Mutants).map_err(|error| error.to_string())
    }

    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            NodeTls::Own(tls) => tls.is_handshaking(),
            NodeTls::Mutants(secure) => secure.is_handshaking(),
        }
    }

    pub(super) fn peer_certificate(&self) -> PeerCertificate {
        match self {
            NodeTls::Own(tls) => tls.peer_certificate(),
            NodeTls::Mutants(secure) => {
                let shown = secure.certificates();
                shown.first().and_then(|certificate| PeerCertificate::read(certificate)).unwrap_or_default()
            }
        }
    }

    /// As [`Tls::read`].
    pub(super) fn read(&mut self, octets: &[u8], out: &mut BytesMut) -> Result<(Vec<u8>, bool), String> {
        match self {
            NodeTls::Own(tls) => tls.read(octets, out),
            NodeTls::Mutants(secure) => {
                let data = secure.read(octets);
                out.extend_from_slice(&secure.take_output());
                secure.error.as_ref().map_or(Ok((data, secure.ended)), |error| Err(error.to_string()))
            }
        }
    }

    pub(super) fn write(&mut self, octets: &[u8], out: &mut BytesMut) {
        match self {
            NodeTls::Own(tls) => tls.write(octets, out),
            NodeTls::Mutants(secure) => out.extend_from_slice(&secure.write(octets)),
        }
    }

    pub(super) fn close(&mut self, out: &mut BytesMut) {
        match self {
            NodeTls::Own(tls) => tls.close(out),
            NodeTls::Mutants(secure) => out.extend_from_slice(&secure.close()),
        }
    }
}
