//! Certificates for TLS, right ones and wrong ones, issued where they are needed.

use std::net::Ipv4Addr;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SigningKey as _,
};

/// An authority that issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    pub certificate: String,
    /// Its key, as PEM.
    pub key: String,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate, as PEM.
    pub certificate: String,
    /// Its octets.
    pub der: Vec<u8>,
    /// The key, as PEM.
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validity {
    /// Now.
    #[default]
    Now,
    /// Not any more.
    Expired,
    /// Not yet.
    Future,
}

/// A version of certificates before the third (RFC 5280 section 4.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldVersion {
    /// The first.
    V1,
    /// The second.
    V2,
}

/// What a certificate says.
#[derive(Clone, Debug, Default)]
pub struct Names<'a> {
    /// Names of type BundleEID (RFC 9174 section 4.4.2.1).
    pub bundle_eids: &'a [&'a str],
    /// DNS-IDs.
    pub dns: &'a [&'a str],
    /// IPADDR-IDs.
    pub addresses: &'a [Ipv4Addr],
    /// Extended key usage; none without any.
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
    /// Key usage; none without any.
    pub usages: Vec<KeyUsagePurpose>,
    /// Whether it identifies its key and that of its issuer.
    pub key_identifiers: bool,
    /// Where its status can be asked for by OCSP.
    pub ocsp: Option<&'a str>,
    /// When it is valid.
    pub validity: Validity,
}

/// id-kp-bundleSecurity (RFC 9174 section 4.4.2).
pub fn bundle_security() -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 35])
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend_from_slice(&[0x81, length as u8]),
        _ => out.extend_from_slice(&[0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// The first element: its tag, its content, all of it, and the rest.
type Element<'a> = (u8, &'a [u8], &'a [u8], &'a [u8]);

fn element(octets: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (width, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (width.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, &octets[..octets.len() - rest.len()], rest))
}

/// The subjectAltName, written out by hand: rcgen has no IA5String for other names.
fn subject_alt_name(names: &Names<'_>) -> CustomExtension {
    let bundle_eid = [0x06, 8, 0x2B, 6, 1, 5, 5, 7, 8, 11];
    let mut all = Vec::new();
    for uri in names.bundle_eids {
        let value = der(0xA0, &der(0x16, uri.as_bytes()));
        all.extend(der(0xA0, &[&bundle_eid[..], &value].concat()));
    }
    names.dns.iter().for_each(|name| all.extend(der(0x82, name.as_bytes())));
    names.addresses.iter().for_each(|address| all.extend(der(0x87, &address.octets())));
    CustomExtension::from_oid_content(&[2, 5, 29, 17], der(0x30, &all))
}

/// The authority information access that names an OCSP responder (RFC 5280 section 4.2.2.1).
fn ocsp_responder(uri: &str) -> CustomExtension {
    let id_ad_ocsp = [0x06, 8, 0x2B, 6, 1, 5, 5, 7, 48, 1];
    let description = [&id_ad_ocsp[..], &der(0x86, uri.as_bytes())].concat();
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], der(0x30, &der(0x30, &description)))
}

fn params(names: &Names<'_>) -> CertificateParams {
    let mut params = CertificateParams::default();
    // RFC 9174 section 4.4.2 allows an empty subject.
    params.distinguished_name = DistinguishedName::new();
    if !(names.bundle_eids.is_empty() && names.dns.is_empty() && names.addresses.is_empty()) {
        params.custom_extensions.push(subject_alt_name(names));
    }
    params.extended_key_usages.clone_from(&names.purposes);
    params.key_usages.clone_from(&names.usages);
    params.custom_extensions.extend(names.ocsp.map(ocsp_responder));
    if names.key_identifiers {
        params.use_authority_key_identifier_extension = true;
        // With the basic constraints comes the identifier of the subject's key.
        params.is_ca = IsCa::ExplicitNoCa;
    }
    let years = match names.validity {
        Validity::Now => None,
        Validity::Expired => Some((2000, 2001)),
        Validity::Future => Some((2990, 2991)),
    };
    if let Some((from, to)) = years {
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
    }
    params
}

impl Leaf {
    /// The same with another signature, which is none of its issuer.
    pub fn tampered(mut self) -> Self {
        if let Some(last) = self.der.last_mut() {
            *last ^= 1;
        }
        self
    }
}

fn leaf(certificate: &rcgen::Certificate, key: &KeyPair) -> Leaf {
    Leaf { certificate: certificate.pem(), der: certificate.der().to_vec(), key: key.serialize_pem() }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system has random octets")
}

impl Authority {
    /// A new one, for which nobody vouches.
    pub fn new(name: &str) -> Self {
        Authority::certified(name, |params, key| params.self_signed(key))
    }

    /// A new one for which this one vouches.
    pub fn intermediate(&self, name: &str) -> Self {
        Authority::certified(name, |params, key| params.signed_by(key, &self.issuer))
    }

    fn certified(
        name: &str,
        certify: impl FnOnce(&CertificateParams, &KeyPair) -> Result<rcgen::Certificate, rcgen::Error>,
    ) -> Self {
        let key = new_key();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.use_authority_key_identifier_extension = true;
        let certificate = certify(&params, &key).expect("a certificate authority can be made").pem();
        let pem = key.serialize_pem();
        Authority { issuer: Issuer::new(params, key), certificate, key: pem }
    }

    /// One that is there, from its certificate and key as PEM.
    ///
    /// # Errors
    /// They are none, in words.
    pub fn open(certificate: &str, key: &str) -> Result<Self, String> {
        let pair = KeyPair::from_pem(key).map_err(|error| error.to_string())?;
        let issuer = Issuer::from_ca_cert_pem(certificate, pair).map_err(|error| error.to_string())?;
        Ok(Authority { issuer, certificate: certificate.to_owned(), key: key.to_owned() })
    }

    /// A certificate of version 3.
    pub fn issue(&self, names: &Names<'_>) -> Leaf {
        let key = new_key();
        let certificate = params(names).signed_by(&key, &self.issuer).expect("a certificate can be issued");
        leaf(&certificate, &key)
    }

    /// A certificate of an older version, which has no extensions and so no names but its subject.
    pub fn issue_old(&self, version: OldVersion) -> Leaf {
        let mut leaf = self.issue(&Names::default());
        let remade = (|| {
            let (_, whole, ..) = element(&leaf.der)?;
            let (_, signed, _, rest) = element(whole)?;
            let (_, _, algorithm, _) = element(rest)?;
            let mut kept = match version {
                // The default, which DER leaves out.
                OldVersion::V1 => Vec::new(),
                OldVersion::V2 => der(0xA0, &der(0x02, &[1])),
            };
            let mut fields = signed;
            while !fields.is_empty() {
                let (tag, _, all, rest) = element(fields)?;
                // The version, and the extensions.
                if !matches!(tag, 0xA0 | 0xA3) {
                    kept.extend_from_slice(all);
                }
                fields = rest;
            }
            let signed = der(0x30, &kept);
            let signature = self.issuer.key().sign(&signed).ok()?;
            let signature = der(0x03, &[&[0][..], &signature].concat());
            Some(der(0x30, &[signed, algorithm.to_vec(), signature].concat()))
        })();
        leaf.der = remade.expect("what was just issued can be read");
        leaf
    }
}

/// A certificate that nobody but itself vouches for.
pub fn self_signed(names: &Names<'_>) -> Leaf {
    let key = new_key();
    let certificate = params(names).self_signed(&key).expect("a certificate can be made");
    leaf(&certificate, &key)
}
