//! What a certificate says of its holder.

use std::net::IpAddr;

use x509_parser::asn1_rs::{FromDer, Ia5String, Oid, TaggedExplicit, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::X509Version;

/// id-on-bundleEID (RFC 9174 section 4.4.2.1 and appendix B).
const BUNDLE_EID: Oid<'static> = oid!(1.3.6.1.5.5.7.8.11);

/// The names in the subjectAltName of a peer's certificate (RFC 9174 section 4.4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The certificate; empty if the peer showed none.
    pub der: Vec<u8>,
    /// The URIs of its names of type BundleEID, node IDs or not.
    pub bundle_eids: Vec<String>,
    /// Its DNS-IDs.
    pub dns_names: Vec<String>,
    /// Its IPADDR-IDs.
    pub addresses: Vec<IpAddr>,
}

/// The result of comparing an identity with the claims of a certificate (RFC 9174 section 4.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMatch {
    /// There are no claims of the kind.
    Absent,
    /// One matches.
    Success,
    /// There are some, and none matches.
    Failure,
}

/// Whether the key may be used for signatures, as TLS 1.3 uses it: so it is where the certificate says nothing of its usage, and
/// where it says digitalSignature (RFC 5280 section 4.2.1.3, RFC 8446 section 4.4.2.2). `false` also if that is malformed.
pub(super) fn allows_signatures(certificate: &[u8]) -> bool {
    let Ok((_, x509)) = X509Certificate::from_der(certificate) else { return false };
    x509.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.digital_signature()))
}

/// The IPv4 address behind an IPv6 one that maps it, else the address itself.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

impl PeerCertificate {
    /// Reads a certificate; `None` if it is malformed, or not of version 3.
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let (_, x509) = X509Certificate::from_der(certificate).ok()?;
        if x509.version() != X509Version::V3 {
            return None;
        }
        let mut read = PeerCertificate { der: certificate.to_owned(), ..PeerCertificate::default() };
        let names = x509.subject_alternative_name().ok()?.map(|extension| &extension.value.general_names);
        for name in names.into_iter().flatten() {
            match name {
                GeneralName::OtherName(kind, value) if *kind == BUNDLE_EID => {
                    // The value is an IA5String under an explicit tag; anything else is no BundleEID.
                    if let Ok((_, uri)) =
                        TaggedExplicit::<Ia5String<'_>, x509_parser::asn1_rs::Error, 0>::from_der(value)
                    {
                        read.bundle_eids.push(uri.into_inner().as_ref().to_owned());
                    }
                }
                GeneralName::DNSName(name) => read.dns_names.push((*name).to_owned()),
                GeneralName::IPAddress(octets) => {
                    let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
                    read.addresses.extend(v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)));
                }
                _ => {}
            }
        }
        Some(read)
    }

    /// Compares the DNS name that was resolved, if any, and the peer's address with what the certificate claims (section
    /// 4.4.4.2). Names are compared whole, without regard to case; wildcards, which section 4.4.1 discourages, match nothing.
    pub fn network_identity(&self, dns_name: Option<&str>, address: IpAddr) -> NetworkMatch {
        let by_name = dns_name.is_some_and(|name| self.dns_names.iter().any(|claim| claim.eq_ignore_ascii_case(name)));
        let by_address = self.addresses.iter().any(|claim| canonical(*claim) == canonical(address));
        // A DNS-ID says nothing of a peer that was not reached by a name.
        let claims = !self.addresses.is_empty() || (dns_name.is_some() && !self.dns_names.is_empty());
        match (by_name || by_address, claims) {
            (true, _) => NetworkMatch::Success,
            (false, true) => NetworkMatch::Failure,
            (false, false) => NetworkMatch::Absent,
        }
    }
}
