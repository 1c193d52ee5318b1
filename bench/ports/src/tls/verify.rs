//! The verification of a peer's certificate, the same for clients and servers.

use std::sync::{Arc, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

use super::certificate::allows_signatures;
use super::{KeyPurpose, PeerCertificate, Refusal, TlsSettings, Trust};

/// id-kp-bundleSecurity, 1.3.6.1.5.5.7.3.35, as it stands in a certificate (RFC 9174 appendix B).
const BUNDLE_SECURITY: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 35];

#[derive(Debug)]
pub(super) struct PeerVerifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
    purpose: KeyPurpose,
    mandatory: bool,
    refusal: Refusal,
}

impl PeerVerifier {
    pub(super) fn new(settings: &TlsSettings, refusal: Refusal) -> Self {
        PeerVerifier {
            provider: Arc::clone(&settings.provider),
            trust: settings.trust.clone(),
            purpose: settings.purpose,
            mandatory: !settings.accept_anonymous_client,
            refusal,
        }
    }

    /// Whatever is wrong, section 4.4.4.1 wants the alert `bad_certificate`, which this error leads to.
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        tls_purpose: KeyUsage,
    ) -> Result<(), Error> {
        self.check(certificate, intermediates, now, tls_purpose).map_err(|reason| {
            let reason = format!("the peer's certificate is refused: {reason}");
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            Error::InvalidCertificate(CertificateError::BadEncoding)
        })
    }

    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        tls_purpose: KeyUsage,
    ) -> Result<(), String> {
        if PeerCertificate::read(certificate).is_none() {
            return Err("it is malformed, or not of version 3 (RFC 9174 section 4.4.2)".to_owned());
        }
        let roots = match &self.trust {
            Trust::Pinned(pinned) if pinned == certificate => return Ok(()),
            Trust::Pinned(_) => return Err("it is not the one that is pinned".to_owned()),
            Trust::Roots(roots) => roots,
        };
        if !allows_signatures(certificate) {
            return Err("its key usage lacks digitalSignature (RFC 9174 section 4.4.2)".to_owned());
        }
        let verify = |purpose: KeyUsage| {
            let end_entity = EndEntityCert::try_from(certificate)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            end_entity.verify_for_usage(algorithms, &roots.roots, intermediates, now, purpose, None, None).map(drop)
        };
        let strict = verify(KeyUsage::required_if_present(BUNDLE_SECURITY));
        let outcome = match self.purpose {
            KeyPurpose::BundleSecurityOrTls => strict.or_else(|_| verify(tls_purpose)),
            KeyPurpose::BundleSecurity => strict,
        };
        outcome.map_err(|error| in_words(&error))
    }
}

/// The usual reasons as a person would tell them.
fn in_words(error: &webpki::Error) -> String {
    match error {
        webpki::Error::UnknownIssuer => "no trusted root vouches for it".to_owned(),
        webpki::Error::InvalidSignatureForPublicKey => "its signature is not that of a trusted root".to_owned(),
        webpki::Error::CertExpired { .. } => "it has expired".to_owned(),
        webpki::Error::CertNotValidYet { .. } => "it is not valid yet".to_owned(),
        webpki::Error::RequiredEkuNotFoundContext(_) => {
            "its extended key usage lacks id-kp-bundleSecurity (RFC 9174 section 4.4.5)".to_owned()
        }
        webpki::Error::CaUsedAsEndEntity => "it is that of a certificate authority, not of a node".to_owned(),
        other => other.to_string(),
    }
}

macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls12_signature(message, certificate, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, now, KeyUsage::server_auth())?;
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Without hints a client shows what it has; ours have one certificate anyway.
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, now, KeyUsage::client_auth())?;
        Ok(ClientCertVerified::assertion())
    }

    signatures!();
}
