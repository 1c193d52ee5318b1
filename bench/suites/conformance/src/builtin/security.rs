//! How the built-in node secures its sessions: whom it trusts, and what it shows.

use std::sync::LazyLock;

use farlink_nodes::standalone::Secured;
use farlink_ports::tls::{TlsSettings, Trust};
use farlink_wire::bpv7::Eid;
use rcgen::KeyUsagePurpose;
use serde::Deserialize;

use super::NODE;
use crate::certificates::{Authority, Leaf, Names, bundle_security};
use crate::medium::{Careless, Flaw};
use crate::profile::Profile;

/// Authorities and certificates, made once for a run.
struct Issued {
    /// The one that the node trusts.
    root: Authority,
    /// The one that has issued the node's certificate; the root vouches for it.
    intermediate: Authority,
    /// The node's certificate.
    node: Leaf,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(|| {
    let root = Authority::new("the authority of the tests");
    let intermediate = root.intermediate("the authority of the node");
    let node = intermediate.issue(&recommended(&[&Eid::ipn(NODE, 0).to_string()]));
    Issued { root, intermediate, node }
});

/// A certificate with all that RFC 9174 section 4.4.2 recommends for a node without a stable DNS name.
fn recommended<'a>(bundle_eids: &'a [&'a str]) -> Names<'a> {
    Names {
        bundle_eids,
        purposes: vec![bundle_security()],
        usages: vec![KeyUsagePurpose::DigitalSignature],
        key_identifiers: true,
        ocsp: Some("http://ocsp.example/"),
        ..Names::default()
    }
}

/// The authority that the node trusts.
pub(super) fn authority() -> &'static Authority {
    &ISSUED.root
}

/// What a mutant shows in TLS instead of its certificate and that of the authority in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Its certificate alone.
    NoIntermediate,
    /// The root too.
    Root,
    /// A certificate of another node.
    OtherNode,
    /// A certificate that names no node.
    NoNode,
}

/// The chain, as PEM, and the key of its first.
fn identity(shown: Option<Shown>) -> (String, String) {
    let Issued { root, intermediate, node } = &*ISSUED;
    let leaf = match shown {
        Some(Shown::OtherNode) => intermediate.issue(&recommended(&[&Eid::ipn(NODE + 1000, 0).to_string()])),
        Some(Shown::NoNode) => intermediate.issue(&recommended(&[])),
        _ => node.clone(),
    };
    let chain = match shown {
        Some(Shown::NoIntermediate) => leaf.certificate,
        Some(Shown::Root) => [leaf.certificate, intermediate.certificate.clone(), root.certificate.clone()].concat(),
        _ => [leaf.certificate, intermediate.certificate.clone()].concat(),
    };
    (chain, leaf.key)
}

fn settings(shown: Option<Shown>) -> TlsSettings {
    let (chain, key) = identity(shown);
    let trust = Trust::roots(authority().certificate.as_bytes(), "the authority").expect("it is a root");
    TlsSettings::new(chain.as_bytes(), key.as_bytes(), trust).expect("certificate and key belong together")
}

/// How the node secures its sessions.
pub(super) fn of(profile: &Profile) -> Option<Secured> {
    let tls = profile.tcpcl.as_ref()?.tls.as_ref()?;
    Some(Secured { settings: settings(None), require: tls.require, name: tls.name.clone() })
}

/// The settings of a mutant that shows something else.
pub(crate) fn shows(shown: Shown) -> TlsSettings {
    settings(Some(shown))
}

/// TLS of a mutant that passes over something, or tells in its alerts what is wrong.
pub(crate) fn careless(forgives: Option<Flaw>) -> Careless {
    let (chain, key) = identity(None);
    let careless = Careless::new((&chain, &key), &authority().certificate, forgives);
    careless.expect("what was just issued can be used")
}
