//! Application data units that arrive in fragments (RFC 9171 §5.9).

use std::collections::BTreeMap;

use bytes::Bytes;
use farlink_wire::bpv7::{BundleFlags, Fragment, PrimaryBlock};

use super::Handle;
use super::store::Expiry;
use crate::ranges::RangeSet;

#[derive(Debug)]
pub(super) struct Reassembly {
    /// The primary block of the bundle that the fragments make up.
    primary: PrimaryBlock,
    total: u64,
    expiry: Expiry,
    /// Material extents by offset; they do not overlap.
    pieces: BTreeMap<u64, Bytes>,
    held: RangeSet,
    /// The fragments in the store.
    pub(super) parts: Vec<Handle>,
}

impl Reassembly {
    /// An empty one for the bundle that `first`, the primary block of a fragment, tells of.
    pub(super) fn new(first: &PrimaryBlock, fragment: Fragment, expiry: Expiry) -> Self {
        let flags = BundleFlags(first.flags.0 & !BundleFlags::IS_FRAGMENT.0);
        let primary = PrimaryBlock { flags, fragment: None, ..first.clone() };
        let total = fragment.total_length;
        Reassembly { primary, total, expiry, pieces: BTreeMap::new(), held: RangeSet::new(), parts: Vec::new() }
    }

    /// Whether a fragment is of the same length of data as the ones before.
    pub(super) fn agrees_with(&self, fragment: Fragment) -> bool {
        self.total == fragment.total_length
    }

    /// Takes the material extents of a fragment that agrees and ends within the whole. `false` if it has none, and is of no
    /// use.
    pub(super) fn add(&mut self, handle: Handle, fragment: Fragment, payload: &Bytes) -> bool {
        let end = fragment.offset + payload.len() as u64;
        let gaps = self.held.gaps(fragment.offset..end);
        // The only fragment of an empty unit fills nothing and is needed all the same.
        if gaps.is_empty() && !(self.total == 0 && self.parts.is_empty()) {
            return false;
        }
        for gap in gaps {
            let piece = payload.slice((gap.start - fragment.offset) as usize..(gap.end - fragment.offset) as usize);
            self.pieces.insert(gap.start, piece);
            self.held.insert(gap);
        }
        self.parts.push(handle);
        true
    }

    pub(super) fn is_whole(&self) -> bool {
        self.held.covers(&(0..self.total))
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held.len()
    }

    pub(super) fn primary(&self) -> &PrimaryBlock {
        &self.primary
    }

    pub(super) fn expiry(&self) -> Expiry {
        self.expiry
    }

    pub(super) fn finish(self) -> (PrimaryBlock, Vec<Bytes>, Vec<Handle>, Expiry) {
        (self.primary, self.pieces.into_values().collect(), self.parts, self.expiry)
    }
}
