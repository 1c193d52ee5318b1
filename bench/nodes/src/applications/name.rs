//! The name of an application data unit.

use farlink_engine::bp::BundleId;
use farlink_record::recording::hex;
use sha2::{Digest, Sha256};

/// Longest source that a name spells out. With the hash and two numbers of twenty digits it stays below the 255 octets that
/// file systems take.
const LONGEST_SOURCE: usize = 128;

/// The name of a unit as directories, programs and sockets have it: made of source, creation time and sequence number, of
/// letters, digits, `.`, `-` and `_` alone, of at most 208 octets, and never of a leading dot.
///
/// Two units have one name if a source has given two the same name, or has hidden its own (`dtn:none`).
pub fn unit_name(id: &BundleId) -> String {
    let source = id.source.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut spelt: String = source.chars().take(LONGEST_SOURCE).map(|c| if plain(c) { c } else { '-' }).collect();
    // The first `-` is the colon of the scheme, and every other one is a `/`; or the hash says what they are.
    let rest = source.split_once(':').map_or(source.as_str(), |(_, rest)| rest);
    if source.chars().count() > LONGEST_SOURCE || !rest.chars().all(|c| plain(c) || c == '/') {
        spelt.push('_');
        spelt.push_str(&hex(&Sha256::digest(source.as_bytes())[..16]));
    }
    format!("{spelt}-{}-{}", id.creation.time_ms, id.creation.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlink_wire::bpv7::{CreationTimestamp, Eid};

    fn name(source: &str) -> String {
        let creation = CreationTimestamp { time_ms: u64::MAX, sequence: u64::MAX };
        unit_name(&BundleId { source: source.parse().unwrap(), creation, extent: None })
    }

    #[test]
    fn names_are_those_of_the_bundle() {
        let creation = CreationTimestamp { time_ms: 820_000_000_000, sequence: 7 };
        let id = BundleId { source: Eid::ipn(10, 1), creation, extent: None };
        assert_eq!(unit_name(&id), "ipn-10.1-820000000000-7");
        assert!(name("dtn://node/app").starts_with("dtn---node-app-1844"));
    }

    #[test]
    fn sources_that_look_alike_have_names_of_their_own() {
        let (a, b, c) = (name("dtn://x/a/b"), name("dtn://x/a-b"), name("dtn://x/a_b"));
        assert!(a != b && b != c && a != c, "{a} {b} {c}");
        // A colon within the demux is where a slash may be.
        assert_ne!(name("dtn://x/a:b"), name("dtn://x/a/b"));
    }

    #[test]
    fn hostile_sources_make_harmless_names() {
        let long = format!("dtn://x/{}", "../".repeat(1000));
        for source in [long.as_str(), "dtn://../../etc/passwd", "dtn://x/;rm$IFS-rf|/", "dtn:none"] {
            let name = name(source);
            assert!(name.len() <= 208 && !name.starts_with('.'), "{name}");
            assert!(name.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_".contains(&c)), "{name}");
        }
    }
}
