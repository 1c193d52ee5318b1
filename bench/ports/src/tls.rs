//! TLS 1.3 on a stream, as RFC 9174 section 4.4 asks for it.
//!
//! Both sides show a certificate, and each verifies the other's. There is no setting that turns verification off: trust
//! anchors are given, as root certificates or as the one certificate that the peer must show.
//!
//! What is verified here, during the handshake:
//! - the path from the peer's certificate to a root, its signatures and validity (RFC 5280; section 4.4.4.1), by `webpki`;
//!   or that the certificate is the pinned one, octet for octet;
//! - that the certificate has version 3 (section 4.4.2);
//! - its key usage, if it has one: TLS 1.3 takes digitalSignature (section 4.4.2);
//! - its extended key usage, if it has one ([`KeyPurpose`]);
//! - that the peer holds the key.
//!
//! A certificate that fails is answered with the alert `bad_certificate`, as section 4.4.4.1 demands, and the reason is told in
//! words on this side. Names are not compared during the handshake, since a TCPCL certificate may name nothing but a node ID:
//! [`PeerCertificate`] tells them, the owner compares its address or DNS name ([`PeerCertificate::network_identity`], section
//! 4.4.4.2), and the session compares the node ID of SESS_INIT (section 4.4.4.3). Subject and Common Name are never looked
//! at. Revocation (OCSP) is not checked, and sessions are not resumed.

mod certificate;
mod verify;

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};
use thiserror::Error;

pub use certificate::{NetworkMatch, PeerCertificate};
use verify::PeerVerifier;

/// Which side of a handshake to play. By convention the side that opened the connection is the client (section 4.4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsRole {
    /// The side that opened the connection.
    Client {
        /// The DNS name that was resolved to reach the peer, for the `server_name` extension. `None` if an address was given.
        server_name: Option<String>,
    },
    /// The side that accepted it.
    Server,
}

/// Whom to trust.
#[derive(Clone, Debug)]
pub enum Trust {
    /// A certificate with a valid path to one of these.
    Roots(Arc<RootCertStore>),
    /// This certificate and no other.
    Pinned(CertificateDer<'static>),
}

/// What an extended key usage must allow, if the peer's certificate has one (sections 4.4.2 and 4.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyPurpose {
    /// id-kp-bundleSecurity, as section 4.4.5 recommends.
    #[default]
    BundleSecurity,
    /// id-kp-bundleSecurity, or what TLS itself asks for: id-kp-serverAuth of a server, id-kp-clientAuth of a client.
    BundleSecurityOrTls,
}

/// Everything that a handshake needs.
#[derive(Clone)]
pub struct TlsSettings {
    provider: Arc<CryptoProvider>,
    identity: Arc<CertifiedKey>,
    trust: Trust,
    /// What the peer's certificate must be made for.
    pub purpose: KeyPurpose,
    /// Whether a client without a certificate is accepted. It is always asked for one (section 4.4.3).
    pub accept_anonymous_client: bool,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key stays out of logs.
        f.debug_struct("TlsSettings")
            .field("trust", &self.trust)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// Why certificates or keys cannot be used. `origin` is the file, or says where else the text came from.
#[derive(Debug, Error)]
pub enum TlsSettingsError {
    /// A file cannot be read.
    #[error("could not read {origin}: {source}")]
    File {
        /// Which.
        origin: String,
        /// What the system says.
        source: io::Error,
    },
    /// No certificate in it.
    #[error("{origin} holds no certificate: a PEM file with `-----BEGIN CERTIFICATE-----` is expected")]
    NoCertificate {
        /// Which.
        origin: String,
    },
    /// No key in it.
    #[error("{origin} holds no private key: a PEM file with `-----BEGIN PRIVATE KEY-----` (PKCS #8) is expected")]
    NoKey {
        /// Which.
        origin: String,
    },
    /// A certificate that is no trust anchor.
    #[error("{origin} holds something that is no usable root certificate: {reason}")]
    BadRoot {
        /// Which.
        origin: String,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not belong together, or the key is of an unknown kind.
    #[error("certificate {certificate} and key {key} cannot be used together: {reason}")]
    Mismatch {
        /// Where the certificate is from.
        certificate: String,
        /// Where the key is from.
        key: String,
        /// Why.
        reason: String,
    },
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsSettingsError> {
    fs::read(path).map_err(|source| TlsSettingsError::File { origin: path.display().to_string(), source })
}

/// The certificates in PEM text, at least one.
fn certificates(pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, TlsSettingsError> {
    let none = || TlsSettingsError::NoCertificate { origin: origin.to_owned() };
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| none())?;
    if all.is_empty() { Err(none()) } else { Ok(all) }
}

impl Trust {
    /// Trusts what the root certificates in this PEM text vouch for. `origin` names it in messages.
    ///
    /// # Errors
    /// There is none, or one that cannot be used.
    pub fn roots(pem: &[u8], origin: &str) -> Result<Self, TlsSettingsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem, origin)? {
            roots
                .add(certificate)
                .map_err(|error| TlsSettingsError::BadRoot { origin: origin.to_owned(), reason: error.to_string() })?;
        }
        Ok(Trust::Roots(Arc::new(roots)))
    }

    /// Trusts the first certificate in this PEM text, and no other. `origin` names it in messages.
    ///
    /// # Errors
    /// There is none.
    pub fn pinned(pem: &[u8], origin: &str) -> Result<Self, TlsSettingsError> {
        Ok(Trust::Pinned(certificates(pem, origin)?.swap_remove(0)))
    }

    /// [`Trust::roots`] from a file.
    ///
    /// # Errors
    /// The file cannot be read, or as there.
    pub fn roots_file(path: &Path) -> Result<Self, TlsSettingsError> {
        Trust::roots(&read_file(path)?, &path.display().to_string())
    }

    /// [`Trust::pinned`] from a file.
    ///
    /// # Errors
    /// The file cannot be read, or as there.
    pub fn pinned_file(path: &Path) -> Result<Self, TlsSettingsError> {
        Trust::pinned(&read_file(path)?, &path.display().to_string())
    }
}

impl TlsSettings {
    /// Settings with our own certificate chain (end entity first, without the root) and key, both as PEM text.
    ///
    /// # Errors
    /// They hold no certificate or no key, or do not belong together.
    pub fn new(certificate_pem: &[u8], key_pem: &[u8], trust: Trust) -> Result<Self, TlsSettingsError> {
        Self::with_origins((certificate_pem, "the certificate"), (key_pem, "the key"), trust)
    }

    /// Settings with our own certificate chain and key from PEM files.
    ///
    /// # Errors
    /// A file cannot be read, or as [`TlsSettings::new`].
    pub fn from_files(certificate: &Path, key: &Path, trust: Trust) -> Result<Self, TlsSettingsError> {
        let (certificate_pem, key_pem) = (read_file(certificate)?, read_file(key)?);
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        Self::with_origins((&certificate_pem, &certificate), (&key_pem, &key), trust)
    }

    fn with_origins(
        (certificate_pem, certificate): (&[u8], &str),
        (key_pem, key): (&[u8], &str),
        trust: Trust,
    ) -> Result<Self, TlsSettingsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(certificate_pem, certificate)?;
        let secret =
            PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsSettingsError::NoKey { origin: key.to_owned() })?;
        let identity =
            CertifiedKey::from_der(chain, secret, &provider).map_err(|error| TlsSettingsError::Mismatch {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(TlsSettings {
            provider,
            identity: Arc::new(identity),
            trust,
            purpose: KeyPurpose::default(),
            accept_anonymous_client: false,
        })
    }
}

/// Why the peer's certificate was refused, in words, from the verifier to the connection.
type Refusal = Arc<Mutex<Option<String>>>;

/// TLS on one connection. It holds no connection: its owner carries the octets.
pub struct Tls {
    connection: Connection,
    refusal: Refusal,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}

impl Tls {
    /// Begins a handshake with the peer at this address. Of a client, [`Tls::read`] of nothing brings the first octets.
    ///
    /// # Errors
    /// The settings cannot be used, in words.
    pub fn new(role: TlsRole, settings: &TlsSettings, peer: IpAddr) -> Result<Self, String> {
        let refusal = Refusal::default();
        let verifier = Arc::new(PeerVerifier::new(settings, Arc::clone(&refusal)));
        let resolver = Arc::new(SingleCertAndKey::from(Arc::clone(&settings.identity)));
        let provider = Arc::clone(&settings.provider);
        let versions = &[&rustls::version::TLS13];
        let connection = match role {
            TlsRole::Client { server_name } => {
                let config = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(versions)
                    .map_err(|error| error.to_string())?
                    // The name for a verifier that compares none, but verifies all else.
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_client_cert_resolver(resolver);
                let name = match server_name {
                    Some(name) => {
                        ServerName::try_from(name.clone()).map_err(|_| format!("\"{name}\" is no DNS name for TLS"))?
                    }
                    None => ServerName::from(peer),
                };
                ClientConnection::new(Arc::new(config), name).map(Connection::Client)
            }
            TlsRole::Server => {
                let config = ServerConfig::builder_with_provider(provider)
                    .with_protocol_versions(versions)
                    .map_err(|error| error.to_string())?
                    .with_client_cert_verifier(verifier)
                    .with_cert_resolver(resolver);
                ServerConnection::new(Arc::new(config)).map(Connection::Server)
            }
        };
        let mut connection = connection.map_err(|error| error.to_string())?;
        // Records go to the port's own buffer, which has a limit, as soon as they are made.
        connection.set_buffer_limit(None);
        Ok(Tls { connection, refusal })
    }

    /// Whether the handshake goes on: nothing can be written yet.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What the peer has shown.
    pub fn peer_certificate(&self) -> PeerCertificate {
        let shown = self.connection.peer_certificates().and_then(<[_]>::first);
        shown.and_then(|certificate| PeerCertificate::read(certificate)).unwrap_or_default()
    }

    /// Takes octets from the peer, puts what is to be sent into `out`, and returns what was decrypted and whether the peer
    /// has ended TLS.
    ///
    /// # Errors
    /// TLS failed, in words. The alert is in `out`.
    pub fn read(&mut self, mut octets: &[u8], out: &mut BytesMut) -> Result<(Vec<u8>, bool), String> {
        let mut data = Vec::new();
        let mut ended = false;
        loop {
            // Reading nothing would be taken for the end of the stream.
            if !octets.is_empty() && !ended {
                let taken = self.connection.read_tls(&mut octets).map_err(|error| error.to_string())?;
                ended |= taken == 0;
            }
            let processed = self.connection.process_new_packets();
            self.collect(out);
            match processed {
                Ok(state) => {
                    let from = data.len();
                    data.resize(from + state.plaintext_bytes_to_read(), 0);
                    let read = self.connection.reader().read(&mut data[from..]);
                    data.truncate(from + read.unwrap_or(0));
                    ended |= state.peer_has_closed();
                }
                Err(error) => {
                    let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
                    return Err(refusal.unwrap_or_else(|| error.to_string()));
                }
            }
            if octets.is_empty() || ended {
                return Ok((data, ended));
            }
        }
    }

    /// Encrypts.
    pub fn write(&mut self, octets: &[u8], out: &mut BytesMut) {
        // Into memory without a limit: this cannot fail.
        let _ = self.connection.writer().write_all(octets);
        self.collect(out);
    }

    /// Ends with a closure alert.
    pub fn close(&mut self, out: &mut BytesMut) {
        self.connection.send_close_notify();
        self.collect(out);
    }

    fn collect(&mut self, out: &mut BytesMut) {
        let mut sink = Sink(out);
        while self.connection.wants_write() && self.connection.write_tls(&mut sink).is_ok_and(|written| written > 0) {}
    }
}

struct Sink<'a>(&'a mut BytesMut);

impl Write for Sink<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
