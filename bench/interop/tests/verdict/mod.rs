//! What each implementation says about the same octets.

use farlink_wire::bpv7::{Bundle, BundleError, Extension, Lapse};

/// What our wire code says.
pub enum Ours<'a> {
    /// It can be read, and so can its extension blocks; it may break rules that bind its creator.
    Read(Bundle<'a>, Vec<Lapse>),
    /// It is refused.
    Refused(BundleError),
    /// It can be read, but an extension block's data cannot.
    BlockRefused(BundleError),
}

impl Ours<'_> {
    /// The verdict for a message.
    pub fn words(&self) -> String {
        match self {
            Ours::Read(_, lapses) if lapses.is_empty() => "it is in order".to_owned(),
            Ours::Read(_, lapses) => format!("it can be read, with {lapses:?}"),
            Ours::Refused(error) | Ours::BlockRefused(error) => error.to_string(),
        }
    }
}

pub fn ours(octets: &[u8]) -> Ours<'_> {
    let bundle = match Bundle::parse(octets) {
        Ok(bundle) => bundle,
        Err(error) => return Ours::Refused(error),
    };
    match bundle.blocks.iter().find_map(|block| Extension::of(block).err()) {
        Some(error) => Ours::BlockRefused(error),
        None => {
            let lapses = bundle.lapses();
            Ours::Read(bundle, lapses)
        }
    }
}

/// What another implementation says.
#[derive(Clone, PartialEq, Debug)]
pub enum Theirs {
    Taken,
    /// Read, with a note that the encoding is not the canonical one.
    TakenAsNonCanonical,
    /// Each thing it found wrong.
    Refused(Vec<String>),
}

pub fn hardy(octets: &[u8]) -> Theirs {
    match hardy_bpv7::bundle::ParsedBundle::parse(octets, hardy_bpv7::bpsec::no_keys) {
        Ok(parsed) if parsed.non_canonical => Theirs::TakenAsNonCanonical,
        Ok(_) => Theirs::Taken,
        Err(error) => Theirs::Refused(vec![error.to_string()]),
    }
}

pub fn bp7(octets: &[u8]) -> Theirs {
    let bundle = match bp7::Bundle::try_from(octets) {
        Ok(bundle) => bundle,
        Err(error) => return Theirs::Refused(vec![format!("decoding: {error}")]),
    };
    match bundle.validate() {
        Ok(()) => Theirs::Taken,
        Err(errors) => Theirs::Refused(errors.iter().map(ToString::to_string).collect()),
    }
}
