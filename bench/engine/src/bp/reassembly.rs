//! Application data units that arrive in fragments (RFC 9171 §5.9).

use std::collections::BTreeMap;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::bpv7::{BundleFlags, Fragment, PrimaryBlock};

use crate::ranges::RangeSet;

#[derive(Debug)]
pub(super) struct Reassembly {
    /// The primary block of the bundle that the fragments make up.
    primary: PrimaryBlock,
    total: Option<u64>,
    expires: Instant,
    /// Material extents by offset; they do not overlap.
    pieces: BTreeMap<u64, Bytes>,
    held: RangeSet,
}

impl Reassembly {
    pub(super) fn new(first: PrimaryBlock, expires: Instant) -> Self {
        let flags = BundleFlags(first.flags.0 & !BundleFlags::IS_FRAGMENT.0);
        let primary = PrimaryBlock { flags, fragment: None, ..first };
        Reassembly { primary, total: None, expires, pieces: BTreeMap::new(), held: RangeSet::new() }
    }

    /// Takes the material extents of a fragment. Refuses one that disagrees with earlier ones on the total length, or that
    /// reaches past it.
    pub(super) fn add(&mut self, fragment: Fragment, payload: Bytes) -> bool {
        let Some(end) = fragment.offset.checked_add(payload.len() as u64) else { return false };
        if end > fragment.total_length || self.total.is_some_and(|total| total != fragment.total_length) {
            return false;
        }
        self.total = Some(fragment.total_length);
        for gap in self.held.gaps(fragment.offset..end) {
            let piece = payload.slice((gap.start - fragment.offset) as usize..(gap.end - fragment.offset) as usize);
            self.pieces.insert(gap.start, piece);
            self.held.insert(gap);
        }
        true
    }

    pub(super) fn is_whole(&self) -> bool {
        self.total.is_some_and(|total| self.held.covers(&(0..total)))
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held.len()
    }

    pub(super) fn primary(&self) -> &PrimaryBlock {
        &self.primary
    }

    pub(super) fn expires(&self) -> Instant {
        self.expires
    }

    pub(super) fn finish(self) -> (PrimaryBlock, Vec<Bytes>) {
        (self.primary, self.pieces.into_values().collect())
    }
}
