//! Seeds for the parts of a sweep.

use sha2::{Digest, Sha256};

/// A seed for one part, so that no part shares its draws with another, and none changes when a point is added.
pub(crate) fn derive(seed: u64, part: &str) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(part.as_bytes()).finalize();
    digest[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
