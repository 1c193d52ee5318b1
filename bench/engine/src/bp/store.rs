//! Bundles in the store: what they take up, how long they stay, and how they leave.

use std::collections::BTreeSet;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleAge, BundleFlags, CanonicalBlock, CrcType, Eid, Extension, Fragment, HopCount,
    PreviousNode, PrimaryBlock, QualityOfService, ReasonCode, block_type,
};

use super::BundleId;
use super::forwarding::Chosen;
use crate::class::Class;
use crate::ltp::Block;

/// What a bundle costs the store besides its payload and extension blocks: primary block, queue and table entries. Without
/// it, bundles without payload would fit in any number.
pub(super) const BUNDLE_OVERHEAD: u64 = 256;
/// What an extension block costs besides its data.
const BLOCK_OVERHEAD: u64 = 64;
/// Longest time that a bundle, or the memory of one, stays: the lifetime that this agent overrides longer ones with (§5.5).
/// Lifetimes go up to 2^64 ms, and nothing may stay for ever because a neighbour says so.
const LONGEST_STAY: Duration = Duration::from_secs(365 * 86_400);

/// Where a bundle in the store is on its way.
#[derive(Debug)]
pub(super) enum Place {
    /// In the queue of a next hop.
    Queued(Chosen),
    /// The convergence layer has it and has not said yet how that ended.
    InTransit(Chosen),
    /// Waits before it is tried again.
    Paused,
    /// Has no way yet and waits for one.
    Held,
    /// Part of application data for an endpoint here.
    Part,
}

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
    pub(super) class: Class,
    pub(super) place: Place,
    /// How often a neighbour has not wanted it.
    pub(super) rejections: u32,
    /// Neighbours that have not wanted it.
    pub(super) rejected_by: Vec<Eid>,
    /// How often in a row it has been told to wait.
    pub(super) pauses: u32,
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

/// What the names in a primary block cost. Those of the ipn scheme are part of the overhead; those of the dtn scheme may be
/// of any length.
pub(super) fn names_footprint<'a>(names: impl IntoIterator<Item = &'a Eid>) -> u64 {
    names.into_iter().map(|name| name_bytes(name) as u64).sum()
}

/// Bytes of a name, besides the overhead.
pub(super) fn name_bytes(name: &Eid) -> usize {
    match name {
        Eid::Dtn(ssp) => ssp.len(),
        Eid::Ipn { .. } | Eid::None => 0,
    }
}

/// The extension blocks of a bundle that starts here: a Hop Count always, a Bundle Age where the node has no clock (§4.4.2),
/// and the class unless it is the normal one.
pub(super) fn first_extensions(hop_limit: u64, has_clock: bool, class: Class) -> Vec<CanonicalBlock<'static>> {
    // §4.4.3.
    let limit = hop_limit.clamp(1, 255);
    let mut blocks = vec![new_block(block_type::HOP_COUNT, 2, HopCount { limit, count: 0 }.emit())];
    if !has_clock {
        blocks.push(new_block(block_type::BUNDLE_AGE, 3, BundleAge(0).emit()));
    }
    if class != Class::Normal {
        let quality = QualityOfService { flags: 0, class: class.number(), ordinal: 0, label: 0 };
        let mut block = new_block(block_type::QUALITY_OF_SERVICE, 4, quality.emit());
        block.flags = BlockFlags::MUST_REPLICATE;
        blocks.push(block);
    }
    blocks
}

fn new_block(block_type: u64, number: u64, data: Vec<u8>) -> CanonicalBlock<'static> {
    CanonicalBlock { block_type, number, flags: BlockFlags(0), crc: CrcType::Crc16, data: data.into() }
}

/// The class that a bundle says it is of; normal if it says nothing that is understood.
pub(super) fn class_of(extensions: &[CanonicalBlock<'_>]) -> Class {
    let block = extensions.iter().find(|b| b.block_type == block_type::QUALITY_OF_SERVICE);
    let quality = block.and_then(|b| QualityOfService::parse(&b.data).ok());
    quality.and_then(|q| Class::from_number(q.class)).unwrap_or_default()
}

impl Stored {
    pub(super) fn id(&self) -> BundleId {
        BundleId::of(&self.primary, self.payload_length())
    }

    pub(super) fn payload_length(&self) -> u64 {
        self.payload.len() as u64
    }

    pub(super) fn footprint(&self) -> u64 {
        self.names_footprint() + footprint(self.payload_length(), &self.extensions)
    }

    fn names_footprint(&self) -> u64 {
        names_footprint([&self.primary.source, &self.primary.destination, &self.primary.report_to])
    }

    /// What its [`fragments`](Stored::fragments) would count.
    pub(super) fn footprint_of_fragments(&self, piece: usize) -> u64 {
        let others = self.payload_length().div_ceil(piece.max(1) as u64).saturating_sub(1);
        let followers: u64 = self
            .extensions
            .iter()
            .filter(|b| follows(b))
            .map(|b| footprint(0, std::slice::from_ref(b)) - BUNDLE_OVERHEAD)
            .sum();
        let each = self.names_footprint() + BUNDLE_OVERHEAD + followers;
        self.footprint().saturating_add(others.saturating_mul(each))
    }

    /// Hop limit and count as they came.
    pub(super) fn hops(&self) -> Option<HopCount> {
        let block = self.extensions.iter().find(|b| b.block_type == block_type::HOP_COUNT)?;
        HopCount::parse(&block.data).ok()
    }

    /// The node that it came from, if it says so.
    pub(super) fn previous_node(&self) -> Option<Eid> {
        let block = self.extensions.iter().find(|b| b.block_type == block_type::PREVIOUS_NODE)?;
        PreviousNode::parse(&block.data).ok().map(|previous| previous.0)
    }

    /// The bundle as it leaves node `here` now (§5.4 step 4, §4.4).
    pub(super) fn encode(&self, now: Instant, here: &Eid) -> Block {
        let starts_here = self.primary.source.node_id().as_ref() == Some(here);
        let waited_ms = u64::try_from(now.saturating_since(self.arrived).as_millis()).unwrap_or(0);
        let previous_node = PreviousNode(here.clone()).emit();
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
        self.encode_with(blocks)
    }

    /// The bundle as it came.
    pub(super) fn record(&self) -> Block {
        self.encode_with(self.extensions.clone())
    }

    fn encode_with<'a>(&'a self, mut blocks: Vec<CanonicalBlock<'a>>) -> Block {
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

    pub(super) fn must_not_fragment(&self) -> bool {
        self.primary.flags.contains(BundleFlags::MUST_NOT_FRAGMENT) || self.primary.source == Eid::None
    }

    /// Cuts the bundle in fragments with payloads of at most `piece` bytes (§5.8).
    ///
    /// The fragment that holds the first byte keeps every extension block; the others keep those whose flag says so, and
    /// the hop count and the age: without them a fragment could circle for ever, or never expire.
    pub(super) fn fragments(&self, piece: usize) -> Vec<Stored> {
        let length = self.payload.len();
        let (base, total_length) = match self.primary.fragment {
            Some(fragment) => (fragment.offset, fragment.total_length),
            None => (0, length as u64),
        };
        (0..length)
            .step_by(piece.max(1))
            .map(|offset| Stored {
                primary: PrimaryBlock {
                    flags: self.primary.flags | BundleFlags::IS_FRAGMENT,
                    fragment: Some(Fragment { offset: base + offset as u64, total_length }),
                    ..self.primary.clone()
                },
                extensions: match offset {
                    0 => self.extensions.clone(),
                    _ => self.extensions.iter().filter(|b| follows(b)).cloned().collect(),
                },
                payload: self.payload.slice(offset..length.min(offset + piece.max(1))),
                payload_flags: self.payload_flags,
                payload_crc: self.payload_crc,
                arrived: self.arrived,
                expiry: self.expiry,
                class: self.class,
                place: Place::Paused,
                rejections: 0,
                rejected_by: Vec::new(),
                pauses: 0,
            })
            .collect()
    }
}

/// Whether an extension block is in every fragment, and not in the first one only.
fn follows(block: &CanonicalBlock<'_>) -> bool {
    block.flags.contains(BlockFlags::MUST_REPLICATE)
        || matches!(block.block_type, block_type::HOP_COUNT | block_type::BUNDLE_AGE)
}
