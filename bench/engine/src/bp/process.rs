//! Reception and dispatch (RFC 9171 §5.3, §5.6).

use std::collections::BTreeSet;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleAge, BundleFlags, CanonicalBlock, CrcType, Eid, Extension, QualityOfService, ReasonCode,
    block_type,
};

use super::report::Event;
use super::store::{Place, Stored, class_of};
use super::{Agent, BundleId, Handle, NoRoom, Notice, Refusal};

impl Agent {
    /// Bundle Reception (§5.6) of what a convergence layer has brought from a neighbour: one bundle, or several one after the
    /// other, as some stacks put them into an LTP block. What follows something that is no bundle is dropped with it.
    ///
    /// # Errors
    /// If `refusal` is possible: a bundle has found no room, and the layer shall tell the neighbour to keep it. Other bundles
    /// of the same `bytes` may have been taken; they will be known when they come again.
    pub fn receive(&mut self, now: Instant, from: &Eid, bytes: &Bytes, refusal: Refusal) -> Result<(), NoRoom> {
        let mut rest = bytes.clone();
        let mut outcome = Ok(());
        while !rest.is_empty() {
            match Bundle::parse_prefix(&rest) {
                Ok((bundle, length)) => {
                    let received = self.receive_bundle(now, from, &bundle, (&rest, bytes.len()), refusal);
                    outcome = outcome.and(received);
                    rest = rest.slice(length..);
                }
                Err(error) => {
                    self.report_unintelligible(now, &rest);
                    let (from, reason) = (from.clone(), error.to_string());
                    self.notices.push_back(Notice::Unintelligible { from, bytes: rest.len() as u64, reason });
                    break;
                }
            }
        }
        outcome
    }

    /// Reports on a bundle of which a block other than the primary one is damaged or malformed (§5.6 steps 2 and 3, §5.10).
    /// Nothing can be said of a bundle whose primary block cannot be trusted, nor of a fragment: how long its payload was is
    /// part of its name.
    fn report_unintelligible(&mut self, now: Instant, bytes: &Bytes) {
        let Ok(primary) = Bundle::parse_primary(bytes) else { return };
        if primary.crc == CrcType::None || primary.fragment.is_some() {
            return;
        }
        if self.seen.contains_key(&BundleId::of(&primary, 0)) {
            // A whole one has come: whoever asked for reports has been told.
            return;
        }
        if primary.flags.contains(BundleFlags::REPORT_RECEPTION) {
            self.report(now, &primary, 0, Event::Received, ReasonCode::NoAdditionalInformation);
        }
        if primary.flags.contains(BundleFlags::REPORT_DELETION) {
            self.report(now, &primary, 0, Event::Deleted, ReasonCode::BlockUnintelligible);
        }
    }

    fn receive_bundle(
        &mut self,
        now: Instant,
        from: &Eid,
        bundle: &Bundle<'_>,
        bytes: (&Bytes, usize),
        refusal: Refusal,
    ) -> Result<(), NoRoom> {
        let stored = self.stored_of(now, bundle, bytes);
        let length = stored.payload_length();
        let id = stored.id();
        if self.seen.contains_key(&id) {
            self.notices.push_back(Notice::Duplicate { id, bytes: length });
            return Ok(());
        }
        let extensions = bundle.blocks.split_last().map_or(&[][..], |(_, extensions)| extensions);
        let unprocessable = |flag| extensions.iter().any(|b| !is_known(b) && b.flags.contains(flag));
        let malformed = is_malformed(bundle);
        let fate = if malformed {
            Some(ReasonCode::BlockUnintelligible)
        } else if unprocessable(BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE) {
            Some(ReasonCode::BlockUnsupported)
        } else if stored.expiry.at <= now {
            Some(stored.expiry.reason)
        } else if stored.footprint() > self.free_bytes() {
            let cause = NoRoom { needed: stored.footprint(), free: self.free_bytes() };
            if refusal == Refusal::Possible {
                // As if it had never come: the neighbour keeps it, and reports on it would come twice.
                self.notices.push_back(Notice::Refused { id, bytes: length, from: from.clone(), cause });
                return Err(cause);
            }
            Some(ReasonCode::DepletedStorage)
        } else {
            None
        };
        self.notices.push_back(Notice::Received { id: id.clone(), bytes: length, from: from.clone() });
        let primary = &stored.primary;
        if primary.flags.contains(BundleFlags::REPORT_RECEPTION) {
            self.report(now, primary, length, Event::Received, ReasonCode::NoAdditionalInformation);
        }
        if !malformed && unprocessable(BlockFlags::REPORT_IF_UNPROCESSABLE) {
            // One report says it: it does not name the block.
            self.report(now, primary, length, Event::Received, ReasonCode::BlockUnsupported);
        }
        if let Some(reason) = fate {
            self.delete(now, primary, length, reason);
            return Ok(());
        }
        // The journal has the bundle before it knows it as one that has come: what is known is not taken again.
        let until = stored.expiry.at;
        let handle = self.admit(stored);
        // Anonymous bundles cannot be told from one another (§4.2.3), so none is a duplicate.
        if id.source != Eid::None {
            self.remember(id, until);
        }
        self.dispatch(now, handle);
        Ok(())
    }

    /// A bundle as the store holds it. Blocks that nobody here can process and that ask for it are left out. `bytes` are those
    /// that begin with the bundle, and how many came with them in one piece.
    pub(super) fn stored_of(&self, arrived: Instant, bundle: &Bundle<'_>, (bytes, came): (&Bytes, usize)) -> Stored {
        let primary = bundle.primary.clone();
        let mut payload = bytes.slice_ref(bundle.payload());
        if payload.len() < came / 2 {
            // A small bundle of a large block would keep the whole block in memory.
            payload = Bytes::copy_from_slice(&payload);
        }
        // A parsed bundle ends with its payload block (§4.1).
        let (extensions, payload_flags, payload_crc) = match bundle.blocks.split_last() {
            Some((last, extensions)) => (extensions, last.flags, last.crc),
            None => (&[][..], BlockFlags(0), primary.crc),
        };
        let kept = extensions.iter().filter(|b| is_known(b) || !b.flags.contains(BlockFlags::DISCARD_IF_UNPROCESSABLE));
        Stored {
            expiry: self.expiry(arrived, &primary, age_ms(bundle)),
            class: class_of(extensions),
            primary,
            extensions: kept.cloned().map(CanonicalBlock::into_owned).collect(),
            payload,
            payload_flags,
            payload_crc,
            arrived,
            place: Place::Paused,
            rejections: 0,
            rejected_by: Vec::new(),
            pauses: 0,
        }
    }

    /// Bundle Dispatching (§5.3) of a bundle in the store.
    pub(super) fn dispatch(&mut self, now: Instant, handle: Handle) {
        let Some(stored) = self.store.get(&handle) else { return };
        if self.is_here(&stored.primary.destination) {
            self.deliver_locally(now, handle);
        } else if stored.hops().is_some_and(|hops| hops.count >= hops.limit) {
            self.delete_stored(now, handle, ReasonCode::HopLimitExceeded);
        } else {
            self.forward(now, handle);
        }
    }
}

/// Whether this agent can process an extension block: the types that every node must know (§4.4), and the class if it can
/// be read.
fn is_known(block: &CanonicalBlock<'_>) -> bool {
    match block.block_type {
        block_type::PREVIOUS_NODE | block_type::BUNDLE_AGE | block_type::HOP_COUNT => true,
        block_type::QUALITY_OF_SERVICE => QualityOfService::parse(&block.data).is_ok(),
        _ => false,
    }
}

/// Whether a bundle that can be read breaks a rule without which it cannot be handled (§5.6 step 3).
fn is_malformed(bundle: &Bundle<'_>) -> bool {
    // §4.2.3: without a source nothing says which fragments belong together.
    let anonymous_fragment = bundle.primary.fragment.is_some() && bundle.primary.source == Eid::None;
    // §4.3.1: a fragment is an extent of its application data unit.
    let beyond_unit = bundle.primary.fragment.is_some_and(|fragment| {
        let end = fragment.offset.checked_add(bundle.payload().len() as u64);
        end.is_none_or(|end| end > fragment.total_length)
    });
    // §4.4.1 to §4.4.3: at most one block of each type.
    let mut types = BTreeSet::new();
    let unreadable_or_repeated = bundle
        .blocks
        .iter()
        .filter(|b| is_known(b) && b.block_type != block_type::QUALITY_OF_SERVICE)
        .any(|b| Extension::of(b).is_err() || !types.insert(b.block_type));
    // §4.4.2: nothing else says when it expires.
    let ageless = bundle.primary.creation.time_ms == 0 && bundle.extension(block_type::BUNDLE_AGE).is_none();
    anonymous_fragment || beyond_unit || unreadable_or_repeated || ageless
}

fn age_ms(bundle: &Bundle<'_>) -> Option<u64> {
    let block = bundle.extension(block_type::BUNDLE_AGE)?;
    BundleAge::parse(&block.data).ok().map(|age| age.0)
}
