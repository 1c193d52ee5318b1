//! Blocks that hold one bundle, so that their delivery to a bundle agent raises no error.

use std::borrow::Cow;

use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, PrimaryBlock,
};
use rand::Rng;

use crate::tester::Tester;

/// A block, and what its client hands to the application.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) octets: Vec<u8>,
    /// Empty if the block is too short for a bundle, or the node has no bundle agent.
    pub(super) payload: Vec<u8>,
}

/// A number drawn from the seed and the time. Nodes remember sessions and bundles longer than a run takes: one that goes on from
/// run to run must not be shown the same ones again.
pub(super) fn fresh(tester: &mut Tester<'_>) -> u64 {
    // Knuth's multiplicative hash: neighbouring instants give far numbers.
    let at = (tester.now().as_nanos() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (tester.rng.next_u64() ^ at) >> 8
}

/// Random octets, which begin with a [`fresh`] number.
pub(super) fn random(tester: &mut Tester<'_>, length: usize) -> Vec<u8> {
    let mut octets = vec![0; length];
    tester.rng.fill_bytes(&mut octets);
    for (octet, first) in octets.iter_mut().zip(fresh(tester).to_be_bytes()) {
        *octet ^= first;
    }
    octets
}

/// A block of exactly `length` octets that holds a bundle for an endpoint of the node.
pub(super) fn block(tester: &mut Tester<'_>, length: usize) -> Block {
    let local = tester.profile().bundles.as_ref().map(|bundles| bundles.local.clone());
    let bundle = local.and_then(|local| bundle_of(tester, &local, length));
    bundle.unwrap_or_else(|| Block { octets: random(tester, length), payload: Vec::new() })
}

/// A bundle of exactly `length` octets, if there is one.
pub(super) fn bundle_of(tester: &mut Tester<'_>, destination: &Eid, length: usize) -> Option<Block> {
    let sequence = fresh(tester) >> 24;
    let whole = random(tester, length);
    // The length of the payload's own length, or of the lifetime, may leave no bundle of just this length.
    for lifetime_ms in [3_600_000, 60_000] {
        for shorter in 40..length.min(110) {
            let payload = &whole[..length - shorter];
            let octets = bundle(tester, destination, sequence, lifetime_ms, payload)?;
            if octets.len() == length {
                return Some(Block { octets, payload: payload.to_vec() });
            }
        }
    }
    None
}

/// A bundle from the tester.
fn bundle(tester: &Tester<'_>, destination: &Eid, sequence: u64, lifetime_ms: u64, payload: &[u8]) -> Option<Vec<u8>> {
    let agent = tester.profile().bundles.as_ref()?;
    let source = agent.tester.clone();
    let now_ms = u64::try_from(tester.now().as_nanos() / 1_000_000).unwrap_or(0);
    let primary = PrimaryBlock {
        flags: BundleFlags(0),
        crc: CrcType::Crc32c,
        destination: destination.clone(),
        source: source.clone(),
        report_to: source,
        creation: CreationTimestamp { time_ms: agent.dtn_time_at_zero_ms + now_ms, sequence },
        lifetime_ms,
        fragment: None,
    };
    let payload = CanonicalBlock {
        block_type: 1,
        number: 1,
        flags: BlockFlags(0),
        crc: CrcType::None,
        data: Cow::Borrowed(payload),
    };
    Some(Bundle { primary, blocks: vec![payload] }.emit())
}
