//! TLS that accepts what it is told to accept: the tester's, which takes whatever the node shows and keeps it for the case to
//! judge, and that of mutants of the node, which verify less than they should.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error,
    ServerConfig, ServerConnection, SignatureScheme,
};

use crate::certificates::Leaf;

/// A certificate chain and its key.
#[derive(Clone)]
pub(crate) struct Identity(Arc<CertifiedKey>);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Identity {
    /// From PEM.
    ///
    /// # Errors
    /// It is none, in words.
    pub(crate) fn pem(certificate: &str, key: &str) -> Result<Self, String> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        Identity::new(chain.map_err(|error| format!("the certificate: {error}"))?, key)
    }

    /// Of a certificate that was issued here.
    ///
    /// # Errors
    /// It is none, in words.
    pub(crate) fn leaf(leaf: &Leaf) -> Result<Self, String> {
        Identity::new(vec![CertificateDer::from(leaf.der.clone())], &leaf.key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: &str) -> Result<Self, String> {
        let unusable = |why: String| format!("the key: {why}");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unusable(error.to_string()))?;
        let key = provider().key_provider.load_private_key(key).map_err(|error| unusable(error.to_string()))?;
        Ok(Identity(Arc::new(CertifiedKey::new(chain, key))))
    }
}

/// Decides on a certificate, and on those that came with it.
pub(crate) type Verdict =
    Arc<dyn Fn(&CertificateDer<'_>, &[CertificateDer<'_>]) -> Result<(), CertificateError> + Send + Sync>;

/// Accepts every certificate.
pub(crate) fn anybody() -> Verdict {
    Arc::new(|_, _| Ok(()))
}

struct Verifier(Verdict);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            provider().signature_verification_algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        (self.0)(end_entity, intermediates).map_err(Error::InvalidCertificate)?;
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        (self.0)(end_entity, intermediates).map_err(Error::InvalidCertificate)?;
        Ok(ClientCertVerified::assertion())
    }

    signatures!();
}

/// Shows its certificate, and notes that it was asked.
#[derive(Debug)]
struct Shown {
    identity: Arc<CertifiedKey>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.identity))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// TLS on one connection.
pub(crate) struct Secure {
    connection: Connection,
    asked: Arc<AtomicBool>,
    /// Why it failed.
    pub error: Option<Error>,
    /// Whether the node has sent its closure alert.
    pub ended: bool,
}

impl Secure {
    /// The side that connected to a host of this name or address.
    pub(crate) fn client(identity: &Identity, verdict: Verdict, host: ServerName<'static>) -> Result<Self, Error> {
        let asked = Arc::new(AtomicBool::new(false));
        let shown = Shown { identity: Arc::clone(&identity.0), asked: Arc::clone(&asked) };
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier(verdict)))
            .with_client_cert_resolver(Arc::new(shown));
        Ok(Secure::on(Connection::Client(ClientConnection::new(Arc::new(config), host)?), asked))
    }

    /// The side that accepted the connection.
    pub(crate) fn server(identity: &Identity, verdict: Verdict) -> Result<Self, Error> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(Verifier(verdict)))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&identity.0))));
        Ok(Secure::on(Connection::Server(ServerConnection::new(Arc::new(config))?), Arc::default()))
    }

    fn on(mut connection: Connection, asked: Arc<AtomicBool>) -> Self {
        // The owner takes what is to be sent at once.
        connection.set_buffer_limit(None);
        Secure { connection, asked, error: None, ended: false }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Takes octets of the node; returns what they say.
    pub(crate) fn read(&mut self, mut octets: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        while !octets.is_empty() && self.error.is_none() && !self.ended {
            if self.connection.read_tls(&mut octets).is_err() {
                break;
            }
            match self.connection.process_new_packets() {
                Ok(state) => {
                    let from = data.len();
                    data.resize(from + state.plaintext_bytes_to_read(), 0);
                    let read = self.connection.reader().read(&mut data[from..]).unwrap_or(0);
                    data.truncate(from + read);
                    self.ended |= state.peer_has_closed();
                }
                Err(error) => self.error = Some(error),
            }
        }
        data
    }

    /// Encrypts.
    pub(crate) fn write(&mut self, octets: &[u8]) -> Vec<u8> {
        let _ = self.connection.writer().write_all(octets);
        self.take_output()
    }

    /// The closure alert.
    pub(crate) fn close(&mut self) -> Vec<u8> {
        self.connection.send_close_notify();
        self.take_output()
    }

    /// What is to be sent.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.connection.wants_write() && self.connection.write_tls(&mut out).is_ok_and(|written| written > 0) {}
        out
    }

    /// The certificates that the node has shown.
    pub(crate) fn certificates(&self) -> Vec<Vec<u8>> {
        self.connection.peer_certificates().unwrap_or_default().iter().map(|shown| shown.to_vec()).collect()
    }

    /// Whether the node, as server, has asked for a certificate.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The name that the node, as client, has sent.
    pub(crate) fn server_name(&self) -> Option<String> {
        match &self.connection {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        }
    }
}
