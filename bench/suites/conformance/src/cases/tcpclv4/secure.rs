//! TLS on the tester's side. It accepts whatever the node shows, and keeps it for the case to judge.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
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
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    ServerConnection, SignatureScheme,
};

use super::peer::Role;
use crate::certificates::Leaf;
use crate::outcome::Finding;

/// A certificate chain and its key.
#[derive(Clone)]
pub(super) struct Identity(Arc<CertifiedKey>);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Identity {
    /// From PEM.
    pub(super) fn pem(certificate: &str, key: &str) -> Result<Self, Finding> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| Finding::bench_error(format!("the tester's certificate: {error}")))?;
        Identity::new(chain, key)
    }

    /// Of a certificate that was issued for a case.
    pub(super) fn leaf(leaf: &Leaf) -> Result<Self, Finding> {
        Identity::new(vec![CertificateDer::from(leaf.der.clone())], &leaf.key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: &str) -> Result<Self, Finding> {
        let unusable = |why: String| Finding::bench_error(format!("the tester's key: {why}"));
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unusable(error.to_string()))?;
        let key = provider().key_provider.load_private_key(key).map_err(|error| unusable(error.to_string()))?;
        Ok(Identity(Arc::new(CertifiedKey::new(chain, key))))
    }
}

/// Accepts every certificate.
#[derive(Debug)]
struct Anybody;

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

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
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
pub(super) struct Secure {
    connection: Connection,
    asked: Arc<AtomicBool>,
    /// Why it failed.
    pub error: Option<Error>,
    /// Whether the node has sent its closure alert.
    pub ended: bool,
}

impl Secure {
    /// The tester's side of a connection in which the node has this role: who connects is the client.
    pub(super) fn new(role: Role, identity: &Identity) -> Result<Self, Finding> {
        let failed = |error: Error| Finding::bench_error(format!("TLS: {error}"));
        let versions = &[&rustls::version::TLS13];
        let asked = Arc::new(AtomicBool::new(false));
        let connection = match role {
            Role::Passive => {
                let shown = Shown { identity: Arc::clone(&identity.0), asked: Arc::clone(&asked) };
                let config = ClientConfig::builder_with_provider(provider())
                    .with_protocol_versions(versions)
                    .map_err(failed)?
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Anybody))
                    .with_client_cert_resolver(Arc::new(shown));
                let name = ServerName::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
                Connection::Client(ClientConnection::new(Arc::new(config), name).map_err(failed)?)
            }
            Role::Active => {
                let resolver = SingleCertAndKey::from(Arc::clone(&identity.0));
                let config = ServerConfig::builder_with_provider(provider())
                    .with_protocol_versions(versions)
                    .map_err(failed)?
                    .with_client_cert_verifier(Arc::new(Anybody))
                    .with_cert_resolver(Arc::new(resolver));
                Connection::Server(ServerConnection::new(Arc::new(config)).map_err(failed)?)
            }
        };
        Ok(Secure { connection, asked, error: None, ended: false })
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Takes octets of the node; returns what they say.
    pub(super) fn read(&mut self, mut octets: &[u8]) -> Vec<u8> {
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
    pub(super) fn write(&mut self, octets: &[u8]) -> Vec<u8> {
        let _ = self.connection.writer().write_all(octets);
        self.take_output()
    }

    /// The closure alert.
    pub(super) fn close(&mut self) -> Vec<u8> {
        self.connection.send_close_notify();
        self.take_output()
    }

    /// What is to be sent.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.connection.wants_write() && self.connection.write_tls(&mut out).is_ok_and(|written| written > 0) {}
        out
    }

    /// The certificates that the node has shown.
    pub(super) fn certificates(&self) -> Vec<Vec<u8>> {
        self.connection.peer_certificates().unwrap_or_default().iter().map(|shown| shown.to_vec()).collect()
    }

    /// Whether the node, as server, has asked for a certificate.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The name that the node, as client, has sent.
    pub(super) fn server_name(&self) -> Option<String> {
        match &self.connection {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        }
    }
}
