//! The files that TLS needs.

use std::path::Path;

use super::{flag, readable};
use crate::located::{At, Text};
use crate::node_file::model::TlsFiles;
use crate::node_file::values::Flag;
use crate::notes::Notes;
use crate::problem::Position;

/// What stands in the file.
pub(super) struct Parts<'a> {
    pub position: Position,
    pub certificate: &'a Option<At<String>>,
    pub key: &'a Option<At<String>>,
    pub trust: &'a Option<At<String>>,
    pub name: &'a Option<At<String>>,
    pub require: &'a Option<Text<Flag>>,
}

/// `listening` is who must show a certificate.
pub(super) fn check(parts: &Parts<'_>, listening: bool, folder: &Path, notes: &mut Notes) -> Option<TlsFiles> {
    let trust = notes.need(parts.trust, parts.position, "trust: ca.pem");
    let trust = trust.and_then(|name| readable(name, "file of trusted certificates", folder, notes));
    let certificate = parts.certificate.as_ref().map(|name| readable(name, "certificate", folder, notes));
    let key = parts.key.as_ref().map(|name| readable(name, "key", folder, notes));
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => certificate.zip(key).map(Some),
        (None, None) if !listening => Some(None),
        (None, None) => {
            let help = "add `certificate: cert.pem, key: key.pem`";
            notes.error(parts.position, "who listens must show a certificate", help);
            None
        }
        (Some(_), None) => {
            let position = parts.certificate.as_ref()?.position;
            notes.error(position, "this certificate has no key", "add `key: key.pem`");
            None
        }
        (None, Some(_)) => {
            let position = parts.key.as_ref()?.position;
            notes.error(position, "this key has no certificate", "add `certificate: cert.pem`");
            None
        }
    };
    let require = flag(parts.require, true, notes);
    if let Some(name) = parts.name
        && (name.value.is_empty()
            || !name.value.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet)))
    {
        notes.error(name.position, format!("`{}` is no DNS name", name.value), "write it as in `relay.example`");
        return None;
    }
    let name = parts.name.as_ref().map(|name| name.value.clone());
    Some(TlsFiles { trust: trust?, identity: identity?, name, require: require? })
}
