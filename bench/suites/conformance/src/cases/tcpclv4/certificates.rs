//! Certificates of TLS that must be refused, and what the node's own says: RFC 9174 sections 4.4.2 and 4.4.4.1.

use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use rustls::AlertDescription;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::asn1_rs::{Ia5String, Oid, TaggedExplicit, oid};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Version};

use super::peer::{Role, in_both_roles, usual_init};
use super::tls::{Attempt, attempt, authority, is_accepted, profile, right, secured, tester_id, usual_identity};
use crate::case::{Case, Suite};
use crate::catalogue::Grade;
use crate::certificates::{Authority, Leaf, Names, OldVersion, Validity, self_signed};
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-4.4-03", Suite::Tcpclv4, &["tls", "certificates", "hostile"], old_versions_are_refused),
    Case::new("TCPCL-4.4-05", Suite::Tcpclv4, &["tls", "certificates"], chain_is_whole_without_its_root),
    Case::new("TCPCL-4.4-06", Suite::Tcpclv4, &["tls", "certificates"], certificate_names_the_node),
    Case::new("TCPCL-4.4-07", Suite::Tcpclv4, &["tls", "certificates"], recommended_extensions_are_there),
    Case::new("TCPCL-4.4.4-01", Suite::Tcpclv4, &["tls", "certificates", "hostile"], invalid_certificates_are_refused),
    Case::new("TCPCL-4.4.4-02", Suite::Tcpclv4, &["tls", "certificates", "hostile"], other_purposes_are_refused),
];

/// id-on-bundleEID (RFC 9174 appendix B).
const BUNDLE_EID: Oid<'static> = oid!(1.3.6.1.5.5.7.8.11);

/// id-kp-bundleSecurity (RFC 9174 appendix B).
const BUNDLE_SECURITY: Oid<'static> = oid!(1.3.6.1.5.5.7.3.35);

/// The same as it stands in a certificate.
const BUNDLE_SECURITY_OCTETS: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 35];

/// id-ad-ocsp (RFC 5280 section 4.2.2.1).
const OCSP: Oid<'static> = oid!(1.3.6.1.5.5.7.48.1);

/// What must come of each certificate, which is told in words too: `judge` has a finding for what must not. A valid certificate
/// must lead to a session after them, so that it is theirs what came of them.
fn each_in_both_roles(
    t: &mut Tester<'_>,
    certificates: &[(&str, Leaf)],
    judge: impl Fn(&str, Attempt) -> Result<(), Finding>,
) -> Result<(), Finding> {
    // What breaks a requirement, with whichever certificate, goes before what only strays from its letter.
    let judged = in_both_roles(t, |t, role| {
        let mut light = None;
        for (told, certificate) in certificates {
            match judge(told, attempt(t, role, certificate, None)?) {
                Err(finding) if finding.is_light() => _ = light.get_or_insert(finding),
                outcome => outcome?,
            }
        }
        light.map_or(Ok(()), Err)
    });
    let light = match judged {
        Err(finding) if finding.is_light() => Some(finding),
        outcome => outcome.map(|()| None)?,
    };
    let (id, host) = (tester_id(t)?, profile(t)?.name.clone());
    is_accepted(t, &right(&[&id], host.as_deref().as_slice()))?;
    light.map_or(Ok(()), Err)
}

fn old_versions_are_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    let authority = authority(t)?;
    let certificates =
        [("of version 1", authority.issue_old(OldVersion::V1)), ("of version 2", authority.issue_old(OldVersion::V2))];
    each_in_both_roles(t, &certificates, handshake_fails)
}

/// That a certificate fails the handshake.
fn handshake_fails(told: &str, outcome: Attempt) -> Result<(), Finding> {
    let expected = format!("the handshake fails, since the certificate is {told}");
    match outcome {
        Attempt::Failed(_) => Ok(()),
        // It is refused, although later than it should be.
        Attempt::Refused(_) => Err(Finding::warning(expected, format!("{outcome:?}"))),
        Attempt::Established => Err(Finding::deviation(expected, "a session")),
    }
}

fn invalid_certificates_are_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    let (id, host, authority) = (tester_id(t)?, profile(t)?.name.clone(), authority(t)?);
    let (ids, hosts) = ([id.as_str()], host.as_deref());
    let valid = right(&ids, hosts.as_slice());
    let in_time = |validity| Names { validity, ..valid.clone() };
    let certificates = [
        ("signed by nobody but itself", self_signed(&valid)),
        ("of an authority that is not trusted", Authority::new("an authority that nobody knows").issue(&valid)),
        ("not valid any more", authority.issue(&in_time(Validity::Expired))),
        ("not valid yet", authority.issue(&in_time(Validity::Future))),
        ("one whose signature is wrong", authority.issue(&valid).tampered()),
    ];
    each_in_both_roles(t, &certificates, |told, outcome| {
        handshake_fails(told, outcome)?;
        let bad_certificate = AlertDescription::BadCertificate;
        match outcome {
            Attempt::Failed(Some(alert)) if alert != bad_certificate => {
                let expected = format!("the alert {bad_certificate:?}, since the certificate is {told}");
                Err(Finding::warning(expected, format!("the alert {alert:?}")))
            }
            Attempt::Failed(None) => {
                let expected = format!("the alert {bad_certificate:?}, since the certificate is {told}");
                Err(Finding::warning(expected, "the connection ended without one"))
            }
            _ => Ok(()),
        }
    })
}

fn other_purposes_are_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    let (id, host, authority) = (tester_id(t)?, profile(t)?.name.clone(), authority(t)?);
    let (ids, hosts) = ([id.as_str()], host.as_deref());
    let valid = right(&ids, hosts.as_slice());
    let for_mail = Names { purposes: vec![ExtendedKeyUsagePurpose::EmailProtection], ..valid.clone() };
    let for_keys = Names { usages: vec![KeyUsagePurpose::KeyEncipherment], ..valid };
    let by_extended_usage = [("for the protection of mail only", authority.issue(&for_mail))];
    each_in_both_roles(t, &by_extended_usage, handshake_fails)?;
    let by_usage = [("for the encipherment of keys only", authority.issue(&for_keys))];
    // How strictly key usage is taken is left to the policy of the node.
    each_in_both_roles(t, &by_usage, |told, outcome| {
        handshake_fails(told, outcome).map_err(|finding| finding.at_most(Grade::Warn))
    })
}

/// The certificates that the node shows, its own first.
fn shown(t: &mut Tester<'_>, role: Role) -> Result<Vec<CertificateDer<'static>>, Finding> {
    let identity = usual_identity(t)?;
    let mut peer = secured(t, role, &identity)?;
    let shown = peer.certificates();
    peer.drop(t);
    match shown.is_empty() {
        true => Err(Finding::deviation("a certificate of the node", "none")),
        false => Ok(shown.into_iter().map(CertificateDer::from).collect()),
    }
}

fn chain_is_whole_without_its_root(t: &mut Tester<'_>) -> Result<(), Finding> {
    let root = authority(t)?.certificate;
    let root = CertificateDer::from_pem_slice(root.as_bytes())
        .map_err(|error| Finding::bench_error(format!("the authority of the description: {error}")))?;
    in_both_roles(t, |t, role| {
        let chain = shown(t, role)?;
        if chain.contains(&root) {
            return Err(Finding::warning("a chain without its root", "the root is shown too"));
        }
        leads_to(&chain, &root).map_err(|why| Finding::warning("a chain that leads to the root that is known", why))
    })
}

/// Whether a path leads from the first certificate over the others to the root.
fn leads_to(chain: &[CertificateDer<'_>], root: &CertificateDer<'_>) -> Result<(), String> {
    let told = |error: webpki::Error| match error {
        webpki::Error::UnknownIssuer => "nothing that is shown leads to it".to_owned(),
        other => other.to_string(),
    };
    let Some((first, others)) = chain.split_first() else { return Err("no certificate".to_owned()) };
    let anchors = [anchor_from_trusted_cert(root).map_err(told)?];
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    let end_entity = EndEntityCert::try_from(first).map_err(told)?;
    let verify = |purpose: KeyUsage| {
        end_entity.verify_for_usage(algorithms, &anchors, others, UnixTime::now(), purpose, None, None).map(drop)
    };
    // For what it is made is not asked here.
    verify(KeyUsage::required_if_present(BUNDLE_SECURITY_OCTETS))
        .or_else(|_| verify(KeyUsage::server_auth()))
        .or_else(|_| verify(KeyUsage::client_auth()))
        .map_err(told)
}

/// The node IDs and other endpoints that a certificate names, in the name form BundleEID.
fn bundle_eids(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::OtherName(kind, value) if *kind == BUNDLE_EID => {
            let read = TaggedExplicit::<Ia5String<'_>, x509_parser::asn1_rs::Error, 0>::from_der(value).ok();
            read.map(|(_, uri)| uri.into_inner().as_ref().to_owned())
        }
        _ => None,
    };
    names.iter().filter_map(uri).collect()
}

fn certificate_names_the_node(t: &mut Tester<'_>) -> Result<(), Finding> {
    let identity = usual_identity(t)?;
    in_both_roles(t, |t, role| {
        let mut peer = secured(t, role, &identity)?;
        let init = usual_init(t)?;
        peer.exchange_init(t, init)?;
        let node_id = peer.init.as_ref().map(|init| String::from_utf8_lossy(&init.node_id).into_owned());
        let certificates = peer.certificates();
        peer.drop(t);
        let Some(first) = certificates.first() else {
            return Err(Finding::deviation("a certificate of the node", "none"));
        };
        let Ok((_, certificate)) = X509Certificate::from_der(first) else {
            return Err(Finding::deviation("a certificate", format!("{} octets that are none", first.len())));
        };
        if certificate.version() != X509Version::V3 {
            return Err(Finding::deviation("a certificate of version 3", format!("{:?}", certificate.version())));
        }
        let (node_id, named) = (node_id.unwrap_or_default(), bundle_eids(&certificate));
        // A node may keep its node ID to itself (section 4.6); its certificate then has to name one all the same.
        match named.contains(&node_id) || (node_id.is_empty() && !named.is_empty()) {
            true => Ok(()),
            false => {
                let expected = format!("a certificate that names {node_id}, as SESS_INIT does");
                Err(Finding::deviation(expected, format!("it names {named:?}")))
            }
        }
    })
}

fn recommended_extensions_are_there(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let chain = shown(t, role)?;
        let missing = missing_extensions(&chain[0])?;
        match missing.is_empty() {
            true => Ok(()),
            false => {
                Err(Finding::remark("the extensions that are recommended", format!("without {}", missing.join(", "))))
            }
        }
    })
}

/// Whether an extension is one that is looked for.
type Wanted = fn(&ParsedExtension<'_>) -> bool;

/// What RFC 9174 section 4.4.2 recommends for each certificate and this one has not. A DNS-ID is for nodes that have a stable
/// name, which does not show.
fn missing_extensions(certificate: &[u8]) -> Result<Vec<&'static str>, Finding> {
    let Ok((_, read)) = X509Certificate::from_der(certificate) else {
        return Err(Finding::deviation("a certificate", format!("{} octets that are none", certificate.len())));
    };
    let has =
        |wanted: fn(&ParsedExtension<'_>) -> bool| read.extensions().iter().any(|it| wanted(it.parsed_extension()));
    let all: [(&str, Wanted); 5] = [
        ("a subject key identifier", |it| matches!(it, ParsedExtension::SubjectKeyIdentifier(_))),
        ("an authority key identifier", |it| matches!(it, ParsedExtension::AuthorityKeyIdentifier(_))),
        (
            "a key usage with digitalSignature",
            |it| matches!(it, ParsedExtension::KeyUsage(usage) if usage.digital_signature()),
        ),
        (
            "an extended key usage with id-kp-bundleSecurity",
            |it| matches!(it, ParsedExtension::ExtendedKeyUsage(usage) if usage.other.contains(&BUNDLE_SECURITY)),
        ),
        ("an OCSP URI", |it| match it {
            ParsedExtension::AuthorityInfoAccess(access) => {
                access.accessdescs.iter().any(|it| it.access_method == OCSP)
            }
            _ => false,
        }),
    ];
    Ok(all.into_iter().filter(|(_, wanted)| !has(*wanted)).map(|(told, _)| told).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::bundle_security;

    #[test]
    fn what_a_certificate_lacks_of_what_is_recommended_is_told() {
        let authority = Authority::new("an authority");
        let all = Names {
            bundle_eids: &["ipn:2.0"],
            purposes: vec![bundle_security()],
            usages: vec![KeyUsagePurpose::DigitalSignature],
            key_identifiers: true,
            ocsp: Some("http://ocsp.example/"),
            ..Names::default()
        };
        let missing = |names: &Names<'_>| missing_extensions(&authority.issue(names).der).unwrap();
        assert!(missing(&all).is_empty(), "{:?}", missing(&all));
        assert_eq!(missing(&Names { ocsp: None, ..all.clone() }), ["an OCSP URI"]);
        let usages = vec![KeyUsagePurpose::KeyEncipherment];
        assert_eq!(missing(&Names { usages, ..all.clone() }), ["a key usage with digitalSignature"]);
        let purposes = vec![ExtendedKeyUsagePurpose::ServerAuth];
        assert_eq!(missing(&Names { purposes, ..all.clone() }), ["an extended key usage with id-kp-bundleSecurity"]);
        assert_eq!(
            missing(&Names { key_identifiers: false, ..all }),
            ["a subject key identifier", "an authority key identifier"]
        );
        assert_eq!(missing(&Names::default()).len(), 5);
    }

    #[test]
    fn a_chain_leads_to_its_root_only_with_what_is_in_between() {
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let root = Authority::new("a root");
        let between = root.intermediate("an authority in between");
        let leaf = der(&between.issue(&Names::default()).certificate);
        let (root, between) = (der(&root.certificate), der(&between.certificate));
        assert_eq!(leads_to(&[leaf.clone(), between.clone()], &root), Ok(()));
        assert_eq!(leads_to(std::slice::from_ref(&leaf), &root), Err("nothing that is shown leads to it".to_owned()));
        let other = der(&Authority::new("another root").certificate);
        assert!(leads_to(&[leaf, between], &other).is_err());
    }
}
