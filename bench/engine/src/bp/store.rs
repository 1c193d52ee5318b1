//! Bundles in the store: what they take up, how long they stay, and how they leave.

use std::collections::BTreeSet;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleAge, CanonicalBlock, CrcType, Eid, Extension, HopCount, PreviousNode, PrimaryBlock,
    ReasonCode, block_type,
};

use super::{BundleId, bundle_id};
use crate::ltp::Block;

/// What a bundle costs the store besides its payload and extension blocks: primary block, queue and table entries. Without
/// it, bundles without payload would fit in any number.
pub(super) const BUNDLE_OVERHEAD: u64 = 256;
/// What an extension block costs besides its data.
const BLOCK_OVERHEAD: u64 = 64;
/// Longest time that a bundle, or the memory of one, stays: the lifetime that this agent overrides longer ones with (§5.5).
/// Lifetimes go up to 2^64 ms, and nothing may stay for ever because a neighbour says so.
const LONGEST_STAY: Duration = Duration::from_secs(365 * 86_400);

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) primary: PrimaryBlock,
    /// As they came and in the order of the wire. Those that every node must know (§4.4) are written anew on the way out.
    pub(super) extensions: Vec<CanonicalBlock<'static>>,
    pub(super) payload: Bytes,
    pub(super) payload_flags: BlockFlags,
    pub(super) payload_crc: CrcType,
    pub(super) arrived: Instant,
    pub(super) expiry: Expiry,
    pub(super) next_hop: u64,
    /// Whether the convergence layer has it and has not said yet how that ended.
    pub(super) in_transit: bool,
    pub(super) failed_attempts: u32,
}

/// When a bundle is deleted if it is still here, and the reason to give (§5.5).
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry {
    pub(super) at: Instant,
    pub(super) reason: ReasonCode,
}

impl Expiry {
    /// The expiry of a bundle whose age reaches its lifetime at `end_of_life`.
    pub(super) fn new(now: Instant, end_of_life: Instant) -> Self {
        // A bundle expires when its age exceeds its lifetime: when both are equal it is still in time.
        let at = end_of_life + Duration::from_nanos(1);
        let longest = now + LONGEST_STAY;
        if at > longest {
            return Expiry { at: longest, reason: ReasonCode::TrafficPared };
        }
        Expiry { at, reason: ReasonCode::LifetimeExpired }
    }
}

/// What a bundle counts against the limit of the store.
pub(super) fn footprint(payload: u64, extensions: &[CanonicalBlock<'_>]) -> u64 {
    BUNDLE_OVERHEAD + payload + extensions.iter().map(|b| BLOCK_OVERHEAD + b.data.len() as u64).sum::<u64>()
}

/// The Hop Count block of a bundle that starts here.
pub(super) fn first_hop_count(limit: u64) -> CanonicalBlock<'static> {
    new_block(block_type::HOP_COUNT, 2, HopCount { limit, count: 0 }.emit())
}

fn new_block(block_type: u64, number: u64, data: Vec<u8>) -> CanonicalBlock<'static> {
    CanonicalBlock { block_type, number, flags: BlockFlags(0), crc: CrcType::Crc16, data: data.into() }
}

impl Stored {
    pub(super) fn id(&self) -> BundleId {
        bundle_id(&self.primary, self.payload_length())
    }

    pub(super) fn payload_length(&self) -> u64 {
        self.payload.len() as u64
    }

    pub(super) fn footprint(&self) -> u64 {
        footprint(self.payload_length(), &self.extensions)
    }

    /// Hop limit and count as they came.
    pub(super) fn hops(&self) -> Option<HopCount> {
        let block = self.extensions.iter().find(|b| b.block_type == block_type::HOP_COUNT)?;
        HopCount::parse(&block.data).ok()
    }

    /// The bundle as it leaves node `here` now (§5.4 step 4, §4.4).
    pub(super) fn encode(&self, now: Instant, here: Eid) -> Block {
        let starts_here = self.primary.source.node() == here.node();
        let waited_ms = u64::try_from(now.saturating_since(self.arrived).as_millis()).unwrap_or(0);
        let previous_node = PreviousNode(here).emit();
        let mut blocks = Vec::with_capacity(self.extensions.len() + 2);
        let mut replaced = false;
        for block in &self.extensions {
            let data = match Extension::of(block) {
                // §4.4.1: none leaves the source, even if the bundle has come back to it.
                Ok(Extension::PreviousNode(_)) if starts_here => continue,
                Ok(Extension::PreviousNode(_)) => {
                    replaced = true;
                    previous_node.clone().into()
                }
                Ok(Extension::BundleAge(BundleAge(age))) => BundleAge(age.saturating_add(waited_ms)).emit().into(),
                Ok(Extension::HopCount(hops)) => HopCount { count: hops.count.saturating_add(1), ..hops }.emit().into(),
                Ok(Extension::Unknown(_)) | Err(_) => (&*block.data).into(),
            };
            // Numbers, flags and order are the sender's: security blocks refer to some, and later nodes obey the rest.
            let CanonicalBlock { block_type, number, flags, crc, .. } = *block;
            blocks.push(CanonicalBlock { block_type, number, flags, crc, data });
        }
        if !starts_here && !replaced {
            let taken: BTreeSet<u64> = self.extensions.iter().map(|b| b.number).collect();
            // 0 and 1 are the primary block's and the payload's (§4.1).
            let number = (2..).find(|n| !taken.contains(n)).unwrap_or(2);
            blocks.insert(0, new_block(block_type::PREVIOUS_NODE, number, previous_node));
        }
        blocks.push(CanonicalBlock {
            block_type: block_type::PAYLOAD,
            number: 1,
            flags: self.payload_flags,
            crc: self.payload_crc,
            data: (&self.payload[..]).into(),
        });
        let (head, tail) = Bundle { primary: self.primary.clone(), blocks }.emit_around_payload();
        Block::new([head.into(), self.payload.clone(), tail.into()])
    }
}
